"""Nothing is skipped on the way to a SIEM: in doubt it is sent again, and a log that shrank is an alarm."""

import errno
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO, FileIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from plugin.audit import forward
from plugin.audit.forward import (
    BATCH,
    Forwarder,
    ForwardError,
    ReceiverUnavailable,
    Resume,
    StreamReceiver,
    TlsSyslogReceiver,
    batches,
    tls_context,
)
from plugin.audit.selection import Selection
from plugin.errors import RecordUnavailable
from plugin.ledger.record import StoredRecord
from tests.audit import bodies
from tests.audit_export.logs import CHECKPOINT, Log, record

WAIT = 30.0
"""Seconds that a test waits for another thread: only a failure takes them."""


@dataclass
class GrowingLog:
    """A log that records each reading of itself, as the gateway's does."""

    held: list[StoredRecord] = field(default_factory=list)
    readings: list[int] = field(default_factory=list)
    refuses: int = 0
    """How many readings will be refused first."""
    checkpoint: str = CHECKPOINT

    def grow(self, count: int) -> None:
        for _ in range(count):
            self.held.append(record(len(self.held), bodies.operation()))

    def size(self) -> int:
        return len(self.held)

    def ask(self, first: int) -> Log:
        if self.refuses:
            self.refuses -= 1
            raise RecordUnavailable
        self.readings.append(first)
        found = Log(list(self.held), first, len(self.held) - 1, self.checkpoint)
        self.grow(1)
        return found


