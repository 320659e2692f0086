"""The authorization code grant of SMART App Launch 2.2 on Authlib: PKCE with S256, `aud`, `launch`, short codes.

What is handed out in the end is in `issued_tokens`; the login page is in `authorization_server`.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from demo.issued_tokens import Login
from demo.launches import Launches
from demo.oauth_clients import OAuthClient

CODE_SECONDS = 60
"""SMART: about a minute. Authlib leaves the life of a code to us."""
CLIENT_AUTHENTICATION = ["client_secret_basic", "client_secret_post"]
PUBLIC = "none"
"""How a client without a secret is known: not at all."""


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code that was handed out, and what it stands for."""

    client_id: str
    redirect_uri: str
    scope: str
    login: Login
    nonce: str | None
    code_challenge: str
    code_challenge_method: str
    expires_at: float

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.login.auth_time

    def get_acr(self) -> None:
        """None: choosing a name from a list is no assurance."""

    def get_amr(self) -> None:
        """None, for the same reason."""


class CodeStore:
    """Codes that wait to be exchanged. Taking one out ends it, whatever comes of the exchange."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: dict[str, AuthorizationCode] = {}

    def put(self, name: str, code: AuthorizationCode) -> None:
        """Keep `code` under `name`, and forget those that ran out."""
        now = time.monotonic()
        with self._lock:
            self._codes = {other: kept for other, kept in self._codes.items() if kept.expires_at > now}
            self._codes[name] = code

    def take(self, name: str) -> AuthorizationCode | None:
        """The code of this name, which is thereby used up; None if there is none or its minute is over."""
        with self._lock:
            code = self._codes.pop(name, None)
        return code if code is not None and code.expires_at > time.monotonic() else None


class SmartCodeGrant(AuthorizationCodeGrant):
    """The code grant of SMART App Launch. Its codes are in `server.codes`."""

    TOKEN_ENDPOINT_AUTH_METHODS = [*CLIENT_AUTHENTICATION, PUBLIC]  # noqa: RUF012  (Authlib's name and type)

    def save_authorization_code(self, code: str, request: Any) -> None:
        asked = request.payload.data
        self.server.codes.put(
            code,
            AuthorizationCode(
                client_id=request.client.client_id,
                redirect_uri=request.payload.redirect_uri,
                scope=request.scope,
                login=request.user,
                nonce=asked.get("nonce"),
                code_challenge=asked["code_challenge"],
                code_challenge_method=asked["code_challenge_method"],
                expires_at=time.monotonic() + CODE_SECONDS,
            ),
        )

    def query_authorization_code(self, code: str, client: OAuthClient) -> AuthorizationCode | None:
        found = self.server.codes.take(code)
        return found if found is not None and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Nothing is left to do: looking a code up took it out."""

    def authenticate_user(self, authorization_code: AuthorizationCode) -> Login:
        return authorization_code.login


class BackendGrant(ClientCredentialsGrant):
    """Client credentials by shared secret, as the gateway's `kind = "client_credentials"` presents them."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_AUTHENTICATION


class ProofKeyDemanded(CodeChallenge):
    """PKCE as SMART wants it. Authlib's `required` asks only at the token endpoint, and takes `plain`."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012  (Authlib's name and type)

    def validate_code_challenge(self, grant: Any, redirect_uri: Any) -> None:
        asked = grant.request.payload.data
        if not asked.get("code_challenge"):
            raise InvalidRequestError("Missing 'code_challenge'")
        if asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("'code_challenge_method' must be S256")
        super().validate_code_challenge(grant, redirect_uri)


class SmartParameters:
    """What SMART demands of an authorization request beyond OAuth, and adds to the token response."""

    def __init__(self, launches: Launches, style: str | None = None) -> None:
        """`style`: the address of the EHR's colours."""
        self._launches = launches
        self._style = style

    def __call__(self, grant: Any) -> None:
        grant.register_hook("after_validate_authorization_request_payload", self.validate)
        grant.register_hook("after_create_token_response", self.add_context)

    def validate(self, grant: Any, _: Any) -> None:
        asked = grant.request.payload.data
        if not asked.get("state"):
            raise InvalidRequestError("Missing 'state'")
        # An application that was led to a rogue FHIR server would otherwise bring it a token of ours.
        if audience_asked(asked) not in grant.request.client.audiences:
            raise InvalidRequestError("'aud' is not a FHIR server that this client may have a token for")
        launched = "launch" in grant.request.scope.split()
        if launched and self._launches.patient(asked.get("launch", "")) is None:
            raise InvalidRequestError("'launch' is unknown or too old")
        if not launched and "launch" in asked:
            raise InvalidRequestError("'launch' needs the scope launch")

    def add_context(self, grant: Any, response: tuple[int, dict[str, Any], Any]) -> None:
        patient = grant.request.user.patient
        if patient is not None:
            response[1].update(patient=patient, need_patient_banner=True)
        if self._style is not None:
            response[1].update(smart_style_url=self._style)


def audience_asked(asked: Mapping[str, str]) -> str | None:
    """The FHIR server that an authorization request is about: SMART's `aud`, or `resource` of RFC 8707."""
    return asked.get("aud") or asked.get("resource")
