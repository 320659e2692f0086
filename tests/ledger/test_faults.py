"""Faults in pairs: a record was refused, and it was refused though it was written. Neither may be taken for done."""

import os
import resource
import threading
import time

import apsw
import pytest

from plugin.ledger import writer
from plugin.ledger.deliveries import check_continued
from plugin.ledger.errors import LedgerBroken, LedgerUnavailable, StorageFailed
from plugin.ledger.file_place import FilePlace
from plugin.ledger.key import VerifierKey
from plugin.ledger.merkle import Edge
from plugin.ledger.notes import NoteFile
from plugin.ledger.reader import Reader
from plugin.ledger.sink_file import FileSink
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.store import Head
from tests.ledger.faulty import FaultyStore


class FaultySync(apsw.VFS):
    """The real file system, whose syncs fail while `failing` is set."""

    failing = False

    def __init__(self) -> None:
        super().__init__("faulty-sync", "unix", makedefault=True)

    def xOpen(self, name, flags):
        return FaultySyncFile(name, flags, self)


class FaultySyncFile(apsw.VFSFile):
    def __init__(self, name, flags, vfs) -> None:
        self._vfs = vfs
        super().__init__("unix", name, flags)

    def xSync(self, flags):
        if self._vfs.failing:
            raise apsw.IOError("the disk is gone")
        super().xSync(flags)


def numbered(ledger, number):
    return ledger.append({"record": f"{number}.0"}, tenant="hospital", retention_class="consultation")


@pytest.fixture
def faulty(place):
    """A ledger over a FaultyStore."""
    store = FaultyStore(place.path)
    ledger = writer.Ledger(store, place.key())
    numbered(ledger, 0)
    yield ledger, store
    ledger.close()


@pytest.mark.parametrize(("fault", "there"), [("before", False), ("after", True)])
def test_a_refused_record_may_be_there_and_the_ledger_can_tell(place, faulty, fault, there):
    """The caller releases nothing in both cases, then asks, and goes on."""
    ledger, store = faulty
    store.fault = fault
    with pytest.raises(LedgerUnavailable):
        numbered(ledger, 1)
    assert ledger.contains("1.0") is there
    assert numbered(ledger, 2).position == (2 if there else 1)
    assert place.verify().problem is None


def test_a_failed_sync_ends_the_writing_of_this_process(place):
    """After it nobody knows what the disk holds: a second sync would succeed and prove nothing."""
    vfs = FaultySync()
    try:
        ledger = place.open()
        numbered(ledger, 0)
        vfs.failing = True
        with pytest.raises(StorageFailed):
            numbered(ledger, 1)
        vfs.failing = False
        with pytest.raises(StorageFailed):
            numbered(ledger, 2)
        assert ledger.contains("2.0") is False
        ledger.close()
    finally:
        vfs.unregister()
    successor = place.open()
    successor.check_start()
    numbered(successor, 3)
    successor.close()
    assert place.verify().problem is None


def test_a_write_beyond_the_disk_ends_the_writing_of_this_process(place, ledger):
    """A file size limit stands for a disk that takes no more bytes in the middle of a write."""
    numbered(ledger, 0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (place.path.stat().st_size, before[1]))
    try:
        with pytest.raises(LedgerUnavailable):
            for number in range(1, 100):
                numbered(ledger, number)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    ledger.close()
    assert place.verify().problem is None


def test_a_full_disk_refuses_and_a_freed_one_goes_on(place, monkeypatch):
    """Nothing of the refused record is left, so no restart is needed."""
    limits = [lambda connection: connection.execute("PRAGMA max_page_count = 20")]
    monkeypatch.setattr(apsw, "connection_hooks", limits)
    ledger = place.open()
    with pytest.raises(LedgerUnavailable, match="full"):
        for _ in range(100):
            ledger.append({"note": "x" * 2000}, tenant="h", retention_class="c")
    written = place.verify().records
    ledger._store._connection.execute("PRAGMA max_page_count = 2000")
    assert numbered(ledger, 1).position == written
    ledger.close()
    report = place.verify()
    assert (report.records, report.problem) == (written + 1, None)


def test_a_file_that_may_not_be_written_refuses(place):
    """As after a wrong chown. Root may write anything, so the test gives its rights up for a moment."""
    folder = place.path.parent
    place.fill(1)
    ledger = place.open()
    ledger.close()
    user = os.geteuid()
    opened_up = [parent for parent in folder.parents if parent.stat().st_uid == user and parent != parent.parent]
    modes = {path: path.stat().st_mode & 0o7777 for path in [*opened_up, folder, place.path]}
    for path in [*opened_up, folder, place.path]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(LedgerUnavailable):
            numbered(ledger, 1)
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)
    assert numbered(ledger, 1).position == 1
    ledger.close()


def test_a_lock_held_elsewhere_refuses_within_its_bound(place, ledger, monkeypatch):
    """A stuck process must not take every thread of the others with it."""
    monkeypatch.setattr("plugin.ledger.sqlite.BUSY_SECONDS", 0.05)
    holder = apsw.Connection(str(place.path))
    holder.execute("BEGIN IMMEDIATE")
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="locked"):
        numbered(ledger, 0)
    holder.execute("ROLLBACK")
    holder.close()
    assert numbered(ledger, 0).position == 0


