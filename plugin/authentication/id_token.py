"""Verifies an id_token (OpenID Connect Core 3.1.3.7): this issuer says, to us and for this launch, who signed in.

Whom it speaks for is read in `launch_identity`; nothing here grants access.
"""

import hmac
from collections.abc import Mapping
from typing import Any

from authlib.oidc.core.util import create_half_hash

from plugin.authentication import compact, signature
from plugin.authentication import token_checks as checks
from plugin.authentication.issuers import Issuers
from plugin.errors import TokenInvalid
from plugin.settings.ehr import Issuer

_TYPES = frozenset({"jwt", "id+jwt"})


def verify(
    token: str, issuer: Issuer, issuers: Issuers, *, client_id: str, nonce: str, access_token: str, now: float
) -> Mapping[str, Any]:
    """The claims of `token`. Raises TokenInvalid or TokenExpired, with `verified_subject` where its issuer's word and
    expiry held, and IssuerUnreachable.
    """
    presented = compact.read(token)
    claims = presented.claims
    if claims.get("iss") != issuer.issuer:
        raise TokenInvalid("The id_token is of another issuer.")
    if presented.header.get("alg") not in issuer.algorithms:
        raise TokenInvalid("The id_token is not signed with an accepted algorithm.")
    keys = signature.candidates(presented.header, issuer, issuers)
    signature.signer(presented, keys, issuer, issuers)
    with checks.naming_the_subject(claims, now):
        _require_id_token(presented.header.get("typ"), claims)
        checks.require_times(claims, now, issued=True)
        _require_audience(claims, client_id)
        stated = claims.get("nonce")
        if not isinstance(stated, str) or not hmac.compare_digest(stated.encode(), nonce.encode()):
            raise TokenInvalid("The id_token is for another sign-in.")
        _require_hash(claims, presented.header["alg"], access_token)
        if claims.get("sub") is None:
            raise TokenInvalid("The id_token names nobody.")
        checks.require_subject(claims["sub"])
    return claims


def _require_id_token(typ: object, claims: Mapping[str, Any]) -> None:
    """Access and logout tokens of the same issuer are signed by the same key."""
    kind = claims.get("typ", "ID")
    named = typ is None or (isinstance(typ, str) and typ.lower().removeprefix("application/") in _TYPES)
    if not named or kind != "ID" or "events" in claims:
        raise TokenInvalid("The token is not an id_token.")


def _require_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """Ours, and nobody else's beside: with several audiences or an `azp`, the authorized party must be us."""
    checks.require_audience(claims.get("aud"), frozenset({client_id}))
    several = isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise TokenInvalid("The id_token was given to another client.")


def _require_hash(claims: Mapping[str, Any], algorithm: str, access_token: str) -> None:
    """`at_hash`, where it is given, is of the token that came with it."""
    if "at_hash" not in claims:
        return
    expected: bytes = create_half_hash(access_token, algorithm)  # type: ignore[no-untyped-call]
    stated = claims["at_hash"]
    if not isinstance(stated, str) or not hmac.compare_digest(stated.encode(), expected):
        raise TokenInvalid("The id_token came with another access token.")
