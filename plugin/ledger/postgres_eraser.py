"""Removes bodies and search columns from a ledger in PostgreSQL: a `disposal.Eraser` with the rights of the purge role.

What goes stays in the files of the database until VACUUM has been there, and in its archives as long as they are kept.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

from plugin.ledger.postgres_connection import Dsn, connect, written
from plugin.ledger.postgres_lock import alone
from plugin.ledger.record import SEARCH_COLUMNS

_FACTS = ", ".join(f"{name} = NULL" for name in ("body", *SEARCH_COLUMNS))
_ERASE = f"UPDATE ledger.records SET {_FACTS} WHERE position = ANY(%s::bigint[]) AND body IS NOT NULL"  # noqa: S608
"""Appends do not wait for it: it locks these rows alone."""


class PostgresEraser:
    """See `disposal.Eraser`."""

    def __init__(self, dsn: Dsn) -> None:
        """`dsn` names the purge role."""
        self._dsn = dsn

    def alone(self) -> AbstractContextManager[None]:
        """See `Eraser.alone`."""
        return alone(self._dsn)

    def erase(self, batches: Iterable[Sequence[int]]) -> int:
        """See `Eraser.erase`."""
        with written():
            connection = connect(self._dsn, writes=True)
            try:
                connection.execute("SET synchronous_commit = on")
                return sum(connection.execute(_ERASE, (list(positions),)).rowcount for positions in batches)
            finally:
                connection.close()
