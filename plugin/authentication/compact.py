"""Reads the compact form of a signed token (RFC 7515 7.1) without verifying anything.

It says what a token claims of itself and refuses what two readers could read differently. Every member of the result
is the caller's word until `bearer_token` has verified the signature.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.util import urlsafe_b64decode

from plugin.authentication.unambiguous import parsed
from plugin.errors import TokenInvalid

MAX_TOKEN_BYTES = 8 * 1024
"""Tokens with many roles reach 4 kB; header lines beyond 8 kB are refused by most servers on the way."""

MAX_HEADER_BYTES = 4 * 1024
"""Of the header's base64. Ignored members such as `x5c` may make one large."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A token taken apart, unverified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes = field(repr=False)
    """What the signature is over."""
    signature: bytes = field(repr=False)


def is_small(token: str) -> bool:
    """True for a token that is not larger than any that is looked at."""
    return len(token) <= MAX_TOKEN_BYTES


def is_shaped_as_jwt(token: str) -> bool:
    """True for several parts of which the first holds a JSON object, or what begins as one (JWS and JWE alike).

    Such a token says in readable form whose it is, so it may be shown to nobody else.
    """
    first, dot, _ = token.partition(".")
    if not dot:
        return False
    try:
        return urlsafe_b64decode(first.encode("ascii")).lstrip().startswith(b"{")
    except ValueError:
        return False


def read(token: str) -> Presented:
    """Take `token` apart. Raises TokenInvalid if it is too large, no JWS of three parts, or not unambiguous JSON."""
    if not is_small(token):
        raise TokenInvalid("The access token is too large.")
    if not token.isascii() or token.count(".") != 2:
        raise TokenInvalid("The access token is not a signed JWT.")
    header, payload, signature = token.encode("ascii").split(b".")
    if len(header) > MAX_HEADER_BYTES:
        raise TokenInvalid("The header of the access token is too large.")
    presented = Presented(_members(header), _members(payload), header + b"." + payload, _decoded(signature))
    if "crit" in presented.header:
        # RFC 7515 4.1.11: not to understand a critical extension is to refuse it, and none is understood here.
        raise TokenInvalid("The access token needs an extension that is not understood here.")
    return presented


def _members(segment: bytes) -> dict[str, Any]:
    try:
        value = parsed(_decoded(segment))
    except ValueError as error:
        raise TokenInvalid("The access token does not hold unambiguous JSON.") from error
    if not isinstance(value, dict):
        raise TokenInvalid("The access token does not hold JSON objects.")
    return value


def _decoded(segment: bytes) -> bytes:
    try:
        return urlsafe_b64decode(segment)
    except ValueError as error:
        raise TokenInvalid("The access token is not base64url.") from error
