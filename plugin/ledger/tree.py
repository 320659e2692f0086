"""The tree of one moment: its head, and what can be proved about it. Reveals no content.

Every proof is checked against the head before it is given away, so that damaged hashes never leave as a proof. Whose
signature the head carries is for the proof's reader to check.
"""

from plugin.ledger import proof
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import LedgerBroken, ProofInvalid
from plugin.ledger.proof import TlogProof
from plugin.ledger.store import Head
from plugin.ledger.tiles import HEIGHT, WIDTH, Shelf, Subtrees


class Tree:
    """What a head and a shelf of one moment say. A method raises what the shelf raises, besides what it names."""

    def __init__(self, head: Head, shelf: Shelf) -> None:
        self.head = head
        self._subtrees = Subtrees(shelf)

    def root(self, size: int) -> bytes:
        """The root over the first `size` records. Raises ValueError if there are not so many, or LedgerBroken."""
        if not 0 <= size <= self.head.size:
            raise ValueError(f"the ledger has no {size} records")
        if size == self.head.size:
            return self.head.root
        return proof.root(size, self._subtrees)

    def inclusion(self, position: int, size: int | None = None) -> list[bytes]:
        """The inclusion proof of a record in the tree of the first `size` records; None: in the newest.

        Raises ValueError if it is not in that tree, or LedgerBroken.
        """
        size = self.head.size if size is None else size
        root = self.root(size)
        path = proof.inclusion(position, size, self._subtrees)
        leaf = self._subtrees(0, position)
        try:
            proof.check_inclusion(leaf, position, size, path, root)
        except ProofInvalid as error:
            raise LedgerBroken(f"record {position}: {error} of the newest checkpoint") from error
        return path

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """The proof that the tree of `new` records continues that of `old`; None: the newest.

        Raises ValueError if these are no sizes of it, or LedgerBroken.
        """
        new = self.head.size if new is None else new
        if not 0 <= old <= new:
            raise ValueError(f"a ledger of {new} records does not continue one of {old}")
        old_root, new_root = self.root(old), self.root(new)
        path = proof.consistency(old, new, self._subtrees)
        try:
            proof.check_consistency(old, old_root, new, new_root, path)
        except ProofInvalid as error:
            raise LedgerBroken(f"the first {old} records: {error}") from error
        return path

    def continues(self, earlier: Checkpoint) -> bool:
        """True if this tree begins with the one that `earlier` states."""
        return earlier.size <= self.head.size and self.root(earlier.size) == earlier.root

    def prove(self, position: int, stated: Checkpoint, note: str) -> TlogProof:
        """The proof that stands alone, of a record under `note`, which states `stated`.

        Raises ValueError if the record is not in it, or LedgerBroken.
        """
        if not self.continues(stated):
            raise LedgerBroken(f"the ledger does not continue its checkpoint of {stated.size} records")
        return TlogProof(position, tuple(self.inclusion(position, stated.size)), note)

    def tile(self, level: int, number: int, width: int = WIDTH) -> bytes | None:
        """The first `width` hashes of a tile (c2sp.org/tlog-tiles); None if the tree has no such tile."""
        available = (self.head.size >> HEIGHT * level) - number * WIDTH
        if not 0 < width <= min(WIDTH, available):
            return None
        return b"".join(self._subtrees.hashes(level, number)[:width])
