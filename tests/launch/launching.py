"""A world in which the EHR launches the viewer: its authorization server is played at our own interfaces, with memory.

The browser is Flask's test client: it keeps cookies as it is told, and follows nothing by itself.
"""

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask.testing import FlaskClient
from joserfc import jwt

from fhir_adapters.interface import Deadline, FeedError
from fhir_adapters.reach import Address
from fhir_adapters.upstream import NO_HEADERS, Answer
from plugin import assembly
from plugin.app import create_app
from plugin.authentication.backchannel import Backchannel
from plugin.authentication.credential import LaunchSession, NoCredential
from plugin.authentication.launch_session import LaunchSessions
from plugin.authentication.launchable import launch_proof, launched, redirect_uri
from plugin.authentication.smart_configuration import SmartConfiguration
from plugin.faces.pages.view_cookie import credential_of
from plugin.state.views import View
from policies.vocabulary.consultation import Origin
from tests.world import CONFIGURATION, EHR_BASE, ISSUER, World

VIEWER = "vitrine-viewer"
TOKEN = "ehr-token-0123456789-marker"
REDIRECT = "https://vitrine.example/launch/callback"
ORIGIN = Origin("req-1", "192.0.2.7", "viewer")
FRAMED = {"Sec-Fetch-Dest": "iframe"}


def configuration(auth: str = '{ kind = "public" }') -> str:
    """The world's, with the viewer registered."""
    launch = f"""
  [ehr.launch]
  client_id = "{VIEWER}"
  auth = {auth}
  frame_ancestors = ["https://ehr.example"]

[[feed]]"""
    return CONFIGURATION.replace("\n[[feed]]", launch, 1)


@dataclass
class Login:
    """The EHR's authorization server, at its back channel: codes, tokens, and what it was asked."""

    world: "LaunchWorld"
    published: dict[str, Any] = field(
        default_factory=lambda: {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "revocation_endpoint": f"{ISSUER}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "capabilities": ["launch-ehr", "sso-openid-connect"],
        }
    )
    claims: dict[str, Any] = field(default_factory=dict)
    """What the id_token says instead; None leaves a claim out."""
    header: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    """What the token answer says instead; None leaves a member out."""
    style: bytes | FeedError = b"{}"
    failure: FeedError | None = None
    status: int = 200
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    """(path, form, headers)"""
    revoked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def get(self, address: Address, headers: Any = NO_HEADERS, *, deadline: Deadline) -> Answer:
        raise AssertionError("the back channel asks nothing by GET")

    def post_form(self, address: Address, form: str, headers: Any = NO_HEADERS, *, deadline: Deadline) -> Answer:
        given = dict(parse_qsl(form))
        self.asked.append((address.path, given, dict(headers)))
        if self.failure is not None:
            raise self.failure
        if address.path == "/revoke":
            self.revoked.append(given["token"])
            return Answer(200, {}, b"")
        begun = self.codes.pop(given.get("code", ""), None)
        good = begun is not None and create_s256_code_challenge(given["code_verifier"]) == begun["code_challenge"]
        if not good or given["redirect_uri"] != begun["redirect_uri"]:
            return Answer(400, {"content-type": "application/json"}, b'{"error":"invalid_grant"}')
        return Answer(
            self.status, {"content-type": "application/json;charset=UTF-8"}, json.dumps(self.tokens(begun)).encode()
        )

    def tokens(self, begun: dict[str, str]) -> dict[str, Any]:
        """The token answer for an authorization request."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "dr-roy",
            "aud": VIEWER,
            "iat": now,
            "exp": now + 300,
            "nonce": begun["nonce"],
            "name": "Dr Alma Roy",
            "fhirUser": f"{EHR_BASE}/Practitioner/dr-roy",
            "locale": "fr-FR",
            **self.claims,
        }
        header = {"alg": "ES256", "kid": "k1", "typ": "JWT", **self.header}
        answer = {
            "access_token": TOKEN,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": begun["scope"],
            "patient": "p1",
            "need_patient_banner": True,
            "id_token": jwt.encode(
                header,
                {name: value for name, value in claims.items() if value is not None},
                self.world.key,
                algorithms=["ES256", "ES384"],
            ),
            **self.context,
        }
        return {name: value for name, value in answer.items() if value is not None}

    def styled(self, url: str) -> bytes:
        """The EHR's colours, or whatever stands there."""
        if isinstance(self.style, FeedError):
            raise self.style
        return self.style

    def log_in(self, address: str, code: str = "code-1") -> str:
        """The person logs in at the address that the browser was sent to; where the browser is sent back to."""
        parts = urlsplit(address)
        asked = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
        self.codes[code] = asked
        return f"/launch/callback?code={code}&state={asked['state']}&iss={ISSUER}"


