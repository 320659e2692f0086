"""The pretend authorization server issues what it promises, and refuses what SMART App Launch has it refuse."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt

from demo import code_grant
from tests.demo.conftest import AUDIENCE, CALLBACK, CHALLENGE, ISSUER, PAGE, VERIFIER


def token_of(server, **changes):
    answer = server.exchange(server.answer(**changes)["code"])
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_an_access_token_is_one_of_rfc_9068_and_verifies_against_the_published_keys(authorization_server):
    """The gateway finds the key by discovery and demands every one of these claims."""
    answer = token_of(authorization_server)
    token = jwt.decode(answer["access_token"], authorization_server.keys, algorithms=["ES256"])
    claims = token.claims
    assert token.header["typ"] == "at+jwt"
    assert token.header["kid"] in {key.kid for key in authorization_server.keys}
    assert (claims["iss"], claims["sub"], claims["aud"]) == (ISSUER, "doc", AUDIENCE)
    assert (claims["client_id"], claims["patient"]) == ("results-pane", "p1")
    assert claims["scope"] == "openid fhirUser launch patient/*.rs"
    assert claims["fhirUser"].endswith("/Practitioner/doc")
    assert 0 < claims["exp"] - claims["iat"] <= 3600
    assert abs(claims["auth_time"] - time.time()) < 60
    assert claims["jti"]
    iua = claims["extensions"]["ihe_iua"]
    assert (iua["subject_name"], iua["subject_organization"]) == ("Dr <Alma> Roy", "Clinique Nord")
    assert iua["subject_role"][0]["code"] == "309343006"
    assert [coding["code"] for coding in iua["purpose_of_use"]] == ["TREAT"]


def test_no_two_tokens_have_the_same_jti(authorization_server):
    """The record names a token by it."""
    decoded = [
        jwt.decode(token_of(authorization_server)["access_token"], authorization_server.keys, algorithms=["ES256"])
        for _ in range(2)
    ]
    assert decoded[0].claims["jti"] != decoded[1].claims["jti"]


def test_an_id_token_is_for_the_client_and_says_who_signed_in(authorization_server):
    """OpenID Connect Core 2 and SMART: RS256, the client's nonce, `fhirUser`."""
    answer = token_of(authorization_server)
    token = jwt.decode(answer["id_token"], authorization_server.keys, algorithms=["RS256"])
    assert (token.claims["iss"], token.claims["aud"], token.claims["sub"]) == (ISSUER, "results-pane", "doc")
    assert token.claims["nonce"] == "a-nonce"
    assert token.claims["fhirUser"].endswith("/Practitioner/doc")
    assert answer["patient"] == "p1"
    assert answer["expires_in"] == 3600


def test_a_narrower_audience_is_kept(authorization_server):
    """A token for another FHIR server than the one named would be of use to whoever runs that one."""
    answer = authorization_server.answer(aud=None, resource=AUDIENCE)
    token = authorization_server.exchange(answer["code"]).get_json()["access_token"]
    assert jwt.decode(token, authorization_server.keys, algorithms=["ES256"]).claims["aud"] == AUDIENCE


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"state": None},
        {"aud": None},
        {"aud": "http://127.0.0.1:6666/fhir"},
        {"launch": None},
        {"launch": "guessed"},
        {"scope": "openid patient/*.rs"},
    ],
    ids=lambda changes: "-".join(f"{name}={value}" for name, value in changes.items()),
)
def test_an_authorization_request_that_smart_does_not_allow_gets_no_code(authorization_server, changes):
    """PKCE, state, aud and launch are mandatory in SMART; Authlib by itself asks for none of them here."""
    answer = authorization_server.answer(**changes)
    assert answer["error"] == "invalid_request"
    assert answer["iss"] == ISSUER
    assert "code" not in answer