@dataclass
class Siem:
    """A receiver with memory, which fails as it is told: refused, or refused but happened."""

    failures: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    def send(self, lines: Iterable[bytes]) -> None:
        failure = self.failures.pop(0) if self.failures else "no"
        if failure == "refused":
            raise ReceiverUnavailable("the receiver is away")
        lines = list(lines)
        self.received += lines[: len(lines) // 2] if failure == "half" else lines
        if failure != "no":
            raise ReceiverUnavailable("the receiver went away")

    @property
    def positions(self) -> list[int]:
        return positions(self.received)


def positions(lines: Iterable[bytes]) -> list[int]:
    found = (orjson.loads(line) for line in lines)
    return [int(each["id"]) for each in found if each["resourceType"] == "AuditEvent"]


class Clock:
    """Waits for nothing, remembers how long it should have, and stops after so many waits."""

    def __init__(self, waits: int, between: Callable[[], object] = lambda: None) -> None:
        self.waited: list[float] = []
        self._waits = waits
        self._between = between

    def __call__(self, seconds: float) -> bool:
        if not seconds:
            return False
        self.waited.append(seconds)
        self._between()
        return len(self.waited) >= self._waits


def forwarder(log: GrowingLog, receiver: forward.Receiver, **more: Any) -> Forwarder:
    return Forwarder(log.size, log.ask, receiver, Selection(), "ndjson", **more)


def test_what_the_log_has_and_what_it_gets_arrives_once_and_in_order() -> None:
    log, siem = GrowingLog(), Siem()
    log.grow(3)
    forwarder(log, siem).run(Clock(4, between=lambda: log.grow(2)), every=10)
    assert siem.positions == list(range(len(siem.positions)))
    assert len(siem.positions) == 3 + 1 + 2 + 1 + 2 + 1 + 2


def test_the_record_of_the_reading_alone_is_no_reason_to_read_again() -> None:
    """Following would otherwise feed on itself for ever."""
    log, siem = GrowingLog(), Siem()
    log.grow(3)
    forwarder(log, siem).run(Clock(50), every=10)
    assert log.readings == [0]


@given(failures=st.lists(st.sampled_from(["refused", "half", "happened", "no"]), max_size=12), size=st.integers(0, 30))
def test_whatever_fails_nothing_is_skipped(failures: list[str], size: int) -> None:
    """Faults in pairs: refused, and refused although it arrived."""
    log, siem = GrowingLog(), Siem(failures)
    log.grow(size)
    forwarder(log, siem).run(Clock(20), every=10)
    first_arrivals = list(dict.fromkeys(siem.positions))
    assert first_arrivals == list(range(size))


def test_a_receiver_that_is_away_is_tried_less_and_less_often() -> None:
    log, clock = GrowingLog(), Clock(9)
    log.grow(1)
    forwarder(log, Siem(["refused"] * 9)).run(clock, every=10)
    assert clock.waited == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_ledger_that_refuses_the_reading_is_asked_again() -> None:
    """A reading that cannot be recorded does not happen; following outlives it."""
    log, siem = GrowingLog(refuses=2), Siem()
    log.grow(2)
    said: list[str] = []
    forwarder(log, siem, say=said.append).run(Clock(3), every=10)
    assert siem.positions == [0, 1]
    assert len(said) == 2


def test_being_stopped_while_the_log_cannot_be_read_is_no_good_end() -> None:
    """Else a service manager takes a log that nobody receives for one that was followed to its end."""
    log, siem = GrowingLog(refuses=3), Siem()
    log.grow(2)
    with pytest.raises(ForwardError, match="stopped before the log could be read again from position 0"):
        forwarder(log, siem).run(Clock(3), every=10)
    assert siem.received == []


def test_a_restart_goes_on_where_the_last_batch_was_received(tmp_path: Path) -> None:
    log, siem, resume = GrowingLog(), Siem(), Resume(tmp_path / "state")
    log.grow(4)
    forwarder(log, siem, resume=resume).run(Clock(1), every=10)
    log.grow(2)
    forwarder(log, siem, resume=resume, first=0).run(Clock(1), every=10)
    assert siem.positions == list(range(7))


def test_following_is_stopped_between_batches(tmp_path: Path) -> None:
    """A backlog of millions must not outlast the patience of a service manager."""
    log, siem, resume = GrowingLog(), Siem(), Resume(tmp_path / "state")
    log.grow(3 * BATCH)
    forwarder(log, siem, resume=resume).run(lambda seconds: True, every=10)
    assert len(siem.positions) == BATCH
    assert resume.load() == ("vitrine.example/log", BATCH)


def test_what_was_not_received_is_not_noted_as_sent(tmp_path: Path) -> None:
    log, resume = GrowingLog(), Resume(tmp_path / "state")
    log.grow(4)
    forwarder(log, Siem(["half"]), resume=resume).run(Clock(1), every=10)
    assert resume.load() is None


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"origin": "a", "next": "7"}', '{"origin": "a", "next": -1}']
)
def test_a_state_that_says_nothing_is_never_guessed(tmp_path: Path, text: str) -> None:
    """Beginning anew would flood, and beginning at the end would skip."""
    path = tmp_path / "state"
    path.write_text(text)
    with pytest.raises(ForwardError, match="does not say"):
        Resume(path).load()


def test_a_state_in_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ForwardError, match="No such file"):
        Resume(tmp_path / "nowhere" / "state").save("origin", 1)


def test_a_log_that_is_shorter_than_what_was_sent_is_an_alarm(tmp_path: Path) -> None:
    """A cut tail shows here first."""
    resume = Resume(tmp_path / "state")
    resume.save("vitrine.example/log", 9)
    log = GrowingLog()
    log.grow(8)
    with pytest.raises(ForwardError, match="may have been cut"):
        forwarder(log, Siem(), resume=resume).run(Clock(1), every=10)


def test_a_first_position_beyond_the_log_is_no_alarm() -> None:
    """Nothing was sent: who mistyped `--first` is not to look for a cut."""
    log = GrowingLog()
    log.grow(8)
    with pytest.raises(ForwardError, match=r"nothing to begin with at position 9: the log has 8 records"):
        forwarder(log, Siem(), first=9).run(Clock(1), every=10)


def test_another_log_is_not_taken_for_the_same(tmp_path: Path) -> None:
    resume = Resume(tmp_path / "state")
    resume.save("vitrine.example/old", 2)
    log, siem = GrowingLog(), Siem()
    log.grow(8)
    with pytest.raises(ForwardError, match=re.escape("vitrine.example/old")):
        forwarder(log, siem, resume=resume).run(Clock(1), every=10)
    assert siem.received == []


