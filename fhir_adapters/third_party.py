"""Feeds that others wrote: what they are given, and a guard around what they do.

A plug-in is code in our process that the deployer chose to install; nothing here confines it. The guard keeps one
promise for it: whatever goes wrong inside is a FeedError that tells nothing, so that no text of a library, and with it
perhaps a patient, gets into a log.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fhir_adapters.interface import (
    Call,
    Feed,
    FeedAnswerInvalid,
    FeedError,
    FeedFile,
    FeedLinkRefused,
    Offer,
    Page,
    Tree,
)


@dataclass(frozen=True, slots=True)
class ThirdPartyConfig:
    """A `[[feed]]` whose kind is an entry point's name: all that its maker is given."""

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """As they stand in the configuration; the gateway reads nothing in them."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name, read from their files, which nobody else can read."""


Maker = Callable[[ThirdPartyConfig], Feed]
"""What an entry point names. It contacts nothing, and raises ValueError where its configuration is wrong."""

T = TypeVar("T")
METHODS = ("read", "search", "page", "check")


class GuardedFeed:
    """`Feed` around one of a third party."""

    def __init__(self, feed: Feed) -> None:
        """Raises ValueError for what is no feed."""
        lacking = [name for name in METHODS if not callable(getattr(feed, name, None))]
        lacking += [name for name in ("id", "base") if not isinstance(getattr(feed, name, None), str)]
        if lacking:
            raise ValueError(f"what the entry point made is no feed: it has no {', '.join(lacking)}")
        self.id = feed.id
        self.base = feed.base
        self._feed = feed

    def read(self, resource_type: str, resource_id: str, call: Call) -> Tree | None:
        """See `Feed`."""
        return self._guarded(lambda: self._feed.read(resource_type, resource_id, call))

    def search(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        """See `Feed`."""
        return self._guarded(lambda: self._feed.search(resource_type, parameters, call))

    def page(self, name: str, call: Call) -> Page:
        """See `Feed`."""
        return self._guarded(lambda: self._feed.page(name, call))

    def file(self, url: str, call: Call) -> FeedFile | None:
        """See `Feed`. A plug-in need not have files at addresses: then none is its own."""
        if not callable(getattr(self._feed, "file", None)):
            raise FeedLinkRefused(f"feed '{self.id}' has no files at addresses")
        return self._guarded(lambda: self._feed.file(url, call))

    def check(self, call: Call) -> Offer:
        """See `Feed`."""
        return self._guarded(lambda: self._feed.check(call))

    def _guarded(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except FeedError:
            raise
        except Exception as error:  # noqa: BLE001 - anything may come out of code that is not ours
            failure = FeedAnswerInvalid(f"feed '{self.id}' failed inside its plug-in ({type(error).__name__})")
        # Raised here, outside the handler: the error of the plug-in may quote what was asked or answered.
        raise failure
