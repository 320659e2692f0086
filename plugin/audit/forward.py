"""Keeps sending new records to a SIEM, over TLS syslog or to standard output, and remembers how far it came.

Every batch is a whole export with head and foot, so each also carries the log's newest checkpoint away. A batch counts
as sent only when the receiver ended the connection in order; in doubt it is sent again. So a record may arrive twice,
and is never skipped. Asking for the records, which the log records, is for the caller of `Forwarder`.
"""

import errno
import json
import os
import socket
import ssl
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import RawIOBase
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Protocol

from plugin.audit.export import FORMS, Export, LogRange
from plugin.audit.selection import Selection
from plugin.errors import ConsultError
from plugin.ledger.filesystem import sync_folder
from plugin.ledger.record import StoredRecord
from plugin.ledger.syslog import farewell, frame, in_words

BATCH = 500
"""Records of one connection: what is sent again after a failure, and what is held meanwhile."""
CONNECT_SECONDS = 10.0
SEND_SECONDS = 30.0
"""For each write, and for the receiver's farewell: a full receiver reads slowly."""
SYSLOG_TLS_PORT = 6514
"""RFC 5425, section 4.1."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""Between tries; each pause is twice the one before."""


class ForwardError(Exception):
    """Forwarding cannot go on, and trying again would not help. The message is one sentence."""


class ReceiverUnavailable(Exception):
    """A batch was not, or perhaps not, received. The message is one sentence."""


class Receiver(Protocol):
    """Where batches go."""

    def send(self, lines: Iterable[bytes]) -> None:
        """Hand over all lines, without their ends. When this returns they were received.

        Raises ReceiverUnavailable: then some or all of them may have been received or not, and the next batch that is
        sent is the same.
        """


class StreamReceiver:
    """Writes lines to a stream, such as standard output, for another program to carry on.

    A batch of which the stream took a part, as a full disk does, goes on with the line that was torn. A file ends with
    a whole line also meanwhile: whoever is stopped then does not come back to it.
    """

    def __init__(self, stream: RawIOBase | BinaryIO, end: bytes) -> None:
        """`stream` is not buffered: what it says that it took is out."""
        self._stream = stream
        self._end = end
        self._batch, self._taken = b"", 0
        """The batch, and how much of it is out; if not all of it, then it is the next again."""

    def send(self, lines: Iterable[bytes]) -> None:
        """See `Receiver.send`. Raises ForwardError if nobody reads any more."""
        if self._taken == len(self._batch):
            self._batch, self._taken = b"".join(line + self._end for line in lines), 0
        try:
            while self._taken < len(self._batch):
                self._taken += self._write()
        except BrokenPipeError as error:
            raise ForwardError("nobody reads the output any more") from error
        except OSError as error:
            self._take_back()
            raise ReceiverUnavailable(f"the output cannot be written: {error.strerror}") from error

    def _write(self) -> int:
        taken = self._stream.write(memoryview(self._batch)[self._taken :])
        if taken is None:  # it is full, and does not wait
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return taken

    def _take_back(self) -> None:
        """What is out of a torn line, where that can be."""
        whole = self._batch.rfind(self._end, 0, self._taken)
        torn = self._taken - (whole + len(self._end) if whole >= 0 else 0)
        with suppress(OSError):  # a pipe, or what else takes nothing back
            out = self._stream.fileno()
            if stat.S_ISREG(os.fstat(out).st_mode):
                os.ftruncate(out, os.lseek(out, -torn, os.SEEK_CUR))
                self._taken -= torn


