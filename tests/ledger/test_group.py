"""Group commit by itself: who shares a commit, who is told of its failure, and that nobody waits for ever."""

import threading
import time
from contextlib import contextmanager

import pytest

from plugin.ledger.errors import LedgerUnavailable, StorageFailed
from plugin.ledger.group import GroupCommit, _Waiting

PATIENCE = 60.0
"""Seconds: far beyond what a loaded machine needs, so that only a lost wake-up reaches it."""


class Journal:
    """Commits into a list, and stops in each commit until it is let go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.faults: list[BaseException] = []
        self.turn = threading.Lock()
        self.lock: threading.Semaphore | None = None
        """What a commit waits for before it reads its entries, if anything."""
        self.group: GroupCommit[int, str] = GroupCommit(self.commit, self.taking_turn)

    def commit(self, entries):
        if self.lock is not None:
            self.entered.release()
            assert self.lock.acquire(timeout=PATIENCE)
        batch = list(entries)
        self.entered.release()
        assert self.gate.acquire(timeout=PATIENCE)
        self.batches.append(batch)
        if self.faults:
            raise self.faults.pop(0)
        return [f"done {entry}" for entry in batch]

    @contextmanager
    def taking_turn(self, seconds):
        if not self.turn.acquire(timeout=seconds):
            raise LedgerUnavailable("no turn")
        try:
            yield
        finally:
            self.turn.release()

    def waiting(self) -> int:
        with self.group._guard:
            return len(self.group._queue)


class Thread(threading.Thread):
    """Submits one entry and keeps what came of it."""

    def __init__(self, journal: Journal, entry: int, patience: float = PATIENCE) -> None:
        super().__init__(daemon=True)
        self.journal, self.entry, self.patience = journal, entry, patience
        self.outcome: object = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.journal.group.submit(self.entry, self.patience)
        except BaseException as error:  # noqa: BLE001  # the outcome, whatever it is
            self.outcome = error


@pytest.fixture
def journal():
    return Journal()


def queued(journal: Journal, entries) -> list[Thread]:
    """Threads that wait in this order behind the commit under way."""
    threads = []
    for entry in entries:
        before = journal.waiting()
        threads.append(Thread(journal, entry))
        while journal.waiting() == before:
            time.sleep(0.001)
    return threads


def joined(threads) -> list[object]:
    for thread in threads:
        thread.join(PATIENCE)
    return [thread.outcome for thread in threads]


def test_what_comes_during_a_commit_goes_out_with_the_next(journal):
    """In the order in which it came; each thread gets its own result."""
    first = Thread(journal, 0)
    assert journal.entered.acquire(timeout=PATIENCE)
    others = queued(journal, range(1, 6))
    journal.gate.release(2)
    assert joined([first, *others]) == [f"done {entry}" for entry in range(6)]
    assert journal.batches == [[0], [1, 2, 3, 4, 5]]


def test_who_comes_while_the_commit_waits_for_a_lock_comes_along(journal):
    """Another process holds it for as long as a sync takes: with few in each commit both would be half as fast."""
    journal.lock = threading.Semaphore(0)
    first = Thread(journal, 0)
    assert journal.entered.acquire(timeout=PATIENCE)
    others = queued(journal, [1, 2])
    journal.lock.release()
    journal.gate.release()
    assert joined([first, *others]) == ["done 0", "done 1", "done 2"]
    assert journal.batches == [[0, 1, 2]]


def test_what_keeps_a_commit_from_beginning_refuses_all_that_wait_for_it(journal):
    """One after another they would wait for the same lock in vain."""
    entered, leave = threading.Event(), threading.Event()

    def locked(entries):
        entered.set()
        assert leave.wait(PATIENCE)
        raise LedgerUnavailable("locked")

    journal.group._commit = locked
    first = Thread(journal, 0)
    assert entered.wait(PATIENCE)
    others = queued(journal, [1, 2])
    leave.set()
    assert [str(outcome) for outcome in joined([first, *others])] == ["locked"] * 3


def test_a_failure_reaches_every_entry_of_the_batch_and_no_other(journal):
    """As an error of its own for each thread, of the kind that was raised."""
    first = Thread(journal, 0)
    assert journal.entered.acquire(timeout=PATIENCE)
    failed = queued(journal, [1, 2, 3])
    journal.gate.release()
    assert journal.entered.acquire(timeout=PATIENCE)
    later = queued(journal, [4])
    journal.faults.append(StorageFailed("the disk is gone"))
    journal.gate.release(2)
    outcomes = joined(failed)
    assert [(type(error), str(error)) for error in outcomes] == [(StorageFailed, "the disk is gone")] * 3
    assert len({id(error) for error in outcomes}) == 3
    assert joined([first, *later]) == ["done 0", "done 4"]


def test_a_bug_in_the_leader_leaves_nobody_waiting(journal):
    """It is raised where it happened; the others learn that the outcome is unknown."""
    first = Thread(journal, 0)
    assert journal.entered.acquire(timeout=PATIENCE)
    leader, follower = queued(journal, [1, 2])
    journal.gate.release()
    assert joined([first]) == ["done 0"]
    journal.faults.append(ZeroDivisionError())
    journal.gate.release()
    outcomes = joined([leader, follower])
    assert [type(error) for error in outcomes] == [ZeroDivisionError, LedgerUnavailable]
    journal.gate.release()
    assert journal.group.submit(3, PATIENCE) == "done 3"


def test_who_waits_too_long_takes_its_entry_back(journal):
    """What was refused before its commit began is in no later batch."""
    first = Thread(journal, 0)
    assert journal.entered.acquire(timeout=PATIENCE)
    with pytest.raises(LedgerUnavailable, match="too many"):
        journal.group.submit(1, 0.01)
    journal.gate.release(2)
    assert joined([first]) == ["done 0"]
    assert journal.group.submit(2, PATIENCE) == "done 2"
    assert journal.batches == [[0], [2]]


def test_a_commit_that_hangs_holds_no_follower_beyond_its_patience(journal):
    """Its entry may or may not be there, and the error says so."""
    first = Thread(journal, 0)
    assert journal.entered.acquire(timeout=PATIENCE)
    (leader,) = queued(journal, [1])
    follower = Thread(journal, 2, patience=0.5)
    while journal.waiting() < 2 and follower.is_alive():
        time.sleep(0.001)
    journal.gate.release()
    assert journal.entered.acquire(timeout=PATIENCE)
    (outcome,) = joined([follower])
    assert isinstance(outcome, LedgerUnavailable)
    journal.gate.release()
    assert joined([first, leader]) == ["done 0", "done 1"]


def test_who_went_away_keeps_nobody_from_being_woken(journal):
    """Those of one commit wake one another in turn; two of them in the middle wait no longer."""
    first = Thread(journal, 0)
    assert journal.entered.acquire(timeout=PATIENCE)
    (leader,) = queued(journal, [1])
    hasty = [Thread(journal, entry, patience=2.0) for entry in (2, 3)]
    while journal.waiting() < 3 and all(thread.is_alive() for thread in hasty):
        time.sleep(0.001)
    patient = queued(journal, [4, 5])
    journal.gate.release()
    assert joined([first]) == ["done 0"]
    assert [str(outcome) for outcome in joined(hasty)] == [
        "the ledger takes too long: the record may or may not be there"
    ] * 2
    journal.gate.release()
    assert joined([leader, *patient]) == ["done 1", "done 4", "done 5"]
    assert sorted(journal.batches[1]) == [1, 2, 3, 4, 5]


def test_who_is_woken_at_the_last_moment_wakes_the_next(journal):
    """Its patience is over and its outcome known in the same instant."""
    group, mine, behind = journal.group, _Waiting(1), _Waiting(2)
    mine.next = behind
    with group._guard:
        threading.Thread(target=group._follow, args=(mine, 0.0), daemon=True).start()
        time.sleep(0.2)
        mine.signal.release()
    assert behind.signal.acquire(timeout=PATIENCE)


@pytest.mark.parametrize(("result", "error"), [("done 1", None), (None, StorageFailed("the disk is gone"))])
def test_whose_patience_ends_once_its_outcome_is_known_is_told_it(journal, result, error):
    """The commit is over, and those before it are still being woken: nothing is in doubt any more."""
    group, mine, behind = journal.group, _Waiting(1), _Waiting(2)
    mine.result, mine.error, mine.next = result, error, behind
    group._follow(mine, 0.0)
    assert behind.signal.locked()  # it is woken once, by those before
    group._wake(mine)
    assert behind.signal.acquire(timeout=PATIENCE)


class Interrupting:
    """A signal whose holder is interrupted in the instant in which it was woken."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()

    def acquire(self, blocking=True, timeout=-1):
        if blocking:
            raise KeyboardInterrupt
        return self.lock.acquire(blocking=False)

    def release(self):
        self.lock.release()


