"""The tree's hashes, stored by the 256 (c2sp.org/tlog-tiles), so that a proof reads a few of them and not every record.

They follow from the headers and are trusted for nothing: whoever makes a proof checks it against the signed root.
Only full tiles are stored; what stands right of them is computed from the headers. Where they lie is a `Shelf`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from plugin.ledger.errors import LedgerBroken
from plugin.ledger.merkle import HASH_SIZE, Edge, full_root

HEIGHT = 8
WIDTH = 1 << HEIGHT
"""Hashes in a full tile."""
MOST_AT_ONCE = 64
"""Tiles of one level made in one commit. More are due only in a ledger older than its tiles, which so catches up
without a long commit: some ten milliseconds."""


@dataclass(frozen=True, slots=True)
class Tile:
    """256 hashes of one level: level 0 holds leaf hashes, level 1 the roots of level 0's tiles, and so on."""

    level: int
    number: int
    root: bytes
    hashes: bytes


class Shelf(Protocol):
    """Where leaf hashes and stored tiles are read from. Errors are those of its store."""

    def leaves(self, first: int, count: int) -> Sequence[bytes]:
        """Leaf hashes from position `first` on; fewer than `count` if there are no more."""

    def roots(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """The roots of the stored tiles of this level from `first` on, up to the first that is not stored."""

    def tile(self, level: int, number: int) -> bytes | None:
        """The hashes of a stored tile."""

    def stored(self, level: int) -> int:
        """How many tiles of this level are stored; they are the first ones."""

    def numbers(self) -> Iterator[tuple[int, int]]:
        """Level and number of all that is stored, in order."""


def is_due(before: int, after: int) -> bool:
    """True if a tile is full after a commit that took the tree from `before` to `after` leaves."""
    return before // WIDTH != after // WIDTH


def due(shelf: Shelf, size: int) -> Iterator[Tile]:
    """The full tiles of a tree of `size` leaves that are not stored yet.

    Each has to be stored before the next is asked for: the levels above are made from those below.
    """
    level = 0
    while size >> HEIGHT * (level + 1):
        have = shelf.stored(level)
        for number in range(have, min(size >> HEIGHT * (level + 1), have + MOST_AT_ONCE)):
            first = number * WIDTH
            hashes = shelf.roots(level - 1, first, WIDTH) if level else shelf.leaves(first, WIDTH)
            if len(hashes) < WIDTH:  # the level below is still catching up
                break
            yield Tile(level, number, root_of(hashes), b"".join(hashes))
        level += 1


def stray(shelf: Shelf, size: int) -> str | None:
    """Which tile is missing before others, or is none of a tree of `size` leaves, in a sentence; None if all fit.

    The last ones may be missing: they are made with the next commit.
    """
    expected: dict[int, int] = {}
    for level, number in shelf.numbers():
        if level < 0 or not 0 <= number < size >> HEIGHT * (level + 1):
            return f"the tile {number} of level {level} is stored, and no tile of this tree"
        if number != expected.get(level, 0):
            return f"the tile {expected.get(level, 0)} of level {level} is missing"
        expected[level] = number + 1
    return None


class Subtrees:
    """Roots of full subtrees, by height and index, of the tree on a shelf: what `proof` is made from."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._seen: dict[tuple[int, int], Sequence[bytes]] = {}
        self._roots: dict[tuple[int, int], bytes] = {}

    def __call__(self, height: int, index: int) -> bytes:
        """The root over leaves `index * 2 ** height` and on. Raises LedgerBroken if there are not so many leaves."""
        if (height, index) not in self._roots:
            self._roots[height, index] = self._root(height, index)
        return self._roots[height, index]

    def _root(self, height: int, index: int) -> bytes:
        level, rest = divmod(height, HEIGHT)
        number, offset = divmod(index << rest, WIDTH)
        hashes = self.hashes(level, number)[offset : offset + (1 << rest)]
        if len(hashes) < 1 << rest:
            raise LedgerBroken(f"records after {index << height} are missing")
        return root_of(hashes)

    def hashes(self, level: int, number: int) -> Sequence[bytes]:
        """What there is of a tile, full or not."""
        if (level, number) not in self._seen:
            self._seen[level, number] = self._read(level, number)
        return self._seen[level, number]

    def _read(self, level: int, number: int) -> Sequence[bytes]:
        stored = self._shelf.tile(level, number)
        if stored is not None:
            return split(stored)
        first = number * WIDTH
        if level == 0:
            return self._shelf.leaves(first, WIDTH)
        roots = list(self._shelf.roots(level - 1, first, WIDTH))
        while len(roots) < WIDTH:  # tiles that are full but not stored yet
            below = self.hashes(level - 1, first + len(roots))
            if len(below) < WIDTH:
                break
            roots.append(root_of(below))
        return roots


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these hashes as leaves of a tree."""
    return full_root(hashes) if len(hashes) == WIDTH else Edge().extend(hashes).root()


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a tile, one by one."""
    return [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]


def path(level: int, number: int, width: int = WIDTH) -> str:
    """`tile/<level>/x001/x234/067`, with `.p/<width>` if the tile is not full (c2sp.org/tlog-tiles)."""
    digits = f"{number:03}"
    digits = digits.zfill(-len(digits) // 3 * -3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{name}" + ("" if width == WIDTH else f".p/{width}")
