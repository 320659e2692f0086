"""Counts of callers who were never identified, and a bucket for each address that fails to authenticate.

In memory, for one process. Both tables are bounded: a refusal that does not fit is counted as `other`, and an address
that does not fit is not held back, since others would be held back with it.
"""

import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from plugin.event import Outcome

BUCKET_SIZE = 200
"""Failed authentications that one address may have in a burst: a whole ward behind one proxy, signing in badly."""
BUCKET_REFILL = 2.0
"""Given back per second."""
MAX_KEYS = 1000
"""Addresses in the bucket table, and kinds in the table of counts."""
OTHER = "other"
PREFIX = {4: 24, 6: 56}
"""Bits of an address that are told: enough to find a source, too few to name a person's device."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What refusals are counted by."""

    reason: str
    family: str
    network: str
    """`192.0.2.0/24`, `2001:db8::/56`"""
    subject: str | None = None
    """`issuer subject client`, where a token's signature and expiry held and something else failed."""
    outcome: Outcome = Outcome.REFUSED


EVERYTHING_ELSE = Kind(OTHER, OTHER, OTHER)


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many callers of one kind were refused, in a span of time."""

    kind: Kind
    count: int
    since: float
    until: float
    """POSIX seconds."""


@dataclass(slots=True)
class _Bucket:
    spent: float
    at: float

    def level(self, now: float) -> float:
        return max(0.0, self.spent - (now - self.at) * BUCKET_REFILL)


@dataclass
class Callers:
    """Safe to call from several threads."""

    clock: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    """What fills the buckets again: a clock that is set back would hold off whoever failed once."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _counts: dict[Kind, tuple[int, float]] = field(default_factory=dict)
    """Kind -> count since the last draining, and since when; a kind with 0 was recorded and is known."""

    def admits(self, address: str) -> bool:
        """False while the address has spent its failures. One without a bucket of its own is admitted."""
        with self._lock:
            bucket = self._buckets.get(_owner(address))
            return bucket is None or bucket.level(self.steady()) + 1 <= BUCKET_SIZE

    def refused(self, kind: Kind, address: str, *, charged: bool) -> Refusals | None:
        """Count a refusal; `charged` ones are held against the address.

        Returns the refusal itself if it is the first of its kind: it is not counted, but to be recorded at once.
        """
        now = self.clock()
        with self._lock:
            if charged:
                self._charge(_owner(address), self.steady())
            kind = self._known(kind)
            if kind not in self._counts:
                self._counts[kind] = (0, now)
                return Refusals(kind, 1, now, now)
            self._add(kind, 1, now)
            return None

    def drain(self) -> list[Refusals]:
        """The counts since the last time. A kind of which there was none is forgotten: its next is a first again."""
        now = self.clock()
        with self._lock:
            counts = {kind: counted for kind, counted in self._counts.items() if counted[0]}
            self._counts = dict.fromkeys(counts, (0, now))
            steady = self.steady()
            self._buckets = {slot: bucket for slot, bucket in self._buckets.items() if bucket.level(steady) > 0}
        return [Refusals(kind, count, since, now) for kind, (count, since) in counts.items()]

    def counted(self) -> int:
        """How many refusals there were since the last time that the counts were drained."""
        with self._lock:
            return sum(count for count, _ in self._counts.values())

    def restore(self, refusals: list[Refusals]) -> None:
        """Put counts back that could not be recorded."""
        with self._lock:
            for each in refusals:
                self._add(self._known(each.kind), each.count, each.since)

    def _known(self, kind: Kind) -> Kind:
        return kind if kind in self._counts or len(self._counts) < MAX_KEYS else EVERYTHING_ELSE

    def _add(self, kind: Kind, more: int, since: float) -> None:
        count, earliest = self._counts.get(kind, (0, since))
        self._counts[kind] = (count + more, min(earliest, since) if count else since)

    def _charge(self, owner: str, now: float) -> None:
        if owner in self._buckets or len(self._buckets) < MAX_KEYS:
            bucket = self._buckets.setdefault(owner, _Bucket(0.0, now))
            bucket.spent, bucket.at = min(bucket.level(now) + 1, BUCKET_SIZE), now


def _owner(address: str) -> str:
    """IPv6 callers own whole networks, so one of those has one bucket."""
    return network_of(address) if ":" in address else address


def network_of(address: str) -> str:
    """The network of an address, /24 or /56; what is no address stays as it is."""
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{address}/{PREFIX[version]}", strict=False))
