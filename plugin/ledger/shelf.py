"""Stored hashes in the ledger's SQLite file: a `tiles.Shelf` on a connection.

The table is made when the first tile is due, so a file from before there were tiles gets its own as it grows.
"""

from collections.abc import Iterator, Sequence

import apsw

from plugin.ledger.merkle import leaf_hash
from plugin.ledger.tiles import Tile, due, is_due

TABLE = """CREATE TABLE tiles (
  level INTEGER NOT NULL, number INTEGER NOT NULL, root BLOB NOT NULL, hashes BLOB NOT NULL,
  PRIMARY KEY (level, number)
) STRICT"""


class SqliteShelf:
    """See `tiles.Shelf`. Raises apsw.Error. What it reads is of one moment if the connection is in a transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'tiles'").fetchone()
        self._exists = found is not None

    def leaves(self, first: int, count: int) -> Sequence[bytes]:
        """See `Shelf.leaves`."""
        headers = self._connection.execute(
            "SELECT header FROM records WHERE position >= ? AND position < ? ORDER BY position", (first, first + count)
        )
        return [leaf_hash(header) for (header,) in headers]

    def roots(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """See `Shelf.roots`."""
        if not self._exists:
            return []
        rows = self._connection.execute(
            "SELECT root FROM tiles WHERE level = ? AND number >= ? AND number < ? ORDER BY number",
            (level, first, first + count),
        )
        return [root for (root,) in rows]

    def tile(self, level: int, number: int) -> bytes | None:
        """See `Shelf.tile`."""
        if not self._exists:
            return None
        found: bytes | None = self._connection.execute(
            "SELECT hashes FROM tiles WHERE level = ? AND number = ?", (level, number)
        ).get
        return found

    def stored(self, level: int) -> int:
        """See `Shelf.stored`."""
        if not self._exists:
            return 0
        last: int | None = self._connection.execute("SELECT max(number) FROM tiles WHERE level = ?", (level,)).get
        return 0 if last is None else last + 1

    def numbers(self) -> Iterator[tuple[int, int]]:
        """See `Shelf.numbers`."""
        if not self._exists:
            return iter(())
        return self._connection.execute("SELECT level, number FROM tiles ORDER BY level, number")

    def fill(self, before: int, after: int) -> None:
        """Store the tiles that are due after a commit that took the tree from `before` to `after` leaves.

        Belongs into the transaction of that commit.
        """
        if not is_due(before, after):
            return
        if not self._exists:
            self._connection.execute(TABLE)
            self._exists = True
        for tile in due(self, after):
            self._insert(tile)

    def _insert(self, tile: Tile) -> None:
        self._connection.execute(
            "INSERT INTO tiles VALUES (?, ?, ?, ?)", (tile.level, tile.number, tile.root, tile.hashes)
        )
