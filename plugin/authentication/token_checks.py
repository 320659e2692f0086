"""The checks of a token's claims that are the same whoever vouches for them: a signature, or its issuer when asked.

Each refuses by TokenInvalid or TokenExpired, with a fixed sentence.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from plugin.authentication.listings import Listing, client_of, identifies
from plugin.errors import TokenExpired, TokenInvalid

LEEWAY_SECONDS = 30
"""How far the issuer's clock may be off. RFC 7519 allows a few minutes; hospitals run NTP."""

_JTI = re.compile(r"[\x21-\x7e]{1,256}")
"""It becomes a URN in the record, and is all that joins it with the issuer's own log."""

_FOREIGN_MEMBERS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})
"""Members of an id_token or a logout token, which share key and header with access tokens at some issuers."""

_FOREIGN_TYPES = frozenset({"id", "refresh", "offline", "logout"})
"""Values of Keycloak's `typ` claim for its other tokens."""

_ACCESS_TYPE = "bearer"
"""Its value for access tokens. Before version 25, and by a mapper since, these hold the `nonce` of their login too."""

_BEARER_KINDS = frozenset({"bearer", "access_token", "urn:ietf:params:oauth:token-type:access_token"})
"""What introspection may call an access token in `token_type` (RFC 7662 2.2), compared without case."""

_ACCESS_USES = frozenset({"access_token", "access"})
"""What servers that write `token_use` (Hydra, Cognito) call an access token there."""


class Check(StrEnum):
    """The checks, in the order in which they are made; which of them a token needs says `SIGNED` or `INTROSPECTED`."""

    FORM = "form"
    ACTIVE = "active"
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


SIGNED = tuple(check for check in Check if check is not Check.ACTIVE)
"""Of a JWT that is verified here."""

INTROSPECTED = tuple(
    check for check in Check if check not in {Check.ALGORITHM, Check.KEY, Check.SIGNATURE, Check.TYPE, Check.TOKEN_ID}
)
"""Of a token for which its issuer is asked: how it is made is the issuer's affair, and its hash is its id."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that passed every check: its claims are the issuer's word."""

    claims: Mapping[str, Any]
    listing: Listing
    client_id: str
    expires_at: float
    """POSIX seconds."""
    reference: str
    """What stands for it in a record: never a part of it."""
    key: str | None = None
    """The thumbprint of the issuer's key; None if the issuer was asked instead."""
    believed_until: float = math.inf
    """POSIX seconds: until when the issuer's answer may be used."""


@contextmanager
def naming_the_subject(claims: Mapping[str, Any], now: float) -> Iterator[None]:
    """Around checks that follow the issuer's word: a refusal of a token that has not expired says whose it was."""
    try:
        yield
    except TokenInvalid as refusal:
        expires_at = _moment(claims.get("exp"))
        if expires_at is not None and now < expires_at + LEEWAY_SECONDS:
            subject = claims.get("sub")
            shown = subject if isinstance(subject, str) and identifies(subject) else "-"
            refusal.verified_subject = f"{claims['iss']} {shown} {client_of(claims) or '-'}"
        raise


def require_type(typ: object, accepted: tuple[str, ...]) -> None:
    """The `typ` header is one of `accepted`."""
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


def require_times(claims: Mapping[str, Any], now: float, *, issued: bool) -> float:
    """Valid now; the expiry in POSIX seconds. `issued`: `iat` must be there (RFC 9068), else it may be."""
    expires_at = _moment(claims.get("exp"))
    issued_at = _moment(claims.get("iat")) if issued or "iat" in claims else -math.inf
    if expires_at is None or issued_at is None:
        raise TokenInvalid("The access token does not say when it was issued and when it expires.")
    if now >= expires_at + LEEWAY_SECONDS:
        raise TokenExpired
    not_before = _moment(claims["nbf"]) if "nbf" in claims else -math.inf
    if not_before is None or max(not_before, issued_at) > now + LEEWAY_SECONDS:
        raise TokenInvalid("The access token is not valid yet.")
    return expires_at


def require_audience(value: object, accepted: frozenset[str]) -> None:
    """One of the audiences, a string or a list of them, is `accepted`."""
    named = value if isinstance(value, list) else [value]
    if not any(isinstance(audience, str) and audience in accepted for audience in named):
        raise TokenInvalid("The access token is meant for another audience.")


def require_jti(value: object) -> str:
    """The id of a JWT."""
    if not isinstance(value, str) or not _JTI.fullmatch(value):
        raise TokenInvalid("The access token has no usable id (jti).")
    return value


def require_access_token(claims: Mapping[str, Any]) -> None:
    """No mark of an id, refresh or logout token."""
    kind, use = str(claims.get("typ")).lower(), claims.get("token_use")
    foreign = _FOREIGN_MEMBERS - {"nonce"} if kind == _ACCESS_TYPE else _FOREIGN_MEMBERS
    if foreign & claims.keys() or kind in _FOREIGN_TYPES:
        raise TokenInvalid("The token is not an access token.")
    if use is not None and not (isinstance(use, str) and use in _ACCESS_USES):
        raise TokenInvalid("The token is not an access token.")


def require_bearer(claims: Mapping[str, Any]) -> None:
    """Introspection calls it an access token that is used as Bearer, or does not say what it is."""
    kind = claims.get("token_type")
    if kind is not None and not (isinstance(kind, str) and kind.lower() in _BEARER_KINDS):
        raise TokenInvalid("The token is not a bearer access token.")


def require_unbound(claims: Mapping[str, Any]) -> None:
    """Not bound to a key (DPoP, mTLS): as a plain bearer token such a one may be stolen."""
    if "cnf" in claims:
        raise TokenInvalid("The access token is bound to a key, which is not supported here.")


def require_client(claims: Mapping[str, Any]) -> str:
    """The client that the token was given to."""
    client_id = client_of(claims)
    if client_id is None:
        raise TokenInvalid("The access token does not name one client.")
    return client_id


def require_subject(value: object) -> None:
    """Absent is allowed: such a token speaks for a machine, which is refused under its own name later."""
    if value is not None and not (isinstance(value, str) and identifies(value)):
        raise TokenInvalid("The subject of the access token is not usable.")


def require_ehr(listing: Listing) -> None:
    """(issuer, client) selects one EHR."""
    if listing.ambiguous:
        raise TokenInvalid("The client of the access token selects no EHR.")
