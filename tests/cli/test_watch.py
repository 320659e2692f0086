"""What the supervising process notices becomes a record, an alert, a gauge and a warning, once each."""

import shutil
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from structlog.testing import capture_logs

from plugin import assembly, tallies
from plugin.alerts import AlertKind
from plugin.cli.operations import AllProcesses, _answer, operations_server
from plugin.cli.watch import STALE_SECONDS, Watch
from plugin.event import AuditAction
from plugin.ledger import origin
from plugin.ledger.clock import Clock, ahead_of_date
from plugin.ledger.courier import SinkStatus
from plugin.ledger.reader import Reader
from plugin.ledger.space import FreeSpace
from plugin.telemetry import CERTIFICATE_END, CLOCK_OFFSET, SINK_AGE
from tests.stories.test_space import FLOOR, LOW, Disk

TWO_PROCESSES = """
import os
from plugin.telemetry import ALERTS, CLOCK_OFFSET, SPACE_FREE, count_at
ALERTS.labels("sink-stale").inc()
if os.fork() == 0:
    count_at(1)
    ALERTS.labels("sink-stale").inc()
    os._exit(0)
os.wait()
CLOCK_OFFSET.labels("steady").set(-3)
SPACE_FREE.set(7)
"""
"""A process that supervises, and a worker that was forked."""


YEAR = timedelta(days=365)


class Remembered:
    """`Alarms`, with memory."""

    def __init__(self):
        self.raised, self.told = [], []

    def raise_(self, kind, action, note):
        self.raised.append((kind, action, note))

    def tell(self, kind, reference):
        self.told.append((kind, reference))


class Hands:
    """Two clocks that are moved by hand, and files that are broken by hand."""

    def __init__(self):
        self.wall = time.time()
        self.steady = 100.0
        self.unusable: list[str] = []

    def pass_(self, seconds, *, step=0.0):
        self.wall += seconds + step
        self.steady += seconds


@pytest.fixture
def alarms():
    return Remembered()


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def watch(world, alarms, disk, hands):
    ticks = iter(range(0, 10**9, 10))
    space = FreeSpace([world.folder], low=LOW, floor=FLOOR, statvfs=disk.statvfs, clock=ticks.__next__)
    world.assembled.recorder.operational(AuditAction.GATEWAY_STARTED, "x")
    return Watch(
        alarms,
        space,
        world.settings.ledger.path,
        lambda: iter(hands.unusable),
        clock=Clock(lambda: hands.wall, lambda: hands.steady),
    )


def test_on_sound_ground_nothing_is_told(watch, alarms, hands):
    """An alarm that cries each minute is switched off."""
    for _ in range(3):
        hands.pass_(15)
        watch.look()
    watch.sinks([SinkStatus("file x", 3)], delivering=True)
    watch.heard("witness.example", 1.0)
    assert (alarms.raised, alarms.told, watch.warnings(), watch.refusing()) == ([], [], [], None)
    watch.verified("the log is broken")
    assert watch.warnings() == ["the log is broken"]
    watch.verified(None)
    assert watch.warnings() == []


def test_a_certificate_of_our_own_that_comes_to_its_end_is_told_while_the_gateway_serves(world, alarms, disk):
    """Once in the process log, and to `/readyz` for as long; its moment is a gauge from the start on."""
    now = datetime.now(UTC)
    watch = Watch(
        alarms,
        FreeSpace([world.folder], low=LOW, floor=FLOOR, statvfs=disk.statvfs),
        world.settings.ledger.path,
        lambda: iter(()),
        {"feed.0.auth.certificate_file": now + timedelta(days=29), "ehr.0.auth.certificate_file": now + YEAR},
    )
    with capture_logs() as lines:
        watch.look()
        watch.look()
    (told,) = watch.warnings()
    assert told.startswith("feed.0.auth.certificate_file: the certificate is good until ")
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == [told]
    assert CERTIFICATE_END.labels("ehr.0.auth.certificate_file")._value.get() == (now + YEAR).timestamp()


def test_little_space_is_an_alarm_when_it_begins_and_a_warning_while_it_lasts(watch, alarms, disk):
    """And again the next time."""
    some, all_ = ["strangers are refused"], ["everybody is refused"]
    for free, said in ((LOW - 10, some), (FLOOR - 10, all_), (10**6, []), (LOW - 10, some)):
        disk.free = free
        watch.look()
        assert bool(watch.warnings()) is (free < LOW)
        assert (watch.refusing() is not None) is (free < FLOOR)
        assert [line.partition(": ")[2] for line in watch.warnings()] == said
    assert [(kind, action) for kind, action, _ in alarms.raised] == [(AlertKind.SPACE_LOW, AuditAction.SPACE_LOW)] * 2


