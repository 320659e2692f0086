"""Whether a place may be asked now: a breaker, so that one that is down is left alone, and a bulkhead, so that one that
hangs never holds more than its share of threads.

Both are told what happened and ask nobody themselves.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 1.0
"""A place that is not found within this is not waited for."""

FAILURES_TO_OPEN = 5
OPEN_SECONDS = 10.0
"""How long a place that does not answer is left alone; a recovered one is asked again well within 30 s."""


class Breaker:
    """Open after several failures in a row; after a rest it lets one question through, whose fate decides."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at = 0.0
        self._trying = False
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """True if the place may be asked now."""
        with self._lock:
            if self._failures < FAILURES_TO_OPEN:
                return True
            if self._trying or self._clock() - self._opened_at < OPEN_SECONDS:
                return False
            self._trying = True
            return True

    def heard(self, *, answered: bool | None) -> bool:
        """Tell how the question ended; None: it says nothing of the place.

        True if the place is left alone from now on, or is not any more.
        """
        with self._lock:
            was_open = self._failures >= FAILURES_TO_OPEN
            self._trying = False
            if answered:
                self._failures = 0
            elif answered is not None:
                self._failures += 1
                self._opened_at = self._clock()
            return was_open is not (self._failures >= FAILURES_TO_OPEN)


class Bulkhead:
    """A bounded number of places, and of those who wait for one."""

    def __init__(self, places: int, waiting: int) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._waiting = threading.BoundedSemaphore(waiting)
        self._stuck = False
        """Somebody waited in vain, and no place has been given back since: nobody else waits."""

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Hold a place; yields False if there was none within PATIENCE_SECONDS, or none is to be expected."""
        held = self._places.acquire(blocking=False) or self._waited()
        try:
            yield held
        finally:
            if held:
                self._stuck = False
                self._places.release()

    def _waited(self) -> bool:
        if self._stuck or not self._waiting.acquire(blocking=False):
            return False
        try:
            held = self._places.acquire(timeout=PATIENCE_SECONDS)
        finally:
            self._waiting.release()
        if not held:
            self._stuck = True
        return held
