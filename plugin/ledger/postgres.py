"""The store of several machines: one PostgreSQL database, whose transactions are the lock.

Each commit locks the head row, reads it, and writes behind it; who comes meanwhile waits. Tables, triggers and rights
are `postgres_schema`'s, connections and the meaning of errors `postgres_connection`'s.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import psycopg
from psycopg.errors import Diagnostic, QueryCanceled, UndefinedTable

from plugin.ledger import postgres_array
from plugin.ledger.criteria import Hit, Mark, SearchTooLong, Step
from plugin.ledger.errors import LedgerBroken, LedgerUnavailable
from plugin.ledger.postgres_connection import READ_SECONDS, Connection, Dsn, connect, read, written
from plugin.ledger.postgres_schema import (
    INDEXED_CHARACTERS,
    IS_OWN,
    SAFE_SETTINGS,
    check_aids,
    check_may_append,
    check_role,
    check_server,
    check_settings,
    check_tables,
)
from plugin.ledger.postgres_search import UNORDERED_PLANS, is_ordered, statement
from plugin.ledger.postgres_shelf import PostgresShelf
from plugin.ledger.postgres_text import MARK, from_text, to_text
from plugin.ledger.record import SEARCH_COLUMNS, StoredRecord
from plugin.ledger.store import Batch, Head, Meta, Row, head_of

LOCK_SECONDS = 2.0
"""How long a writer waits for another's transaction; one takes a few milliseconds."""
STATEMENT_SECONDS = 5.0
"""How long one statement may take. PostgreSQL bounds no COMMIT that waits for a standby: ANSWER_SECONDS does."""
IDLE_SECONDS = 5.0
"""After this a transaction whose owner says nothing is ended: a machine that froze must not hold the others up."""

ROW = "position, header, body, " + ", ".join(SEARCH_COLUMNS)
"""The columns of a row, in the order of `Row`."""
_HEAD = "SELECT size, edge, checkpoint, time FROM ledger.head"
_GUARDED_HEAD = _HEAD.replace(" FROM", "".join(f", current_setting('{name}')" for name in SAFE_SETTINGS) + " FROM")
_ADD = (
    f"WITH added AS (INSERT INTO ledger.records ({ROW}) SELECT * FROM unnest"  # noqa: S608
    f"(%b::bigint[], %b::bytea[], %b::bytea[]{', %b::text[]' * len(SEARCH_COLUMNS)}) RETURNING 1)"
    " UPDATE ledger.head SET size = %s, edge = %b, checkpoint = %s, time = %s RETURNING (SELECT count(*) FROM added)"
)
"""A batch and the head behind it in one statement: a fifth faster than in two, or than in psycopg's pipeline."""
_IS_RECORD, _IS_REQUEST = (
    f"(left({name}, {INDEXED_CHARACTERS}) = left(%(name)s, {INDEXED_CHARACTERS}) AND {name} = %(name)s)"
    for name in ("record", "request")
)


