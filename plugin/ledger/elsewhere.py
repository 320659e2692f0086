"""What checkpoints that were kept elsewhere say of a ledger: not only the newest of them may refute it.

Whoever has the key can sign another history and have a sink keep its checkpoints. Those of the true one stand there
still, and each must be continued.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import CheckpointInvalid
from plugin.ledger.key import VerifierKey
from plugin.ledger.notes import NoteFile
from plugin.ledger.reader import Reader

_AT_ONCE = 1_000
"""Checkpoints that are compared with one view of the tree: it keeps the hashes that it has read."""


def largest(file: NoteFile, keys: Sequence[VerifierKey]) -> tuple[Checkpoint, str] | None:
    """The checkpoint of most records in the file that one of the keys signed. Raises OSError."""
    found = [each for key in keys if (each := file.largest(key)) is not None]
    return max(found, key=lambda each: each[0].size, default=None)


def refutation(reader: Reader, file: NoteFile, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    """The first checkpoint in the file, signed by one of the keys, that the ledger does not continue; None without one.

    One that states more records than there are is passed over: it may have come after the reader's look at the ledger,
    and of those that came before, the largest is compared by itself. Raises OSError and what the reader raises.
    """
    claims = (claim for name in dict.fromkeys(key.name for key in keys) for claim in file.claims(name))
    while some := list(islice(claims, _AT_ONCE)):
        for stated, note in _not_continued(reader, some):
            if _is_signed(note, keys):
                return stated
    return None


def _not_continued(reader: Reader, claims: Sequence[tuple[Checkpoint, bytes]]) -> Iterator[tuple[Checkpoint, bytes]]:
    with reader.tree() as tree:
        for stated, note in claims:
            if stated.size <= tree.head.size and not tree.continues(stated):
                yield stated, note


def _is_signed(note: bytes, keys: Sequence[VerifierKey]) -> bool:
    for key in keys:
        try:
            checkpoint.verify(note.decode(), key)
        except (CheckpointInvalid, UnicodeDecodeError):
            continue
        return True
    return False
