"""Stored hashes in the ledger's database: a `tiles.Shelf` on a connection."""

from collections.abc import Iterator, Sequence

from plugin.ledger.merkle import leaf_hash
from plugin.ledger.postgres_connection import Connection
from plugin.ledger.tiles import due, is_due


class PostgresShelf:
    """See `tiles.Shelf`. Raises psycopg.Error. What it reads is of one moment if the connection's transaction is."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def leaves(self, first: int, count: int) -> Sequence[bytes]:
        """See `Shelf.leaves`."""
        headers = self._connection.execute(
            "SELECT header FROM ledger.records WHERE position >= %s AND position < %s ORDER BY position",
            (first, first + count),
            binary=True,
        )
        return [leaf_hash(header) for (header,) in headers]

    def roots(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """See `Shelf.roots`."""
        rows = self._connection.execute(
            "SELECT root FROM ledger.tiles WHERE level = %s AND number >= %s AND number < %s ORDER BY number",
            (level, first, first + count),
            binary=True,
        )
        return [root for (root,) in rows]

    def tile(self, level: int, number: int) -> bytes | None:
        """See `Shelf.tile`."""
        found = self._connection.execute(
            "SELECT hashes FROM ledger.tiles WHERE level = %s AND number = %s", (level, number), binary=True
        ).fetchone()
        return None if found is None else found[0]

    def stored(self, level: int) -> int:
        """See `Shelf.stored`."""
        found = self._connection.execute("SELECT max(number) FROM ledger.tiles WHERE level = %s", (level,)).fetchone()
        return 0 if found is None or found[0] is None else found[0] + 1

    def numbers(self) -> Iterator[tuple[int, int]]:
        """See `Shelf.numbers`."""
        return self._connection.execute("SELECT level, number FROM ledger.tiles ORDER BY level, number")

    def fill(self, before: int, after: int) -> None:
        """Store the tiles that are due after a commit that took the tree from `before` to `after` leaves.

        Belongs into the transaction of that commit.
        """
        if not is_due(before, after):
            return
        for tile in due(self, after):
            self._connection.execute(
                "INSERT INTO ledger.tiles VALUES (%s, %s, %s, %s)", (tile.level, tile.number, tile.root, tile.hashes)
            )
