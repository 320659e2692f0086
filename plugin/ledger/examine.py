"""Reads a range of an embedded ledger's records and says what is wrong with the first bad one.

What `verify` does, by the piece, so that several processes can share it. Nothing here knows what was signed.
"""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw
import orjson

from plugin.ledger.errors import LedgerBroken, LedgerError, LedgerUnreadable
from plugin.ledger.merkle import leaf_hash
from plugin.ledger.record import flaw
from plugin.ledger.shelf import SqliteShelf
from plugin.ledger.sqlite import ROW, reading
from plugin.ledger.tiles import WIDTH, root_of

CHUNK = 16 * WIDTH
"""Records in one piece: some tens of milliseconds of work, and whole tiles."""
_ROWS = f"SELECT {ROW} FROM records WHERE position >= ? AND position < ? ORDER BY position"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing found that is not as it was signed."""

    position: int | None
    """The record it shows at; None if it shows in the whole only."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of one piece."""

    roots: Sequence[bytes]
    """Over each full tile's worth of its records."""
    leaves: Sequence[bytes]
    """The leaf hashes of the rest."""
    problem: Problem | None

    @property
    def records(self) -> int:
        """How many were read and are sound by themselves."""
        return len(self.roots) * WIDTH + len(self.leaves)


def examine(path: Path, first: int, end: int) -> Examined:
    """Records `first` (a multiple of WIDTH) to before `end`. Raises LedgerUnreadable or LedgerBroken."""
    with reading(path) as connection:
        connection.execute("BEGIN")
        leaves, problem = _leaves(connection, first, end)
        full = len(leaves) // WIDTH
        tiles = [leaves[at * WIDTH : (at + 1) * WIDTH] for at in range(full)]
        roots = [root_of(tile) for tile in tiles]
        if problem is None:
            problem = _tile_problem(SqliteShelf(connection), first // WIDTH, tiles, roots)
        return Examined(roots, leaves[full * WIDTH :], problem)


def prepare_process() -> None:
    """For a process that does nothing else: what it reads makes no cycles, so looking for some is a tenth lost."""
    gc.disable()


def examine_apart(path: Path, first: int, end: int) -> Examined | tuple[type[LedgerError], str]:
    """`examine` for another process, to which errors do not travel well."""
    try:
        return examine(path, first, end)
    except (LedgerBroken, LedgerUnreadable) as error:
        return type(error), str(error)


def stated_time(path: Path) -> str | None:
    """The time that the first record states; None if there is none, or it states none."""
    with reading(path) as connection:
        header = connection.execute("SELECT header FROM records WHERE position = 0").get
    try:
        fields = orjson.loads(header) if isinstance(header, bytes) else None
    except orjson.JSONDecodeError:
        return None
    return fields.get("time") if isinstance(fields, dict) else None


def _leaves(connection: apsw.Connection, first: int, end: int) -> tuple[list[bytes], Problem | None]:
    """The leaf of each sound row, up to the first that is not."""
    leaves: list[bytes] = []
    expected = first
    for row in connection.execute(_ROWS, (first, end)):
        position, header, body = row[:3]
        if position > expected:
            break
        wrong = flaw(position, header, body, row[3:])
        if wrong is not None:
            return leaves, Problem(position, wrong)
        leaves.append(leaf_hash(header))
        expected += 1
    return leaves, Problem(expected, f"record {expected} is missing") if expected < end else None


def _tile_problem(
    shelf: SqliteShelf, first: int, tiles: Sequence[Sequence[bytes]], roots: Sequence[bytes]
) -> Problem | None:
    """Stored hashes prove nothing, but a wrong one would spoil each proof made from it."""
    for number, (tile, root) in enumerate(zip(tiles, roots, strict=True), first):
        stored = shelf.tile(0, number)
        if stored is not None and (stored != b"".join(tile) or list(shelf.roots(0, number, 1)) != [root]):
            return Problem(number * WIDTH, f"the stored hashes of records {number * WIDTH} and on are not theirs")
    return None
