"""The Merkle tree of RFC 6962 section 2.1 (the hashing of RFC 9162 is the same), as far as appending needs it.

An `Edge` holds the roots of the full subtrees on the right, one for each bit set in the size, so that a leaf is
appended in O(log n) without reading the others. Where edges are stored, and who signs roots, is decided elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

HASH_SIZE = 32
_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of 0x00 and the entry: a leaf can never be taken for a node."""
    return sha256(_LEAF + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The leaf hash of each."""
    return [sha256(_LEAF + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children."""
    return sha256(_NODE + left + right).digest()


def full_root(hashes: Sequence[bytes]) -> bytes:
    """The root over as many hashes as a power of two says, at least one, as leaves of a tree: in half the time of an
    edge."""
    level = hashes
    while len(level) > 1:
        level = [sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree of `size` leaves."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()
    """Roots of the full subtrees, the largest (leftmost) first."""

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Self:
        """Read what `to_bytes` wrote. Raises ValueError if `data` is not the edge of a tree of `size` leaves."""
        if size < 0 or len(data) != HASH_SIZE * size.bit_count():
            raise ValueError(f"{len(data)} bytes are not the edge of a tree of {size} leaves")
        return cls(size, tuple(data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)))

    def to_bytes(self) -> bytes:
        """The hashes, one after another."""
        return b"".join(self.hashes)

    def append(self, leaf: bytes) -> Self:
        """The edge after one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Self:
        """The edge after these leaf hashes, in order."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            subtree, full = leaf, size
            while full & 1:  # each full subtree of the same height becomes the left sibling
                subtree = sha256(_NODE + hashes.pop() + subtree).digest()
                full >>= 1
            hashes.append(subtree)
            size += 1
        return type(self)(size, tuple(hashes))

    def root(self) -> bytes:
        """The root of the tree. An unpaired subtree goes up as it is; the empty tree hashes the empty string."""
        if not self.hashes:
            return sha256(b"").digest()
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root
