"""Work that one of all machines sharing a database does at a time, by a lock of the database itself.

The lock is a session's: a server that notices the end of a connection lets go of it, however that came. Whoever
is done says so beforehand, because the server may take its time to notice.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg

from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.postgres_connection import Connection, Dsn, connect, written

_OURS = 0x7669_7472
"""`vitr`: whose locks these are, in a database that others may use too."""


@contextmanager
def locked(dsn: Dsn, work: str) -> Iterator[bool]:
    """True inside the block if nobody else has the lock of this name; False, at once, if somebody does.

    Raises LedgerUnavailable.
    """
    with ExitStack() as session:
        with written():
            connection = connect(dsn, writes=True)
            session.callback(connection.close)
            found = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_OURS, work)).fetchone()
        session.callback(_let_go, connection)
        yield found == (True,)


def _let_go(connection: Connection) -> None:
    with suppress(psycopg.Error):  # a lost connection has lost its locks
        connection.execute("SELECT pg_advisory_unlock_all()")


@contextmanager
def alone(dsn: Dsn) -> Iterator[None]:
    """See `disposal.Eraser.alone`."""
    with locked(dsn, "purging") as mine:
        if not mine:
            raise LedgerUnavailable("another purge or change of key of this ledger is under way")
        yield
