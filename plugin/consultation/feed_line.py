"""The line to one feed: a bulkhead, so that a hung one never holds more than its share of threads; a breaker, so that
one that is down is not asked again and again; and the translation of its errors into ours.

Whoever asks leaves their place at work meanwhile (`admission.away`).
"""

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Self, TypeVar

import structlog

from fhir_adapters.breaker import Breaker, Bulkhead
from fhir_adapters.interface import (
    Call,
    Feed,
    FeedError,
    FeedFile,
    FeedRefused,
    FeedTimeout,
    FeedUnavailable,
    Page,
    Tree,
)
from plugin.consultation.admission import away
from plugin.errors import EhrRefused, EhrUnreachable, FeedBusy, FeedFailed, FeedTooSlow, FeedUnreachable

SLOTS = 8
"""Consultations of one process that may wait for one feed's answer at a time. No fewer than the failures that open the
breaker: of a feed that hangs, one deadline is waited for and no second."""
WAITING = 4
"""Consultations that may wait for a slot; with those at the feed, half of the threads of a process."""
WAITING_FOR_EHR = 16
"""All threads but those at the EHR: each look whose patient is not known yet needs it, and a morning begins so."""
FAIR_SECONDS = 2.0
"""Who was given less, and did not answer within it, may well be there: what was asked before has used up the time."""
QUESTIONS_AT_ONCE = 6
"""That a page which needs several searches puts to its feed at a time, as a browser would."""

log = structlog.get_logger()

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


class FeedLine:
    """A feed as the steps of a consultation ask it: Feed's read, search and page, raising ConsultError."""

    most_waiting = WAITING

    def __init__(self, feed: Feed, clock: Callable[[], float] = time.monotonic) -> None:
        self.id = feed.id
        self.base = feed.base
        self._feed = feed
        self._breaker = Breaker(clock)
        self._bulkhead = Bulkhead(SLOTS, self.most_waiting)
        self._bearer: str | None = None

    def bearing(self, token: str) -> Self:
        """The same line, whose questions carry the token of a launch: only for a line to the EHR that gave it."""
        line = copy.copy(self)
        line._bearer = token
        return line

    def read(self, resource_type: str, resource_id: str, call: Call) -> Tree | None:
        return self._ask(call, lambda: self._feed.read(resource_type, resource_id, self._carrying(call)))

    def search(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        return self._ask(call, lambda: self._feed.search(resource_type, parameters, self._carrying(call)))

    def page(self, name: str, call: Call) -> Page:
        return self._ask(call, lambda: self._feed.page(name, self._carrying(call)))

    def side_by_side(self, ask: Callable[[Self, Thing], Answer], things: Iterable[Thing]) -> list[Answer]:
        """What `ask` answers for each of `things`, in their order; QUESTIONS_AT_ONCE of them at a time.

        They hold one place between them, so each is asked on the line that `ask` is given. Raises what the first that
        fails raises.
        """
        line = copy.copy(self)
        line._bulkhead = Bulkhead(QUESTIONS_AT_ONCE, 0)
        with self._waiting(), ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix=f"page-{self.id}") as several:
            return list(several.map(lambda thing: ask(line, thing), things))

    def _carrying(self, call: Call) -> Call:
        return call if self._bearer is None else replace(call, bearer=self._bearer)

    def file(self, url: str, call: Call) -> FeedFile | None:
        return self._ask(call, lambda: self._feed.file(url, self._carrying(call)))

    def _ask(self, call: Call, question: Callable[[], Answer]) -> Answer:
        with self._waiting():
            if not self._breaker.allows():
                raise self.unavailable("breaker-open")
            fair = call.deadline.remaining() >= FAIR_SECONDS
            answered: bool | None = False
            problem = "a defect"
            try:
                answer = question()
                answered = True
            except FeedError as error:
                answered, problem = _is_there(error, fair=fair), str(error)
                raise self.failure(error) from error
            finally:
                self._heard(answered, problem)
            return answer

    def _heard(self, answered: bool | None, problem: str) -> None:
        """The process log says when silence begins to be believed, with its `problem`, and when it ends."""
        if not self._breaker.heard(answered=answered):
            return
        if answered:
            log.info("a source that was left alone answers again", source=self.id)
        else:
            log.warning("a source does not answer and is left alone for some seconds", source=self.id, problem=problem)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Away from work, and in a place at this feed, for as long as the block lasts."""
        with away(), self._bulkhead.place() as held:
            if not held:
                raise self.unavailable("busy")
            yield

    def unavailable(self, kind: str) -> FeedBusy | EhrUnreachable:
        """Our error where it is not asked: `busy` or `breaker-open`."""
        return FeedBusy(kind)

    def failure(self, error: FeedError) -> FeedFailed | EhrUnreachable | EhrRefused:
        """Our error for the feed's."""
        match error:
            case FeedTimeout():
                return FeedTooSlow(error.kind)
            case FeedUnavailable():
                return FeedUnreachable(error.kind)
            case _:
                return FeedFailed(error.kind)


def _is_there(error: FeedError, *, fair: bool) -> bool | None:
    """Whether a feed is there that gave this error: one that answers wrongly is. None: it had no time to show it."""
    if isinstance(error, FeedTimeout) and not fair:
        return None
    return not isinstance(error, FeedUnavailable | FeedTimeout)


class EhrLine(FeedLine):
    """The line to an EHR's FHIR server, which is asked for a patient's identifiers only."""

    most_waiting = WAITING_FOR_EHR

    def unavailable(self, kind: str) -> EhrUnreachable:
        return EhrUnreachable()

    def failure(self, error: FeedError) -> EhrUnreachable | EhrRefused:
        return EhrRefused() if isinstance(error, FeedRefused) else EhrUnreachable()
