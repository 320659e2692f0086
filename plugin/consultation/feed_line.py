"""The line to one feed: a bulkhead, so that a hung one never holds more than its share of threads; a breaker, so that
one that is down is not asked again and again; and the translation of its errors into ours.
"""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Self, TypeVar

from fhir_adapters.breaker import Breaker, Bulkhead
from fhir_adapters.interface import (
    Call,
    Feed,
    FeedError,
    FeedFile,
    FeedTimeout,
    FeedUnavailable,
    Page,
    Tree,
)
from plugin.errors import EhrUnreachable, FeedBusy, FeedFailed, FeedTooSlow

SLOTS = 4
"""Consultations that may be at one feed at a time in one process: half of the eight that may work."""
WAITING = 4
"""Consultations that may wait for a slot; with those at the feed, half of the sixteen threads of a process."""

Answer = TypeVar("Answer")


class FeedLine:
    """A feed as the steps of a consultation ask it: Feed's read, search and page, raising ConsultError."""

    def __init__(self, feed: Feed, clock: Callable[[], float] = time.monotonic) -> None:
        self.id = feed.id
        self.base = feed.base
        self._feed = feed
        self._breaker = Breaker(clock)
        self._bulkhead = Bulkhead(SLOTS, WAITING)
        self._bearer: str | None = None

    def bearing(self, token: str) -> Self:
        """The same line, whose questions carry the token of a launch: only for a line to the EHR that gave it."""
        line = copy.copy(self)
        line._bearer = token
        return line

    @contextmanager
    def held(self) -> Iterator[None]:
        """A place at this feed for as long as the block lasts. Raises FeedBusy."""
        with self._bulkhead.place() as held:
            if not held:
                raise FeedBusy("busy")
            yield

    def read(self, resource_type: str, resource_id: str, call: Call) -> Tree | None:
        return self._ask(lambda: self._feed.read(resource_type, resource_id, self._carrying(call)))

    def search(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        return self._ask(lambda: self._feed.search(resource_type, parameters, self._carrying(call)))

    def page(self, name: str, call: Call) -> Page:
        return self._ask(lambda: self._feed.page(name, self._carrying(call)))

    def _carrying(self, call: Call) -> Call:
        return call if self._bearer is None else replace(call, bearer=self._bearer)

    def file(self, url: str, call: Call) -> FeedFile | None:
        return self._ask(lambda: self._feed.file(url, self._carrying(call)))

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        if not self._breaker.allows():
            raise self.left_alone()
        answered = False
        try:
            answer = question()
            answered = True
        except FeedError as error:
            # A feed that answers wrongly is there: only silence opens the breaker.
            answered = not isinstance(error, FeedUnavailable | FeedTimeout)
            raise self.failure(error) from error
        finally:
            self._breaker.heard(answered=answered)
        return answer

    def left_alone(self) -> FeedBusy | EhrUnreachable:
        """Our error while the breaker is open."""
        return FeedBusy("breaker-open")

    def failure(self, error: FeedError) -> FeedFailed | EhrUnreachable:
        """Our error for the feed's."""
        return FeedTooSlow(error.kind) if isinstance(error, FeedTimeout) else FeedFailed(error.kind)


class EhrLine(FeedLine):
    """The line to an EHR's FHIR server, which is asked for a patient's identifiers only."""

    def left_alone(self) -> EhrUnreachable:
        return EhrUnreachable()

    def failure(self, error: FeedError) -> EhrUnreachable:
        return EhrUnreachable()