def tls_context(
    ca_file: Path | None = None, certificate: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """Verifies the receiver's name and certificate; presents ours if one is given. Raises ForwardError."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key_file)
    except ssl.SSLError as error:
        raise ForwardError("a certificate or key file is none in PEM, or they are not of each other") from error
    except OSError as error:
        raise ForwardError(f"a certificate or key file cannot be used: {error.strerror}") from error
    return context


class TlsSyslogReceiver:
    """A syslog receiver over TLS (RFC 5425), one connection for each batch.

    Syslog knows no receipt. The farewell of TLS is one: a receiver that answers ours with its own, or ends the
    connection in order, has read everything before. It costs a handshake every batch.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._host = host
        self._port = port
        self._context = context

    def send(self, lines: Iterable[bytes]) -> None:
        """See `Receiver.send`; each line is one syslog message."""
        where = f"{self._host}:{self._port}"
        try:
            plain = socket.create_connection((self._host, self._port), CONNECT_SECONDS)
            with self._context.wrap_socket(plain, server_hostname=self._host) as connection:
                connection.settimeout(SEND_SECONDS)
                for line in lines:
                    connection.sendall(frame(line))
                farewell(connection)
        except OSError as error:
            raise ReceiverUnavailable(f"{where} did not take the batch: {in_words(error)}") from error


@dataclass(frozen=True, slots=True)
class Resume:
    """A small file that says up to where a log was sent."""

    path: Path

    def load(self) -> tuple[str, int] | None:
        """(the log's origin, the next position); None if nothing was sent yet. Raises ForwardError: never a guess."""
        try:
            found = json.loads(self.path.read_bytes())
            origin, position = found["origin"], found["next"]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ForwardError(f"{self.path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ForwardError(f"{self.path} does not say how far the log was sent") from error
        if not isinstance(origin, str) or type(position) is not int or position < 0:
            raise ForwardError(f"{self.path} does not say how far the log was sent")
        return origin, position

    def save(self, origin: str, position: int) -> None:
        """Durable when this returns. Raises ForwardError."""
        new = self.path.with_name(self.path.name + ".new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump({"origin": origin, "next": position}, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise ForwardError(f"{self.path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Batch:
    """A part of a range, held in memory, so that it can be sent again."""

    first: int
    last: int
    checkpoint: str
    held: tuple[StoredRecord, ...]

    def records(self) -> Iterator[StoredRecord]:
        """The records that the range had."""
        return iter(self.held)

    def part(self, first: int, last: int) -> "Batch":
        """See `LogRange.part`."""
        held = tuple(each for each in self.held if first <= each.position <= last)
        return Batch(first, last, self.checkpoint, held)


def batches(source: LogRange) -> Iterator[Batch]:
    """The range in parts that leave out no position, each of at most BATCH records."""
    first = source.first
    for number, group in groupby(source.records(), key=lambda record: (record.position - source.first) // BATCH):
        last = min(source.first + (number + 1) * BATCH - 1, source.last)
        yield Batch(first, last, source.checkpoint, tuple(group))
        first = last + 1
    if first <= source.last:
        yield Batch(first, source.last, source.checkpoint, ())


class Forwarder:
    """Sends what the log has and then what it gets, until it is told to stop."""

    def __init__(
        self,
        size: Callable[[], int],
        ask: Callable[[int], LogRange],
        receiver: Receiver,
        selection: Selection,
        form: str,
        *,
        resume: Resume | None = None,
        first: int = 0,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """Build one.

        `size` tells how many records there are now and reveals nothing of them. `ask` reads from a position to the
        newest, which leaves one record; it may raise ConsultError. `first` counts only where `resume` knows nothing.
        """
        if form not in FORMS:
            raise ForwardError(f"there is no format {form}")
        self._size = size
        self._ask = ask
        self._receiver = receiver
        self._selection = selection
        self._form = form
        self._resume = resume
        self._say = say
        self._origin, self.next = (resume.load() if resume is not None else None) or ("", first)
        self._settled: int | None = None
        self._opened = False
        self._pause = FIRST_PAUSE_SECONDS

    def run(self, wait: Callable[[float], bool], every: float) -> None:
        """Forward until `wait`, which pauses for seconds, returns True. Raises ForwardError.

        It does so too if it was stopped while the log could not be read.

        Looks for new records every `every` seconds. Stops between batches too, with a pause of none.
        """
        while True:
            try:
                if self._forward_new(wait) or wait(every):
                    return
            except ConsultError as error:
                self._say(f"the log could not be read: {error}")
                if wait(self._longer()):
                    raise ForwardError(
                        f"stopped before the log could be read again from position {self.next}"
                    ) from error

    def _forward_new(self, wait: Callable[[float], bool]) -> bool:
        """Send what there is; True if told to stop before all of it was received."""
        size = self._size()
        if size < self.next and not self._origin:
            raise ForwardError(f"there is nothing to begin with at position {self.next}: the log has {size} records")
        if size < self.next:
            raise ForwardError(
                f"the log has {size} records, but {self.next} were sent: verify it, it may have been cut or replaced"
            )
        # Each reading is recorded, so the log has always grown by one: that alone is no reason to read again.
        if size in {self.next, self._settled}:
            return False
        source = self._ask(self.next)
        origin = source.checkpoint.partition("\n")[0]
        if self._origin not in {"", origin}:
            raise ForwardError(f"the log is {origin}, but what was sent so far came from {self._origin}")
        self._origin = origin
        for batch in batches(source):
            if not self._deliver(batch, wait):
                return True
            self.next = batch.last + 1
            if self._resume is not None:
                self._resume.save(origin, self.next)
            if wait(0):
                return True
        self._settled = source.last + 2
        self._pause = FIRST_PAUSE_SECONDS
        return False

    def _deliver(self, batch: Batch, wait: Callable[[float], bool]) -> bool:
        """Try until the batch is received; False if told to stop first."""
        while True:
            try:
                self._receiver.send(Export(batch, self._selection, self._form, opened=self._opened).lines())
            except ReceiverUnavailable as error:
                self._say(f"{error}; trying again from position {batch.first}")
                if wait(self._longer()):
                    return False
            else:
                self._opened = True
                self._pause = FIRST_PAUSE_SECONDS
                return True

    def _longer(self) -> float:
        """The pause before the next try."""
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        return pause
