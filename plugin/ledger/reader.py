"""Reads a ledger's records and head, also while another process writes. Checks nothing: that is `verify`.

Who may read content, and what record that leaves, is for `plugin.audit`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plugin.ledger.errors import LedgerMissing
from plugin.ledger.record import StoredRecord
from plugin.ledger.shelf import SqliteShelf
from plugin.ledger.sqlite import read_head, read_meta, reading
from plugin.ledger.store import Head, Meta
from plugin.ledger.tree import Tree

CHUNK = 1_000
"""Records read at a time: no read transaction lasts longer, so a slow consumer never keeps SQLite's log growing."""


class Reader:
    """The reading end. Holds nothing open between calls.

    Every method may raise LedgerUnreadable, or LedgerBroken if the file is damaged or has no head.
    """

    def __init__(self, path: Path) -> None:
        """Raises LedgerMissing if there is no file."""
        if not path.is_file():
            raise LedgerMissing(f"{path}: there is no ledger")
        self._path = path

    def meta(self) -> Meta:
        """What the ledger says of itself: its origin and `vkey`. Trust only a `vkey` that was kept elsewhere."""
        with reading(self._path) as connection:
            return read_meta(connection)

    def head(self) -> Head:
        """The newest head: `size`, `root`, `checkpoint`."""
        with reading(self._path) as connection:
            return read_head(connection)

    def records(self, first: int = 0, last: int | None = None) -> Iterator[StoredRecord]:
        """Records `first` to `last`, both included, in order; None is the newest at the time of this call.

        Memory stays flat. A record that is missing from the file is left out; `verify` tells of it.
        """
        newest = self.head().size - 1
        return self._records(first, newest if last is None else min(last, newest))

    def find(self, name: str) -> list[StoredRecord]:
        """The records whose record id or request id is `name`, in order."""
        with reading(self._path) as connection:
            found = connection.execute(
                "SELECT position, header, body FROM records WHERE record = ?1"
                " UNION SELECT position, header, body FROM records WHERE request = ?1 ORDER BY position",
                (name,),
            )
            return [_record(row) for row in found]

    @contextmanager
    def tree(self) -> Iterator[Tree]:
        """The tree as it is now, to prove things about it; close it soon."""
        with reading(self._path) as connection:
            connection.execute("BEGIN")
            yield Tree(read_head(connection), SqliteShelf(connection))

    def _records(self, first: int, last: int) -> Iterator[StoredRecord]:
        with reading(self._path) as connection:
            while first <= last:
                rows = connection.execute(
                    "SELECT position, header, body FROM records WHERE position BETWEEN ? AND ?"
                    " ORDER BY position LIMIT ?",
                    (first, last, CHUNK),
                ).fetchall()
                if not rows:
                    return
                for row in rows:
                    yield _record(row)
                first = _record(rows[-1]).position + 1


def _record(row: tuple[Any, ...]) -> StoredRecord:
    return StoredRecord(row[0], row[1], row[2])
