"""Launches that must open nothing: each is a page in the person's words, is counted or recorded, and leaks nothing."""

import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from fhir_adapters.interface import FeedTimeout
from tests.launch.launching import TOKEN, LaunchWorld
from tests.world import EHR_BASE, ISSUER

MARKERS = (TOKEN, "xyz", "dr-roy", "code-1")


def refused(launching: LaunchWorld, answer: Any, reason: str, status: int = 403) -> None:
    """It is a page, opens nothing, and is counted under `reason`."""
    assert answer.status_code == status
    assert answer.content_type == "text/html; charset=utf-8"
    assert "The view did not open" in answer.text
    assert not any(marker in answer.text for marker in MARKERS)
    assert not any("vitrine-view" in each for each in answer.headers.getlist("Set-Cookie"))
    record = launching.last()
    assert (record["action"], record["callers"]["reason"], record["callers"]["family"]) == (
        "callers:refused",
        reason,
        "launch",
    )


def refused_by_name(launching: LaunchWorld, answer: Any, reason: str, rule: str) -> None:
    """It is recorded singly, under the name of the person who was verified."""
    assert "The view did not open" in answer.text
    assert not any("vitrine-view" in each for each in answer.headers.getlist("Set-Cookie"))
    record = launching.last()
    assert (record["action"], record["reason"], record["rules"]) == ("session:refused", reason, [rule])
    assert record["person"]["subject"] == "dr-roy"
    assert launching.login.revoked == [TOKEN]


@pytest.mark.parametrize(
    "query",
    [
        "?iss=https://evil.example/fhir&launch=xyz",
        f"?iss={EHR_BASE}.evil.example&launch=xyz",
        f"?iss={EHR_BASE}/../other&launch=xyz",
        "?iss=http://ehr.example/fhir&launch=xyz",
    ],
)
def test_a_launch_of_another_ehr_contacts_nobody(launching: LaunchWorld, query: str) -> None:
    """To fetch what a stranger names would make the gateway a scanner of the hospital's network."""
    launching.login.published.clear()  # asking for it would be another failure
    refused(launching, launching.begun(query), "launch-foreign")


@pytest.mark.parametrize("state", ["", "&state=x"], ids=["at its beginning", "at its second step"])
def test_an_ehr_that_is_not_configured_launches_nothing(launching: LaunchWorld, state: str) -> None:
    refused(launching, launching.back(f"/launch/clinic?iss={EHR_BASE}&launch=xyz{state}"), "launch-foreign")


@pytest.mark.parametrize(
    "query",
    [
        "?launch=xyz",
        f"?iss={EHR_BASE}&iss={EHR_BASE}&launch=xyz",
        f"?iss={EHR_BASE}&launch=",
        f"?iss={EHR_BASE}&launch={'x' * 2000}",
        f"?iss={EHR_BASE}&launch=a%0d%0ab",
    ],
)
def test_a_malformed_launch_is_refused(launching: LaunchWorld, query: str) -> None:
    refused(launching, launching.begun(query), "launch-malformed", 400)


def test_an_answer_works_once(launching: LaunchWorld) -> None:
    """A code in a browser's history, or on somebody's screen, is worth nothing."""
    address = launching.login.log_in(launching.begun().headers["Location"])
    kept = launching.client.get_cookie(f"__Host-vitrine-launch-{state_of(address)}", domain="vitrine.example")
    assert launching.back(address).status_code == 303
    launching.client.set_cookie(kept.key, kept.value, domain="vitrine.example", secure=True, path="/")
    refused(launching, launching.back(address), "launch-mixed-up")


def state_of(address: str) -> str:
    return address.split("state=")[1].split("&", maxsplit=1)[0]


def test_an_answer_opens_nothing_in_another_browser(launching: LaunchWorld) -> None:
    """Else an attacker could put a clinician into a view of the attacker's choice, or take the clinician's."""
    address = launching.login.log_in(launching.begun().headers["Location"])
    refused(launching, launching.back(address, launching.browser()), "launch-mixed-up")


def test_a_browser_that_keeps_no_cookie_is_named_as_a_reason(launching: LaunchWorld) -> None:
    """Whoever opens the view again in that browser comes back to the same page for ever."""
    address = launching.login.log_in(launching.begun().headers["Location"])
    assert "does not accept cookies" in launching.back(address, launching.browser()).text