def test_the_same_refusals_stand_before_the_login_page(authorization_server):
    """Nobody is asked to sign in for a request that cannot succeed."""
    request = authorization_server.request(code_challenge=None)
    response = authorization_server.http.get("/authorize", query_string=request)
    assert response.status_code == 302
    assert "error=invalid_request" in response.location
    assert "state=a-state" in response.location


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "nobody"}, {"redirect_uri": "http://127.0.0.1:6666/"}, {"redirect_uri": None}, {"client_id": None}],
    ids=str,
)
def test_an_unknown_client_or_address_is_told_on_the_spot_and_never_redirected_to(authorization_server, changes):
    """An open redirector would hand codes to anybody (RFC 6749 section 4.1.2.1)."""
    response = authorization_server.http.get("/authorize", query_string=authorization_server.request(**changes))
    assert response.status_code == 400
    assert "Location" not in response.headers


def test_a_code_works_once(authorization_server):
    """Whoever sees a code afterwards has nothing."""
    code = authorization_server.answer()["code"]
    assert authorization_server.exchange(code).status_code == 200
    again = authorization_server.exchange(code)
    assert (again.status_code, again.get_json()["error"]) == (400, "invalid_grant")


def test_a_code_is_gone_after_its_minute(authorization_server, monkeypatch):
    """Authlib leaves the life of a code to the store."""
    monkeypatch.setattr(code_grant, "CODE_SECONDS", 0)
    answer = authorization_server.exchange(authorization_server.answer()["code"])
    assert answer.get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": CHALLENGE}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"redirect_uri": CALLBACK + "2"}, "invalid_grant"),
    ],
)
def test_a_code_without_its_proof_is_refused_and_lost(authorization_server, changes, error):
    """A thief must not get a second guess at the verifier."""
    code = authorization_server.answer()["code"]
    answer = authorization_server.exchange(code, **changes)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert authorization_server.exchange(code).get_json()["error"] == "invalid_grant"


