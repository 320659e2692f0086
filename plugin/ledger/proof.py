"""Proofs for an outsider: that a record is in a tree, that a tree continues an earlier one (RFC 9162 section 2.1).

Makes them from the roots of full subtrees, checks them with the two loops of RFC 9162, and writes and reads the
stand-alone form of an inclusion proof (c2sp.org/tlog-proof). Where subtrees come from is `tiles`' business.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import ProofInvalid
from plugin.ledger.key import VerifierKey
from plugin.ledger.merkle import HASH_SIZE, Edge, leaf_hash, node_hash

Subtree = Callable[[int, int], bytes]
"""The root of the full subtree of `2 ** height` leaves from leaf `index * 2 ** height` on, by (height, index)."""

MAX_PATH = 63
"""Hashes in one proof; c2sp.org/tlog-witness allows no more, and a tree of 2**63 leaves needs no more."""
SUFFIX = ".tlog-proof"
_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_EXTRA = "extra "
_MAX_TEXT = checkpoint.MAX_NOTE + (MAX_PATH + 3) * 64


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """PATH(index, D[size]): from the leaf's sibling up to the child of the root. Raises ValueError if it is not in."""
    if not 0 <= index < size:
        raise ValueError(f"position {index} is not in a tree of {size}")
    return _path(index, 0, size, subtree)


def consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """PROOF(old, D[new]); empty for an empty or an equal tree. Raises ValueError if `old` is no size before `new`."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not continue one of {old}")
    return [] if old == 0 else _subproof(old, 0, new, subtree, True)


def root(size: int, subtree: Subtree) -> bytes:
    """The root of the tree of this size."""
    return _range(0, size, subtree)


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2, for a leaf hash. Raises ProofInvalid."""
    if not 0 <= index < size:
        raise ProofInvalid(f"position {index} is not in a tree of {size}")
    fn, sn, computed = index, size - 1, leaf
    for hash_ in path:
        if sn == 0:
            raise ProofInvalid("the inclusion proof is too long")
        if fn & 1 or fn == sn:
            computed = node_hash(hash_, computed)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            computed = node_hash(computed, hash_)
        fn, sn = fn >> 1, sn >> 1
    if sn or computed != root:
        raise ProofInvalid("the inclusion proof does not lead to the root")


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2, with the two cases it leaves out: an empty and an equal tree. Raises ProofInvalid."""
    if not 0 <= old <= new:
        raise ProofInvalid(f"a tree of {new} does not continue one of {old}")
    if old in {0, new}:
        if path or old_root != (new_root if old == new else Edge().root()):
            raise ProofInvalid("the trees are not the same, or the proof should be empty")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not path:
        raise ProofInvalid("the consistency proof is empty")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = steps[0]
    for hash_ in steps[1:]:
        if sn == 0:
            raise ProofInvalid("the consistency proof is too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(hash_, first), node_hash(hash_, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, hash_)
        fn, sn = fn >> 1, sn >> 1
    if sn or first != old_root or second != new_root:
        raise ProofInvalid("the consistency proof does not join the two roots")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """That the record at `index` is in the tree that `note` states. Checked with the public key alone."""

    index: int
    path: tuple[bytes, ...]
    note: str
    """The checkpoint with its cosignatures."""

    def text(self) -> str:
        """As c2sp.org/tlog-proof has it; the usual file name ends in `.tlog-proof`."""
        lines = [_FIRST_LINE, f"index {self.index}", *(base64.b64encode(hash_).decode() for hash_ in self.path)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `text`; its unauthenticated `extra` line is passed over. Raises ProofInvalid."""
        head, blank, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        if len(text) > _MAX_TEXT or not blank or first != _FIRST_LINE:
            raise ProofInvalid(f"not a proof in the form of {_FIRST_LINE}")
        if lines and lines[0].startswith(_EXTRA):
            lines.pop(0)
        index = _INDEX.fullmatch(lines[0]) if lines else None
        if index is None or len(lines) - 1 > MAX_PATH:
            raise ProofInvalid("not a proof: no index, or too many hashes")
        return cls(int(index.group(1)), tuple(decode_hash(line) for line in lines[1:]), note)

    def verify(self, header: bytes, key: VerifierKey) -> Checkpoint:
        """The checkpoint that `key` signed over a tree with this record in it, by its header's bytes.

        Raises CheckpointInvalid or ProofInvalid.
        """
        stated = checkpoint.verify(self.note, key)
        check_inclusion(leaf_hash(header), self.index, stated.size, self.path, stated.root)
        return stated


def decode_hash(line: str) -> bytes:
    """A base64 line of one hash. Raises ProofInvalid."""
    try:
        hash_ = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofInvalid("not a proof: malformed base64") from error
    if len(hash_) != HASH_SIZE:
        raise ProofInvalid("not a proof: a line is no SHA-256 hash")
    return hash_


def _path(index: int, first: int, end: int, subtree: Subtree) -> list[bytes]:
    if end - first == 1:
        return []
    middle = first + _split(end - first)
    if index < middle:
        return [*_path(index, first, middle, subtree), _range(middle, end, subtree)]
    return [*_path(index, middle, end, subtree), _range(first, middle, subtree)]


def _subproof(old: int, first: int, end: int, subtree: Subtree, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162 section 2.1.4.1; `old` is where the old tree ends, `whole` its flag b."""
    if old == end:
        return [] if whole else [_range(first, end, subtree)]
    middle = first + _split(end - first)
    if old <= middle:
        return [*_subproof(old, first, middle, subtree, whole), _range(middle, end, subtree)]
    return [*_subproof(old, middle, end, subtree, False), _range(first, middle, subtree)]


def _range(first: int, end: int, subtree: Subtree) -> bytes:
    """The root over leaves `first` to `end`, where `first` is a multiple of every full subtree's size in it."""
    size, hashes = end - first, []
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            hashes.append(subtree(height, first >> height))
            first += 1 << height
    return Edge(size, tuple(hashes)).root()


def _split(size: int) -> int:
    """The largest power of two that is smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
