"""The embedded store: one SQLite file in WAL mode, synced at every commit.

The transaction is the lock: `BEGIN IMMEDIATE` admits one writer of all processes, and the head is read inside it.
Never open the ledger's file by other means in a process that writes to it: closing any descriptor of a file drops
the process's POSIX locks on it (sqlite.org/howtocorrupt.html, 2.2).
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from plugin.ledger.errors import LedgerBroken, LedgerUnavailable, LedgerUnreadable, StorageFailed
from plugin.ledger.own import END, PREFIX
from plugin.ledger.record import SEARCH_COLUMNS
from plugin.ledger.shelf import TABLE as TILES
from plugin.ledger.shelf import SqliteShelf
from plugin.ledger.store import Batch, Head, Meta, Row, head_of
from plugin.ledger.tiles import is_due

BUSY_SECONDS = 2.0
"""How long a writer waits for another process's transaction; one takes a few milliseconds."""
_POLL_SECONDS = 0.00025
"""SQLite's own waiting sleeps up to 100 ms at a time: beside a busy process that loses every race for two seconds."""

_LOG_PAGES = 4_000
"""Of SQLite's log, 16 MB, before it is brought into the file, which takes two more syncs. A batch of 32 changes 70."""

TABLES = (
    """CREATE TABLE meta (
  only INTEGER PRIMARY KEY CHECK (only = 0),
  format INTEGER NOT NULL, origin TEXT NOT NULL, vkey TEXT NOT NULL
) STRICT""",
    """CREATE TABLE head (
  only INTEGER PRIMARY KEY CHECK (only = 0),
  size INTEGER NOT NULL, edge BLOB NOT NULL, checkpoint TEXT NOT NULL, time TEXT NOT NULL
) STRICT""",
    """CREATE TABLE records (
  position INTEGER PRIMARY KEY,
  header BLOB NOT NULL,
  body BLOB,
  time TEXT, tenant TEXT, action TEXT, outcome TEXT, person TEXT, patient TEXT, client TEXT, feed TEXT,
  request TEXT, record TEXT
) STRICT""",
)
"""Word for word as SQLite keeps them: `check_tables` compares."""
DERIVED = (TILES,)
"""Tables that a ledger may have besides; each is made when it is first needed."""
IS_OWN = f"action >= '{PREFIX}' AND action < '{END}'"
"""Word for word in the index and in what asks by it: SQLite uses a partial index for nothing else."""
_GONE = " AND ".join(f"NEW.{name} IS NULL" for name in ("body", *SEARCH_COLUMNS))
# The triggers keep a slip of an administrator out; against intent there is `verify`.
ONLY_PURGE = f"""CREATE TRIGGER records_are_never_changed BEFORE UPDATE ON records
  WHEN NOT (NEW.position = OLD.position AND NEW.header = OLD.header AND {_GONE})
  BEGIN SELECT RAISE(ABORT, 'records are append-only, but for a purge'); END"""
"""A purge takes a body and all search columns together, and can touch nothing else."""
AIDS = (
    "CREATE INDEX records_by_person ON records (person, time) WHERE person IS NOT NULL",
    "CREATE INDEX records_by_patient ON records (patient, time) WHERE patient IS NOT NULL",
    "CREATE INDEX records_by_outcome ON records (outcome, time)",
    "CREATE INDEX records_by_action ON records (action, time)",
    "CREATE INDEX records_by_time ON records (time)",
    "CREATE INDEX records_by_request ON records (request) WHERE request IS NOT NULL",
    "CREATE INDEX records_by_record ON records (record) WHERE record IS NOT NULL",
    f"CREATE INDEX records_of_the_ledger ON records (action, position) WHERE {IS_OWN}",
    ONLY_PURGE,
    """CREATE TRIGGER records_are_never_deleted BEFORE DELETE ON records
  BEGIN SELECT RAISE(ABORT, 'records are append-only'); END""",
)
"""What makes the tables quick to search and hard to change by mistake. Word for word as SQLite keeps them."""

