"""The pretend EHR gives a patient to the gateway's own client and to nobody else, and shows a newcomer how to begin."""

import pytest
from joserfc import jwt

from demo.access_tokens import BearerCheck, BearerError, SigningKeys

EHR, AUTHORIZATION_SERVER = 8081, 8082


@pytest.fixture
def ehr(server_at):
    return server_at(EHR)


def token(hospital, server_at, client=None):
    client = client or hospital.credentials.ehr
    form = {"grant_type": "client_credentials"}
    answer = server_at(AUTHORIZATION_SERVER).post("/token", data=form, auth=(client.client_id, client.secret))
    return answer.get_json()["access_token"]


def test_a_patient_is_read_with_the_gateway_s_own_token(hospital, server_at, ehr):
    """The match needs the identifiers that stand there."""
    answer = ehr.get("/fhir/Patient/ehr-1001", headers={"Authorization": f"Bearer {token(hospital, server_at)}"})
    assert answer.status_code == 200
    assert answer.content_type == "application/fhir+json"
    assert answer.get_json()["identifier"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dml0cmluZTp4", "vitrine"])
def test_without_a_token_there_is_no_patient(ehr, header):
    """No error code where there was no token (RFC 6750 section 3.1)."""
    answer = ehr.get("/fhir/Patient/ehr-1001", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="demo"'
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_a_forged_token_and_one_for_another_server_are_refused(hospital, server_at, ehr):
    """A token for the insurer, from the same issuer, opens nothing here."""
    head, body, signature = token(hospital, server_at).split(".")
    for bad in (f"{head}.{body}.{signature[::-1]}", "a.b.c", token(hospital, server_at, hospital.credentials.insurer)):
        answer = ehr.get("/fhir/Patient/ehr-1001", headers={"Authorization": f"Bearer {bad}"})
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_an_unknown_patient_and_anything_but_a_read_are_404(hospital, server_at, ehr):
    """It serves what the match needs and nothing more."""
    headers = {"Authorization": f"Bearer {token(hospital, server_at)}"}
    assert ehr.get("/fhir/Patient/nobody", headers=headers).status_code == 404
    assert ehr.get("/fhir/Observation/ehr-obs-1", headers=headers).status_code == 404
    assert ehr.post("/fhir/Patient", headers=headers).status_code == 404


def test_a_token_without_the_scope_is_forbidden(hospital, server_at):
    """403 with insufficient_scope (RFC 6750): the token is good, its reach is not."""
    keys = SigningKeys()
    check = BearerCheck("http://issuer", "http://audience", keys.private, "system/Patient.r")
    claims = {"iss": "http://issuer", "aud": "http://audience", "exp": 1 << 40, "scope": "system/Observation.rs"}
    bearer = jwt.encode({"alg": "ES256", "typ": "at+jwt"}, claims, keys.private)
    with pytest.raises(BearerError) as refused:
        check.claims(f"Bearer {bearer}")
    assert (refused.value.status, refused.value.error) == (403, "insufficient_scope")
    with pytest.raises(BearerError):
        check.claims("Bearer " + jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, keys.private))
    with pytest.raises(BearerError):
        check.claims("Bearer " + jwt.encode({"alg": "ES256", "typ": "at+jwt"}, {**claims, "exp": 1}, keys.private))


def test_discovery_under_the_fhir_base_names_the_authorization_server(ehr):
    """SMART finds it there, older clients in the CapabilityStatement."""
    smart = ehr.get("/fhir/.well-known/smart-configuration").get_json()
    assert smart["token_endpoint"] == "http://127.0.0.1:8082/token"
    security = ehr.get("/fhir/metadata").get_json()["rest"][0]["security"]
    assert "http://127.0.0.1:8082/token" in str(security)


@pytest.mark.parametrize(("language", "heading"), [("fr", "Dossier patient fictif"), ("en", "Pretend EHR")])
def test_the_list_shows_every_patient_with_a_line_to_type(hospital, ehr, language, heading):
    """The first page that a newcomer opens."""
    page = ehr.get(f"/?lang={language}").text
    assert f'<html lang="{language}">' in page
    assert heading in page
    for patient in hospital.patients:
        assert patient.birth_date in page
        assert f"/fhir/city-lab/Observation?patient={patient.id}&amp;category=laboratory" in page


def test_asking_for_a_token_leads_to_the_login_page(server_at, ehr):
    """The link beside a patient starts the authorization code flow, for that patient."""
    away = ehr.get("/results-pane/ehr-1002")
    assert away.location.startswith("http://127.0.0.1:8082/authorize?")
    page = server_at(AUTHORIZATION_SERVER).get(away.location.removeprefix("http://127.0.0.1:8082"))
    assert page.status_code == 200
    assert "1974-07-30" in page.text
    assert ehr.get("/results-pane/nobody").status_code == 404


def test_an_answer_to_no_sign_in_of_ours_is_refused(ehr):
    """A code that somebody else's sign-in gave is not exchanged."""
    query = {"code": "stolen", "state": "guessed", "iss": "http://127.0.0.1:8082"}
    assert ehr.get("/results-pane", query_string=query).status_code == 400