@pytest.mark.parametrize(("step", "said"), [(3600.0, "forwards by 3600.0 s"), (-90.0, "back by 90.0 s")])
def test_a_clock_that_was_set_is_an_alarm(watch, alarms, hands, step, said):
    """Between two looks, against a clock that nobody sets."""
    hands.pass_(15, step=step)
    watch.look()
    hands.pass_(15)
    watch.look()
    told = [note for kind, _, note in alarms.raised if kind is AlertKind.CLOCK_DRIFTED and "was set" in note]
    assert told == [f"the clock was set {said}"]
    assert CLOCK_OFFSET.labels("steady")._value.get() == pytest.approx(0.0, abs=1e-3)


def test_a_log_of_the_future_is_an_alarm_once(watch, alarms, hands):
    """Another machine that shares it has a clock far ahead, or ours fell behind before we began."""
    hands.wall -= 600
    watch._clock.step()
    for _ in range(2):
        hands.pass_(15)
        watch.look()
    (alarm,) = alarms.raised
    assert alarm[:2] == (AlertKind.CLOCK_DRIFTED, AuditAction.CLOCK_DRIFTED)
    assert "ahead of the clock" in alarm[2]
    assert any("ahead of the clock" in each for each in watch.warnings())


def test_a_server_whose_date_differs_is_an_alarm_once(watch, alarms):
    """Either clock may be wrong; that they differ is what counts."""
    for ahead in (100.0, 90.0, 2.0, -70.0):
        watch.heard("witness.example", ahead)
    assert [note for _, _, note in alarms.raised] == [
        "the clock differs from that of witness.example by 100 s",
        "the clock differs from that of witness.example by 70 s",
    ]


def test_a_log_that_went_back_is_an_alarm_and_lasts(watch, world, alarms, tmp_path):
    """Under a gateway that serves: it was cut, or a backup was put in its place. It lasts though others go on with it:
    the record of the alarm may be the very one that it lacked."""
    path = world.settings.ledger.path
    world.assembled.ledger.close()
    older = shutil.copy(path, tmp_path / "older")
    world.assembled.recorder.operational(AuditAction.GATEWAY_STARTED, "y")
    watch.look()
    assert not alarms.raised
    world.assembled.ledger.close()
    path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
    shutil.copy(older, path)
    watch.look()
    assert not alarms.raised, "a standby may be some moments behind"
    watch.look()
    ((kind, action, note),) = alarms.raised
    assert (kind, action) == (AlertKind.LEDGER_BROKEN, AuditAction.LEDGER_BROKEN)
    size = Reader(path).head().size
    assert note == f"the log's {size} records do not continue the {size + 1} that it had"
    assert watch.warnings() == [note]
    other = assembly.operational_recorder(world.settings)
    for more in (1, 2):
        other.operational(AuditAction.LEDGER_BROKEN, note)
        watch.look()
        assert watch.warnings() == [f"the log's {size + more} records do not continue the {size + 1} that it had"]
    assert len(alarms.raised) == 1


def test_a_log_that_was_begun_anew_did_not_go_back(watch, world, alarms, tmp_path):
    """After `audit recover`: another log, with few records yet."""
    path = world.settings.ledger.path
    watch.look()
    world.assembled.ledger.close()
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    origin.create(path, tmp_path / "key", "another.example/ledger")
    watch.look()
    assert (alarms.raised, watch.warnings()) == ([], [])


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_a_date_that_is_none_says_nothing(date):
    """A server may say what it likes."""
    assert ahead_of_date(date, 0.0) is None
    assert ahead_of_date("Wed, 25 Nov 2026 07:00:00 GMT", 1795590010.0) == pytest.approx(10.0)


def test_a_stale_sink_is_told_once_warned_of_and_measured(watch, alarms):
    """A sink that is late by less is a hiccup."""
    now = time.monotonic()
    late = SinkStatus("file x", 3, now - STALE_SECONDS - 60, "No such file or directory")
    for statuses in ([SinkStatus("file x", 3, now - 30)], [late], [late]):
        watch.sinks(statuses, delivering=True)
    assert alarms.told == [(AlertKind.SINK_STALE, "sinks")]
    assert SINK_AGE.labels("file x")._value.get() > STALE_SECONDS
    assert any("file x" in each for each in watch.warnings())
    watch.sinks([SinkStatus("file x", 4)], delivering=True)
    assert watch.warnings() == []


def test_a_thread_that_delivers_no_more_is_told(watch, alarms):
    """A defect there must not look like a ledger that does not grow."""
    watch.sinks([], delivering=False)
    assert alarms.told == [(AlertKind.SINK_STALE, "deliveries")]


def test_a_fork_is_recorded_told_counted_and_lasts(watch, alarms):
    """The alarm that all this is for."""
    watch.forked("witness w", "witness w answered 409: the ledger's 5 records do not continue what it cosigned")
    ((kind, action, note),) = alarms.raised
    assert (kind, action) == (AlertKind.SINK_FORKED, AuditAction.SINK_FORKED)
    assert "409" in note
    watch.look()
    assert watch.warnings() == [note]


