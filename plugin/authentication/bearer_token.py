"""Verifies a bearer JWT (RFC 9068, hardened): that an issuer that we trust made it, for us, now, as an access token.

Whom it speaks for is read in `claims`; nothing here grants access. `jku`, `x5u`, `jwk` and `x5c` headers are never
looked at: keys come from the configured issuer alone.
"""

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from plugin.authentication import compact
from plugin.authentication.compact import Presented
from plugin.authentication.issuers import Issuers
from plugin.authentication.key_ring import KeyRing, SigningKey
from plugin.authentication.listings import Listing, Listings, client_of, identifies
from plugin.errors import TokenExpired, TokenInvalid
from plugin.settings.ehr import Issuer

LEEWAY_SECONDS = 30
"""How far the issuer's clock may be off. RFC 7519 allows a few minutes; hospitals run NTP."""

_ALGORITHMS = JWSRegistry(algorithms=["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"])
"""All that an issuer can be configured for: signatures by a key pair. Never `none`, never a shared secret."""

_JTI = re.compile(r"[\x21-\x7e]{1,256}")
"""It becomes a URN in the record, and is all that joins it with the issuer's own log."""

_FOREIGN_MEMBERS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})
"""Members of an id_token or a logout token, which share key and header with access tokens at some issuers."""

_FOREIGN_TYPES = frozenset({"id", "refresh", "offline", "logout"})
"""Values of Keycloak's `typ` claim for its other tokens."""


class Check(StrEnum):
    """The checks, in the order in which `BearerTokens.verify` makes them."""

    FORM = "form"
    ISSUER = "issuer"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"
    TYPE = "type"
    TIMES = "times"
    AUDIENCE = "audience"
    TOKEN_ID = "token id"  # noqa: S105 - the name of a check
    ACCESS_TOKEN = "access token"  # noqa: S105 - the name of a check
    BINDING = "binding"
    CLIENT = "client"
    SUBJECT = "subject"
    EHR = "ehr"


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that passed every check: its claims are the issuer's word."""

    claims: Mapping[str, Any]
    listing: Listing
    client_id: str
    expires_at: float
    """POSIX seconds."""
    key: str
    """The thumbprint of the issuer's key."""


def unheard(check: Check) -> None:
    """Nobody follows the checks."""


