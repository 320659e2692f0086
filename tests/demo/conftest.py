"""The pretend hospital of `sample_fhir/`, unstarted, and a browser that plays its sign-in without sockets."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import KeySet

from demo.access_tokens import SigningKeys
from demo.addresses import Addresses
from demo.authorization_server import create_authorization_server
from demo.hospital import Hospital, build_hospital
from demo.launches import Launches
from demo.oauth_clients import RESULTS_SCOPES, OAuthClient
from demo.people import PatientName, Practitioner

SAMPLES = Path(__file__).resolve().parents[2] / "sample_fhir"
ISSUER = "http://127.0.0.1:8082"
CALLBACK = "http://127.0.0.1:8081/results-pane"
PAGE = "http://127.0.0.1:8099"
"""The origin of an application that is a page, and signs in by itself."""
AUDIENCE = "http://127.0.0.1:8080/fhir"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True)
class AuthorizationServerUnderTest:
    """A small authorization server: one user, one patient, two clients."""

    app: Flask
    launches: Launches
    pane: OAuthClient
    backend: OAuthClient

    @property
    def http(self) -> FlaskClient:
        return self.app.test_client()

    @property
    def keys(self) -> KeySet:
        """As anybody finds them: by the JWKS."""
        return KeySet.import_key_set(self.http.get("/jwks").get_json())

    def request(self, **changes: str | None) -> dict[str, str]:
        """A good authorization request; a change to None takes a parameter out."""
        good = {
            "response_type": "code",
            "client_id": self.pane.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid fhirUser launch patient/*.rs",
            "state": "a-state",
            "aud": AUDIENCE,
            "launch": self.launches.open("p1"),
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "nonce": "a-nonce",
        }
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def answer(self, **changes: str | None) -> dict[str, str]:
        """What comes back to the client once the form is filled in, or at once if the request is refused."""
        form = {**self.request(**changes), "practitioner": "doc", "patient": "p1", "decision": "continue"}
        response = self.http.post("/authorize", data=form)
        assert response.status_code == 302, response.text
        assert response.location.startswith(CALLBACK + "?")
        return dict(parse_qsl(urlsplit(response.location).query))

    def exchange(self, code: str, **changes: str | None):
        """The answer of the token endpoint to `code`."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        form = {name: value for name, value in {**form, **changes}.items() if value is not None}
        return self.http.post("/token", data=form, auth=(self.pane.client_id, self.pane.secret))


@pytest.fixture
def authorization_server() -> AuthorizationServerUnderTest:
    launches = Launches()
    pane = OAuthClient("results-pane", "authorization_code", RESULTS_SCOPES, (AUDIENCE,), (CALLBACK,))
    backend = OAuthClient("vitrine", "client_credentials", ("system/Patient.r",), ("http://127.0.0.1:8081/fhir",))
    page = OAuthClient("page", "authorization_code", RESULTS_SCOPES, (AUDIENCE,), (f"{PAGE}/app",), public=True)
    role = {"system": "http://snomed.info/sct", "code": "309343006", "display": "Physician"}
    doctor = Practitioner("doc", "Dr <Alma> Roy", role, "Clinique Nord", "http://127.0.0.1:8081/fhir/Practitioner/doc")
    app = create_authorization_server(
        issuer=ISSUER,
        keys=SigningKeys(),
        clients=(pane, backend, page),
        practitioners=(doctor,),
        patients=(PatientName("p1", "Zoé Test", "1980-01-12"),),
        launches=launches,
    )
    return AuthorizationServerUnderTest(app, launches, pane, backend)


@pytest.fixture(scope="session")
def hospital() -> Hospital:
    return build_hospital(Addresses(), SAMPLES)


@pytest.fixture(scope="session")
def server_at(hospital: Hospital) -> Callable[[int], FlaskClient]:
    """A client of the server that would listen on a port."""
    by_port = {port: app for app, port in hospital.servers}
    return lambda port: by_port[port].test_client()
