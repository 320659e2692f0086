"""What the pretend authorization server hands out: RFC 9068 access tokens and OpenID Connect id_tokens, on Authlib."""

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oidc.core.grants import OpenIDCode

from demo.access_tokens import ACCESS_TOKEN_ALGORITHM, ID_TOKEN_ALGORITHM, SigningKeys
from demo.oauth_clients import OAuthClient
from demo.people import Practitioner

ACCESS_TOKEN_SECONDS = {"authorization_code": 3600, "client_credentials": 300}
"""IUA: at most an hour with a user. SMART Backend Services: at most five minutes without. Authlib: 10 days."""
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


@dataclass(frozen=True, slots=True)
class Login:
    """Who signed in, at which moment, for which patient and for which FHIR server."""

    practitioner: Practitioner
    patient: str | None
    audience: str
    auth_time: int
    language: str

    def get_user_id(self) -> str:
        """The `sub` of the tokens."""
        return self.practitioner.id


class IdToken(OpenIDCode):
    """The id_token: RS256, with `fhirUser` when that scope was granted."""

    def __init__(self, issuer: str, keys: SigningKeys) -> None:
        super().__init__()
        self._issuer = issuer
        self._keys = keys

    def resolve_client_private_key(self, client: OAuthClient) -> Any:
        return self._keys.private

    def get_client_algorithm(self, client: OAuthClient) -> str:
        return ID_TOKEN_ALGORITHM

    def get_client_claims(self, client: OAuthClient) -> dict[str, Any]:
        return {"iss": self._issuer, "aud": client.client_id}

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        """False: the client compares the nonce; a code lives a minute and works once."""
        return False

    def generate_user_info(self, user: Login, scope: str) -> dict[str, Any]:
        info = {"sub": user.get_user_id(), "name": user.practitioner.name, "locale": user.language}
        if "fhirUser" in scope.split():
            info["fhirUser"] = user.practitioner.fhir_user
        return info


class AccessToken(JWTBearerTokenGenerator):
    """RFC 9068 access tokens with the launch patient and the IUA extension. The key set gives them their `kid`."""

    def __init__(self, issuer: str, keys: SigningKeys) -> None:
        super().__init__(
            issuer,
            alg=ACCESS_TOKEN_ALGORITHM,
            expires_generator=lambda client, grant_type: ACCESS_TOKEN_SECONDS[grant_type],
        )
        self._keys = keys

    def get_jwks(self) -> Any:
        return self._keys.private

    def get_audiences(self, client: OAuthClient, user: Login | None, scope: str) -> str:
        return client.audiences[0] if user is None else user.audience

    def get_auth_time(self, user: Login | None) -> int | None:
        return None if user is None else user.auth_time

    def get_extra_claims(self, client: OAuthClient, grant_type: str, user: Login | None, scope: str) -> dict[str, Any]:
        if user is None:
            return {}
        practitioner = user.practitioner
        claims: dict[str, Any] = {
            "fhirUser": practitioner.fhir_user,
            "extensions": {
                "ihe_iua": {
                    "subject_name": practitioner.name,
                    "subject_organization": practitioner.organisation,
                    "subject_role": [practitioner.role],
                    "purpose_of_use": [{"system": ACT_REASON, "code": "TREAT", "display": "treatment"}],
                }
            },
        }
        if user.patient is not None:
            claims["patient"] = user.patient
        return claims
