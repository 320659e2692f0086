"""Finds records by their search columns, a page at a time, the same page again however many are appended meanwhile.

Order is by time, then position: the clock of a machine may step back, so the one does not follow from the other. What
a record says beyond its columns is for the caller to judge, and who may read it too.
"""

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from plugin.ledger.errors import LedgerError, LedgerMissing
from plugin.ledger.record import SEARCH_COLUMNS, StoredRecord
from plugin.ledger.sqlite import read_head, reading

FIRST_CHUNK = 64
"""Rows of the first query: a page and a little. Each further one takes four times as many, up to LAST_CHUNK."""
LAST_CHUNK = 1_024
_STEPS = 20_000
"""SQLite's own instructions between two looks at the clock: some milliseconds."""


class SearchTooLong(LedgerError):
    """The search was given up because its time had run out. What it found by then is not the whole."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The column has one of these values; none: no record does."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """The column has none of these values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Containing:
    """One of these texts stands in the stored body, byte for byte: no index helps, but little is faster to rule out."""

    texts: tuple[str, ...]


Condition = OneOf | NoneOf | Containing


@dataclass(frozen=True, slots=True)
class Criteria:
    """What the columns must say; all of it must hold. A record whose body was purged is found by nothing."""

    way_in: OneOf | None = None
    """The condition by whose index records are reached. It should hold for few, and its column must have an index with
    the time; None: all records of the period are gone through."""
    others: tuple[Condition, ...] = ()
    since: str | None = None
    """As `encode_time` writes it; included."""
    until: str | None = None
    """Not included."""
    positions: tuple[int, ...] | None = None
    """Only these."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the order of a search."""

    time: str
    position: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A record, and the place where a search stands when it has come to it."""

    mark: Mark
    record: StoredRecord


class Searcher:
    """Searches the ledger at `path`. Holds nothing open between chunks, so that a slow reader holds up nobody.

    Every method may raise LedgerUnreadable, or LedgerBroken if the file is damaged or has no head.
    """

    def __init__(self, path: Path) -> None:
        """Raises LedgerMissing if there is no file."""
        if not path.is_file():
            raise LedgerMissing(f"{path}: there is no ledger")
        self._path = path

    def size(self) -> int:
        """How many records there are now: the snapshot for a search that begins."""
        with reading(self._path) as connection:
            return read_head(connection).size

    def hits(
        self,
        criteria: Criteria,
        *,
        size: int,
        newest_first: bool = True,
        after: Mark | None = None,
        give_up_at: float | None = None,
    ) -> Iterator[Hit]:
        """The records below position `size` that meet `criteria`, in order, those beyond `after` only.

        `give_up_at` is a moment of `time.monotonic`: once it has passed, SearchTooLong is raised.
        """
        entrances = [None] if criteria.way_in is None else list(dict.fromkeys(criteria.way_in.values))
        # One stream for each value: the index is in order of time within one value only.
        streams = [
            self._stream(_Statement.of(criteria, entrance, size, newest_first), after, give_up_at)
            for entrance in entrances
        ]
        return heapq.merge(*streams, key=lambda hit: (hit.mark.time, hit.mark.position), reverse=newest_first)

    def _stream(self, statement: "_Statement", after: Mark | None, give_up_at: float | None) -> Iterator[Hit]:
        chunk = FIRST_CHUNK
        while True:
            hits = self._chunk(statement, after, chunk, give_up_at)
            yield from hits
            if len(hits) < chunk:
                return
            after = hits[-1].mark
            chunk = min(chunk * 4, LAST_CHUNK)

    def _chunk(self, statement: "_Statement", after: Mark | None, count: int, give_up_at: float | None) -> list[Hit]:
        sql, values = statement.beyond(after, count)
        with reading(self._path) as connection:
            if give_up_at is not None:
                connection.set_progress_handler(lambda: time.monotonic() > give_up_at, _STEPS)
            try:
                rows = connection.execute(sql, values).fetchall()
            except apsw.InterruptError as error:
                raise SearchTooLong("the search took too long") from error
        if give_up_at is not None and time.monotonic() > give_up_at:
            raise SearchTooLong("the search took too long")
        return [_hit(row) for row in rows]


_Value = str | int | bytes


@dataclass(frozen=True, slots=True)
class _Statement:
    """SQL for one way in. Names of columns are ours; every value is bound."""

    conditions: tuple[str, ...]
    values: tuple[_Value, ...]
    newest_first: bool

    @classmethod
    def of(cls, criteria: Criteria, entrance: str | None, size: int, newest_first: bool) -> "_Statement":
        conditions, values = ["position < ?", "body IS NOT NULL"], list[_Value]([size])
        if criteria.way_in is not None and entrance is not None:
            conditions.append(f"{_checked(criteria.way_in.column)} = ?")
            values.append(entrance)
        for each in criteria.others:
            conditions.append(_condition(each))
            values += [text.encode() for text in each.texts] if isinstance(each, Containing) else each.values
        if criteria.positions is not None:
            conditions.append(f"position IN ({_places(criteria.positions)})")
            values += criteria.positions
        for comparison, bound in (("time >= ?", criteria.since), ("time < ?", criteria.until)):
            if bound is not None:
                conditions.append(comparison)
                values.append(bound)
        return cls(tuple(conditions), tuple(values), newest_first)

    def beyond(self, after: Mark | None, count: int) -> tuple[str, tuple[_Value, ...]]:
        """The statement for the next `count` records beyond `after`, and its values."""
        conditions, values = self.conditions, self.values
        if after is not None:
            # The first of the two is implied by the second, and is what the index is entered by.
            closer, further = ("<=", "<") if self.newest_first else (">=", ">")
            conditions += (f"time {closer} ?", f"(time, position) {further} (?, ?)")
            values += (after.time, after.time, after.position)
        order = "DESC" if self.newest_first else "ASC"
        return (
            f"SELECT time, position, header, body FROM records WHERE {' AND '.join(conditions)}"  # noqa: S608
            f" ORDER BY time {order}, position {order} LIMIT ?",
            (*values, count),
        )


def _hit(row: tuple[Any, ...]) -> Hit:
    when, position, header, body = row
    return Hit(Mark(when, position), StoredRecord(position, header, body))


def _condition(condition: Condition) -> str:
    if isinstance(condition, Containing):
        return f"({' OR '.join(['instr(body, ?) > 0'] * len(condition.texts)) or '0 = 1'})"
    # The plus keeps SQLite from another way in than the one that was chosen: it has no statistics to choose by.
    if not condition.values:
        return "0 = 1" if isinstance(condition, OneOf) else "0 = 0"
    word = "IN" if isinstance(condition, OneOf) else "NOT IN"
    return f"+{_checked(condition.column)} {word} ({_places(condition.values)})"


def _places(values: tuple[str, ...] | tuple[int, ...]) -> str:
    return ", ".join("?" * len(values))


def _checked(column: str) -> str:
    if column not in SEARCH_COLUMNS:
        raise ValueError(f"{column!r} is no search column")
    return column
