"""The authorization server's keys, and the check that a server protected by its tokens makes.

The gateway does not use this: it finds the keys by discovery and checks for itself.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, KeySetSerialization, RSAKey

ACCESS_TOKEN_ALGORITHM = "ES256"
ID_TOKEN_ALGORITHM = "RS256"
"""OpenID Connect Discovery wants every provider to know it, and SMART signs id_tokens with it."""


class BearerError(Exception):
    """No access token that is good here. `error` is the code of RFC 6750; None: there was no token at all."""

    def __init__(self, error: str | None, status: int) -> None:
        super().__init__(error or "no token")
        self.error = error
        self.status = status


def _new_keys() -> KeySet:
    return KeySet(
        [
            ECKey.generate_key("P-256", {"use": "sig", "alg": ACCESS_TOKEN_ALGORITHM}, auto_kid=True),
            RSAKey.generate_key(2048, {"use": "sig", "alg": ID_TOKEN_ALGORITHM}, auto_kid=True),
        ]
    )


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Made at start, gone at exit. A key set rather than a key: joserfc then writes the `kid` into each header."""

    private: KeySet = field(default_factory=_new_keys)

    @property
    def jwks(self) -> KeySetSerialization:
        """The public halves, as served at `jwks_uri`."""
        return self.private.as_dict(private=False)


@dataclass(frozen=True, slots=True)
class BearerCheck:
    """Who may ask a protected server: bearers of this issuer's access token for this audience and scope."""

    issuer: str
    audience: str
    keys: KeySet
    scope: str
    revoked: Collection[str] = frozenset()
    """The `jti` of tokens that were given back."""

    def claims(self, authorization: str | None) -> Mapping[str, Any]:
        """The verified claims of the Authorization header's token (RFC 9068), or BearerError."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise BearerError(None, 401)
        try:
            decoded = jwt.decode(token.strip(), self.keys, algorithms=[ACCESS_TOKEN_ALGORITHM])
        except (JoseError, ValueError) as error:
            raise BearerError("invalid_token", 401) from error
        claims = decoded.claims
        good = (
            decoded.header.get("typ") == "at+jwt"
            and claims.get("iss") == self.issuer
            and claims.get("aud") == self.audience
            and isinstance(claims.get("exp"), int)
            and claims["exp"] > time.time()
            and claims.get("jti") not in self.revoked
        )
        if not good:
            raise BearerError("invalid_token", 401)
        if self.scope not in str(claims.get("scope", "")).split():
            raise BearerError("insufficient_scope", 403)
        return claims