class BearerTokens:
    """Verifies tokens of the configured issuers. Safe to call from several threads."""

    def __init__(
        self, listings: Listings, issuers: Issuers, public_base: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._listings = listings
        self._issuers = issuers
        self._public_base = public_base
        self._clock = clock

    def verify(self, token: str, feed: str | None, passed: Callable[[Check], None] = unheard) -> VerifiedToken:
        """The claims of `token`, if it is good for `feed` (None: the log) now. `passed` hears of each check that held.

        Raises TokenInvalid or TokenExpired, with `verified_subject` where signature and expiry held, and
        IssuerUnreachable where the issuer's keys cannot be had.
        """
        presented = compact.read(token)
        passed(Check.FORM)
        claims = presented.claims
        # Unverified, and used only to choose the key set and the settings that the token must then satisfy.
        listing = self._listings.of(claims)
        if listing is None:
            raise TokenInvalid("The issuer of the access token is not accepted here.")
        passed(Check.ISSUER)
        issuer = listing.issuer
        algorithm = presented.header.get("alg")
        if algorithm not in issuer.algorithms:
            raise TokenInvalid("The access token is not signed with an accepted algorithm.")
        passed(Check.ALGORITHM)
        candidates = self._candidates(presented.header, issuer)
        passed(Check.KEY)
        key = _signer(presented, algorithm, candidates)
        passed(Check.SIGNATURE)

        now = self._clock()
        with naming_the_subject(claims, now):
            _require_type(presented.header.get("typ"), issuer.types)
            passed(Check.TYPE)
            expires_at = _require_times(claims, now)
            passed(Check.TIMES)
            _require_audience(claims.get("aud"), self._audiences(issuer, feed))
            passed(Check.AUDIENCE)
            _require_jti(claims.get("jti"))
            passed(Check.TOKEN_ID)
            _require_access_token(claims)
            passed(Check.ACCESS_TOKEN)
            if "cnf" in claims:
                # Bound to a key (DPoP, mTLS): as a plain bearer token it may be a stolen one.
                raise TokenInvalid("The access token is bound to a key, which is not supported here.")
            passed(Check.BINDING)
            client_id = client_of(claims)
            if client_id is None:
                raise TokenInvalid("The access token does not name one client.")
            passed(Check.CLIENT)
            _require_subject(claims.get("sub"))
            passed(Check.SUBJECT)
            if listing.ambiguous:
                raise TokenInvalid("The client of the access token selects no EHR.")
            passed(Check.EHR)
        return VerifiedToken(claims, listing, client_id, expires_at, key.thumbprint)

    def still_good(self, verified: VerifiedToken) -> bool:
        """True while the issuer still publishes the token's key. Raises IssuerUnreachable. Expiry is the caller's."""
        return self._issuers.keys(verified.listing.issuer).holds(verified.key)

    def _audiences(self, issuer: Issuer, feed: str | None) -> frozenset[str]:
        if issuer.audiences:
            return frozenset(issuer.audiences)
        base = f"{self._public_base}/fhir"
        return frozenset({base} if feed is None else {base, f"{base}/{feed}"})

    def _candidates(self, header: Mapping[str, Any], issuer: Issuer) -> tuple[SigningKey, ...]:
        """The keys that the header may mean and that fit its algorithm; asked for anew once if there is none."""
        kid, algorithm = header.get("kid"), header["alg"]
        ring = self._issuers.keys(issuer)
        found = _fitting(ring, kid, algorithm) or _fitting(self._issuers.keys_beyond(issuer, ring), kid, algorithm)
        if not found:
            raise TokenInvalid("The access token is signed by no known key.")
        return found


@contextmanager
def naming_the_subject(claims: Mapping[str, Any], now: float) -> Iterator[None]:
    """Around checks that follow the signature: a refusal of a token that has not expired says whose it was."""
    try:
        yield
    except TokenInvalid as refusal:
        expires_at = _moment(claims.get("exp"))
        if expires_at is not None and now < expires_at + LEEWAY_SECONDS:
            subject = claims.get("sub")
            shown = subject if isinstance(subject, str) and identifies(subject) else "-"
            refusal.verified_subject = f"{claims['iss']} {shown} {client_of(claims) or '-'}"
        raise


def _fitting(ring: KeyRing, kid: object, algorithm: str) -> tuple[SigningKey, ...]:
    method = _ALGORITHMS.get_alg(algorithm)
    fitting = []
    for key in ring.named(kid):
        try:
            method.check_key(key.key)
        except JoseError:
            continue  # of another type or curve, or published for another algorithm
        fitting.append(key)
    return tuple(fitting)


def _signer(presented: Presented, algorithm: str, candidates: tuple[SigningKey, ...]) -> SigningKey:
    for key in candidates:
        if _ALGORITHMS.get_alg(algorithm).verify(presented.signed, presented.signature, key.key):
            return key
    raise TokenInvalid("The signature of the access token is wrong.")


def _require_type(typ: object, accepted: tuple[str, ...]) -> None:
    if not isinstance(typ, str) or _bare_type(typ) not in {_bare_type(name) for name in accepted}:
        raise TokenInvalid("The access token is not of an accepted type.")


def _bare_type(typ: str) -> str:
    """RFC 7515 4.1.9: media types compare without case, and `application/` may be left out."""
    return typ.lower().removeprefix("application/")


def _moment(value: object) -> float | None:
    """A NumericDate as POSIX seconds; None for anything else, JSON's true and astronomical numbers included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1 << 53:
        return None
    return float(value)


def _require_times(claims: Mapping[str, Any], now: float) -> float:
    expires_at, issued_at = _moment(claims.get("exp")), _moment(claims.get("iat"))
    if expires_at is None or issued_at is None:
        raise TokenInvalid("The access token does not say when it was issued and when it expires.")
    if now >= expires_at + LEEWAY_SECONDS:
        raise TokenExpired
    not_before = _moment(claims["nbf"]) if "nbf" in claims else -math.inf
    if not_before is None or max(not_before, issued_at) > now + LEEWAY_SECONDS:
        raise TokenInvalid("The access token is not valid yet.")
    return expires_at


def _require_audience(value: object, accepted: frozenset[str]) -> None:
    named = value if isinstance(value, list) else [value]
    if not any(isinstance(audience, str) and audience in accepted for audience in named):
        raise TokenInvalid("The access token is meant for another audience.")


def _require_jti(value: object) -> None:
    if not isinstance(value, str) or not _JTI.fullmatch(value):
        raise TokenInvalid("The access token has no usable id (jti).")


def _require_access_token(claims: Mapping[str, Any]) -> None:
    kind = claims.get("typ")
    if _FOREIGN_MEMBERS & claims.keys() or (isinstance(kind, str) and kind.lower() in _FOREIGN_TYPES):
        raise TokenInvalid("The token is not an access token.")


def _require_subject(value: object) -> None:
    """Absent is allowed: such a token speaks for a machine, which is refused under its own name later."""
    if value is not None and not (isinstance(value, str) and identifies(value)):
        raise TokenInvalid("The subject of the access token is not usable.")
