"""A value that is fetched when it is needed, refreshed as it ages, and given up when it is too old to be believed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from fhir_adapters.interface import FeedError
from plugin.errors import IssuerUnreachable

T = TypeVar("T")

RETRY_SECONDS = 2.0
"""After a failure nobody asks again for so long. Short, since a recovered issuer should be noticed at once."""

RENEWALS_AT_ONCE = 5
"""Several keys may be rolled over within minutes, so a few renewals may follow each other."""

RENEWAL_SECONDS = 10.0
"""Then one renewal becomes free in so long: made-up key ids cannot turn the gateway against the issuer."""

WAIT_SECONDS = 0.3
"""For another thread's question: most issuers answer sooner, and a hung one must not hold all our threads."""

_log = structlog.get_logger()


class DocumentRefused(Exception):
    """What the issuer serves cannot be used. The message is our own sentence."""


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    value: T
    asked_at: float


class Refreshed(Generic[T]):
    """Keeps what `load` returns. Safe to call from several threads; at most one of them loads at a time.

    `load` may raise FeedError, DocumentRefused or IssuerUnreachable, and keeps a deadline of its own. Building one
    loads nothing.
    """

    def __init__(
        self, what: str, load: Callable[[], T], *, refresh: float, lifetime: float, monotonic: Callable[[], float]
    ) -> None:
        """Older than `refresh` seconds a value is loaded anew, older than `lifetime` not used. `what`: for the log."""
        self._what = what
        self._load = load
        self._refresh = refresh
        self._lifetime = lifetime
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._held: _Held[T] | None = None
        self._failed_at: float | None = None
        self._reason: str | None = None
        self._renewals = float(RENEWALS_AT_ONCE)
        self._renewals_at = monotonic()

    def current(self) -> T:
        """The value, at most `lifetime` old. Raises IssuerUnreachable if there is none.

        While one thread refreshes, the others go on with the old value, or wait WAIT_SECONDS for one.
        """
        held = self._held
        if held is not None and self._age(held) < self._refresh:
            return held.value
        usable = held is not None and self._age(held) < self._lifetime
        if self._turn.acquire(timeout=0 if usable else WAIT_SECONDS):
            try:
                self._load_if_due()
            finally:
                self._turn.release()
        held = self._held
        if held is None or self._age(held) >= self._lifetime:
            raise IssuerUnreachable
        return held.value

    def renewed(self, seen: T) -> T:
        """A newer value than `seen`, which lacks something; or `seen` itself if that was asked for too often.

        Raises IssuerUnreachable if it could not be asked for, here or by another thread just now.
        """
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise IssuerUnreachable
        try:
            if self._held is not None and self._held.value is seen and self._may_renew():
                self._load_now()
        finally:
            self._turn.release()
        held = self._held
        if held is None or (held.value is seen and self._failed_at is not None):
            raise IssuerUnreachable
        return held.value

    def _age(self, held: _Held[T]) -> float:
        return self._monotonic() - held.asked_at

    def _load_if_due(self) -> None:
        if self._held is not None and self._age(self._held) < self._refresh:
            return  # another thread loaded it while this one waited for its turn
        if self._failed_at is not None and self._monotonic() - self._failed_at < RETRY_SECONDS:
            return
        self._load_now()

    def _load_now(self) -> None:
        # The age counts from the question: what is withdrawn while the answer travels is withdrawn all the same.
        asked_at = self._monotonic()
        try:
            self._held = _Held(self._load(), asked_at)
            self._failed_at = None
            self._tell(None)
        except (FeedError, DocumentRefused, IssuerUnreachable) as error:
            self._failed_at = self._monotonic()
            self._tell(str(error))

    def _tell(self, reason: str | None) -> None:
        """Log what is wrong if it is something else than before, and its end. It is tried again every two seconds."""
        before, self._reason = self._reason, reason
        if reason not in (before, None):
            _log.warning("issuer not usable", what=self._what, reason=reason)
        elif before is not None and reason is None:
            _log.info("issuer usable again", what=self._what)

    def _may_renew(self) -> bool:
        now = self._monotonic()
        freed = (now - self._renewals_at) / RENEWAL_SECONDS
        self._renewals = min(float(RENEWALS_AT_ONCE), self._renewals + freed)
        self._renewals_at = now
        if self._renewals < 1:
            return False
        self._renewals -= 1
        return True
