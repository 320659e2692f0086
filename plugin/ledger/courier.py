"""Brings checkpoints to one sink, in a thread of its own while there is one to bring: whoever hangs delays nobody else.

Which checkpoint, and when, is for `deliveries`; each time the newest that was given is brought, and none between.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import LedgerError, SinkForked
from plugin.ledger.sink import Offer, Sink


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """How things stand with one sink. Each try that fails makes a new one."""

    name: str
    size: int | None = None
    """Records in the newest checkpoint that it took from this process; None: none yet."""
    behind_since: float | None = None
    """When the ledger was first seen to be ahead of it (`time.monotonic`); None: it has the newest that was seen."""
    problem: str | None = None
    """Why the last try failed."""
    forked: bool = False
    """It contradicts the ledger: an alarm until somebody restarts with the matter settled."""

    def age(self, now: float) -> float:
        """Seconds for which it has been behind the ledger; 0: it is not."""
        return 0.0 if self.behind_since is None else max(0.0, now - self.behind_since)


class Courier:
    """To one sink. Safe to call from several threads."""

    def __init__(
        self,
        sink: Sink,
        changed: threading.Condition,
        newer: Callable[[Offer], Offer | None],
        on_fork: Callable[[str, str, bool], None],
    ) -> None:
        """`changed` is notified when there is nothing more to bring.

        `newer`: a newer offer than this, if there is one; it may raise LedgerError. `on_fork`: see `Deliveries`.
        """
        self.sink = sink
        self.status = SinkStatus(sink.name)
        self.busy = False
        """True from when something is given until nothing is left to bring."""
        self._changed = changed
        self._newer = newer
        self._on_fork = on_fork
        self._next: Offer | None = None
        self._taken: Offer | None = None
        self._cosignatures = ""

    def cosignatures(self, stated: Checkpoint) -> str:
        """The lines that the sink gave for this checkpoint; none if it has not seen it."""
        with self._changed:
            return self._cosignatures if self._taken is not None and self._taken.stated == stated else ""

    def expects(self, offer: Offer) -> bool:
        """True if it is to be brought; from now on the sink is behind."""
        with self._changed:
            if self.status.forked:
                return False
            if self._has(offer):
                self.status = replace(self.status, behind_since=None, problem=None)
                return False
            if self.status.behind_since is None:
                self.status = replace(self.status, behind_since=time.monotonic())
            return True

    def give(self, offer: Offer) -> None:
        """Have it brought, after what is on its way, unless the sink has it."""
        with self._changed:
            if not self.expects(offer):
                return
            self._next = offer
            if self.busy:
                return
            try:
                threading.Thread(target=self._run, name=f"checkpoints to {self.sink.name}", daemon=True).start()
            except RuntimeError:  # this process may have no more of them now
                self.failed(f"{self.sink.name}: there is no thread to bring it")
            else:
                self.busy = True

    def failed(self, problem: str) -> None:
        """It does not have the newest, for this reason."""
        with self._changed:
            since = time.monotonic() if self.status.behind_since is None else self.status.behind_since
            self.status = replace(self.status, problem=problem, behind_since=since)

    def overdue(self) -> None:
        """It was waited for long enough."""
        with self._changed:
            if self.busy and self.status.behind_since is not None:
                self.failed(f"{self.sink.name} has not answered yet")

    def _run(self) -> None:
        try:
            while (offer := self._to_bring()) is not None:
                self._bring(offer)
        except Exception as defect:
            self.failed(f"{self.sink.name}: a defect, {type(defect).__name__}")
            self._rest()
            raise

    def _to_bring(self) -> Offer | None:
        with self._changed:
            offer, self._next = self._next, None
            if offer is None or not self.expects(offer):
                self._rest()
                return None
            return offer

    def _rest(self) -> None:
        with self._changed:
            self.busy = False
            self._changed.notify_all()

    def _bring(self, offer: Offer) -> None:
        try:
            taken, lines = self._hand_over(offer)
        except SinkForked as error:
            first = self.status.size is None
            with self._changed:
                self.failed(str(error))
                self.status = replace(self.status, forked=True)
            self._on_fork(self.sink.name, str(error), first)
        except LedgerError as error:
            self.failed(str(error))
        else:
            with self._changed:
                self._taken, self._cosignatures = taken, "".join(f"{line}\n" for line in lines)
                self.status = SinkStatus(self.sink.name, taken.stated.size)

    def _hand_over(self, offer: Offer) -> tuple[Offer, Sequence[str]]:
        """What the sink took, this or a newer one, and the lines that it gave for it.

        Raises what `Sink.deliver` raises, and LedgerError where it cannot be told whether there is a newer one.
        """
        try:
            return offer, self.sink.deliver(offer)
        except SinkForked:
            newer = self._newer(offer)
            if newer is None:
                raise
            return newer, self.sink.deliver(newer)

    def _has(self, offer: Offer) -> bool:
        """A witness need not see a checkpoint twice; the others get it anew once it has more cosignatures."""
        if self.sink.cosigns:
            return self.status.size == offer.stated.size
        return self._taken is not None and self._taken.note == offer.note
