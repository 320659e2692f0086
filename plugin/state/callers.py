"""Callers who were never identified: a bucket for each address, and counts of their refusals.

A flood of forged tokens costs a counter, not a record. The table is bounded; what does not fit is counted as `other`.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

BUCKET_SIZE = 200
"""Failed authentications that one address may have in a burst: a whole ward behind one proxy, signing in badly."""
BUCKET_REFILL = 2.0
"""Given back per second."""
MAX_KEYS = 1000
"""Addresses in the bucket table, and keys in the table of counts."""
OTHER = "other"


@dataclass(slots=True)
class _Bucket:
    spent: float
    at: float

    def level(self, now: float) -> float:
        return max(0.0, self.spent - (now - self.at) * BUCKET_REFILL)


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many unidentified callers were refused for one reason at one family of routes, in a span of time."""

    reason: str
    family: str
    count: int
    since: float
    until: float
    """POSIX seconds."""


@dataclass
class Callers:
    """In memory, for one process. Safe to call from several threads."""

    clock: Callable[[], float] = time.time
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _counts: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)

    def admits(self, address: str) -> bool:
        """False while the address has spent its failures."""
        with self._lock:
            bucket = self._buckets.get(self._slot(address))
            return bucket is None or bucket.level(self.clock()) < BUCKET_SIZE

    def refused(self, reason: str, family: str, address: str, *, charged: bool) -> None:
        """Count a refusal; `charged` ones are held against the address."""
        now = self.clock()
        with self._lock:
            self._add(reason, family, 1, now)
            if charged:
                slot = self._slot(address)
                bucket = self._buckets.setdefault(slot, _Bucket(0.0, now))
                bucket.spent, bucket.at = min(bucket.level(now) + 1, BUCKET_SIZE), now

    def drain(self) -> list[Refusals]:
        """The counts so far, which start again from nothing."""
        now = self.clock()
        with self._lock:
            counts, self._counts = self._counts, {}
            self._buckets = {slot: bucket for slot, bucket in self._buckets.items() if bucket.level(now) > 0}
        return [Refusals(*key, count, since, now) for key, (count, since) in counts.items()]

    def restore(self, refusals: list[Refusals]) -> None:
        """Put drained counts back that could not be recorded."""
        with self._lock:
            for each in refusals:
                self._add(each.reason, each.family, each.count, each.since)

    def _add(self, reason: str, family: str, more: int, since: float) -> None:
        key = (reason, family)
        if key not in self._counts and len(self._counts) >= MAX_KEYS:
            key = (OTHER, OTHER)
        count, earliest = self._counts.get(key, (0, since))
        self._counts[key] = (count + more, min(earliest, since))

    def _slot(self, address: str) -> str:
        return address if address in self._buckets or len(self._buckets) < MAX_KEYS else OTHER
