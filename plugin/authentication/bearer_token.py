"""Verifies a bearer token: that an issuer that we trust made it, for us, now, as an access token.

A JWT (RFC 9068, hardened) is verified by its signature; where its issuer is configured so, and where the token is no
JWT at all, that issuer is asked (RFC 7662). Whom it speaks for is read in `claims`; nothing here grants access. `jku`,
`x5u`, `jwk` and `x5c` headers are never looked at: keys come from the configured issuer alone.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from plugin.authentication import compact, signature
from plugin.authentication import token_checks as checks
from plugin.authentication.compact import Presented
from plugin.authentication.introspection import Introspects
from plugin.authentication.issuers import Issuers
from plugin.authentication.listings import Listing, Listings
from plugin.authentication.token_checks import Check, VerifiedToken, naming_the_subject
from plugin.errors import IssuerUnreachable, TokenInvalid
from plugin.settings.ehr import Issuer

NOBODY_TO_ASK: Mapping[str, Introspects] = MappingProxyType({})


def unheard(check: Check) -> None:
    """Nobody follows the checks."""


class BearerTokens:
    """Verifies tokens of the configured issuers. Safe to call from several threads."""

    def __init__(
        self,
        listings: Listings,
        issuers: Issuers,
        public_base: str,
        clock: Callable[[], float] = time.time,
        introspections: Mapping[str, Introspects] = NOBODY_TO_ASK,
    ) -> None:
        """`introspections`: by issuer, for those that are asked about their tokens."""
        self._listings = listings
        self._issuers = issuers
        self._public_base = public_base
        self._clock = clock
        self._introspections = introspections

    def verify(self, token: str, feed: str | None, passed: Callable[[Check], None] = unheard) -> VerifiedToken:
        """The claims of `token`, if it is good for `feed` (None: the log) now. `passed` hears of each check that held.

        Raises TokenInvalid or TokenExpired, with `verified_subject` where the issuer's word and expiry held, and
        IssuerUnreachable where the issuer cannot be asked for its keys, or for its word.
        """
        issuer = self.asked_about(token)
        if issuer is not None:
            return self._introspected(token, issuer, feed, passed)
        return self._signed(compact.read(token), feed, passed)

    def asked_about(self, token: str) -> Issuer | None:
        """The issuer that introspects `token`; None for a token that is verified by its signature.

        A token in the form of a JWT goes only to the configured issuer that it names, any other to the one issuer that
        takes such tokens. Raises TokenInvalid for one that cannot be read.
        """
        if not compact.is_shaped_as_jwt(token):
            return self._listings.opaque if compact.is_small(token) else None
        listing = self._listings.of(compact.read(token).claims)
        return listing.issuer if listing is not None and listing.issuer.tokens == "opaque" else None

    def still_good(self, verified: VerifiedToken) -> bool:
        """True while the issuer still publishes the token's key. Raises IssuerUnreachable. Expiry is the caller's."""
        return verified.key is None or self._issuers.keys(verified.listing.issuer).holds(verified.key)

    def _signed(self, presented: Presented, feed: str | None, passed: Callable[[Check], None]) -> VerifiedToken:
        passed(Check.FORM)
        claims = presented.claims
        # Unverified, and used only to choose the key set and the settings that the token must then satisfy.
        listing = self._listed(claims)
        passed(Check.ISSUER)
        issuer = listing.issuer
        algorithm = presented.header.get("alg")
        if algorithm not in issuer.algorithms:
            raise TokenInvalid("The access token is not signed with an accepted algorithm.")
        passed(Check.ALGORITHM)
        candidates = signature.candidates(presented.header, issuer, self._issuers)
        passed(Check.KEY)
        key = signature.signer(presented, candidates, issuer, self._issuers)
        passed(Check.SIGNATURE)

        now = self._clock()
        with naming_the_subject(claims, now):
            checks.require_type(presented.header.get("typ"), issuer.types)
            passed(Check.TYPE)
            expires_at = checks.require_times(claims, now, issued=True)
            passed(Check.TIMES)
            checks.require_audience(claims.get("aud"), self._audiences(issuer, feed))
            passed(Check.AUDIENCE)
            jti = checks.require_jti(claims.get("jti"))
            passed(Check.TOKEN_ID)
            client_id = _access_token(claims, listing, passed)
        reference = f"urn:ietf:params:oauth:jti:{jti}"
        return VerifiedToken(claims, listing, client_id, expires_at, reference, key.thumbprint)

    def _introspected(
        self, token: str, issuer: Issuer, feed: str | None, passed: Callable[[Check], None]
    ) -> VerifiedToken:
        passed(Check.FORM)
        asked = self._introspections.get(issuer.issuer)
        if asked is None:
            raise IssuerUnreachable
        vouched = asked(token)
        if vouched is None:
            raise TokenInvalid("The authorization server does not vouch for the access token.")
        passed(Check.ACTIVE)
        # The endpoint is this issuer's, and RFC 7662 leaves it free to say so.
        claims = {"iss": issuer.issuer, **vouched.claims}
        if claims["iss"] != issuer.issuer:
            raise TokenInvalid("The issuer of the access token is not accepted here.")
        listing = self._listed(claims)
        passed(Check.ISSUER)

        now = self._clock()
        with naming_the_subject(claims, now):
            expires_at = checks.require_times(claims, now, issued=False)
            passed(Check.TIMES)
            if "aud" in claims or not vouched.implied_audience:
                checks.require_audience(claims.get("aud"), self._audiences(listing.issuer, feed))
            passed(Check.AUDIENCE)
            checks.require_bearer(claims)
            client_id = _access_token(claims, listing, passed)
        return VerifiedToken(
            claims, listing, client_id, expires_at, hashed_reference(token), believed_until=vouched.until
        )

    def _listed(self, claims: Mapping[str, Any]) -> Listing:
        listing = self._listings.of(claims)
        if listing is None:
            raise TokenInvalid("The issuer of the access token is not accepted here.")
        return listing

    def _audiences(self, issuer: Issuer, feed: str | None) -> frozenset[str]:
        if issuer.audiences:
            return frozenset(issuer.audiences)
        base = f"{self._public_base}/fhir"
        return frozenset({base} if feed is None else {base, f"{base}/{feed}"})


def hashed_reference(token: str) -> str:
    """What stands for a token without an id of its own: the first 128 bits of its SHA-256."""
    return f"urn:vitrine:token-sha256:{hashlib.sha256(token.encode()).hexdigest()[:32]}"


def _access_token(claims: Mapping[str, Any], listing: Listing, passed: Callable[[Check], None]) -> str:
    """The last checks, the same for every token; its client."""
    checks.require_access_token(claims)
    passed(Check.ACCESS_TOKEN)
    checks.require_unbound(claims)
    passed(Check.BINDING)
    client_id = checks.require_client(claims)
    passed(Check.CLIENT)
    checks.require_subject(claims.get("sub"))
    passed(Check.SUBJECT)
    checks.require_ehr(listing)
    passed(Check.EHR)
    return client_id