ROW = "position, header, body, " + ", ".join(SEARCH_COLUMNS)
"""The columns of a row in the order in which `as_row` takes them."""
_VALUES = f"({', '.join('?' * (3 + len(SEARCH_COLUMNS)))})"
_INSERTS = {count: f"INSERT INTO records ({ROW}) VALUES {', '.join([_VALUES] * count)}" for count in (64, 8, 1)}  # noqa: S608
"""By how many rows each adds. A thread gives Python's lock away at each step of a statement and, in a busy process,
gets it back milliseconds later: so a batch takes few steps, and few different statements, which are kept prepared."""
_HEAD = "SELECT size, edge, checkpoint, time FROM head"
_LOCKED_HEAD = f"BEGIN IMMEDIATE; {_HEAD}"
_NEW_HEAD = "UPDATE head SET size = ?, edge = ?, checkpoint = ?, time = ?"
_TAIL = f"SELECT {ROW} FROM records ORDER BY position DESC LIMIT ?"  # noqa: S608


class SqliteStore:
    """A `Store` in one file, with one connection, opened at the first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: apsw.Connection | None = None
        self._opened_by = 0
        self._file = (0, 0)

    def meta(self) -> Meta:
        """See `Store.meta`."""
        with written(self._path):
            connection = self._open()
            check_tables(connection)
            return read_meta(connection)

    def commit(self, make_batch: Callable[[Head], Batch]) -> None:
        """See `Store.commit`."""
        with written(self._path):
            connection = self._open()
            self._check_file()
            with self._transaction(connection, _LOCKED_HEAD) as before:
                batch = make_batch(before)
                head = batch.head
                _insert(connection, batch.rows)
                if is_due(before.size, head.size):
                    SqliteShelf(connection).fill(before.size, head.size)
                new_head = (head.size, head.edge.to_bytes(), head.checkpoint, head.time)
                connection.execute(f"{_NEW_HEAD}; COMMIT", new_head)

    def tail(self, count: int) -> tuple[Head, Sequence[Row]]:
        """See `Store.tail`."""
        with written(self._path):
            connection = self._open()
            with self._transaction(connection, f"BEGIN; {_HEAD}") as head:
                rows = [as_row(row) for row in connection.execute(_TAIL, (count,))]
                return head, rows[::-1]

    def contains(self, record: str) -> bool:
        """See `Store.contains`."""
        with written(self._path):
            found = self._open().execute("SELECT 1 FROM records WHERE record = ? LIMIT 1", (record,))
            return found.fetchone() is not None

    def close(self) -> None:
        """See `Store.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # It holds no transaction, so there is nothing that a failing close could lose.
            with suppress(apsw.Error):
                connection.close()

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = connect(self._path, apsw.SQLITE_OPEN_READWRITE)
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            self._opened_by = os.getpid()
            self._file = _identity(self._path)
        elif self._opened_by != os.getpid():
            # SQLite's state in this process claims locks that only the parent holds: to use it, or even to close it,
            # can corrupt the file. `writer` closes before each fork that Python knows of; this one it did not.
            raise StorageFailed(f"{self._path} was opened before this process was forked")
        return self._connection

    def _check_file(self) -> None:
        """A file that was moved away takes writes as well as ever, and nobody would find the records."""
        if _identity(self._path) != self._file:
            raise LedgerBroken(f"{self._path} is not the file any more that was opened")

    @contextmanager
    def _transaction(self, connection: apsw.Connection, begin: str) -> Iterator[Head]:
        """A transaction and the head in it, rolled back unless it was committed inside."""
        try:
            yield head_of(connection.execute(begin).get)
        except apsw.IOError:
            # Neither what is in the file nor what this connection believes of it is known: let go of both.
            self.close()
            raise
        finally:
            if self._connection is not None and connection.in_transaction:
                with suppress(apsw.Error):  # it is the first error that counts
                    connection.execute("ROLLBACK")


def connect(path: Path, flags: int) -> apsw.Connection:
    """A connection with our settings. Raises apsw.Error."""
    connection = apsw.Connection(str(path), flags=flags)
    try:
        connection.set_busy_handler(_wait)
        # SQLite moves rows as a table grows: what it leaves behind would outlive a purge without secure_delete.
        connection.execute("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST")
    except apsw.Error:
        connection.close(True)
        raise
    return connection


def _wait(tries: int) -> bool:
    """SQLite asks after each try whether to go on trying."""
    time.sleep(_POLL_SECONDS)
    return tries * _POLL_SECONDS < BUSY_SECONDS


def _insert(connection: apsw.Connection, rows: Sequence[Row]) -> None:
    at = 0
    for count, statement in _INSERTS.items():
        while at + count <= len(rows):
            part = rows[at : at + count]
            connection.execute(
                statement, [value for row in part for value in (row.position, row.header, row.body, *row.columns)]
            )
            at += count


def make(path: Path, meta: Meta, head: Head) -> None:
    """Make the tables and the first head in an existing, empty file. Raises LedgerUnavailable."""
    with written(path):
        connection = connect(path, apsw.SQLITE_OPEN_READWRITE)
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").get
            if mode != "wal":
                raise LedgerUnavailable(f"{path}: this place cannot keep a write-ahead log")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(";".join((*TABLES, *AIDS)))
            connection.execute("INSERT INTO meta VALUES (0, ?, ?, ?)", (meta.format, meta.origin, meta.vkey))
            connection.execute(
                "INSERT INTO head VALUES (0, ?, ?, ?, ?)", (head.size, head.edge.to_bytes(), head.checkpoint, head.time)
            )
            connection.execute("COMMIT")
        finally:
            connection.close(True)


def check_tables(connection: apsw.Connection) -> None:
    """Raises LedgerBroken unless the tables are ours: others could hold values of types that no reader expects."""
    found = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE type IN ('table', 'view')")}
    if not set(TABLES) <= found <= {*TABLES, *DERIVED}:
        raise LedgerBroken("the tables are not those of a ledger")


def check_aids(connection: apsw.Connection) -> None:
    """Raises LedgerBroken, which names the first that is amiss, unless indexes and triggers are as they were made."""
    found = kept_aids(connection)
    for sql in AIDS:
        kind, name = kind_and_name(sql)
        if name not in found:
            raise LedgerBroken(f"the {kind} {name} is missing")
        if found[name] != sql:
            raise LedgerBroken(f"the {kind} {name} is not as it was made")
    strange = found.keys() - {kind_and_name(sql)[1] for sql in AIDS}
    if strange:
        raise LedgerBroken(f"the tables have what no ledger has: {min(strange)}")


def kept_aids(connection: apsw.Connection) -> dict[str, str]:
    """The indexes and triggers that there are, by name. Raises apsw.Error."""
    made = "type IN ('index', 'trigger') AND sql NOT NULL"  # those without are SQLite's own
    found = connection.execute(f"SELECT name, sql FROM sqlite_schema WHERE {made}")  # noqa: S608
    return {str(name): str(sql) for name, sql in found}


def kind_and_name(sql: str) -> tuple[str, str]:
    """`trigger`, `records_are_never_deleted` of a statement in AIDS."""
    _, kind, name, *_ = sql.split()
    return kind.lower(), name


def read_meta(connection: apsw.Connection) -> Meta:
    """Raises LedgerBroken if there is none, or apsw.Error."""
    row = connection.execute("SELECT format, origin, vkey FROM meta").fetchone()
    if row is None:
        raise LedgerBroken("the ledger does not say where it comes from")
    return Meta(*row)


def read_head(connection: apsw.Connection) -> Head:
    """Raises LedgerBroken if there is none or it is malformed, or apsw.Error."""
    return head_of(connection.execute(_HEAD).fetchone())


def as_row(values: tuple) -> Row:  # type: ignore[type-arg]  # what SQLite returns is checked by `record.flaw`
    """A row of `SELECT {ROW}`."""
    return Row(values[0], values[1], values[2], tuple(values[3:]))


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """A read-only connection. What SQLite raises inside becomes LedgerUnreadable; damage becomes LedgerBroken."""
    try:
        connection = connect(path, apsw.SQLITE_OPEN_READONLY)
        try:
            yield connection
        finally:
            connection.close(True)
    except apsw.CorruptError as error:
        raise LedgerBroken(f"{path}: the database is damaged") from error
    except apsw.Error as error:
        raise LedgerUnreadable(f"{path}: {_words(error)}") from error


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Translates what SQLite raises towards a writer."""
    try:
        yield
    except apsw.IOError as error:
        raise StorageFailed(f"{path}: {_words(error)}") from error
    except (apsw.ConstraintError, apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.MismatchError) as error:
        raise LedgerBroken(f"{path}: {_words(error)}") from error
    except apsw.Error as error:  # full, busy, locked, read-only, cannot open, no memory …
        raise LedgerUnavailable(f"{path}: {_words(error)}") from error


def _words(error: apsw.Error) -> str:
    """SQLite's own sentence: it names tables and columns, never their values."""
    return str(error).removeprefix(f"{type(error).__name__}: ")


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise LedgerUnavailable(f"{path}: {error.strerror}") from error
    return found.st_dev, found.st_ino
