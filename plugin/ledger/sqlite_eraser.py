"""Removes bodies and search columns from the embedded ledger: a `disposal.Eraser` on its file.

What goes is overwritten in the file (`secure_delete`), and SQLite's log is emptied. Copies are elsewhere: in backups,
and on media that keep what was overwritten.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from plugin.ledger.claim import claimed
from plugin.ledger.errors import LedgerMissing, LedgerUnavailable
from plugin.ledger.record import SEARCH_COLUMNS
from plugin.ledger.retention import Ranges, extend
from plugin.ledger.sqlite import ONLY_PURGE, check_tables, connect, written

PAUSE_SECONDS = 0.01
"""Between two transactions: who waits for the lock looks for it every quarter of a millisecond."""

_TRIGGER = "records_are_never_changed"
_FACTS = ", ".join(f"{name} = NULL" for name in ("body", *SEARCH_COLUMNS))
_ERASE = f"UPDATE records SET {_FACTS} WHERE position BETWEEN ? AND ? AND body IS NOT NULL"  # noqa: S608


class SqliteEraser:
    """See `disposal.Eraser`."""

    def __init__(self, path: Path) -> None:
        """Raises LedgerMissing if there is no file."""
        if not path.is_file():
            raise LedgerMissing(f"{path}: there is no ledger")
        self._path = path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See `Eraser.alone`."""
        with claimed(self._path, "purging") as mine:
            if not mine:
                raise LedgerUnavailable("another purge or change of key of this ledger is under way")
            yield

    def erase(self, batches: Iterable[Sequence[int]]) -> int:
        """See `Eraser.erase`."""
        with written(self._path):
            connection = connect(self._path, apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.execute("PRAGMA secure_delete = ON")
                check_tables(connection)
                _allow(connection)
                erased = 0
                for positions in batches:
                    erased += _erase(connection, positions)
                    time.sleep(PAUSE_SECONDS)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return erased
            finally:
                connection.close(True)


def _erase(connection: apsw.Connection, positions: Sequence[int]) -> int:
    ranges: Ranges = []
    for position in positions:
        extend(ranges, position)
    connection.execute("BEGIN IMMEDIATE")
    try:
        before = connection.total_changes()
        connection.executemany(_ERASE, ranges)
        erased = connection.total_changes() - before
        connection.execute("COMMIT")
    except apsw.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return erased


def _allow(connection: apsw.Connection) -> None:
    """A ledger that was made before there were purges has a trigger that refuses them too: put ours in its place."""
    found = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?", (_TRIGGER,)).get
    if found != ONLY_PURGE:
        connection.execute(f"BEGIN IMMEDIATE; DROP TRIGGER IF EXISTS {_TRIGGER}; {ONLY_PURGE}; COMMIT")
