"""What a reader sees of the embedded store: a `store.View` of one SQLite file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from plugin.ledger.criteria import Hit, Mark, SearchTooLong, Step
from plugin.ledger.errors import LedgerMissing
from plugin.ledger.record import StoredRecord
from plugin.ledger.shelf import SqliteShelf
from plugin.ledger.sqlite import IS_OWN, ROW, check_aids, check_tables, read_head, read_meta, reading
from plugin.ledger.sqlite_search import statement
from plugin.ledger.store import Head, Meta, Opening

_ROWS = f"SELECT {ROW} FROM records WHERE position >= ? AND position < ? ORDER BY position"  # noqa: S608

_OWN = f"SELECT position, header, body FROM records WHERE action = ? AND {IS_OWN} ORDER BY position"  # noqa: S608
_STEPS = 20_000
"""SQLite's own instructions between two looks at the clock: some milliseconds."""


class SqliteView:
    """See `store.View`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def freeze(self) -> None:
        """See `View.freeze`."""
        self._connection.execute("BEGIN")

    def check_tables(self) -> None:
        """See `View.check_tables`."""
        check_tables(self._connection)

    def check_aids(self) -> None:
        """See `View.check_aids`."""
        check_aids(self._connection)

    def meta(self) -> Meta:
        """See `View.meta`."""
        return read_meta(self._connection)

    def head(self) -> Head:
        """See `View.head`."""
        return read_head(self._connection)

    def shelf(self) -> SqliteShelf:
        """See `View.shelf`."""
        return SqliteShelf(self._connection)

    def bounds(self) -> tuple[int | None, int | None]:
        """See `View.bounds`. Two questions: SQLite looks up one end of an index at once, but reads it all for both."""
        lowest = self._connection.execute("SELECT min(position) FROM records").get
        return lowest, self._connection.execute("SELECT max(position) FROM records").get

    def rows(self, first: int, end: int) -> Iterator[tuple[Any, ...]]:
        """See `View.rows`."""
        return self._connection.execute(_ROWS, (first, end))

    def records(self, first: int, last: int, limit: int) -> list[StoredRecord]:
        """See `View.records`."""
        found = self._connection.execute(
            "SELECT position, header, body FROM records WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?",
            (first, last, limit),
        )
        return [StoredRecord(*row) for row in found]

    def find(self, name: str) -> list[StoredRecord]:
        """See `View.find`."""
        found = self._connection.execute(
            "SELECT position, header, body FROM records WHERE record = ?1"
            " UNION SELECT position, header, body FROM records WHERE request = ?1 ORDER BY position",
            (name,),
        )
        return [StoredRecord(*row) for row in found]

    def matching(self, step: Step, give_up_at: float | None = None) -> list[Hit]:
        """See `View.matching`."""
        if give_up_at is not None:
            self._connection.set_progress_handler(lambda: time.monotonic() > give_up_at, _STEPS)
        try:
            rows: list[tuple[Any, ...]] = self._connection.execute(*statement(step)).fetchall()
        except apsw.InterruptError as error:
            raise SearchTooLong("the search took too long") from error
        return [Hit(Mark(when, position), StoredRecord(position, *record)) for when, position, *record in rows]

    def own(self, action: str) -> list[StoredRecord]:
        """See `View.own`."""
        return [StoredRecord(*row) for row in self._connection.execute(_OWN, (action,))]


@contextmanager
def viewing(path: Path) -> Iterator[SqliteView]:
    """A view of the ledger in an existing file. Raises LedgerMissing, LedgerUnreadable, or LedgerBroken on damage."""
    if not path.is_file():
        raise LedgerMissing(f"{path}: there is no ledger")
    with reading(path) as connection:
        yield SqliteView(connection)


def opening(place: Path | Opening) -> Opening:
    """How to open what is at `place`: a file, or what knows itself."""
    return partial(viewing, place) if isinstance(place, Path) else place
