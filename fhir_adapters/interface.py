"""What every feed guarantees, and the family of errors by which it says that it could not.

A feed is asked, never told. It may return too much (other patients, other types, what no parameter asked for): its
callers judge every entry. What it may not do is return too little without saying so.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Tree = dict[str, Any]
"""One resource as parsed: objects, lists, strings, booleans, None, int; Decimal for every number with a fraction."""


class FeedError(Exception):
    """The feed gave no whole answer. The message names the feed and no patient, no token, no text from outside."""

    kind = "failed"
    """A stable word for the record."""


class FeedUnavailable(FeedError):
    """No connection, or the feed says that it is down (503)."""

    kind = "unavailable"


class FeedTimeout(FeedError):
    """No whole answer within the deadline."""

    kind = "timeout"


class FeedAnswerInvalid(FeedError):
    """What arrived is not a FHIR answer that can be judged: truncated, not JSON, too large, too deep, a doubled key."""

    kind = "invalid-answer"


class FeedRefused(FeedError):
    """The feed refused the gateway's own credential or request (400, 401, 403 …)."""

    kind = "refused"


class FeedTypeUnknown(FeedRefused):
    """The feed has no resources of the type that was searched: 404 with an OperationOutcome (R4 RESTful API)."""

    kind = "type-unknown"


class FeedLinkRefused(FeedError):
    """A next link leads outside the feed's allow-list, or the feed redirects."""

    kind = "link-refused"


class FeedLinkExpired(FeedError):
    """The feed no longer knows the page that its own link named (404 or 410 on a page)."""

    kind = "link-expired"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock by which an answer must be whole."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())

    def sooner(self, seconds: float) -> "Deadline":
        """This deadline, or the moment `seconds` from now if that comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))


@dataclass(frozen=True, slots=True)
class Call:
    """One question's bounds: until when, and the id of the record that stands for it (sent as X-Request-Id)."""

    deadline: Deadline
    record: str
    bearer: str | None = None
    """Only for an EHR that gave this token at a launch; an external feed uses its own credential."""


class Entry(NamedTuple):
    """A resource of a search answer."""

    resource: Tree
    full_url: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search answer, whole."""

    entries: tuple[Entry, ...]
    next: str | None
    """Names the following page for `Feed.page`; None at the end."""


@dataclass(frozen=True, slots=True)
class FeedFile:
    """A file that a document names by its address, whole."""

    content_type: str
    """As the feed says, with parameters; "" if it does not."""
    data: bytes = field(repr=False)
    binary: Tree | None = None
    """The Binary that it came in, without its data; None if it came by itself."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a feed says of itself, for `vitrine feed check`."""

    fhir_version: str
    software: str
    types: Mapping[str, tuple[str, ...]]
    """Resource type -> interactions."""


class Feed(Protocol):
    """An external source of results, read-only.

    All methods may raise FeedError and nothing else; are safe to call from several threads; return within
    `call.deadline` or raise FeedTimeout; return fresh data, keep nothing.
    """

    id: str
    base: str
    """The prefix of the absolute references that this feed writes, without a trailing slash; "" if it writes none."""

    def read(self, resource_type: str, resource_id: str, call: Call) -> Tree | None:
        """The resource, or None if the feed does not have it (404, 410)."""

    def search(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        """The first page of what matches all `parameters` (repeated names: all must match).

        Names and values are FHIR's, patient references included; they are sent encoded, never spliced into a URL.
        """

    def page(self, name: str, call: Call) -> Page:
        """The page that an earlier answer named as its `next`. Raises FeedLinkExpired if it is gone."""

    def file(self, url: str, call: Call) -> FeedFile | None:
        """What lies at an address that a document of this feed gives, or None if nothing does.

        Raises FeedLinkRefused unless the address is the feed's own.
        """

    def check(self, call: Call) -> Offer:
        """Reach the feed and tell what it is."""
