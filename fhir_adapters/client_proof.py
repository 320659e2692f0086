"""How the gateway proves itself to a token endpoint: a secret, or a signed assertion (`private_key_jwt`).

What is proven, and how long the token that comes of it is kept, is left to `credential`.
"""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from fhir_adapters.interface import FeedAnswerInvalid
from fhir_adapters.resource import parse
from fhir_adapters.upstream import NO_HEADERS

ASSERTION_SECONDS = 120
"""Backend Services allows five minutes. A server whose clock is behind takes it, and a stolen one is soon worthless."""

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

MIN_RSA_BITS = 2048
"""RFC 7518 3.3."""

_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_RSA_DEFAULT = "RS384"
"""Every SMART server takes RS384 and ES384."""


class ClientProof(Protocol):
    """What a token endpoint is shown. Safe to call from several threads."""

    def headers(self) -> Mapping[str, str]:
        """For the request's head."""

    def parameters(self) -> Mapping[str, str]:
        """For its form, beside the grant."""


@dataclass(frozen=True, slots=True)
class SecretProof:
    """A client secret by HTTP Basic (RFC 6749 2.3.1)."""

    client_id: str
    secret: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        """The same for every request; both parts are form-encoded before they are joined."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def parameters(self) -> Mapping[str, str]:
        """None."""
        return NO_HEADERS


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key of ours for signing assertions, with the name and the algorithm that its server knows it by."""

    key: RSAKey | ECKey = field(repr=False)
    kid: str
    algorithm: str


class KeyProof:
    """`private_key_jwt` (RFC 7523, SMART Backend Services): each request has an assertion of its own."""

    def __init__(
        self, client_id: str, audience: str, key: PrivateKey, *, clock: Callable[[], float] = time.time
    ) -> None:
        """`audience`: the address of the token endpoint."""
        self._client_id = client_id
        self._audience = audience
        self._key = key
        self._clock = clock

    def headers(self) -> Mapping[str, str]:
        """None."""
        return NO_HEADERS

    def parameters(self) -> Mapping[str, str]:
        """A new assertion, good once and for ASSERTION_SECONDS."""
        now = int(self._clock())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._audience,
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        header = {"alg": self._key.algorithm, "kid": self._key.kid, "typ": "JWT"}
        assertion = jwt.encode(header, claims, self._key.key, algorithms=[self._key.algorithm])
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def private_key(text: str) -> PrivateKey:
    """The key of a private JWK (RFC 7517) in JSON. Raises ValueError, which tells nothing of the key.

    It needs a `kid`, since its server finds the public half by it. `alg` counts where it is given, else RS384 or the
    algorithm of the curve.
    """
    try:
        members = parse(text.encode(), "a key")
    except FeedAnswerInvalid:
        members = None
    if not isinstance(members, dict):
        raise ValueError("not a private JWK in JSON")  # noqa: TRY004 - the caller's one error
    kid, algorithm = members.get("kid"), members.get("alg")
    if not isinstance(kid, str) or not kid:
        raise ValueError("the JWK has no kid, by which its server knows the public half")
    try:
        key = JWKRegistry.import_key(members)
    except (JoseError, ValueError, TypeError, KeyError):
        raise ValueError("not a usable JWK") from None
    if not isinstance(key, RSAKey | ECKey) or not key.is_private:
        raise ValueError("not a private RSA or EC key")
    if isinstance(key, ECKey):
        fitting = {_CURVES.get(key.curve_name, "")}
        algorithm = algorithm or _CURVES.get(key.curve_name)
    else:
        if key.public_key.key_size < MIN_RSA_BITS:
            raise ValueError(f"the RSA key has less than {MIN_RSA_BITS} bits")
        fitting = set(_RSA_ALGORITHMS)
        algorithm = algorithm or _RSA_DEFAULT
    if not isinstance(algorithm, str) or algorithm not in fitting - {""}:
        raise ValueError("the alg of the JWK does not fit its key")
    return PrivateKey(key, kid, algorithm)