def test_the_state_of_one_launch_does_not_go_with_the_cookie_of_another(launching: LaunchWorld) -> None:
    one = launching.login.log_in(launching.begun().headers["Location"], "code-1")
    other = launching.begun(browser=(browser := launching.browser())).headers["Location"]
    kept = browser.get_cookie(f"__Host-vitrine-launch-{state_of(other)}", domain="vitrine.example")
    swapped = launching.browser()
    swapped.set_cookie(
        f"__Host-vitrine-launch-{state_of(one)}", kept.value, domain="vitrine.example", secure=True, path="/"
    )
    refused(launching, launching.back(one, swapped), "launch-mixed-up")


@pytest.mark.parametrize("issuer", ["https://other.example", ""])
def test_an_answer_of_another_server_is_refused(launching: LaunchWorld, issuer: str) -> None:
    """RFC 9207: the code of an honest server must not be carried to one that was not asked, nor the reverse."""
    address = launching.login.log_in(launching.begun().headers["Location"])
    head, _, _ = address.partition("&iss=")
    refused(launching, launching.back(f"{head}&iss={issuer}" if issuer else head), "launch-mixed-up")
    assert launching.login.asked == []


def test_a_code_of_another_launch_is_refused_by_its_proof_key(launching: LaunchWorld) -> None:
    """PKCE: the verifier of this browser does not fit the challenge of that one."""
    stolen = launching.login.log_in(launching.begun(browser=launching.browser()).headers["Location"], "code-1")
    mine = launching.login.log_in(launching.begun().headers["Location"], "code-2")
    code = stolen.split("code=")[1].split("&")[0]
    refused(launching, launching.back(mine.replace("code-2", code)), "launch-unproven")


def test_a_launch_that_took_too_long_is_over(launching: LaunchWorld) -> None:
    address = launching.login.log_in(launching.begun().headers["Location"])
    launching.at(time.time() + 601)
    refused(launching, launching.back(address), "launch-mixed-up")


def test_a_cancelled_login_is_told(launching: LaunchWorld) -> None:
    state = state_of(launching.login.log_in(launching.begun().headers["Location"]))
    answer = launching.back(f"/launch/callback?error=access_denied&error_description=MARKER&state={state}&iss={ISSUER}")
    refused(launching, answer, "launch-denied")
    assert "MARKER" not in answer.text


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
def test_a_login_service_that_reports_a_failure_is_not_told_as_a_refusal(launching: LaunchWorld, error: str) -> None:
    """RFC 6749 4.1.2.1: nobody said no, and trying again makes sense."""
    state = state_of(launching.login.log_in(launching.begun().headers["Location"]))
    answer = launching.back(f"/launch/callback?error={error}&state={state}&iss={ISSUER}")
    refused(launching, answer, "issuer-unreachable", 503)
    assert "sign-in service of the record system does not answer, or reports a failure" in answer.text
    assert answer.headers["Retry-After"] == "10"
    assert launching.last()["outcome"] == "12"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "another-client"},
        {"aud": ["vitrine-viewer", "another-client"]},
        {"azp": "another-client"},
        {"nonce": "of-another-sign-in"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"sub": "a\u202eb"},
        {"typ": "Bearer"},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"fhirUser": "javascript:alert(1)"},
        {"events": {}},
    ],
)
def test_an_id_token_that_proves_nothing_opens_nothing(launching: LaunchWorld, claims: dict[str, Any]) -> None:
    """OpenID Connect Core 3.1.3.7, each check by itself; and what we got for the code is given back."""
    launching.login.claims = claims
    refused(launching, launching.launched(), "launch-unproven")
    assert launching.login.revoked == [TOKEN]