def test_a_thread_waits_for_its_turn_within_a_bound(place, monkeypatch):
    """A hung disk must not hang every request."""
    monkeypatch.setattr("plugin.ledger.writer.TURN_SECONDS", 0.05)
    entered, leave = threading.Event(), threading.Event()

    class HungStore(SqliteStore):
        def commit(self, make_batch):
            entered.set()
            leave.wait()
            super().commit(make_batch)

    ledger = writer.Ledger(HungStore(place.path), place.key())
    thread = threading.Thread(target=numbered, args=(ledger, 0))
    thread.start()
    entered.wait()
    with pytest.raises(LedgerUnavailable, match="too many"):
        numbered(ledger, 1)
    leave.set()
    thread.join()
    assert ledger.contains("0.0")
    ledger.close()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE head SET edge = x'00'", "edge"),
        ("UPDATE head SET edge = zeroblob(64)", "checkpoint states"),
        ("UPDATE head SET size = 2, edge = zeroblob(32)", "saw one at 3"),
        ("DELETE FROM head", "no head"),
        ("DROP TABLE records", "records"),
        ("INSERT INTO records (position, header) VALUES (3, x'00')", "UNIQUE"),
    ],
)
def test_a_head_that_cannot_be_continued_closes_the_ledger(place, ledger, sql, words):
    """And it stays closed for this process, whatever the file says later."""
    for number in range(3):
        numbered(ledger, number)
    place.edit(sql)
    fresh = place.open() if "records" not in sql or "INSERT" in sql else None
    for _ in range(2):
        with pytest.raises(LedgerBroken, match=words if words != "checkpoint states" else "saw one at 3"):
            numbered(ledger, 3)
    if fresh is not None:
        with pytest.raises(LedgerBroken):
            numbered(fresh, 3)
        fresh.close()


def test_a_head_behind_one_that_was_seen_closes_the_ledger(place, ledger):
    """An older copy put back, though it verifies: what was released since would have no record."""
    numbered(ledger, 0)
    ((size, edge, checkpoint),) = place.ask("SELECT size, edge, checkpoint FROM head")
    numbered(ledger, 1)
    place.edit("DELETE FROM records WHERE position = 1")
    place.edit("UPDATE head SET size = ?, edge = ?, checkpoint = ?", (size, edge, checkpoint))
    assert place.verify().problem is None
    with pytest.raises(LedgerBroken, match="at 1, but this process saw one at 2"):
        numbered(ledger, 2)
    key, kept = VerifierKey.parse(place.vkey), FilePlace(place.path).kept
    assert NoteFile(kept).largest(key)[0].size == 2, "what this process knew is there for the next start"
    with pytest.raises(LedgerBroken, match="1 records do not continue the 2"):
        check_continued(Reader(place.path), [FileSink(kept, key)])


def test_a_file_that_was_moved_away_takes_no_record(place, ledger):
    """A rotation of logs would otherwise send every later record into a file that nobody looks at."""
    numbered(ledger, 0)
    place.path.rename(place.path.with_name("rotated"))
    with pytest.raises(LedgerUnavailable):
        numbered(ledger, 1)
    place.path.write_bytes(b"")
    with pytest.raises(LedgerBroken, match="not the file"):
        numbered(ledger, 1)


def test_the_store_adds_a_batch_whole_or_not_at_all(place, ledger):
    """A fault while the batch is made leaves no trace and no lock."""
    store = SqliteStore(place.path)

    def fail(head: Head):
        raise LedgerBroken(f"at {head.size}")

    with pytest.raises(LedgerBroken, match="at 0"):
        store.commit(fail)
    assert store.tail(10)[0].edge == Edge()
    assert numbered(ledger, 0).position == 0
    store.close()


class GatedStore(FaultyStore):
    """Holds its first commit until it is let go, and fails the second as planned."""

    def __init__(self, path, planned: str) -> None:
        super().__init__(path)
        self.planned: str | None = planned
        self.entered, self.leave = threading.Event(), threading.Event()

    def commit(self, make_batch):
        if self.planned is None:
            super().commit(make_batch)
            return

        def gated(head):
            batch = make_batch(head)
            self.entered.set()
            assert self.leave.wait(60)
            return batch

        super().commit(gated)
        self.fault, self.planned = self.planned, None


@pytest.mark.parametrize(("fault", "there"), [("before", False), ("after", True)])
def test_a_refused_commit_refuses_each_record_in_it(place, fault, there):
    """Threads that share a commit share its fate, and each can tell what became of its own record."""
    store = GatedStore(place.path, fault)
    ledger = writer.Ledger(store, place.key())
    outcomes: dict[int, object] = {}

    def work(number: int) -> None:
        try:
            outcomes[number] = numbered(ledger, number).position
        except LedgerUnavailable as error:
            outcomes[number] = error

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    threads[0].start()
    assert store.entered.wait(60)
    for thread in threads[1:]:
        thread.start()
    while len(ledger._group._queue) < 7:
        time.sleep(0.001)
    store.leave.set()
    for thread in threads:
        thread.join(60)
    assert outcomes.pop(0) == 0
    assert [str(outcome).startswith("refused") for outcome in outcomes.values()] == [True] * 7
    assert {ledger.contains(f"{number}.0") for number in outcomes} == {there}
    ledger.close()
    report = place.verify()
    assert (report.records, report.problem) == (8 if there else 1, None)
