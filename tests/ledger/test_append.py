"""Appending: what holds when it returns, from threads, processes and after a fork."""

import multiprocessing
import os
import threading
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.ledger import writer
from plugin.ledger.errors import RecordInvalid, StorageFailed
from plugin.ledger.reader import Reader

TEXT = st.text(max_size=20)
BODIES = st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53) | st.none() | st.lists(TEXT, max_size=3), max_size=6)


def test_positions_start_at_0_and_the_record_says_what_was_given(place, ledger):
    """The position is returned, the time is that of the header, and the body is the caller's plus a nonce."""
    position = ledger.append({"action": "ledger:opened"}, tenant="hospital", retention_class="operation")
    (record,) = Reader(place.path).records()
    header, body = orjson.loads(record.header), orjson.loads(record.body)
    assert (position.position, position.time) == (0, header["time"])
    assert (header["tenant"], header["class"]) == ("hospital", "operation")
    assert body == {"action": "ledger:opened", "nonce": body["nonce"]}


def test_the_time_is_that_of_the_clock(place):
    """The ledger states when it wrote, also if the clock was set back meanwhile: order is the position's business."""
    moments = [datetime(2026, 11, 25, hour, tzinfo=UTC) for hour in (9, 8)]
    opened = place.open()
    ledger = writer.Ledger(opened._store, place.key(), clock=iter(moments).__next__)
    times = [ledger.append({}, tenant="h", retention_class="c").time for _ in moments]
    assert times == ["2026-11-25T09:00:00.000000Z", "2026-11-25T08:00:00.000000Z"]
    assert place.verify().problem is None
    ledger.close()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(BODIES, TEXT, TEXT), min_size=1, max_size=4))
def test_whatever_is_appended_verifies(place, ledger, entries):
    """Any JSON object, any tenant and class; the ledger grows over the examples and is re-read after each."""
    before = place.verify().records
    for body, tenant, retention_class in entries:
        ledger.append(body, tenant=tenant, retention_class=retention_class)
    ledger.check_start()
    report = place.verify()
    assert (report.records, report.problem) == (before + len(entries), None)


def test_a_body_without_a_json_form_leaves_the_ledger_usable(place, ledger, append):
    """The refusal concerns that record alone."""
    with pytest.raises(RecordInvalid):
        ledger.append({"a": object()}, tenant="h", retention_class="c")
    with pytest.raises(RecordInvalid):
        ledger.append({}, tenant="\ud800", retention_class="c")
    with pytest.raises(RecordInvalid):
        ledger.append({}, tenant=None, retention_class="c")
    assert append(1).position == 0
    assert place.verify().problem is None


def test_a_record_is_found_by_its_id(ledger, append):
    """After a commit of unknown outcome the caller asks."""
    append(1)
    assert ledger.contains("request-1.0")
    assert not ledger.contains("request-2.0")


def test_threads_share_a_ledger(place, append):
    """Each gets its own position, and none is left out."""
    positions: list[int] = []

    def work(first: int) -> None:
        positions.extend(append(number).position for number in range(first, first + 10))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(positions) == list(range(80))
    assert place.verify().problem is None


def _append_in_process(place, first: int, count: int, results) -> None:
    ledger = place.open()
    for number in range(first, first + count):
        results.put(ledger.append({"request": f"{number}"}, tenant="hospital", retention_class="consultation").position)
    ledger.close()


@pytest.mark.slow
def test_two_processes_append_to_one_ledger(place):
    """The transaction is the lock: they take turns, and one chain results."""
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    workers = [spawn.Process(target=_append_in_process, args=(place, first, 40, results)) for first in (0, 100)]
    for worker in workers:
        worker.start()
    positions = [results.get(timeout=60) for _ in range(80)]
    for worker in workers:
        worker.join()
    assert sorted(positions) == list(range(80))
    report = place.verify()
    assert (report.records, report.problem) == (80, None)


def test_a_fork_carries_no_connection(place, append, ledger):
    """Parent and child go on appending, each with a connection of its own."""
    append(0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            append(1)
            ledger.close()
            status = 0
        finally:
            os._exit(status)
    append(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    append(3)
    report = place.verify()
    assert (report.records, report.problem) == (4, None)


def test_a_fork_waits_for_the_append_under_way(place, append, ledger):
    """Otherwise the child would inherit a lock that nobody in it releases."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            append(0)

    thread = threading.Thread(target=work)
    thread.start()
    statuses = []
    for _ in range(5):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                append(1)
                ledger.close()
                status = 0
            finally:
                os._exit(status)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    stop.set()
    thread.join()
    assert statuses == [0] * 5
    assert place.verify().problem is None


def test_a_connection_from_before_an_unseen_fork_is_refused(place, append, monkeypatch):
    """A library that forks in C runs no hook of ours; SQLite's state is then unusable in the child."""
    append(0)
    monkeypatch.setattr("plugin.ledger.sqlite.os.getpid", lambda: 1)
    with pytest.raises(StorageFailed, match="forked"):
        append(1)
    monkeypatch.undo()
    assert place.verify().records == 1


def test_a_record_without_form_spoils_no_commit_that_others_share(place, ledger, append):
    """It is refused before it joins one."""
    outcomes: list[object] = []

    def work(number: int) -> None:
        for _ in range(20):
            try:
                outcomes.append(
                    ledger.append({"number": number}, tenant=None if number else "h", retention_class="c").position
                )
            except RecordInvalid:
                outcomes.append(None)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(position for position in outcomes if position is not None) == list(range(20))
    assert outcomes.count(None) == 60