@pytest.mark.parametrize("made", ["unsigned", "by a shared secret", "by another key", "not a token", "an access token"])
def test_an_id_token_of_somebody_else_opens_nothing(launching: LaunchWorld, made: str) -> None:
    claims = {
        "iss": ISSUER,
        "sub": "dr-roy",
        "aud": "vitrine-viewer",
        "iat": int(time.time()),
        "exp": int(time.time()) + 300,
        "fhirUser": "Practitioner/dr-roy",
    }
    address = launching.login.log_in(launching.begun().headers["Location"])
    claims["nonce"] = launching.login.codes["code-1"]["nonce"]
    header = {"kid": "k1", "typ": "JWT"}
    tokens = {
        "unsigned": lambda: jwt.encode({"alg": "none", **header}, claims, OctKey.generate_key(), algorithms=["none"]),
        "by a shared secret": lambda: jwt.encode({"alg": "HS256", **header}, claims, OctKey.generate_key()),
        "by another key": lambda: jwt.encode({"alg": "ES256", **header}, claims, ECKey.generate_key("P-256")),
        "not a token": lambda: "a.b.c",
        "an access token": lambda: jwt.encode({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}, claims, launching.key),
    }
    launching.login.context["id_token"] = tokens[made]()
    refused(launching, launching.back(address), "launch-unproven")


@pytest.mark.parametrize(
    "context",
    [
        {"access_token": None},
        {"access_token": "with space"},
        {"access_token": "x" * 9000},
        {"token_type": "DPoP"},
        {"scope": None},
        {"scope": "patient/*.rs\u00a0x"},
        {"id_token": None},
        {"expires_in": -1},
        {"expires_in": True},
        {"patient": "../p2"},
        {"patient": {"reference": "Patient/p1"}},
    ],
)
def test_a_token_answer_of_another_form_opens_nothing(launching: LaunchWorld, context: dict[str, Any]) -> None:
    launching.login.context = context
    refused(launching, launching.launched(), "launch-unproven")


def test_a_launch_without_a_patient_is_refused_by_name(launching: LaunchWorld) -> None:
    """Who it is was verified: the refusal stands under that name."""
    launching.login.context["patient"] = None
    refused_by_name(launching, launching.launched(), "patient-required", "one-patient")


@pytest.mark.parametrize(
    "claims",
    [
        {"fhirUser": f"{EHR_BASE}/Patient/p1"},
        {"fhirUser": "RelatedPerson/x"},
        {"fhirUser": None},
        {"preferred_username": "service-account-viewer"},
    ],
)
def test_a_patient_or_a_machine_opens_no_view(launching: LaunchWorld, claims: dict[str, Any]) -> None:
    launching.login.claims = claims
    answer = launching.launched()
    assert answer.status_code == 403
    refused_by_name(launching, answer, "access-denied", "natural-person")


def test_a_login_service_that_is_silent_is_named(launching: LaunchWorld) -> None:
    address = launching.login.log_in(launching.begun().headers["Location"])
    launching.login.failure = FeedTimeout("the authorization server did not answer in time")
    refused(launching, launching.back(address), "issuer-unreachable", 503)


@pytest.mark.parametrize(
    "published",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "https://other.example/token"},
        {"token_endpoint": "http://login.example/token"},
        {"revocation_endpoint": "https://other.example/revoke"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
    ],
)
def test_an_ehr_that_names_another_login_service_is_not_followed(
    launching: LaunchWorld, published: dict[str, Any]
) -> None:
    """The configuration lists whom an EHR may have its users authenticated by."""
    launching.login.published.update(published)
    refused(launching, launching.begun(), "issuer-unreachable", 503)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS"])
def test_only_get_reaches_a_launch(launching: LaunchWorld, method: str) -> None:
    """A program that looks at links before people do must not spend a code."""
    address = launching.login.log_in(launching.begun().headers["Location"])
    for each in (address, "/launch/hospital"):
        answer = launching.client.open(each, method=method, base_url="https://vitrine.example")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    (counted,) = [body for body in launching.bodies() if body["action"] == "callers:refused"]
    assert (counted["reason"], counted["callers"]["family"]) == ("method-not-allowed", "launch")
    assert launching.back(address).status_code == 303


@pytest.mark.parametrize(
    "path", ["/launch", "/launch/", "/launch/hospital/more", "/launch/callback/x", "/view", "/view/"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_an_address_beside_the_launches_and_views_is_counted(launching: LaunchWorld, path: str, method: str) -> None:
    """Whoever tries addresses leaves a trace, here as elsewhere."""
    answer = launching.client.open(path, method=method, base_url="https://vitrine.example")
    assert answer.status_code == 404
    (counted,) = launching.bodies()
    assert (counted["action"], counted["reason"]) == ("callers:refused", "unknown-address")
    assert counted["callers"]["family"] == ("launch" if path.startswith("/launch") else "viewer")
