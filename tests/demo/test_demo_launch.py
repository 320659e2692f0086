"""The pretend EHR launches the viewer as a real one would: for one patient, and its tokens can be given back."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from demo.configuration import write_configuration
from plugin.settings.file import load

EHR, AUTHORIZATION_SERVER, GATEWAY = 8081, 8082, 8080
VERIFIER = "v" * 43


def launch_token(hospital, server_at, patient="ehr-1001"):
    """The token answer of a launch for `patient`, as the viewer gets it."""
    opened = urlsplit(server_at(EHR).get(f"/viewer/{patient}").location)
    client = hospital.credentials.viewer
    form = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uris[0],
        "scope": "openid fhirUser launch patient/*.rs",
        "state": "a-state",
        "nonce": "a-nonce",
        "aud": dict(parse_qsl(opened.query))["iss"],
        "launch": dict(parse_qsl(opened.query))["launch"],
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
        "practitioner": hospital.practitioners[0].id,
        "decision": "continue",
    }
    back = server_at(AUTHORIZATION_SERVER).post("/authorize", data=form)
    code = dict(parse_qsl(urlsplit(back.location).query))["code"]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uris[0],
        "code_verifier": VERIFIER,
    }
    answer = server_at(AUTHORIZATION_SERVER).post("/token", data=form, auth=(client.client_id, client.secret))
    return answer.get_json()


@pytest.fixture
def granted(hospital, server_at):
    return launch_token(hospital, server_at)


def bearer(granted):
    return {"Authorization": f"Bearer {granted['access_token']}"}


def test_the_patient_list_opens_the_viewer_by_a_launch(server_at):
    opened = server_at(EHR).get("/viewer/ehr-1001")
    address = urlsplit(opened.location)
    assert (address.port, address.path) == (GATEWAY, "/launch/hospital")
    assert dict(parse_qsl(address.query))["iss"] == "http://127.0.0.1:8081/fhir"
    assert server_at(EHR).get("/viewer/nobody").status_code == 404
    assert server_at(EHR).get("/patients/nobody").status_code == 404


def test_a_record_may_frame_the_viewer_and_the_login_and_nothing_else(server_at):
    policy = server_at(EHR).get("/patients/ehr-1001").headers["Content-Security-Policy"]
    assert "frame-src http://127.0.0.1:8081 http://127.0.0.1:8080 http://127.0.0.1:8082" in policy
    login = server_at(AUTHORIZATION_SERVER).get("/authorize").headers["Content-Security-Policy"]
    assert "frame-ancestors http://127.0.0.1:8081" in login


def test_a_launch_gives_its_patient_and_a_language(granted):
    assert granted["patient"] == "ehr-1001"
    assert granted["scope"] == "openid fhirUser launch patient/*.rs"


def test_a_launched_application_reads_its_patient_only(granted, server_at):
    """So that the EHR's own results stand beside the outside ones, and nobody else's do."""
    ehr = server_at(EHR)
    assert ehr.get("/fhir/Patient/ehr-1001", headers=bearer(granted)).status_code == 200
    found = ehr.get("/fhir/Observation?patient=Patient/ehr-1001", headers=bearer(granted)).get_json()
    assert {entry["resource"]["subject"]["reference"] for entry in found["entry"]} == {"Patient/ehr-1001"}
    own = found["entry"][0]["resource"]["id"]
    assert ehr.get(f"/fhir/Observation/{own}", headers=bearer(granted)).status_code == 200
    assert ehr.get("/fhir/Patient/ehr-1002", headers=bearer(granted)).status_code == 404
    assert ehr.get("/fhir/Observation?patient=ehr-1002", headers=bearer(granted)).status_code == 403
    assert ehr.get("/fhir/Observation", headers=bearer(granted)).status_code == 403
    assert ehr.post("/fhir/Observation", headers=bearer(granted)).status_code in {404, 405}


def test_a_token_that_is_given_back_opens_nothing(hospital, granted, server_at):
    """RFC 7009; to another client it is no token at all."""
    revoke = server_at(AUTHORIZATION_SERVER)
    viewer, other = hospital.credentials.viewer, hospital.credentials.insurer
    assert revoke.post("/revoke", data={"token": granted["access_token"]}).status_code == 401
    theirs = revoke.post("/revoke", data={"token": granted["access_token"]}, auth=(other.client_id, other.secret))
    assert theirs.status_code == 400
    assert server_at(EHR).get("/fhir/Patient/ehr-1001", headers=bearer(granted)).status_code == 200
    for token in ("a.b.c", granted["access_token"]):
        ours = revoke.post("/revoke", data={"token": token}, auth=(viewer.client_id, viewer.secret))
        assert ours.status_code == 200
    assert server_at(EHR).get("/fhir/Patient/ehr-1001", headers=bearer(granted)).status_code == 401


def test_the_configuration_registers_the_viewer(hospital, tmp_path):
    from demo.addresses import Addresses

    settings = load(write_configuration(tmp_path, Addresses(), hospital.credentials))
    assert settings.ehr[0].launch.client_id == hospital.credentials.viewer.client_id
    assert settings.ehr[0].launch.frame_ancestors == ("http://127.0.0.1:8081",)
