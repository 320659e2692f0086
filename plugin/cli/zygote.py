"""The process that workers are forked from: it has loaded what they need, has one thread, and has opened nothing.

A start of Python with all libraries takes the better part of a second, and what it loads is most of what a worker
holds. So they are loaded once, for the process that supervises and for all workers, which share that memory with it.
A fork of the supervising process itself would copy locks that its other threads hold, and clients that must not be
shared; a process that only ever waits for the next birth has neither. It ends when the supervising process does, and
so do its workers then, however that process ended: nobody would deliver checkpoints, tell of trouble or replace a
worker any more, and the next start would find the port taken.
"""

import gc
import os
import select
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe, reduction
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import structlog

from plugin.cli.failure import CANNOT

_ENDING = (signal.SIGTERM, signal.SIGINT)
"""Meant for the process that supervises and for its workers, though a terminal tells all of the group. A worker that
has only just been born is told as soon as it listens."""
STOP_SECONDS = 8
"""Given to a worker that is asked to end, for requests under way, which have a deadline of as much."""

log = structlog.get_logger()


class ZygoteEnded(Exception):
    """There will be no further worker: the process that they are forked from has ended."""


class Zygote:
    """Makes workers. Used by one thread."""

    def __init__(self) -> None:
        """Fork this process, which must have one thread still. Returns in the supervising process only."""
        if threading.active_count() != 1:
            raise RuntimeError("a process with several threads is not forked")
        self._channel, theirs = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._channel.close()
            target, arguments = _born_when_asked(theirs)
            _live(target, arguments)
        theirs.close()

    def worker(self, target: Callable[..., object], arguments: tuple[Any, ...]) -> "Worker":
        """A process that will run `target(*arguments)`; both can be pickled."""
        return Worker(self, target, arguments)

    def bear(self, target: Callable[..., object], arguments: tuple[Any, ...]) -> tuple[int, int]:
        """Have a process run this: its id, and a pipe that closes as it ends. Raises ZygoteEnded."""
        try:
            self._channel.send((target, arguments))
            return self._channel.recv(), reduction.recv_handle(self._channel)
        except (EOFError, OSError) as error:
            raise ZygoteEnded from error

    def end(self) -> None:
        """Have it end, with the workers that are left, and wait for that."""
        self._channel.close()
        os.waitpid(self._pid, 0)


class Worker:
    """A child of the zygote, with the words of multiprocessing.Process for it. Safe to call from several threads."""

    def __init__(self, zygote: Zygote, target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._zygote, self._target, self._arguments = zygote, target, arguments
        self._ended = -1
        self.pid = 0

    def start(self) -> None:
        """Raises ZygoteEnded."""
        self.pid, self._ended = self._zygote.bear(self._target, self._arguments)
        weakref.finalize(self, os.close, self._ended)

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, or for so many seconds."""
        ended = select.poll()
        ended.register(self._ended)
        ended.poll(None if timeout is None else max(0.0, timeout) * 1000)

    def is_alive(self) -> bool:
        """False once it has ended."""
        ended = select.poll()
        ended.register(self._ended)
        return not ended.poll(0)

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _born_when_asked(channel: Connection) -> tuple[Callable[..., object], tuple[Any, ...]]:
    """Returns in each new worker, with what it is to run; the zygote itself stays in here until its end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Workers do not look at what was loaded in their collections, which would copy each page that it stands in.
    gc.freeze()
    living: dict[int, int] = {}
    waiting = select.poll()
    waiting.register(channel, select.POLLIN)  # it can be written to at any time
    while True:
        for descriptor, _ in waiting.poll():
            if descriptor in living:
                waiting.unregister(descriptor)
                _take_leave(living, descriptor)
                continue
            try:
                run: tuple[Callable[..., object], tuple[Any, ...]] = channel.recv()
            except (EOFError, OSError):
                _end(living)
            ended, lives = os.pipe()
            worker = os.fork()
            if worker == 0:
                channel.close()
                for each in (ended, *living):
                    os.close(each)
                return run  # `lives` stays open as long as the process
            os.close(lives)
            living[ended] = worker
            waiting.register(ended)
            with suppress(OSError):  # whoever does not listen any more is found out when it is listened to
                channel.send(worker)
                reduction.send_handle(channel, ended, os.getppid())


def _take_leave(living: dict[int, int], ended: int) -> None:
    """Of the worker whose pipe has closed."""
    os.close(ended)
    os.waitpid(living.pop(ended), 0)


def _end(living: dict[int, int]) -> NoReturn:
    """The end of this process, and before it of the workers that are left: asked, then made."""
    _wait(living, 0.0)  # after a stop none is left
    if living:
        log.critical("the process that supervises has ended, and its workers end with it")
    for worker in living.values():
        os.kill(worker, signal.SIGTERM)
    _wait(living, STOP_SECONDS)
    for worker in living.values():
        os.kill(worker, signal.SIGKILL)
    os._exit(0)


def _wait(living: dict[int, int], seconds: float) -> None:
    """Until all of them have ended, and no longer than that."""
    until = time.monotonic() + seconds
    while living:
        waiting = select.poll()
        for ended in living:
            waiting.register(ended)
        found = waiting.poll(max(0.0, until - time.monotonic()) * 1000)
        if not found:
            return
        for ended, _ in found:
            _take_leave(living, ended)


def _live(target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    """The whole life of a worker. Ends as a program does, so that what was registered for its end is called."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    try:
        target(*arguments)
    except OSError:
        log.critical("a worker failed", exc_info=True)
        sys.exit(CANNOT)
    sys.exit()