def test_a_client_that_does_not_prove_itself_gets_nothing(authorization_server):
    """The results pane is confidential: its id alone is worth nothing."""
    form = {
        "grant_type": "authorization_code",
        "client_id": "results-pane",
        "code": authorization_server.answer()["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    assert authorization_server.http.post("/token", data=form).get_json()["error"] == "invalid_client"
    form["client_secret"] = "wrong"
    assert authorization_server.http.post("/token", data=form).get_json()["error"] == "invalid_client"


def test_the_login_page_names_the_launch_patient_and_says_that_it_is_a_pretend_one(authorization_server):
    """A newcomer must not take it for a model of a login."""
    request = authorization_server.request()
    page = authorization_server.http.get("/authorize", query_string=request, headers={"Accept-Language": "fr"})
    assert "fictive" in page.text
    assert "Zoé Test" in page.text
    assert "Dr &lt;Alma&gt; Roy" in page.text
    assert 'name="patient"' not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_without_a_launch_the_patient_is_chosen_on_the_page(authorization_server):
    """SMART's standalone launch: scope launch/patient."""
    changes = {"scope": "openid launch/patient patient/Observation.rs", "launch": None}
    page = authorization_server.http.get("/authorize", query_string=authorization_server.request(**changes))
    assert 'name="patient"' in page.text
    assert token_of(authorization_server, **changes)["patient"] == "p1"


def test_cancelling_gives_access_denied(authorization_server):
    """The client learns that the person did not want to."""
    form = {**authorization_server.request(), "decision": "cancel"}
    assert "error=access_denied" in authorization_server.http.post("/authorize", data=form).location


def test_a_person_or_patient_who_is_not_listed_cannot_be_chosen(authorization_server):
    """The form is filled in by whoever likes to."""
    form = {**authorization_server.request(), "decision": "continue", "practitioner": "somebody"}
    assert authorization_server.http.post("/authorize", data=form).status_code == 400
    standalone = authorization_server.request(scope="launch/patient patient/*.rs", launch=None)
    form = {**standalone, "decision": "continue", "practitioner": "doc", "patient": "p2"}
    assert authorization_server.http.post("/authorize", data=form).status_code == 400


def test_a_page_gets_its_token_without_a_secret_and_from_no_other_page(authorization_server):
    """Its proof key stands for the secret; the browser keeps the answer from pages of other origins."""
    http = authorization_server.http
    asked = authorization_server.request(client_id="page", redirect_uri=f"{PAGE}/app")
    back = http.post("/authorize", data={**asked, "practitioner": "doc", "decision": "continue"}).location
    form = {
        "grant_type": "authorization_code",
        "client_id": "page",
        "redirect_uri": f"{PAGE}/app",
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "code_verifier": VERIFIER,
    }
    other = http.post("/token", data={**form, "code_verifier": "w" * 43}, headers={"Origin": "http://127.0.0.1:8098"})
    assert other.status_code == 400
    assert "Access-Control-Allow-Origin" not in other.headers
    back = http.post("/authorize", data={**asked, "practitioner": "doc", "decision": "continue"}).location
    code = parse_qs(urlsplit(back).query)["code"][0]
    answer = http.post("/token", data={**form, "code": code}, headers={"Origin": PAGE})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    login = http.get("/authorize", query_string=asked, headers={"Origin": PAGE})
    assert "Access-Control-Allow-Origin" not in login.headers


def test_a_client_with_a_secret_is_not_taken_without_it(authorization_server):
    """Otherwise the secret would be for show."""
    code = authorization_server.answer()["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    answer = authorization_server.http.post("/token", data={**form, "client_id": "results-pane"})
    assert answer.status_code in (400, 401)
    assert answer.get_json()["error"] == "invalid_client"


def test_a_backend_client_gets_a_token_that_speaks_for_no_person(authorization_server):
    """The gateway reads identifiers with it; at the gateway itself it must not pass for a professional."""
    backend = authorization_server.backend
    form = {"grant_type": "client_credentials", "scope": "system/Patient.r"}
    answer = authorization_server.http.post("/token", data=form, auth=(backend.client_id, backend.secret)).get_json()
    claims = jwt.decode(answer["access_token"], authorization_server.keys, algorithms=["ES256"]).claims
    assert answer["expires_in"] == 300
    assert claims["sub"] == claims["client_id"] == "vitrine"
    assert claims["aud"] == "http://127.0.0.1:8081/fhir"
    assert {"fhirUser", "patient", "auth_time", "extensions"}.isdisjoint(claims)


def test_clients_keep_to_their_grant_and_their_scopes(authorization_server):
    """Deny by absence: what is not listed for a client is not given."""
    backend, pane = authorization_server.backend, authorization_server.pane
    form = {"grant_type": "client_credentials", "scope": "system/Observation.rs"}
    answer = authorization_server.http.post("/token", data=form, auth=(backend.client_id, backend.secret))
    assert answer.get_json()["error"] == "invalid_scope"
    answer = authorization_server.http.post("/token", data=form, auth=(pane.client_id, pane.secret))
    assert answer.get_json()["error"] == "unauthorized_client"
    assert authorization_server.answer(scope="launch system/*.rs")["iss"] == ISSUER
    assert token_of(authorization_server, scope="launch system/*.rs patient/Observation.rs")["scope"] == (
        "launch patient/Observation.rs"
    )


def test_discovery_says_what_smart_and_openid_connect_want(authorization_server):
    """Clients compare the issuer character by character; S256 must stand there and plain must not."""
    documents = [
        authorization_server.http.get(f"/.well-known/{name}").get_json()
        for name in ("openid-configuration", "smart-configuration", "oauth-authorization-server")
    ]
    assert documents[0] == documents[1] == documents[2]
    assert documents[0]["issuer"] == ISSUER
    assert documents[0]["code_challenge_methods_supported"] == ["S256"]
    assert documents[0]["jwks_uri"] == f"{ISSUER}/jwks"
    assert not any("d" in key for key in authorization_server.http.get("/jwks").get_json()["keys"])


def test_a_page_elsewhere_cannot_borrow_the_address(authorization_server):
    """DNS rebinding: a stranger's host name that points at 127.0.0.1 gets no answer."""
    assert authorization_server.http.get("/jwks", headers={"Host": "evil.example"}).status_code == 400
