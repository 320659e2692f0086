"""The scheduled verification: `serve` has the whole log verified, by one process of all that share it, at the lowest
priority, and says what became of it.

What verifies is `vitrine audit verify` in a process of its own: nothing that serves waits for it.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import structlog

from plugin import tallies
from plugin.alerts import AlertKind
from plugin.cli.alarms import Alarms
from plugin.cli.failure import NO
from plugin.event import AuditAction, Outcome
from plugin.ledger.errors import LedgerError
from plugin.ledger.place import LedgerPlace
from plugin.ledger.reader import Reader
from plugin.telemetry import VERIFICATIONS, VERIFIED_AT

FIRST_SECONDS = 300.0
"""After a start: it has better to do first, and whoever restarts often does not verify each time."""
LOOK_SECONDS = 60.0
AHEAD = timedelta(minutes=5)
"""By which another machine's clock may be ahead; a last verification of a later future is not believed."""
AGAIN = timedelta(hours=1)
"""After one that could not tell. One that found the log broken is tried again when the next is due."""
MAX_NOTE = 500
"""Characters of its sentence that are recorded."""

log = structlog.get_logger()


class Verification:
    """Verifies when it is due. Used by one thread."""

    def __init__(
        self,
        ledger: LedgerPlace,
        command: Sequence[str],
        every: timedelta,
        alarms: Alarms,
        found: Callable[[str | None], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`command` verifies: exit 0 unbroken, with a sentence on stdout; 1 broken and 2 could not tell, on stderr.

        `found` is told each time what is wrong, or None.
        """
        self._ledger = ledger
        self._command = command
        self._every = every
        self._alarms = alarms
        self._found = found
        self._now = now
        self._not_before: datetime | None = None

    def look(self, stopped: threading.Event) -> None:
        """Verify if it is due and nobody else does. Returns early once `stopped` is set."""
        try:
            if not self._is_due():
                return
            with self._ledger.claimed("verifying") as mine:
                if mine and self._is_due():  # somebody may have ended just now
                    self._verify(stopped)
        except LedgerError as error:
            log.error("whether a verification is due cannot be told", problem=str(error))

    def _is_due(self) -> bool:
        last = _last_verified(Reader(self._ledger.view))
        if last is not None:
            VERIFIED_AT.set(last.timestamp())
        now = self._now()
        if self._not_before is not None and now < self._not_before:
            return False
        return last is None or not last - AHEAD <= now < last + self._every

    def _verify(self, stopped: threading.Event) -> None:
        log.info("a scheduled verification begins")
        code, said = _run(self._command, stopped)
        if stopped.is_set():
            return
        note = said[:MAX_NOTE]
        self._found(None if code == 0 else f"the last verification of the log: {note}")
        if code == 0:
            VERIFICATIONS.labels("unbroken").inc()
            VERIFIED_AT.set(self._now().timestamp())
            log.info("the log was verified", result=note)
            self._alarms.record(AuditAction.LEDGER_VERIFIED, note, Outcome.SUCCESS)
            self._not_before = self._now() + self._every  # also where the record could not be written
        elif code == NO:
            VERIFICATIONS.labels("broken").inc()
            self._not_before = self._now() + self._every
            log.critical("the log is broken", result=note)
            self._alarms.raise_(AlertKind.LEDGER_BROKEN, AuditAction.LEDGER_BROKEN, note)
        else:
            VERIFICATIONS.labels("unknown").inc()
            self._not_before = self._now() + min(self._every, AGAIN)
            log.error("the log could not be verified", result=note)
            self._alarms.raise_(AlertKind.LEDGER_UNVERIFIED, AuditAction.LEDGER_UNVERIFIED, note)


def command(config: Path) -> Sequence[str]:
    """What verifies the log of this configuration without getting in anybody's way."""
    return [sys.executable, "-m", "plugin.cli", "--config", str(config.resolve()), "audit", "verify", "--gently"]


@contextmanager
def verified(verification: Verification | None) -> Iterator[None]:
    """Verify when it is due, as long as the block lasts. None: never."""
    if verification is None:
        yield
        return
    stopped = threading.Event()

    def run() -> None:
        pause = FIRST_SECONDS
        while not stopped.wait(pause):
            verification.look(stopped)
            pause = LOOK_SECONDS

    thread = threading.Thread(target=run, name="verification", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _last_verified(reader: Reader) -> datetime | None:
    """When the log says that it was last verified; None if it does not say."""
    records = reader.own(AuditAction.LEDGER_VERIFIED)
    if not records:
        return None
    with suppress(ValueError, KeyError, TypeError):
        return datetime.fromisoformat(orjson.loads(records[-1].header)["time"])
    return None


def _run(command: Sequence[str], stopped: threading.Event) -> tuple[int, str]:
    """Exit code, and what it said on the stream where that belongs. Ends it when `stopped` is set."""
    # Whatever it counts is nobody's metric, and its files would be taken for those of a worker.
    environment: Mapping[str, str] = {k: v for k, v in os.environ.items() if k != tallies.FOLDER_VARIABLE}
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        return 2, f"it could not be started: {error.strerror}"
    while True:
        try:
            out, err = process.communicate(timeout=0.5)
            break
        except subprocess.TimeoutExpired:
            if stopped.is_set():
                process.kill()  # it only reads
    said = (out if process.returncode == 0 else err).decode(errors="replace").strip().splitlines()
    sentence = said[-1].removeprefix("vitrine: ") if said else "it said nothing"
    return process.returncode, sentence