def test_who_is_interrupted_wakes_the_next_of_its_commit(journal):
    mine, following = _Waiting(1), _Waiting(2)
    mine.signal, mine.next = Interrupting(), following
    mine.signal.release()
    with pytest.raises(KeyboardInterrupt):
        journal.group._follow(mine, PATIENCE)
    assert following.signal.acquire(timeout=PATIENCE)


def test_who_is_interrupted_when_it_is_to_lead_hands_on(journal):
    group, mine = journal.group, _Waiting(1)
    mine.signal = Interrupting()
    group._led, mine.leads = True, True
    group._queue.append(mine)
    (behind,) = queued(journal, [2])
    mine.signal.release()
    journal.gate.release(3)
    with pytest.raises(KeyboardInterrupt):
        group._follow(mine, PATIENCE)
    assert joined([behind]) == ["done 2"]


def test_a_leader_without_a_turn_refuses_itself_alone(journal):
    """Somebody reads or checks the ledger for long: those behind have their own patience."""
    journal.turn.acquire()
    leader = Thread(journal, 0, patience=0.01)
    (outcome,) = joined([leader])
    assert str(outcome) == "no turn"
    journal.turn.release()
    journal.gate.release()
    assert journal.group.submit(1, PATIENCE) == "done 1"
    assert journal.batches == [[1]]