def test_readyz_tells_warnings_and_is_not_ready_without_space(watch, world, disk, tmp_path, monkeypatch):
    """A load balancer takes a gateway out that refuses everybody; a warning is for people."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    watch.forked("witness w", "witness w answered 409")
    status, _, body = _answer("GET", "/readyz", ("127.0.0.1", 9), world.settings.ledger.path, watch)
    assert status.startswith("503")
    assert body.splitlines()[1] == b"warning: witness w answered 409"
    disk.free = 0
    _, _, body = _answer("GET", "/readyz", ("127.0.0.1", 9), world.settings.ledger.path, watch)
    assert body.startswith(b"too little space")


def test_a_gateway_whose_state_cannot_be_written_is_not_ready_until_it_can(watch, world, hands, tmp_path, monkeypatch):
    """Every look would be refused: nobody may say who is suspended, nor count."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    hands.unusable = ["suspensions.sqlite"]
    watch.look()
    status, _, body = _answer("GET", "/readyz", ("127.0.0.1", 9), world.settings.ledger.path, watch)
    assert status.startswith("503")
    assert body.startswith(b"state that requests need cannot be written: suspensions.sqlite\n")
    hands.unusable = []
    watch.look()
    assert (watch.refusing(), watch.warnings()) == (None, [])


def test_metrics_of_workers_and_of_the_supervisor_are_one_page_with_each_name_once(tmp_path, monkeypatch):
    """A doubled family is no valid exposition, and half a count is a wrong one."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    tallies.reserve(tmp_path, workers=2, feeds=1)
    subprocess.run([sys.executable, "-c", TWO_PROCESSES], check=True, timeout=60)
    metrics = {metric.name: metric for metric in AllProcesses().collect()}
    names = [metric.name for metric in AllProcesses().collect()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("vitrine_") for name in names)
    assert [sample.value for sample in metrics["vitrine_alerts"].samples] == [2.0]
    assert [(sample.labels, sample.value) for sample in metrics["vitrine_clock_offset_seconds"].samples] == [
        ({"against": "steady"}, -3.0)
    ]
    assert [sample.value for sample in metrics["vitrine_ledger_space_free_bytes"].samples] == [7.0]


def test_a_successor_goes_on_with_the_count_of_its_seat_in_the_files_that_were_reserved(tmp_path, monkeypatch):
    """So a count never falls, and a gateway whose workers end again and again needs no more room."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    tallies.reserve(tmp_path, workers=2, feeds=1)
    reserved = {file: file.stat().st_size for file in tmp_path.iterdir()}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", TWO_PROCESSES], check=True, timeout=60)
    metrics = {metric.name: metric for metric in AllProcesses().collect()}
    assert [sample.value for sample in metrics["vitrine_alerts"].samples] == [4.0]
    assert {file: file.stat().st_size for file in tmp_path.iterdir()} == reserved


def test_what_the_operations_address_cannot_answer_is_500_and_one_line_of_the_log(
    watch, world, tmp_path, monkeypatch, capfd
):
    """The server would print a traceback between the lines, which no collector of logs can read."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    (tmp_path / "counter_999.db").write_bytes(b"\x40\x00\x00\x00" + bytes(8) + b"?" * 52)
    server = operations_server(("127.0.0.1", 0), ("127.0.0.1", 9), world.settings.ledger.path, watch)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with capture_logs() as lines, pytest.raises(HTTPError) as refused:
            urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=30)
    finally:
        server.shutdown()
        server.server_close()
    assert (refused.value.code, refused.value.read()) == (500, b"the gateway could not answer\n")
    assert [line["event"] for line in lines] == ["the operations address could not answer"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("said", [b"GET / HTTP/9.9", b"?"])
def test_what_the_operations_address_cannot_read_tells_nothing_of_what_it_is_made(watch, world, said):
    """As what it can read: no name of a server, no version of Python, no page."""
    server = operations_server(("127.0.0.1", 0), ("127.0.0.1", 9), world.settings.ledger.path, watch)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), 30) as connection:
            connection.sendall(said + b"\r\n")
            connection.settimeout(30)
            answer = b"".join(iter(lambda: connection.recv(65_536), b"")).lower()
    finally:
        server.shutdown()
        server.server_close()
    assert answer
    assert not any(word in answer for word in (b"python", b"wsgi", b"<html"))


def test_the_operations_address_is_bound_without_a_name_server(world, watch, monkeypatch):
    """One that is out would hold up the start for as long as its questions last, and a stop meanwhile."""

    def asked(*_: object) -> str:
        raise AssertionError("a name was asked for")

    monkeypatch.setattr(socket, "getfqdn", asked)
    operations_server(("127.0.0.1", 0), ("127.0.0.1", 9), world.settings.ledger.path, watch).server_close()
