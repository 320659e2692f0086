"""From an EHR's launch to a view: what is asked, what is kept, what is recorded."""

import time
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from authlib.oidc.core.util import create_half_hash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_adapters.interface import FeedError, FeedLinkRefused, FeedTimeout
from plugin.authentication.launchable import launchable_ehrs
from plugin.errors import ViewUnknown
from plugin.state import callers
from tests.launch.launching import FRAMED, ORIGIN, REDIRECT, TOKEN, VIEWER, LaunchWorld
from tests.world import EHR_BASE, ISSUER


def test_a_launch_asks_for_one_patient_to_look_at_and_no_more(launching: LaunchWorld) -> None:
    """SMART 2.2 section 2: every parameter is required; a scope to write or to outlive the session is never asked."""
    begun = launching.begun()
    assert begun.status_code == 302
    address = urlsplit(begun.headers["Location"])
    asked = {name: values[0] for name, values in parse_qs(address.query, strict_parsing=True).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{ISSUER}/authorize"
    assert asked.pop("state") and asked.pop("nonce") and len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code",
        "client_id": VIEWER,
        "redirect_uri": REDIRECT,
        "scope": "openid fhirUser launch patient/*.rs",
        "aud": EHR_BASE,
        "launch": "xyz",
        "code_challenge_method": "S256",
    }


def test_a_standalone_launch_lets_the_ehr_ask_for_the_patient(launching: LaunchWorld) -> None:
    asked = parse_qs(urlsplit(launching.begun("").headers["Location"]).query)
    assert asked["scope"] == ["openid fhirUser launch/patient patient/*.rs"]
    assert "launch" not in asked