@given(first=st.integers(0, 3), holes=st.sets(st.integers(0, 40)), batch=st.integers(1, 9))
def test_batches_leave_out_no_position(first: int, holes: set[int], batch: int) -> None:
    """What the file lacks is stated as missing by the foot of its batch, so ranges must be without gaps."""
    held = [record(number, bodies.operation()) for number in range(30) if number not in holes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "BATCH", batch)
        parts = list(batches(Log(held, first, 29)))
    covered = [position for part in parts for position in range(part.first, part.last + 1)]
    assert covered == list(range(first, 30))
    assert [each for part in parts for each in part.held] == [each for each in held if each.position >= first]
    assert all(part.first <= each.position <= part.last for part in parts for each in part.held)


def test_a_batch_is_bounded() -> None:
    """It is held in memory to be sent again."""
    held = [record(number, {"action": "x"}) for number in range(2 * BATCH + 1)]
    assert [len(part.held) for part in batches(Log(held, 0, 2 * BATCH))] == [BATCH, BATCH, 1]


def test_the_columns_of_a_table_are_named_once() -> None:
    log, out = GrowingLog(), BytesIO()
    log.grow(1)
    receiver = StreamReceiver(out, b"\r\n")
    Forwarder(log.size, log.ask, receiver, Selection(), "csv").run(Clock(3, between=lambda: log.grow(1)), every=1)
    assert out.getvalue().count(b"row,position,") == 1
    assert out.getvalue().count(b"\r\nfoot,") == 3


@pytest.mark.parametrize("full", [OSError(errno.ENOSPC, "No space left on device"), None], ids=["disk", "pipe"])
def test_a_batch_that_was_torn_goes_on_where_it_was_torn(full: OSError | None) -> None:
    """A full disk gets room again: a row of two halves, or one that is there twice, would be in the middle for ever."""
    room = 700

    class Full(BytesIO):
        def write(self, data: Any) -> Any:
            left = room - self.tell()
            if not left and full is not None:
                raise full
            return super().write(data[:left]) if left else None

    def clear() -> None:
        nonlocal room
        room += 1_000_000

    log, out, said = GrowingLog(), Full(), []
    log.grow(3)
    forwarder(log, StreamReceiver(out, b"\n"), say=said.append).run(Clock(3, between=clear), every=1)
    lines = out.getvalue().splitlines()
    assert positions(lines) == [0, 1, 2]
    assert (len(lines), len(said)) == (5, 1)


def test_a_file_on_a_full_disk_ends_with_a_whole_line_when_following_is_stopped(tmp_path: Path) -> None:
    """Another run appends behind it."""

    class Full(FileIO):
        room = 700

        def write(self, data: Any) -> int:
            left = self.room - self.tell()
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data[:left])

    log, said = GrowingLog(), []
    log.grow(3)
    file = tmp_path / "out"
    file.write_bytes(b"what was there\n")
    for room in (700, 1_000_000):
        with Full(file, "a") as out:
            out.room = room
            forwarder(log, StreamReceiver(out, b"\n"), say=said.append).run(Clock(2), every=1)
        assert file.read_bytes().endswith(b"}\n")
    lines = file.read_bytes().splitlines()
    assert lines.pop(0) == b"what was there"
    assert set(positions(lines)) == {0, 1, 2, 3}, "with the record of the first reading"


def test_when_nobody_reads_the_output_any_more_following_ends() -> None:
    class Closed(BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError

    log = GrowingLog()
    log.grow(1)
    with pytest.raises(ForwardError, match="nobody reads"):
        forwarder(log, StreamReceiver(Closed(), b"\n")).run(Clock(1), every=1)


# over the wire


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "siem")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "siem.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class SyslogServer:
    """A TLS syslog receiver on loopback; `manners` says how each connection ends."""

    def __init__(self, certificate: Path, manners: list[str]) -> None:
        self.received: list[list[bytes]] = []
        self._manners = manners
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(WAIT)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for manner in self._manners:
            plain, _ = self._socket.accept()
            plain.settimeout(WAIT)
            if manner == "hangs up":
                plain.close()
                continue
            connection = self._context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=True)
            data = b""
            if manner != "reads nothing":
                while piece := connection.recv(1 << 16):
                    data += piece
                self.received.append(list(unframed(data)))
            if manner == "says goodbye":
                connection.unwrap().close()
            else:
                connection.close()
        self._socket.close()

    def join(self) -> None:
        self._thread.join(WAIT)
        assert not self._thread.is_alive()


