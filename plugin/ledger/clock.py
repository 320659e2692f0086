"""Whether this machine's clock can be believed: held against the steady clock, the log's times, and others' answers.

Measures only. What is said of it, and where, is for whoever watches.
"""

import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

STEP_SECONDS = 2.0
"""By which a clock was set rather than steered: a time service steers by half a millisecond a second at most."""
FUTURE_SECONDS = 5.0
"""By which the log's newest record may be ahead of us: machines that share it agree to milliseconds."""
DATE_SECONDS = 30.0
"""By which another server may differ: its Date has whole seconds, and its answer may take ten of them."""


def steady() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """The clock of this process's machine. Used by one thread."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = steady) -> None:
        self._wall, self._steady = wall, steady
        self._last = (wall(), steady())

    def step(self) -> float:
        """By how many seconds the clock was set forwards (or, below zero, back) since the last call."""
        now = (self._wall(), self._steady())
        (wall, steady), self._last = self._last, now
        return (now[0] - wall) - (now[1] - steady)

    def ahead_of(self, encoded: str) -> float:
        """By how many seconds we are ahead of a time in the log; below zero, it is of our future. 0.0 if it is none."""
        try:
            return self._wall() - datetime.fromisoformat(encoded).timestamp()
        except ValueError:
            return 0.0


def ahead_of_date(date: str, now: float) -> float | None:
    """By how many seconds `now` is ahead of an HTTP Date (RFC 9110 5.6.7); None if it is no such date."""
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