class PostgresStore:
    """A `Store` in a database, with one connection, opened at the first use and after each failure."""

    def __init__(self, dsn: Dsn) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._opened_by = 0
        self._warned = False
        self._newest: Row | None = None
        """Of those that were committed here, by whichever connection."""
        self._recognised = False
        """Whether the server of this connection was seen to have it."""

    def meta(self) -> Meta:
        """See `Store.meta`. LedgerUnavailable also if the server's settings or our role's rights are unsafe."""
        with written():
            connection = self._open()
            check_server(connection)
            check_tables(connection)
            check_role(connection)
            check_may_append(connection)
            return _read_meta(connection)

    def commit(self, make_batch: Callable[[Head], Batch]) -> None:
        """See `Store.commit`."""
        with written(), self._locked() as (connection, newest):
            batch = make_batch(newest)
            self._recognise(connection)
            head = batch.head
            new_head = (head.size, head.edge.to_bytes(), head.checkpoint, head.time)
            added = connection.execute(_ADD, [*_arrays(batch.rows), *new_head], prepare=True).fetchone()
            if added != (len(batch.rows),):
                raise LedgerBroken("the table of records did not take each record that it was given")
            PostgresShelf(connection).fill(newest.size, head.size)
            self._warned = False
            if connection.execute("COMMIT", prepare=False).statusmessage != "COMMIT":
                raise LedgerUnavailable("PostgreSQL rolled the transaction back")
            if self._warned:  # the wait for a standby's confirmation was cut short: PostgreSQL calls that a success
                raise LedgerUnavailable("PostgreSQL committed with a warning: the standby may not have the record")
            self._newest = batch.rows[-1]

    def tail(self, count: int) -> tuple[Head, Sequence[Row]]:
        """See `Store.tail`."""
        with written(), self._transaction("REPEATABLE READ READ ONLY", _GUARDED_HEAD) as (connection, head):
            newest = f"SELECT {ROW} FROM ledger.records ORDER BY position DESC LIMIT %s"  # noqa: S608
            rows = [_as_row(values) for values in connection.execute(newest, (count,), binary=True)]
            return head, rows[::-1]

    def contains(self, record: str) -> bool:
        """See `Store.contains`.

        A commit whose connection was lost may still be under way at the server. It holds the head, so whoever gets
        the head after it sees what became of it.
        """
        with written(), self._locked() as (connection, _):
            found = connection.execute(f"SELECT 1 FROM ledger.records WHERE {_IS_RECORD} LIMIT 1", _named(record))  # noqa: S608
            return found.fetchone() is not None

    def close(self) -> None:
        """See `Store.close`."""
        connection, self._connection = self._connection, None
        if connection is not None and self._opened_by == os.getpid():
            connection.close()

    def _open(self) -> Connection:
        if self._connection is not None and self._opened_by != os.getpid():
            # It is our parent's: to say anything over it, even good-bye, would come between the parent and its server.
            _inherited.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection = connect(self._dsn, writes=True)
            self._connection.add_notice_handler(self._notice)
            postgres_array.register(self._connection.adapters)
            self._recognised = False
            self._opened_by = os.getpid()
        return self._connection

    def _recognise(self, connection: Connection) -> None:
        """Raises LedgerBroken unless this server has what was committed here before: it may be another one by now.

        One that was left behind, and went on by itself, can have a longer history that we signed too.
        """
        if self._recognised or self._newest is None:
            return
        header = "SELECT header FROM ledger.records WHERE position = %s"
        found = connection.execute(header, (self._newest.position,), binary=True).fetchone()
        if found != (self._newest.header,):
            raise LedgerBroken(f"record {self._newest.position} is not the one that this process wrote")
        self._recognised = True

    def _notice(self, notice: Diagnostic) -> None:
        self._warned |= notice.severity_nonlocalized == "WARNING"

    def _locked(self) -> AbstractContextManager[tuple[Connection, Head]]:
        """A transaction in which nobody else can change the head. READ COMMITTED: the head as it is after waiting."""
        return self._transaction("READ COMMITTED READ WRITE", f"{_GUARDED_HEAD} FOR UPDATE")

    @contextmanager
    def _transaction(self, mode: str, head_query: str) -> Iterator[tuple[Connection, Head]]:
        """A transaction and the head in it, rolled back unless it was committed inside."""
        begin = f"{_begin(mode)}; {head_query}"
        try:
            connection = self._open()
            try:
                opened = connection.execute(begin, prepare=False)
            except psycopg.OperationalError:
                if not connection.broken:
                    raise
                # The server was restarted, or another took over, since the last commit. Nothing was done yet.
                self.close()
                connection = self._open()
                opened = connection.execute(begin, prepare=False)
            yield connection, _safe_head(opened.set_result(-1).fetchone())
        finally:
            if self._connection is not None and not self._connection.settle():
                self.close()


_inherited: list[Connection] = []
"""Kept, so that nothing finishes them."""


