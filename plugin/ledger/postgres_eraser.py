"""Removes bodies and search columns from a ledger in PostgreSQL: a `disposal.Eraser` with the rights of the purge role.

What goes stays in the files of the database until VACUUM has been there, and in its archives as long as they are kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.postgres_connection import Dsn, connect, written
from plugin.ledger.record import SEARCH_COLUMNS

PIECE = 1_000
"""Records of one statement. Appends do not wait for it: it locks these rows alone."""
_LOCK = 0x7669_7472  # "vitr": whose lock it is
_FACTS = ", ".join(f"{name} = NULL" for name in ("body", *SEARCH_COLUMNS))
_ERASE = f"UPDATE ledger.records SET {_FACTS} WHERE position BETWEEN %s AND %s AND body IS NOT NULL"  # noqa: S608


class PostgresEraser:
    """See `disposal.Eraser`."""

    def __init__(self, dsn: Dsn) -> None:
        """`dsn` names the purge role."""
        self._dsn = dsn

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See `Eraser.alone`. A lock of the database, which it lets go of when the connection ends."""
        with written():
            connection = connect(self._dsn, writes=True)
            locked = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        try:
            if locked != (True,):
                raise LedgerUnavailable("another purge, hold or change of key of this ledger is under way")
            yield
        finally:
            connection.close()

    def erase(self, first: int, last: int) -> int:
        """See `Eraser.erase`."""
        with written():
            connection = connect(self._dsn, writes=True)
            try:
                connection.execute("SET synchronous_commit = on")
                return sum(
                    connection.execute(_ERASE, (begin, min(begin + PIECE - 1, last))).rowcount
                    for begin in range(first, last + 1, PIECE)
                )
            finally:
                connection.close()
