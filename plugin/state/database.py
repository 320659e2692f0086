"""A small SQLite file of the state that all processes of one machine share, where what is written must last.

Quotas have a file of their own: losing their last moments is acceptable, losing a suspension is not.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import structlog

from plugin.errors import StateUnavailable

BUSY_MILLISECONDS = 1000
"""How long a process waits for another one's transaction, which lasts as long as the disk takes to confirm it."""

TOLD_SECONDS = 60.0
"""Between two lines of the process log on the same file."""

log = structlog.get_logger()

Version = tuple[apsw.Connection, int, int]
"""Of what one connection sees: by itself, by others, by its own changes."""


class Database:
    """The file at `path`, made with `schema` where there is none. Safe to call from several threads and processes."""

    def __init__(self, path: Path, schema: str, *, lasting: bool = True) -> None:
        """Opens nothing yet. `schema`: statements that may be run again.

        `lasting`: False where the last moments may be lost in a power failure: commits do not wait for the disk.
        """
        self._path = path
        self._synchronous = "FULL" if lasting else "OFF"
        self._schema = schema
        self._lock = threading.Lock()
        self._connection: apsw.Connection | None = None
        self._opened_by = 0
        self._file: tuple[int, int] | None = None
        self._told: float | None = None

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """The connection, for one statement that sees what any process has committed. Raises StateUnavailable."""
        try:
            with self._lock:
                yield self._open()
        except apsw.Error as error:
            self._tell(error)
            raise StateUnavailable from error

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """A transaction of its own, durable when the block is left. Raises StateUnavailable: nothing was changed."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def check(self) -> None:
        """Raises StateUnavailable unless something can be written: a full disk is found by nothing else."""
        with self.writing() as connection:
            connection.execute("PRAGMA user_version = 0")  # which writes it, though it is 0 already

    def version(self, connection: apsw.Connection) -> Version:
        """Equal to an earlier one exactly where nothing was committed in between, by this process or another."""
        counted: Any = connection.execute("PRAGMA data_version").get
        return connection, counted, connection.total_changes()

    def _tell(self, error: apsw.Error) -> None:
        """Whoever asks hears of no file."""
        now = time.monotonic()
        if self._told is None or now - self._told >= TOLD_SECONDS:
            self._told = now
            log.error(
                "state that is needed cannot be read or written", file=str(self._path), problem=type(error).__name__
            )

    def _open(self) -> apsw.Connection:
        """This process's connection: one opened before a fork must not be used after it, nor to a file that is gone."""
        if self._connection is not None and self._opened_by == os.getpid() and self._found() != self._file:
            log.warning("state was removed or replaced under a gateway that serves", file=str(self._path))
            with suppress(apsw.Error):
                self._connection.close()
            self._connection = None
        if self._connection is None or self._opened_by != os.getpid():
            connection = apsw.Connection(str(self._path))
            connection.set_busy_timeout(BUSY_MILLISECONDS)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute(self._schema)
            self._connection, self._opened_by, self._file = connection, os.getpid(), self._found()
        return self._connection

    def _found(self) -> tuple[int, int] | None:
        """Which file is there now; None: no file."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
