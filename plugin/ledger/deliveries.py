"""Delivers the newest checkpoint to every sink, in a thread of its own, and knows how old what they have is.

Appending waits for none of this. What is done about a sink that is late or that contradicts the ledger (a warning, a
record, an alarm) is for whoever assembles the program.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import CheckpointInvalid, LedgerBroken, LedgerError, SinkFailed, SinkForked
from plugin.ledger.key import VerifierKey
from plugin.ledger.reader import Reader
from plugin.ledger.sink import Offer, Sink
from plugin.ledger.sink_file import FileSink

INTERVAL_SECONDS = 30.0
"""Between two rounds. The promise is 60 s: the rest is for sinks that are slow to answer."""


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """How things stand with one sink."""

    name: str
    size: int | None = None
    """Records in the newest checkpoint that it took from this process, or showed; None: none yet."""
    behind_since: float | None = None
    """When the ledger was first seen to be ahead of it (`time.monotonic`); None: it has the newest that was seen."""
    problem: str | None = None
    """Why the last try failed."""
    forked: bool = False
    """It contradicts the ledger: an alarm until somebody restarts with the matter settled."""

    def age(self, now: float) -> float:
        """Seconds for which it has been behind the ledger; 0: it is not."""
        return 0.0 if self.behind_since is None else max(0.0, now - self.behind_since)


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
        # Witnesses first: what the others are given then carries the cosignatures.
        self._sinks = [*sorted(sinks, key=lambda sink: not sink.cosigns), FileSink(kept, key)]
        self._on_fork = on_fork
        self._interval = interval
        self._round = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last: Offer | None = None
        self._given: dict[str, str] = {}
        self._status = {sink.name: SinkStatus(sink.name) for sink in self._sinks}

    def check_start(self) -> list[str]:
        """Check that the ledger continues the newest checkpoint of each sink that shows it, and the kept one.

        Raises LedgerBroken if it does not, or LedgerUnreadable. Returns a sentence for each sink that could not be
        asked: it is checked at the first delivery.
        """
        warnings = []
        for sink in self._sinks:
            try:
                newest = sink.newest()
            except SinkFailed as error:
                warnings.append(str(error))
                continue
            if newest is not None:
                self._check_continues(newest, sink.name)
                self._status[sink.name] = replace(self._status[sink.name], size=newest.size)
        return warnings

    def start(self) -> None:
        """Begin to deliver, at once and then at every interval. Not before a fork: the child would have no thread."""
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is newest now, once, and end. Returns when each sink was asked."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.deliver()

    def running(self) -> bool:
        """True while the thread delivers. False after `start` and before `stop` means that a bug ended it."""
        return self._thread is not None and self._thread.is_alive()

    def status(self) -> list[SinkStatus]:
        """How things stand with each sink; the last is the file that keeps the checkpoints."""
        return list(self._status.values())

    def deliver(self) -> None:
        """One round, now, in this thread: offer the newest checkpoint to each sink that does not have it."""
        with self._round:
            try:
                offer = self._newest()
            except LedgerError as error:
                for sink in self._sinks:
                    self._failed(sink, error)
                return
            if offer.stated.size == 0:
                return  # there is nothing to cut yet
            for sink in self._sinks:
                offer = self._offer(sink, offer)
            self._last = offer

    def _run(self) -> None:
        self.deliver()
        while not self._stop.wait(self._interval):
            self.deliver()

    def _newest(self) -> Offer:
        """The newest checkpoint, with the cosignatures that it was given in earlier rounds. Raises LedgerError."""
        note = self._reader.head().checkpoint
        try:
            stated = checkpoint.verify(note, self.key)
        except CheckpointInvalid as error:
            raise LedgerBroken(f"the head's checkpoint: {error}") from error
        if self._last is not None and self._last.stated == stated:
            return self._last
        return Offer(stated, note, self._reader)

    def _offer(self, sink: Sink, offer: Offer, *, again: bool = True) -> Offer:
        """Offer it to one sink; returns the offer for the next, with the cosignatures of this one."""
        status = self._status[sink.name]
        if status.forked or self._has(sink, status, offer):
            return offer
        if status.behind_since is None:
            self._status[sink.name] = status = replace(status, behind_since=time.monotonic())
        try:
            lines = sink.deliver(offer)
            self._status[sink.name] = SinkStatus(sink.name, offer.stated.size)
            self._given[sink.name] = offer.note
            return replace(offer, note=offer.note + "".join(f"{line}\n" for line in lines))
        except SinkForked as error:
            newer = self._newer(offer) if again else None
            if newer is not None:
                return self._offer(sink, newer, again=False)
            self._status[sink.name] = replace(status, problem=str(error), forked=True)
            self._on_fork(sink.name, str(error), status.size is None)
        except LedgerError as error:
            self._failed(sink, error)
        return offer

    def _newer(self, offer: Offer) -> Offer | None:
        """A newer one, if there is: another process may have delivered it between our reading and our offering."""
        try:
            newest = self._newest()
        except LedgerError:
            return None
        return newest if newest.stated.size > offer.stated.size else None

    def _has(self, sink: Sink, status: SinkStatus, offer: Offer) -> bool:
        """A witness need not see a checkpoint twice; the others get it anew once it has more cosignatures."""
        return status.size == offer.stated.size if sink.cosigns else self._given.get(sink.name) == offer.note

    def _failed(self, sink: Sink, error: LedgerError) -> None:
        status = self._status[sink.name]
        since = time.monotonic() if status.behind_since is None else status.behind_since
        self._status[sink.name] = replace(status, problem=str(error), behind_since=since)

    def _check_continues(self, stated: Checkpoint, holder: str) -> None:
        with self._reader.tree() as tree:
            if not tree.continues(stated):
                raise LedgerBroken(
                    f"the ledger's {tree.head.size} records do not continue the {stated.size} of the checkpoint"
                    f" that {holder} holds"
                )
