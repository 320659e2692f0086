"""The rendering processes of one gateway process: asked one document at a time, killed and replaced when they fail.

Started at the first document, as new programs (never as a fork of this process, which has threads). Nothing that they
do is believed but a bounded answer: see `job`.
"""

import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import structlog

from plugin.rendering.job import (
    HEAD_BYTES,
    MAX_ANSWER_BYTES,
    MAX_DOCUMENT_BYTES,
    MAX_SECONDS,
    TOKEN_BYTES,
    Answer,
    Job,
    Problem,
)

PLACES = 2
"""Documents that one gateway process renders at a time; others wait."""

PATIENCE_SECONDS = 5.0
"""How long one waits for a place before its reader is told to try again."""

GRACE_SECONDS = 5.0
"""For starting a process and for what it does around a document, beyond the document's own MAX_SECONDS."""

MEMORY = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
"""A page is a few blocks of many megabytes, each touched for the first time by a process that lives for that page: in
pages of 4 kB that took a sixth of the processor time. Another C library does not read it."""

log = structlog.get_logger()


class _Failed(Exception):
    """A rendering process ended, was late, or said what it may not."""


class RenderingPool:
    """Renders documents. Safe to call from several threads."""

    def __init__(
        self, places: int = PLACES, *, seconds: float = MAX_SECONDS, patience: float = PATIENCE_SECONDS
    ) -> None:
        """Starts nothing yet."""
        self._places = threading.BoundedSemaphore(places)
        self._seconds, self._patience = seconds + GRACE_SECONDS, patience
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._owner = os.getpid()
        self._told = False

    def render(self, job: Job) -> Answer:
        """The answer to one job, or the Problem why there is none. Raises nothing for what a document does."""
        if len(job.data) > MAX_DOCUMENT_BYTES:
            return Answer(Problem.TOO_LARGE)
        if not self._places.acquire(timeout=self._patience):
            return Answer(Problem.BUSY)
        try:
            return self._rendered(job)
        finally:
            self._places.release()

    def close(self) -> None:
        """End the processes that wait for work."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.end()

    def _rendered(self, job: Job) -> Answer:
        try:
            process = self._taken()
        except OSError as error:
            log.warning("a rendering process could not be started", error=error.strerror)
            return Answer(Problem.BUSY)
        try:
            answer = process.ask(job, time.monotonic() + self._seconds)
        except _Failed:
            process.end()
            log.warning(
                "a document could not be rendered: its process was replaced", kind=job.kind, bytes=len(job.data)
            )
            return Answer(Problem.TOO_COMPLEX)
        with self._lock:
            self._idle.append(process)
            tell, self._told = not answer.confined and not self._told, self._told or not answer.confined
        if tell:
            log.warning("documents are rendered without a filter of system calls: this machine has none that we know")
        return answer

    def _taken(self) -> "_Process":
        """A process that waits for work, or a new one. One that ended while it waited is left behind."""
        while True:
            with self._lock:
                if self._owner != os.getpid():  # they answer to the process that this one was forked from
                    self._idle, self._owner = [], os.getpid()
                process = self._idle.pop() if self._idle else None
            if process is None:
                return _Process.started()
            if process.waits():
                return process
            process.end()


@dataclass
class _Process:
    """A worker, with its three pipes."""

    program: "subprocess.Popen[bytes]"
    jobs: int
    answers: int
    ready: int

    @classmethod
    def started(cls) -> "_Process":
        ready, its_ready = os.pipe()
        try:
            program = subprocess.Popen(  # noqa: S603 - our own program, without a shell
                [sys.executable, "-P", "-m", "plugin.rendering.worker", str(its_ready)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what a library says of a document may quote it
                cwd="/",
                env=dict([MEMORY, ("PYTHONPATH", _import_path())]),
                pass_fds=(its_ready,),
                start_new_session=True,
            )
        except OSError:
            os.close(ready)
            raise
        finally:
            os.close(its_ready)
        assert program.stdin is not None and program.stdout is not None  # noqa: S101 - both are pipes
        jobs, answers = program.stdin.fileno(), program.stdout.fileno()
        for each in (jobs, answers, ready):
            os.set_blocking(each, False)
        return cls(program, jobs, answers, ready)

    def ask(self, job: Job, until: float) -> Answer:
        """Raises _Failed: then only `end` may follow."""
        token = secrets.token_bytes(TOKEN_BYTES)
        text = token + msgspec.msgpack.encode(job)
        left = memoryview(len(text).to_bytes(HEAD_BYTES) + text)
        try:
            while left:
                self._wait(self.jobs, select.POLLOUT, until)
                left = left[os.write(self.jobs, left[: 1 << 16]) :]
            length = int.from_bytes(self._read(self.answers, HEAD_BYTES, until))
            if length > MAX_ANSWER_BYTES:
                raise _Failed
            told = self._read(self.answers, length, until)
            self._read(self.ready, 1, until)  # the child has ended, and cannot read what comes next
            if not told.startswith(token) or not self.waits():
                raise _Failed
            answer = msgspec.msgpack.decode(told[TOKEN_BYTES:], type=Answer)
        except (OSError, msgspec.MsgspecError) as error:
            raise _Failed from error
        return answer

    def waits(self) -> bool:
        """False once it has ended, or says something that nobody asked for."""
        poll = select.poll()
        poll.register(self.answers, select.POLLIN)
        poll.register(self.ready, select.POLLIN)
        return not poll.poll(0)

    def end(self) -> None:
        """Kill it and its child, whatever they do."""
        with suppress(ProcessLookupError):
            os.killpg(self.program.pid, signal.SIGKILL)
        self.program.wait()
        for stream in (self.program.stdin, self.program.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        os.close(self.ready)

    def _read(self, descriptor: int, length: int, until: float) -> bytes:
        data = bytearray()
        while len(data) < length:
            self._wait(descriptor, select.POLLIN, until)
            part = os.read(descriptor, min(length - len(data), 1 << 20))
            if not part:
                raise _Failed
            data += part
        return bytes(data)

    def _wait(self, descriptor: int, event: int, until: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise _Failed


def _import_path() -> str:
    """Where this process finds its modules, for one that begins elsewhere."""
    return os.pathsep.join(os.path.abspath(each) for each in sys.path)  # noqa: PTH100 - "" is this folder