class View:
    """What a reader sees of a ledger. Every method may raise LedgerBroken, or psycopg.Error, which `reading` turns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def freeze(self) -> None:
        """From here on everything is seen as of one moment."""
        self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def check_tables(self) -> None:
        """Raises LedgerBroken unless the tables are ours."""
        check_tables(self._connection)

    def check_aids(self) -> None:
        """See `store.View.check_aids`."""
        check_aids(self._connection)

    def meta(self) -> Meta:
        """What the ledger was made with."""
        return _read_meta(self._connection)

    def head(self) -> Head:
        """The newest head."""
        return head_of(self._connection.execute(_HEAD).fetchone())

    def shelf(self) -> PostgresShelf:
        """The stored hashes of the tree."""
        return PostgresShelf(self._connection)

    def bounds(self) -> tuple[int | None, int | None]:
        """The lowest and the highest position that there is; None if there are no records."""
        found = self._connection.execute("SELECT min(position), max(position) FROM ledger.records").fetchone()
        return (None, None) if found is None else (found[0], found[1])

    def rows(self, first: int, end: int) -> Iterator[tuple]:  # type: ignore[type-arg]  # `record.flaw` checks them
        """The rows from `first` to before `end`, in order: position, header, body and SEARCH_COLUMNS.

        They are brought all at once.
        """
        found = self._connection.execute(
            f"SELECT {ROW} FROM ledger.records WHERE position >= %s AND position < %s ORDER BY position",  # noqa: S608
            (first, end),
            binary=True,
        )
        return map(_decoded, found)

    def records(self, first: int, last: int, limit: int) -> list[StoredRecord]:
        """The first `limit` of the records from `first` to `last`, both included, in order."""
        found = self._connection.execute(
            "SELECT position, header, body FROM ledger.records WHERE position BETWEEN %s AND %s"
            " ORDER BY position LIMIT %s",
            (first, last, limit),
            binary=True,
        )
        return [StoredRecord(*values) for values in found]

    def find(self, name: str) -> list[StoredRecord]:
        """The records whose record id or request id is `name`, in order."""
        found = self._connection.execute(
            f"SELECT position, header, body FROM ledger.records WHERE {_IS_RECORD} OR {_IS_REQUEST}"  # noqa: S608
            " ORDER BY position",
            _named(name),
            binary=True,
        )
        return [StoredRecord(*values) for values in found]

    def own(self, action: str) -> list[StoredRecord]:
        """See `store.View.own`."""
        found = self._connection.execute(
            f"SELECT position, header, body FROM ledger.records WHERE action = %s AND {IS_OWN} ORDER BY position",  # noqa: S608
            (action,),
            binary=True,
        )
        return [StoredRecord(*values) for values in found]

    def matching(self, step: Step, give_up_at: float | None = None) -> list[Hit]:
        """See `store.View.matching`."""
        given = dict.fromkeys(UNORDERED_PLANS, "off" if is_ordered(step) else "on")
        if give_up_at is not None:
            given["statement_timeout"] = str(max(1, round((give_up_at - time.monotonic()) * 1e3)))
        self._connection.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s (name, value)",
            [list(given), list(given.values())],
        )
        try:
            found = self._connection.execute(*statement(step), binary=True).fetchall()
        except QueryCanceled:
            if give_up_at is None:
                raise
            raise SearchTooLong("the search took too long") from None
        return [Hit(Mark(when, position), StoredRecord(position, *record)) for when, position, *record in found]


@contextmanager
def reading(dsn: Dsn, seconds: float = READ_SECONDS, *, lags: bool = True) -> Iterator[View]:
    """A view over a connection of its own. What PostgreSQL raises inside becomes LedgerUnreadable, damage LedgerBroken.

    It may lead to a standby, whose head is some moments old, unless `lags` is False. `seconds`: how long each statement
    may take.
    """
    with read():
        connection = connect(dsn, writes=not lags)
        connection.answer_seconds = seconds
        try:
            connection.execute(f"SET default_transaction_read_only = on; SET statement_timeout = '{seconds:.0f}s'")
            yield View(connection)
        except UndefinedTable:  # all of them, or one
            connection.settle()
            check_tables(connection)
            raise
        finally:
            connection.close()


def _read_meta(connection: Connection) -> Meta:
    """Raises LedgerBroken if there is none, or psycopg.Error."""
    row = connection.execute("SELECT format, origin, vkey FROM ledger.meta").fetchone()
    if row is None:
        raise LedgerBroken("the ledger does not say where it comes from")
    return Meta(*row)


def _decoded(values: tuple) -> tuple:  # type: ignore[type-arg]  # what was stored is checked by `record.flaw`
    """A row of `SELECT {ROW}`, with the search columns as they were given."""
    facts = values[3:]
    if MARK in "".join(filter(None, facts)):  # once for all of them: hardly ever is there one
        facts = tuple(map(from_text, facts))
    return (*values[:3], *facts)


def _as_row(values: tuple) -> Row:  # type: ignore[type-arg]
    position, header, body, *facts = _decoded(values)
    return Row(position, header, body, tuple(facts))


def _named(name: str) -> dict[str, str | None]:
    return {"name": to_text(name)}


def _arrays(rows: Sequence[Row]) -> list[postgres_array.Array]:
    """The rows as columns, for one statement that takes them all."""
    positions, headers, bodies = ([getattr(row, name) for row in rows] for name in ("position", "header", "body"))
    facts = zip(*(row.columns for row in rows), strict=True)
    return [
        postgres_array.bigints(positions),
        *map(postgres_array.byteas, (headers, bodies)),
        *map(postgres_array.texts, facts),
    ]


def _safe_head(row: tuple | None) -> Head:  # type: ignore[type-arg]
    """The head, if the server keeps what it acknowledges: a reload can change that while it runs."""
    if row is not None:
        check_settings(dict(zip(SAFE_SETTINGS, row[4:], strict=True)))
    return head_of(row and row[:4])


def _begin(mode: str) -> str:
    """What opens a transaction and bounds it, whatever the server's, the database's or the role's defaults say.

    That no standby confirmed a commit is said by a warning, and by nothing else.
    """
    limits = {"lock": LOCK_SECONDS, "statement": STATEMENT_SECONDS, "idle_in_transaction_session": IDLE_SECONDS}
    bounds = "".join(
        f", set_config('{name}_timeout', '{round(seconds * 1e3)}', true)" for name, seconds in limits.items()
    )
    kept = "set_config('synchronous_commit', 'on', true), set_config('client_min_messages', 'warning', true)"
    return f"BEGIN ISOLATION LEVEL {mode}; SELECT {kept}{bounds}"
