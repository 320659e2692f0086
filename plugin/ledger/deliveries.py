"""Delivers the newest checkpoint to every sink, in a thread of its own, and knows how old what they have is.

Appending waits for none of this, and no sink for another: each has its `courier`. What is done about a sink that is
late or that contradicts the ledger (a warning, a record, an alarm) is for whoever assembles the program.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.courier import Courier, SinkStatus
from plugin.ledger.errors import CheckpointInvalid, LedgerBroken, LedgerError, SinkFailed
from plugin.ledger.key import VerifierKey
from plugin.ledger.reader import Reader
from plugin.ledger.sink import ANSWER_SECONDS, Offer, Sink
from plugin.ledger.sink_file import FileSink

INTERVAL_SECONDS = 30.0
"""Between two rounds. The promise is 60 s: the rest is for sinks that are slow to answer."""

ROUND_SECONDS = 2 * ANSWER_SECONDS + 2
"""How long a round waits, first for the witnesses and then for all others; who takes longer goes on by itself."""


class Deliveries:
    """One ledger's checkpoints on their way to its sinks, and into the file that keeps them."""

    def __init__(
        self,
        reader: Reader,
        key: VerifierKey,
        sinks: Sequence[Sink],
        kept: Path,
        *,
        on_fork: Callable[[str, str, bool], None] = lambda _name, _sentence, _first: None,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        """`kept` is a file (`LedgerPlace.kept`) in which each checkpoint is kept with its cosignatures.

        `on_fork` is called once for each sink that contradicts the ledger, with its name, a sentence and whether this
        was the first contact since the start: then the ledger should be closed, `writer.Ledger.refuse`.
        """
        self._reader = reader
        self.key = key
        self._interval = interval
        self._round = threading.Lock()
        self._changed = threading.Condition(threading.RLock())
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # Witnesses first: what the others are given then carries the cosignatures.
        self._witnesses = [self._courier(sink, on_fork) for sink in sinks if sink.cosigns]
        self._others = [self._courier(sink, on_fork) for sink in (*sinks, FileSink(kept, key)) if not sink.cosigns]

    def _courier(self, sink: Sink, on_fork: Callable[[str, str, bool], None]) -> Courier:
        return Courier(sink, self._changed, self._newer, on_fork)

    def start(self) -> None:
        """Begin to deliver, at once and then at every interval. Not before a fork: the child would have no thread."""
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = ROUND_SECONDS) -> None:
        """Deliver what is newest now, once, and end: when each sink has answered, or after so many seconds."""
        until = time.monotonic() + seconds
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)
        self._deliver(until - time.monotonic(), last=True)

    def running(self) -> bool:
        """True while the thread delivers. False after `start` and before `stop` means that a bug ended it."""
        return self._thread is not None and self._thread.is_alive()

    def status(self) -> list[SinkStatus]:
        """How things stand with each sink; the last is the file that keeps the checkpoints."""
        return [courier.status for courier in self._couriers()]

    def deliver(self, seconds: float = ROUND_SECONDS) -> None:
        """One round, now: offer the newest checkpoint to each sink that does not have it.

        Returns when each has answered, at the latest after so many seconds, of which the witnesses have half; earlier
        if `stop` is called.
        """
        self._deliver(seconds, last=False)

    def _deliver(self, seconds: float, *, last: bool) -> None:
        with self._round:
            try:
                offer = self._newest()
            except LedgerError as error:
                for courier in self._couriers():
                    courier.failed(str(error))
                return
            if offer.stated.size == 0:
                return  # there is nothing to cut yet
            for courier in self._couriers():
                courier.expects(self._cosigned(offer))
            until = time.monotonic() + seconds
            for couriers, patience in ((self._witnesses, until - seconds / 2), (self._others, until)):
                for courier in couriers:
                    courier.give(self._cosigned(offer))
                self._wait(couriers, patience, last=last)

    def _run(self) -> None:
        self.deliver()
        while not self._stop.wait(self._interval):
            self.deliver()

    def _couriers(self) -> list[Courier]:
        return [*self._witnesses, *self._others]

    def _wait(self, couriers: Sequence[Courier], until: float, *, last: bool) -> None:
        """Until none of them has anything to bring, and no longer than that; in a stop for the `last` round only."""
        with self._changed:
            self._changed.wait_for(
                lambda: not any(courier.busy for courier in couriers) or (self._stop.is_set() and not last),
                max(0.0, until - time.monotonic()),
            )
            for courier in couriers:
                courier.overdue()

    def _newest(self) -> Offer:
        """The newest checkpoint, as the ledger has it. Raises LedgerError."""
        note = self._reader.head().checkpoint
        try:
            return Offer(checkpoint.verify(note, self.key), note, self._reader)
        except CheckpointInvalid as error:
            raise LedgerBroken(f"the head's checkpoint: {error}") from error

    def _cosigned(self, offer: Offer) -> Offer:
        """The same, with the cosignatures that the witnesses have given so far."""
        given = "".join(courier.cosignatures(offer.stated) for courier in self._witnesses)
        return replace(offer, note=offer.note + given)

    def _newer(self, offer: Offer) -> Offer | None:
        """A newer one, if there is: another process may have delivered it between our reading and our offering.

        Raises LedgerError.
        """
        newest = self._newest()
        return newest if newest.stated.size > offer.stated.size else None


def check_continued(reader: Reader, sinks: Iterable[Sink]) -> list[str]:
    """Check that the ledger continues the newest checkpoint of each sink that shows it.

    Raises LedgerBroken if it does not, or LedgerUnreadable. Returns a sentence for each sink that could not be asked:
    it is checked at the first delivery.
    """
    warnings = []
    for sink in sinks:
        try:
            newest = sink.newest()
        except SinkFailed as error:
            warnings.append(str(error))
            continue
        if newest is not None:
            _check_continues(reader, newest, sink.name)
    return warnings


def _check_continues(reader: Reader, stated: Checkpoint, holder: str) -> None:
    with reader.tree() as tree:
        if not tree.continues(stated):
            raise LedgerBroken(
                f"the ledger's {tree.head.size} records do not continue the {stated.size} of the checkpoint"
                f" that {holder} holds"
            )