def test_a_launch_opens_a_view_and_leaves_one_record(launching: LaunchWorld) -> None:
    """The record is who, about whom, by which token, until when; the browser keeps a secret and no token."""
    back = launching.launched()
    assert back.status_code == 303
    view = back.headers["Location"].split("/")[2]
    assert back.headers["Location"] == f"/view/{view}/"
    kept = [each for each in back.headers.getlist("Set-Cookie") if "view" in each]
    assert len(kept) == 1
    assert kept[0].startswith(f"__Host-vitrine-view-{view}=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {part.strip() for part in kept[0].split(";")}
    assert TOKEN not in str(back.headers)
    (record,) = launching.named()
    assert record["action"] == "session:opened"
    assert (record["outcome"], record["patient"], record["person"]["subject"]) == ("0", "p1", "dr-roy")
    assert record["person"]["name"] == "Dr Alma Roy"
    assert record["client"]["id"] == VIEWER
    assert record["token"]["reference"].startswith("urn:vitrine:token-sha256:")
    assert record["session"]["opened"] == record["record"]
    assert TOKEN not in str(launching.bodies())


def test_inside_a_frame_the_cookie_is_tried_before_the_launch_is_spent(launching: LaunchWorld) -> None:
    """A `launch` value is good once: the login must not begin where the browser will have forgotten it at its end."""
    first = launching.begun(headers=FRAMED)
    assert first.headers["Location"].startswith("/launch/hospital?")
    kept = first.headers["Set-Cookie"]
    assert {"SameSite=None", "Partitioned", "Secure"} <= {part.strip() for part in kept.split(";")}
    second = launching.back(first.headers["Location"], headers=FRAMED)
    assert second.headers["Location"].startswith(f"{ISSUER}/authorize?")
    back = launching.back(launching.login.log_in(second.headers["Location"]), headers=FRAMED)
    assert "Partitioned" in next(each for each in back.headers.getlist("Set-Cookie") if "view" in each)


def test_a_browser_that_keeps_no_cookie_in_a_frame_is_shown_the_way_to_a_tab(launching: LaunchWorld) -> None:
    first = launching.begun(headers=FRAMED)
    forgetful = launching.app.test_client(use_cookies=False)
    page = launching.back(first.headers["Location"], forgetful, headers=FRAMED)
    assert page.status_code == 403
    assert 'target="_blank"' in page.text
    assert f"/launch/hospital?iss={EHR_BASE.replace('/', '%2F').replace(':', '%3A')}&amp;launch=xyz" in page.text
    assert "frame-ancestors https://ehr.example" in page.headers["Content-Security-Policy"]
    assert "in this frame" in page.text
    (counted,) = launching.bodies()
    assert (counted["action"], counted["outcome"], counted["reason"]) == ("callers:refused", "4", "launch-forgotten")
    assert counted["callers"]["family"] == "launch"
    assert counted["request"] == page.headers["X-Request-Id"]


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Dest": "document"}, {}], ids=["a tab", "a browser that does not say"])
def test_a_lost_cookie_is_told_without_a_frame_where_there_may_be_none(
    launching: LaunchWorld, headers: dict[str, str]
) -> None:
    """Somebody moved the frame's address to a tab, where the frame's cookie is not."""
    first = launching.begun(headers=FRAMED)
    page = launching.back(first.headers["Location"], launching.browser(), headers=headers)
    assert "in this frame" not in page.text
    assert "did not keep the beginning of this sign-in" in page.text
    assert 'target="_blank"' in page.text
    assert [body["reason"] for body in launching.bodies()] == ["launch-forgotten"]


def test_a_ward_whose_browsers_keep_nothing_in_frames_is_not_held_off(
    launching: LaunchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody there failed to authenticate: in a tab the same people get in."""
    monkeypatch.setattr(callers, "BUCKET_SIZE", 2)
    forgetful = launching.app.test_client(use_cookies=False)
    for _ in range(4):
        launching.back(launching.begun(headers=FRAMED).headers["Location"], forgetful, headers=FRAMED)
    assert launching.launched().status_code == 303


def test_a_launch_for_another_patient_is_another_view(launching: LaunchWorld) -> None:
    """The old window stays on its own patient: its secret opens nothing else, and the new one nothing of it."""
    first = launching.launched().headers["Location"].split("/")[2]
    launching.login.context["patient"] = "p2"
    second = launching.launched(code="code-2").headers["Location"].split("/")[2]
    assert first != second
    assert launching.view(first).patient == "p1"
    assert launching.view(second).patient == "p2"


def test_the_token_may_prove_that_it_came_with_the_id_token(launching: LaunchWorld) -> None:
    """OpenID Connect Core 3.1.3.6: servers that state `at_hash` are taken by it."""
    launching.login.claims = {"at_hash": create_half_hash(TOKEN, "ES256").decode(), "aud": [VIEWER], "azp": VIEWER}
    assert launching.launched().status_code == 303


def test_what_pages_may_know_of_a_launch(launching: LaunchWorld) -> None:
    """The language comes from the person, the banner and the colours from the EHR; no token is among it."""
    launching.login.context |= {
        "need_patient_banner": False,
        "smart_style_url": "https://ehr.example/style.json",
        "locale": "en",
    }
    launching.login.style = b'{"color_highlight":"#0b5c73","color_text":"red;}","dim_font_size":"13px","color_error":7}'
    view = launching.view(launching.launched().headers["Location"].split("/")[2])
    assert (view.ehr, view.patient, view.person, view.locale) == ("hospital", "p1", "Dr Alma Roy", "fr-FR")
    assert (view.need_patient_banner, view.style) == (False, {"color_highlight": "#0b5c73"})
    assert TOKEN not in repr(view)


@pytest.mark.parametrize("style", [b"not JSON", b"[]", b'{"a":1,"a":2}', FeedTimeout("the style did not answer")])
def test_a_style_that_cannot_be_had_hinders_no_launch(launching: LaunchWorld, style: bytes | FeedError) -> None:
    launching.login.context["smart_style_url"] = "https://ehr.example/style.json"
    launching.login.style = style
    view = launching.view(launching.launched().headers["Location"].split("/")[2])
    assert view.style == {}


def test_a_style_elsewhere_is_not_fetched(launching: LaunchWorld) -> None:
    """The real fetcher, whose reach is the EHR's and its issuers' hosts: a token answer is no reason to ask others."""
    (real,) = launchable_ehrs(launching.settings).values()
    for address in ("https://evil.example/style.json", "file:///etc/passwd", "https://ehr.example@evil.example/"):
        with pytest.raises(FeedLinkRefused):
            real.style(address)


def test_views_that_have_ended_are_forgotten_and_their_tokens_given_back(launching: LaunchWorld) -> None:
    """One that nobody used any more: its token would be good for another while."""
    now = time.time()
    view = launching.launched().headers["Location"].split("/")[2]
    credential = launching.credential(view)
    launching.at(now + 800)
    assert launching.assembled.sessions.forget_ended() == 0
    launching.at(now + 1000)
    assert launching.assembled.sessions.forget_ended() == 1
    assert launching.login.revoked == [TOKEN]
    assert launching.assembled.sessions.forget_ended() == 0
    with pytest.raises(ViewUnknown):
        launching.assembled.sessions.view(credential, ORIGIN)


@given(query=st.text(max_size=300), framed=st.booleans())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_in_an_address_opens_a_view_or_breaks_anything(
    launching: LaunchWorld, query: str, framed: bool
) -> None:
    headers = FRAMED if framed else {}
    for path in ("/launch/callback", "/launch/hospital", f"/launch/{quote(query)[:50]}"):
        answer = launching.browser().get(path, query_string=query, base_url="https://vitrine.example", headers=headers)
        assert answer.status_code in {302, 400, 403, 404, 429}
        assert not any("vitrine-view" in each for each in answer.headers.getlist("Set-Cookie"))


def test_a_state_that_cannot_be_kept_opens_nothing(launching: LaunchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person was verified: the failure stands under that name, and the token is given back."""
    from plugin.errors import StateUnavailable
    from plugin.state.views import Views

    def full(*_: object) -> None:
        raise StateUnavailable

    monkeypatch.setattr(Views, "open", full)
    answer = launching.launched()
    assert answer.status_code == 503
    assert (launching.last()["action"], launching.last()["outcome"]) == ("session:failed", "12")
    assert launching.login.revoked == [TOKEN]


def test_launches_that_nobody_finishes_do_not_fill_the_browser(launching: LaunchWorld) -> None:
    """An EHR that opens a frame with each record would soon make its requests too large for us to take."""
    for _ in range(80):
        assert launching.begun().status_code == 302
    assert launching.launched().status_code == 303
    for number in range(70):
        assert launching.launched(code=f"code-{number}").status_code == 303
    kept = [each.key for each in launching.client._cookies.values()]
    assert len([each for each in kept if "launch" in each]) <= 8
    assert len([each for each in kept if "view" in each]) == 60
