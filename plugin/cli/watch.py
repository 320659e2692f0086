"""What the supervising process looks at while it runs: free space, clock, sinks, state, certificates. It keeps gauges.

Each trouble is a warning of `/readyz` for as long as it lasts, and an alarm once, when it begins; but for state that
cannot be written, which every request tells, and for certificates, which there is a month to renew.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog

from plugin.alerts import AlertKind
from plugin.cli.alarms import Alarms
from plugin.cli.certificates import ending
from plugin.event import AuditAction
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.clock import DATE_SECONDS, FUTURE_SECONDS, STEP_SECONDS, Clock
from plugin.ledger.courier import SinkStatus
from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader
from plugin.ledger.space import FreeSpace
from plugin.ledger.store import Opening
from plugin.ledger.tree import Tree
from plugin.telemetry import CERTIFICATE_END, CLOCK_OFFSET, SINK_AGE, SINK_FORKS, SPACE_FREE

LOOK_SECONDS = 15.0
STALE_SECONDS = 180.0
"""A sink that has lacked the newest checkpoint for this long is stale: the promise is 60 s, and three misses are no
hiccup any more."""

_STATE = "state"
"""The trouble that refuses everybody."""

log = structlog.get_logger()


class Watch:
    """What was noticed. Safe to call from several threads."""

    def __init__(
        self,
        alarms: Alarms,
        space: FreeSpace,
        ledger: Opening,
        unusable: Callable[[], Iterator[str]],
        certificates: Mapping[str, datetime] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`unusable` names the files of the shared state that cannot be written; `certificates`: see `certificates`."""
        self._alarms = alarms
        self._space = space
        self._ledger = ledger
        self._unusable = unusable
        self._certificates = certificates or {}
        self._clock = clock or Clock()
        self._lasting: dict[str, str] = {}
        self._changing = threading.Lock()
        self._before: dict[str, Checkpoint] = {}
        """By origin, what was seen of the log: `audit recover` begins another one."""
        self._was_cut = False

    def warnings(self) -> Sequence[str]:
        """A sentence for each trouble that lasts."""
        with self._changing:
            return list(self._lasting.values())

    def refusing(self) -> str | None:
        """Why every request is refused, in a sentence; None if none is for what was noticed."""
        if self._space.spent():
            return "too little space is left to keep the log"
        with self._changing:
            return self._lasting.get(_STATE)

    def verified(self, problem: str | None) -> None:
        """What a verification of the whole log found: a sentence, or that nothing is wrong."""
        self._begins("verification", problem)

    def look(self) -> None:
        """Look at space, certificates, state, clock and log."""
        self._look_at_space()
        self._look_at_certificates()
        unusable = next(self._unusable(), None)
        self._begins(_STATE, unusable and f"state that requests need cannot be written: {unusable}")
        step = self._clock.step()
        CLOCK_OFFSET.labels("steady").set(step)
        if abs(step) > STEP_SECONDS:
            self._drifted(f"the clock was set {'forwards' if step > 0 else 'back'} by {abs(step):.1f} s")
        self._look_at_head()

    def heard(self, name: str, ahead: float) -> None:
        """A server that checkpoints go to told its time: we are `ahead` seconds ahead of it."""
        CLOCK_OFFSET.labels(name).set(ahead)
        far = f"the clock differs from that of {name} by {abs(ahead):.0f} s" if abs(ahead) > DATE_SECONDS else None
        if self._begins(f"clock {name}", far):
            self._drifted(str(far))

    def sinks(self, statuses: Sequence[SinkStatus], *, delivering: bool) -> None:
        """How the sinks are doing; `delivering` is False if the thread that delivers has ended by a defect."""
        now = time.monotonic()
        for status in statuses:
            age = status.age(now)
            SINK_AGE.labels(status.name).set(age)
            late = f"{status.name} has lacked the newest checkpoint for {age:.0f} s" if age > STALE_SECONDS else None
            if self._begins(f"sink {status.name}", late):
                self._alarms.tell(AlertKind.SINK_STALE, "sinks")
                log.warning("a sink is stale", sink=status.name, seconds=round(age))
        ended = None if delivering else "checkpoints are not delivered any more: restart the gateway"
        if self._begins("deliveries", ended):
            self._alarms.tell(AlertKind.SINK_STALE, "deliveries")

    def forked(self, name: str, sentence: str) -> None:
        """A sink contradicts the ledger. Called once for each."""
        SINK_FORKS.labels(name).inc()
        log.critical("a sink contradicts the ledger", sink=name, problem=sentence)
        self._begins(f"fork {name}", sentence)
        self._alarms.raise_(AlertKind.SINK_FORKED, AuditAction.SINK_FORKED, sentence)

    def _look_at_space(self) -> None:
        free = self._space.free()
        SPACE_FREE.set(free)
        low = f"{free >> 20} MiB are free where the log is kept" if self._space.low() else None
        who = "everybody is" if self._space.spent() else "strangers are"
        if self._begins("space", low and f"{low}: {who} refused"):
            self._alarms.raise_(AlertKind.SPACE_LOW, AuditAction.SPACE_LOW, f"{low}: requests are refused")

    def _look_at_certificates(self) -> None:
        for key, ends_at in self._certificates.items():
            CERTIFICATE_END.labels(key).set(ends_at.timestamp())
            if self._begins(f"certificate {key}", soon := ending(key, ends_at)):
                log.warning(soon)

    def _look_at_head(self) -> None:
        try:
            with Reader(self._ledger).tree() as tree:
                head, cut = tree.head, self._cut(tree)
        except LedgerError:
            return  # `/readyz` says so, and every request
        again, self._was_cut = self._was_cut, cut is not None
        if self._begins("log cut", cut if again else None):
            self._alarms.raise_(AlertKind.LEDGER_BROKEN, AuditAction.LEDGER_BROKEN, str(cut))
        ahead = self._clock.ahead_of(head.time)
        CLOCK_OFFSET.labels("log").set(min(ahead, 0.0))
        future = f"the newest record is {-ahead:.1f} s ahead of the clock" if -ahead > FUTURE_SECONDS else None
        if self._begins("clock log", future):
            self._drifted(str(future))

    def _cut(self, tree: Tree) -> str | None:
        """A log that went back was cut, or a backup was put in its place, under the gateway that serves.

        To grow again, if by the record of the alarm alone, is not to continue what it was. One look proves nothing: it
        may have been at a standby, which is some moments behind.
        """
        origin, head = tree.head.checkpoint.partition("\n")[0], tree.head
        before = self._before.get(origin)
        if before is not None and not tree.continues(before):
            return f"the log's {head.size} records do not continue the {before.size} that it had"
        self._before[origin] = Checkpoint(origin, head.size, head.root)
        return None

    def _drifted(self, note: str) -> None:
        self._alarms.raise_(AlertKind.CLOCK_DRIFTED, AuditAction.CLOCK_DRIFTED, note)

    def _begins(self, trouble: str, sentence: str | None) -> bool:
        """Keep the sentence as long as the trouble lasts; True if it was not there before."""
        with self._changing:
            before = self._lasting.pop(trouble, None)
            if sentence is not None:
                self._lasting[trouble] = sentence
        if sentence is None and before is not None:
            log.info("a trouble is over", trouble=trouble)
        return sentence is not None and before is None


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Look again and again as long as the block lasts."""
    stopped = threading.Event()

    def run() -> None:
        watch.look()
        while not stopped.wait(LOOK_SECONDS):
            watch.look()

    thread = threading.Thread(target=run, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
