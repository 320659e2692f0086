"""Brings the ledger's newest checkpoint to the files of `ledger.sinks`, while `serve` runs and when it stops.

Never in the way of a release: a sink that cannot be written is told in the log, and tried again.
"""

import os
import threading

import structlog

from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader
from plugin.settings import FileSink, LedgerSettings

EVERY_SECONDS = 30.0
"""The promise is 60; half of it leaves room for a slow disk."""

log = structlog.get_logger()


class Deliveries:
    """Appends each new checkpoint to every file sink."""

    def __init__(self, ledger: LedgerSettings) -> None:
        self._ledger = ledger
        self._delivered: dict[FileSink, str] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="checkpoints")

    def start(self) -> None:
        """Deliver now and from then on."""
        if self._ledger.sinks:
            self._thread.start()

    def finish(self) -> None:
        """Deliver what the stop itself added."""
        if self._ledger.sinks:
            self._stopped.set()
            self._thread.join(1.0)
            self._deliver()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._deliver()
            self._stopped.wait(EVERY_SECONDS)

    def _deliver(self) -> None:
        try:
            note = Reader(self._ledger.path).head().checkpoint
        except LedgerError as error:
            log.error("no checkpoint could be read for the sinks", problem=str(error))
            return
        for sink in self._ledger.sinks:
            if self._delivered.get(sink) == note:
                continue
            try:
                _append(sink, note)
            except OSError as error:
                log.error("a checkpoint could not be delivered", sink=str(sink.path), problem=error.strerror)
            else:
                self._delivered[sink] = note


def _append(sink: FileSink, note: str) -> None:
    """A signed note ends with a line of its own; an empty line parts it from the next."""
    with sink.path.open("a", encoding="utf-8") as file:
        file.write(note + "\n")
        file.flush()
        os.fsync(file.fileno())
