"""A connection to PostgreSQL: where to, with bounded waits, and what its errors mean to a ledger.

Errors name what happened by PostgreSQL's own code and nothing else: its sentences can quote a row, and libpq's can
quote the connection string, so neither is passed on, not even as a cause.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from plugin.ledger.errors import LedgerBroken, LedgerMissing, LedgerUnavailable, LedgerUnreadable, StorageFailed

CONNECT_SECONDS = 3
"""For each address of the server. libpq takes whole seconds, and no fewer than two."""
ANSWER_SECONDS = 6.0
"""How long a server may say nothing. More than it is told to allow itself, so that as a rule its own error arrives."""
READ_SECONDS = 60.0
"""The same for a reader: a search may find nothing in a large table, and no clinician waits for it."""
GLANCE_SECONDS = 3.0
"""The same for who only asks how things stand: the answer to a probe must not wait for a table that somebody locked."""
DAMAGE = (errors.DataCorrupted, errors.IndexCorrupted)
_BROKEN = (
    *DAMAGE,
    psycopg.IntegrityError,  # a position is taken
    psycopg.ProgrammingError,  # tables or columns are missing, or are others
    psycopg.DataError,
    psycopg.NotSupportedError,  # a rule rewrites what is said
    errors.RaiseException,  # a trigger refused
)
_POOLED = (errors.DuplicatePreparedStatement, errors.InvalidSqlStatementName)
"""Of a session that holds what another client prepared, or no more what we did."""
_UNAVAILABLE = (errors.InsufficientPrivilege, errors.UndefinedObject, *_POOLED)
"""ProgrammingErrors that an administrator mends without touching a record: rights, a missing role, a pooler."""
NO_LEDGER = "the database holds no ledger; `vitrine audit init` makes one"
_FULL = "it has no connection left: its max_connections, or the limit of the role or the database, is reached"
_UNREACHED = {
    "session is read-only": "it takes no writes: it is a standby, or read-only by default",
    "failed to resolve host": "the name of its host is not known here",
    "root certificate file": "its certificate cannot be checked: the file of sslrootcert is missing or unreadable",
    "certificate verify failed": "its certificate is not of an authority in the file of sslrootcert, or not of now",
    "does not match host name": "its certificate is for another name than the host of the connection string",
    "server does not support SSL": "it speaks no TLS, and the connection string demands it",
    "too many clients": _FULL,
    "remaining connection slots": _FULL,
    "too many connections for": _FULL,
    "the database system is": "it is starting, stopping or recovering, and lets nobody in yet",
    "not permitted to log in": "its role may not log in",
    "connection is bad": "no connection is tried: the connection string says what cannot be",
}
"""By what the driver says, which has no code for it and may quote the connection string. A server that speaks another
language than English is told by its own log only."""
_RESULT = TypeVar("_RESULT")


class Dsn:
    """Where the database is and who asks, in libpq's words. It may hold a password, so it never shows itself."""

    def __init__(self, text: str) -> None:
        """Raises LedgerUnreadable if `text` is no connection string, or leaves open which database is meant."""
        try:
            given = conninfo_to_dict(text.strip())
        except psycopg.Error:
            raise LedgerUnreadable("the text is no connection string of PostgreSQL") from None
        if "dbname" not in given and "service" not in given:
            raise LedgerUnreadable("the connection string names no database")
        # Without a word on TLS libpq would fall back to none at all, and never ask whom it talks to.
        self.text = make_conninfo(text.strip(), sslmode=given.get("sslmode") or "verify-full")

    def __repr__(self) -> str:
        return "the ledger's database"


class Connection(psycopg.Connection[tuple]):  # type: ignore[type-arg]  # rows are what the tables hold
    """One that never waits for ever: also a server that is stopped, or gone without a word, is an error."""

    answer_seconds = ANSWER_SECONDS

    def wait(self, gen: PQGen[_RESULT], interval: float = 0.1, timeout: float | None = None) -> _RESULT:
        """As psycopg's, but bounded."""
        return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)

    def settle(self) -> bool:
        """Roll back what is open. False if the connection is of no more use."""
        if self.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
            with suppress(psycopg.Error):
                self.execute("ROLLBACK")
        return self.info.transaction_status is TransactionStatus.IDLE


def connect(dsn: Dsn, *, writes: bool) -> Connection:
    """A connection in autocommit; with `writes` only to a server that takes writes. Raises psycopg.Error."""
    return Connection.connect(
        dsn.text,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        target_session_attrs="read-write" if writes else "any",
        application_name="vitrine ledger",
        client_encoding="UTF8",
    )


def role_of(dsn: Dsn) -> str:
    """Who it lets in, as PostgreSQL says. Raises LedgerUnavailable."""
    with written():
        connection = connect(dsn, writes=True)
        try:
            (role,) = connection.execute("SELECT current_user::text").fetchone() or ("",)
            return str(role)
        finally:
            connection.close()


@contextmanager
def written() -> Iterator[None]:
    """Translates what psycopg raises towards a writer."""
    try:
        yield
    except errors.IoError as error:
        raise StorageFailed(f"PostgreSQL: {_words(error)}") from None
    except _UNAVAILABLE as error:
        raise LedgerUnavailable(f"PostgreSQL: {_words(error)}") from None
    except _BROKEN as error:
        raise LedgerBroken(f"PostgreSQL: {_words(error)}") from None
    except psycopg.Error as error:  # no connection, lost, silent, full, locked, cancelled, a standby …
        raise LedgerUnavailable(f"PostgreSQL: {_words(error)}") from None


@contextmanager
def read() -> Iterator[None]:
    """Translates what psycopg raises towards a reader."""
    try:
        yield
    except DAMAGE:
        raise LedgerBroken("PostgreSQL: the database is damaged") from None
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        raise LedgerMissing(NO_LEDGER) from None
    except psycopg.Error as error:
        raise LedgerUnreadable(f"PostgreSQL: {_words(error)}") from None


def _words(error: psycopg.Error) -> str:
    """PostgreSQL's name of the error, or what can be told of a connection without naming its ends."""
    if isinstance(error, _POOLED):
        return "a pooler between hands its sessions from one client to another: connect to the server itself"
    if error.sqlstate is not None:
        return f"{type(error).__name__} ({error.sqlstate})"
    # Of a place that was tried in vain at once, a socket's say, the driver says "is bad" as of a string that cannot be.
    text = str(error).replace("connection is bad: connection to", "connection to")
    said = next((words for part, words in _UNREACHED.items() if part in text), None)
    if said is not None:
        return said
    if "Is the server running" in text and "FATAL" not in text:
        return "no connection: nothing answers where it should be, so it is down, or elsewhere"
    attempt = error.pgconn
    if attempt is not None and attempt.needs_password:
        return "it asks for a password, and the connection string gives none"
    if attempt is not None and attempt.used_password:
        return "it was reached, but let nobody in; its own log says why"
    if attempt is not None or isinstance(error, errors.ConnectionTimeout):
        return "no connection; if it was reached, its own log says why"
    return "the connection was lost, or nothing came over it in time"