def test_a_crowd_with_little_patience_loses_no_wake_up(journal):
    """Each of many submissions ends, and the committed ones are exactly those that were told so, or might be."""
    journal.gate.release(1_000_000)
    done: list[int] = []
    doubtful: list[int] = []

    def work(first: int) -> None:
        for entry in range(first, first + 200):
            try:
                journal.group.submit(entry, 0.0002)
                done.append(entry)
            except LedgerUnavailable as error:
                if "may or may not" in str(error):
                    doubtful.append(entry)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 3200, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    committed = [entry for batch in journal.batches for entry in batch]
    assert len(set(committed)) == len(committed)
    assert set(done) <= set(committed) <= set(done) | set(doubtful)
    assert journal.group.submit(-1, PATIENCE) == "done -1"


def test_a_leader_waits_for_those_of_the_last_commit(journal):
    """Two that come one after another would each pay a sync; both of the last batch come again as a rule."""
    journal.group._company, journal.group._pause = 2, PATIENCE
    first = Thread(journal, 1)
    deadline = time.monotonic() + PATIENCE
    while journal.group._gatherer is None and time.monotonic() < deadline:
        time.sleep(0.001)
    second = Thread(journal, 2)
    journal.gate.release()
    for thread in (first, second):
        thread.join(PATIENCE)
    assert journal.batches == [[1, 2]]


def test_a_leader_whose_company_stays_away_commits_alone(journal):
    """The others may have nothing more to say: nobody waits for them for ever."""
    journal.group._company, journal.group._pause = 2, 0.01
    journal.gate.release()
    assert journal.group.submit(1, PATIENCE) == "done 1"
    assert journal.group._company == 1
