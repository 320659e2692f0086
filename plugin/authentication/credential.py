"""What a face may present for its caller. A credential is unverified: only `identify` turns one into an Identity."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from plugin.state.views import Unsealed

_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
"""RFC 6750 2.1; the scheme in any case (RFC 9110 11.1)."""

_OTHER_SCHEME = re.compile(r"(?!bearer(?: |$))[A-Za-z0-9!#$%&'*+.^_`|~-]+(?: [^,]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token from the Authorization header, well-formed and no more than that."""

    token: str = field(repr=False)
    feed: str | None
    """The id of the feed asked, as the caller wrote it; None for the log. It takes part in the audience."""


@dataclass(frozen=True, slots=True)
class NoCredential:
    """The caller shows nothing that we could verify."""


@dataclass(frozen=True, slots=True)
class MalformedCredential:
    """A token shown in a way that RFC 6750 forbids, so that it is not looked at."""


@dataclass(frozen=True, slots=True)
class LocalOperator:
    """Whoever runs the command line on the machine itself: the operating system's word, not ours."""

    name: str
    uid: int


@dataclass(frozen=True, slots=True)
class LaunchSession:
    """What a page of the viewer shows: the id of a view, from its path, and the view's secret, from the cookie."""

    view: str
    secret: str = field(repr=False)
    unsealed: Unsealed = field(default_factory=Unsealed, init=False, repr=False, compare=False)
    """Lives as long as the request that shows this; a copy with another view or secret begins anew."""


Credential = BearerToken | NoCredential | MalformedCredential | LocalOperator | LaunchSession


def from_authorization(
    values: Sequence[str], *, elsewhere: bool, feed: str | None
) -> BearerToken | NoCredential | MalformedCredential:
    """The credential of a request with these values of `Authorization`.

    `elsewhere`: an `access_token` stands in the query or the form body, which is refused whatever the header says.
    A comma means that two headers were joined on the way. Another scheme alone (Basic, DPoP) counts as no credential:
    RFC 6750 3.1 wants an unsupported method answered by the plain challenge, which says what is supported.
    """
    if elsewhere or len(values) > 1:
        return MalformedCredential()
    if not values:
        return NoCredential()
    value = values[0].strip(" \t")
    if bearer := _BEARER.fullmatch(value):
        return BearerToken(bearer.group(1), feed)
    return NoCredential() if _OTHER_SCHEME.fullmatch(value) else MalformedCredential()
