"""Reads a range of a ledger's records and says what is wrong with the first bad one.

What `verify` does, by the piece, so that several processes can share it. Nothing here knows what was signed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from plugin.ledger.errors import LedgerBroken, LedgerError, LedgerUnreadable
from plugin.ledger.merkle import HASH_SIZE, leaf_hash, leaf_hashes
from plugin.ledger.purge import Purges, row_flaw
from plugin.ledger.record import all_sound
from plugin.ledger.retention import Hold, Outline, is_held
from plugin.ledger.store import Opening, View
from plugin.ledger.tiles import HEIGHT, WIDTH, Shelf, root_of, split

CHUNK = 16 * WIDTH
"""Records in one piece: some tens of milliseconds of work, and whole tiles."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing found that is not as it was signed."""

    position: int | None
    """The record it shows at; None if it shows in the whole only."""
    sentence: str
    is_disputed: bool = False
    """A header and the hash that is stored for it differ: which of them was changed, the signed root can tell."""
    is_cut: bool = False
    """All that is there is sound and signed, and ends before a checkpoint that was kept elsewhere."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of one piece."""

    roots: Sequence[bytes]
    """Over each full tile's worth of its records."""
    leaves: Sequence[bytes]
    """The leaf hashes of the rest."""
    problem: Problem | None
    purged: int = 0
    """Records without their body, as a purge record says."""
    unfinished: int = 0
    """Records that a purge record names and that still have their body: a purge was interrupted."""
    kept: int = 0
    """The same, but for a hold that keeps them."""

    @property
    def records(self) -> int:
        """How many were read and are sound by themselves."""
        return len(self.roots) * WIDTH + len(self.leaves)


def examine(opening: Opening, first: int, end: int, purges: Purges, holds: Sequence[Hold] = ()) -> Examined:
    """Records `first` (a multiple of WIDTH) to before `end`. Raises LedgerUnreadable or LedgerBroken."""
    with opening() as view:
        view.freeze()
        counts: Counter[str] = Counter()
        leaves, problem = _leaves(view, first, end, purges, holds, counts)
        told = counts["purged"], counts["unfinished"], counts["kept"]
        tiles = _full(leaves)
        roots = [root_of(tile) for tile in tiles]
        shelf = view.shelf()
        for number, (tile, root) in enumerate(zip(tiles, roots, strict=True), first // WIDTH):
            wrong = tile_problem(shelf, 0, number, tile, root)
            if wrong is not None:
                sound = leaves[: (number * WIDTH if wrong.position is None else wrong.position) - first]
                roots = roots[: len(sound) // WIDTH]
                return Examined(roots, sound[len(roots) * WIDTH :], wrong, *told)
        return Examined(roots, leaves[len(tiles) * WIDTH :], problem, *told)


def _full(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """By the tile; what fills none is left out."""
    return [leaves[at * WIDTH : (at + 1) * WIDTH] for at in range(len(leaves) // WIDTH)]


def examine_apart(
    opening: Opening, first: int, end: int, purges: Purges, holds: Sequence[Hold] = ()
) -> Examined | tuple[type[LedgerError], str]:
    """`examine` for another process, to which errors do not travel well."""
    try:
        return examine(opening, first, end, purges, holds)
    except (LedgerBroken, LedgerUnreadable) as error:
        return type(error), str(error)


def stated_time(view: View) -> str | None:
    """The time that the first record states; None if there is none, or it states none."""
    records = view.records(0, 0, 1)
    try:
        fields = orjson.loads(records[0].header) if records else None
    except orjson.JSONDecodeError:
        return None
    return fields.get("time") if isinstance(fields, dict) else None


def tile_problem(shelf: Shelf, level: int, number: int, hashes: Sequence[bytes], root: bytes) -> Problem | None:
    """What is wrong with a stored tile that should hold these: it would spoil each proof that is made from it."""
    stored = shelf.tile(level, number)
    if stored is None or (stored == b"".join(hashes) and list(shelf.roots(level, number, 1)) == [root]):
        return None
    first = number << HEIGHT * (level + 1)
    if level == 0 and len(stored) == WIDTH * HASH_SIZE:
        for place, (kept, own) in enumerate(zip(split(stored), hashes, strict=True), first):
            if kept != own:
                return Problem(place, f"the stored hash of record {place} is not that of its header", is_disputed=True)
    return Problem(first, f"the stored hashes of records {first} and on are not theirs")


def _leaves(
    view: View, first: int, end: int, purges: Purges, holds: Sequence[Hold], counts: Counter[str]
) -> tuple[list[bytes], Problem | None]:
    """The leaf of each sound row, up to the first that is not, and how many of them a purge names."""
    leaves: list[bytes] = []
    rows = view.rows(first, end)
    while some := list(islice(rows, WIDTH)):
        expected = first + len(leaves)
        if purges.reach(expected, expected + len(some)) or not all_sound(expected, some):
            for row in some:
                problem = _row_problem(first + len(leaves), row, purges)
                if problem is not None:
                    return leaves, problem
                _count(row, purges, holds, counts)
                leaves.append(leaf_hash(row[1]))
        else:
            leaves += leaf_hashes([row[1] for row in some])
    missing = first + len(leaves)
    return leaves, Problem(missing, f"record {missing} is missing") if missing < end else None


def _row_problem(expected: int, row: tuple[Any, ...], purges: Purges) -> Problem | None:
    """What is wrong with the row that should be that of `expected`."""
    position, header, body = row[:3]
    if position > expected:
        return Problem(expected, f"record {expected} is missing")
    wrong = row_flaw(purges, position, header, body, row[3:])
    return None if wrong is None else Problem(position, wrong)


def _count(row: tuple[Any, ...], purges: Purges, holds: Sequence[Hold], counts: Counter[str]) -> None:
    """Count a sound row if a purge names it."""
    if row[2] is None:
        counts["purged"] += 1
    elif purges.at(row[0]) is not None:
        counts["kept" if is_held(Outline.of(row), holds) else "unfinished"] += 1
