"""Group commit: what several threads hand in while one commit is under way goes out together with the next.

The first of them leads: it commits for all that wait and hands on to the first that came meanwhile. Nobody leads twice
for others, and nobody waits without a bound. Before it commits, a leader waits a little for those that came around the
last commit, if fewer are there: a sync to disk costs the same for many. After it, each of them wakes the next: Python
runs one thread at a time, and to wake thirty at once costs as much as all else here. What a commit is, and what may be
committed, is the caller's.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from plugin.ledger.errors import LedgerError, LedgerUnavailable

GATHERING = 2.0
"""For how many times the last commit a leader waits at most: then its batch is the last one's, and more. Where threads
hinder one another it is worth that much: a commit costs the same for many, and the next would come later still."""
MOST_GATHERING = 0.01
"""Seconds. The threads of a busy worker need that long to hand in what they have; with a slow disk nothing is gained
by more."""
Entry = TypeVar("Entry")
Result = TypeVar("Result")

_CROWDED = "too many wait for the ledger"
_SLOW = "the ledger takes too long: the record may or may not be there"
_INTERRUPTED = "the commit was interrupted: the record may or may not be there"


class _Waiting(Generic[Entry, Result]):
    """One thread and what it handed in."""

    __slots__ = ("entry", "error", "gone", "leads", "next", "result", "signal")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.result: Result | None = None
        self.error: LedgerError | None = None
        self.leads = False
        self.gone = False
        """True: it did not wait for its outcome."""
        self.next: _Waiting[Entry, Result] | None = None
        """Whom it wakes once it goes on, of those of the same commit."""
        self.signal = threading.Lock()
        """Held until the thread may go on: because it leads, or because its outcome is known."""
        self.signal.acquire()


class GroupCommit(Generic[Entry, Result]):
    """Commits entries of several threads together, in the order in which they were handed in."""

    def __init__(
        self,
        commit: Callable[[Iterator[Entry]], Sequence[Result]],
        turn: Callable[[float], AbstractContextManager[None]],
    ) -> None:
        """`commit` is called by one thread at a time, inside `turn(seconds)`, and returns a result for each entry.

        It is given the entries when it begins to read them: who comes while it still waits for a lock comes along.
        `turn` waits at most so many seconds, then raises LedgerUnavailable.
        """
        self._commit = commit
        self._turn = turn
        self.reset()

    def reset(self) -> None:
        """Forget who waits: for the child of a fork, in which none of them exists."""
        self._guard = threading.Lock()
        self._queue: list[_Waiting[Entry, Result]] = []
        self._led = False
        self._gatherer: _Waiting[Entry, Result] | None = None
        """The leader that waits until `_company` wait."""
        self._company = 1
        """How many there were around the last commit: those in it, and those that waited at its end."""
        self._pause = 0.0

    def submit(self, entry: Entry, patience: float) -> Result:
        """Commit `entry`, alone or with others; returns its result once the commit is done.

        Raises what the commit raised, as an error of its own for each entry, or LedgerUnavailable if the commit did
        not begin within `patience` seconds (then nothing is stored) or lasts longer (then it may or may not be).
        """
        until = time.monotonic() + patience
        mine: _Waiting[Entry, Result] = _Waiting(entry)
        with self._guard:
            self._queue.append(mine)
            if not self._led:
                self._led = mine.leads = True
            elif self._gatherer is not None and len(self._queue) >= self._company:
                self._gatherer.signal.release()
                self._gatherer = None
        if not mine.leads:
            self._follow(mine, patience)
        if mine.leads:
            self._lead(mine, until)
        if mine.error is not None:
            raise type(mine.error)(str(mine.error)) from mine.error
        return mine.result  # type: ignore[return-value]  # without an error there is one

    def _follow(self, mine: _Waiting[Entry, Result], patience: float) -> None:
        try:
            refusal = None if mine.signal.acquire(timeout=patience) else self._leave(mine)
        except KeyboardInterrupt:
            if self._leave(mine) is None:  # woken meanwhile: what it was woken for is still to be done
                if mine.leads:
                    self._hand_on([mine], 0.0)
                else:
                    self._wake(mine.next)
            raise
        if refusal is None:
            self._wake(mine.next)
        elif mine.result is None and mine.error is None:
            raise LedgerUnavailable(refusal)
        # Else its outcome is known, and only its turn to be woken had not come: whoever wakes passes over it.

    def _leave(self, mine: _Waiting[Entry, Result]) -> str | None:
        """See to it that nobody wakes it any more: why it is refused. None if somebody just did."""
        with self._guard:
            if mine.signal.acquire(blocking=False):
                return None
            if mine in self._queue:
                self._queue.remove(mine)
                return _CROWDED
            mine.gone = True
            return _SLOW

    def _wake(self, waiting: _Waiting[Entry, Result] | None) -> None:
        """Let it go on, or if it is gone the next that is not. None: there is nobody."""
        with self._guard:
            while waiting is not None and waiting.gone:
                waiting = waiting.next
            if waiting is not None:
                waiting.signal.release()

    def _lead(self, mine: _Waiting[Entry, Result], until: float) -> None:
        batch = [mine]
        error: LedgerError | None = LedgerUnavailable(_INTERRUPTED)
        begun = time.monotonic()
        try:
            self._gather(mine, until)
            begun = time.monotonic()
            with self._turn(max(0.0, until - begun)):
                batch = []
                try:
                    results = self._commit(self._take(batch))
                finally:
                    batch = batch or self._all()  # what kept it from beginning keeps those that wait for it, too
            for waiting, result in zip(batch, results, strict=True):
                waiting.result = result
            error = None
        except LedgerError as raised:
            error = raised
        finally:
            self._hand_on(batch, time.monotonic() - begun)
            first: _Waiting[Entry, Result] | None = None
            for waiting in reversed(batch):
                waiting.error = error
                if waiting is not mine:
                    waiting.next, first = first, waiting
            self._wake(first)

    def _gather(self, mine: _Waiting[Entry, Result], until: float) -> None:
        """Let those come along that are about to come: as many as last time, or until the pause is over."""
        with self._guard:
            if len(self._queue) >= self._company:
                return
            self._gatherer = mine
            pause = min(self._pause, until - time.monotonic())
        if not mine.signal.acquire(timeout=max(0.0, pause)):
            with self._guard:
                if self._gatherer is not mine:  # it was released at the last moment
                    mine.signal.acquire()
                self._gatherer = None

    def _take(self, batch: list[_Waiting[Entry, Result]]) -> Iterator[Entry]:
        """The entries that wait when this is first read; who they are of is put into `batch`."""
        batch += self._all()
        for waiting in batch:
            yield waiting.entry

    def _all(self) -> list[_Waiting[Entry, Result]]:
        """Take all that wait."""
        with self._guard:
            waiting, self._queue = self._queue, []
        return waiting

    def _hand_on(self, batch: list[_Waiting[Entry, Result]], took: float) -> None:
        """Let the next one lead, if there is one. A leader that never got its turn takes itself out."""
        with self._guard:
            if self._queue and self._queue[0] is batch[0]:
                del self._queue[0]
            self._company = len(batch) + len(self._queue)
            self._pause = min(took * GATHERING, MOST_GATHERING)
            self._gatherer = None
            self._led = bool(self._queue)
            if self._led:
                self._queue[0].leads = True
                self._queue[0].signal.release()
