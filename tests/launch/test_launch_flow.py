"""From an EHR's launch to a view: what is asked, what is kept, what is recorded."""

from urllib.parse import parse_qs, urlsplit

from tests.launch.launching import FRAMED, REDIRECT, TOKEN, VIEWER, LaunchWorld
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
    assert page.status_code == 200
    assert 'target="_blank"' in page.text
    assert f"/launch/hospital?iss={EHR_BASE.replace('/', '%2F').replace(':', '%3A')}&amp;launch=xyz" in page.text
    assert "frame-ancestors https://ehr.example" in page.headers["Content-Security-Policy"]
    assert launching.bodies() == []


def test_a_launch_for_another_patient_is_another_view(launching: LaunchWorld) -> None:
    """The old window stays on its own patient: its secret opens nothing else, and the new one nothing of it."""
    first = launching.launched().headers["Location"].split("/")[2]
    launching.login.context["patient"] = "p2"
    second = launching.launched(code="code-2").headers["Location"].split("/")[2]
    assert first != second
    assert launching.view(first).patient == "p1"
    assert launching.view(second).patient == "p2"