class LaunchWorld(World):
    """The world, with a browser that launches."""

    def __init__(self, folder: Path, text: str | None = None) -> None:
        self.login = Login(self)
        super().__init__(folder, text or configuration())

    def _assembled(self) -> assembly.Assembled:
        assembled = super()._assembled()
        ehrs = {
            name: replace(
                each,
                configuration=SmartConfiguration(each.ehr, lambda _: json.dumps(self.login.published).encode()),
                backchannel=Backchannel(
                    launch_proof(each.settings, "ehr.0.launch"), redirect_uri(self.settings), self.login
                ),
                style=self.login.styled,
            )
            for name, each in assembled.launches.ehrs.items()
        }
        launches = replace(assembled.launches, ehrs=ehrs, issuers=assembled.issuers)
        sessions = replace(assembled.sessions, ehrs={name: launched(each) for name, each in ehrs.items()})
        gateway = replace(assembled.gateway, identifier=self._identifying(assembled, sessions))
        return replace(assembled, launches=launches, sessions=sessions, gateway=gateway)

    def _identifying(self, assembled: assembly.Assembled, sessions: LaunchSessions) -> Any:
        identifier = assembled.gateway.identifier
        identifier._sessions = sessions
        return identifier

    def browser(self) -> FlaskClient:
        """Another person's browser."""
        return self.app.test_client()

    def at(self, clock: float) -> None:
        """Set the clock of launches and sessions, in POSIX seconds."""
        launches = replace(self.assembled.launches, clock=lambda: clock)
        sessions = replace(self.assembled.sessions, clock=lambda: clock)
        self._identifying(self.assembled, sessions)
        self.assembled = replace(self.assembled, launches=launches, sessions=sessions)
        client, self.app = self.client, create_app(self.assembled)
        self.client = self.app.test_client()
        self.client._cookies = client._cookies

    def begun(self, query: str = f"?iss={EHR_BASE}&launch=xyz", browser: FlaskClient | None = None, **more: Any) -> Any:
        """The answer to a launch."""
        return (browser or self.client).get(f"/launch/hospital{query}", base_url="https://vitrine.example", **more)

    def back(self, address: str, browser: FlaskClient | None = None, **more: Any) -> Any:
        """The browser goes to an address of ours."""
        return (browser or self.client).get(address, base_url="https://vitrine.example", **more)

    def launched(self, browser: FlaskClient | None = None, code: str = "code-1") -> Any:
        """A launch, a login and the way back: the last answer."""
        begun = self.begun(browser=browser)
        return self.back(self.login.log_in(begun.headers["Location"], code), browser)

    def credential(self, view: str, browser: FlaskClient | None = None) -> LaunchSession | NoCredential:
        """What a page of `view` shows in this browser."""
        client = browser or self.client
        with client:
            client.get(f"/view/{view}/", base_url="https://vitrine.example")
            return credential_of(view)

    def view(self, view: str, browser: FlaskClient | None = None) -> View:
        """What its pages may know. Raises Unidentified."""
        return self.assembled.sessions.view(self.credential(view, browser), ORIGIN)