def unframed(data: bytes) -> Iterator[bytes]:
    """RFC 5425: length, space, message."""
    while data:
        length, _, rest = data.partition(b" ")
        yield rest[: int(length)]
        data = rest[int(length) :]


@pytest.mark.parametrize("manner", ["says goodbye", "just closes"])
def test_messages_arrive_framed_and_the_end_of_the_connection_is_the_receipt(certificate: Path, manner: str) -> None:
    server = SyslogServer(certificate, [manner])
    messages = ["<85>1 é".encode(), b"<85>1 two\nlines", b"x" * 100_000]
    TlsSyslogReceiver("127.0.0.1", server.port, tls_context(certificate)).send(messages)
    server.join()
    assert server.received == [messages]


@pytest.mark.parametrize("manner", ["hangs up", "reads nothing"])
def test_a_receiver_that_did_not_read_has_not_received(certificate: Path, manner: str) -> None:
    """The kernel of the other side takes bytes that its program never sees."""
    server = SyslogServer(certificate, [manner])
    receiver = TlsSyslogReceiver("127.0.0.1", server.port, tls_context(certificate))
    with pytest.raises(ReceiverUnavailable):
        receiver.send([b"x" * 1000] * 2000)
    server.join()


def test_a_receiver_with_an_unknown_certificate_gets_nothing(certificate: Path) -> None:
    server = SyslogServer(certificate, ["hangs up"])
    with pytest.raises(ReceiverUnavailable):
        TlsSyslogReceiver("127.0.0.1", server.port, tls_context()).send([b"x"])
    server.join()


def test_a_receiver_that_speaks_no_tls_is_told_in_words() -> None:
    """Without a name or a line of OpenSSL's source."""
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=lambda: plain.accept()[0].sendall(b"220 welcome\r\n"), daemon=True).start()
        port = plain.getsockname()[1]
        with pytest.raises(ReceiverUnavailable, match=r"did not take the batch: TLS failed: [a-z ]+$"):
            TlsSyslogReceiver("127.0.0.1", port, tls_context()).send([b"x"])


def test_nobody_at_the_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ReceiverUnavailable, match=f"127.0.0.1:{port} did not take the batch"):
        TlsSyslogReceiver("127.0.0.1", port, tls_context()).send([b"x"])


def test_a_certificate_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    for path in (tmp_path / "none.pem", tmp_path / "absent.pem"):
        with pytest.raises(ForwardError, match="certificate") as failed:
            tls_context(path)
        assert "_ssl" not in str(failed.value)


def test_over_the_wire_nothing_is_skipped_either(certificate: Path, tmp_path: Path) -> None:
    """The whole way: a log, ATNA messages, a receiver that comes and goes, a state that is kept."""
    server = SyslogServer(certificate, ["hangs up", "reads nothing", "says goodbye", "just closes"])
    log, resume = GrowingLog(), Resume(tmp_path / "state")
    log.grow(5)
    receiver = TlsSyslogReceiver("127.0.0.1", server.port, tls_context(certificate))
    follower = Forwarder(log.size, log.ask, receiver, Selection(), "atna", resume=resume)
    follower.run(Clock(4, between=lambda: log.size() > 5 and len(server.received) == 1 and log.grow(2)), every=1)
    server.join()
    assert [len(batch) for batch in server.received] == [1 + 5 + 1, 1 + 3 + 1]
    assert json.loads((tmp_path / "state").read_text()) == {"origin": "vitrine.example/log", "next": 8}
