"""What an outsider is handed about one record: its header's bytes, and a proof that stands alone.

Holds nothing of what the record says: the header names the body by its hash.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import CheckpointInvalid, LedgerBroken, LedgerUnreadable, ProofInvalid
from plugin.ledger.key import VerifierKey
from plugin.ledger.notes import NoteFile
from plugin.ledger.proof import TlogProof
from plugin.ledger.reader import Reader

RECENT = 1_000
"""Kept checkpoints that are looked through for a cosigned one: half a day of a busy ledger."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`proof.verify(header, key)` says whether it holds."""

    header: bytes
    proof: TlogProof


def prove(reader: Reader, position: int, key: VerifierKey, kept: Path | None = None) -> Evidence:
    """Evidence that a record is in the ledger, under the newest kept checkpoint with cosignatures that covers it.

    Without such a one, under the newest checkpoint. Raises ValueError if there is no such record, LedgerBroken if what
    is stored does not lead to the signed root, and LedgerUnreadable.
    """
    cosigned = _cosigned(kept, position, key)  # before the tree is looked at, which grows: so it continues this
    with reader.tree() as tree:
        stated, note = cosigned or _own(tree.head.checkpoint, key)
        proof = tree.prove(position, stated, note)
    record = next(reader.records(position, position), None)
    if record is None:
        raise LedgerBroken(f"record {position} is missing")
    try:
        proof.verify(record.header, key)
    except ProofInvalid as error:
        raise LedgerBroken(f"the header of record {position} is not the one that was signed: {error}") from error
    return Evidence(record.header, proof)


def newest(reader: Reader, key: VerifierKey, kept: Path | None = None) -> str:
    """The newest checkpoint, with the cosignatures that it was given. Raises LedgerBroken and LedgerUnreadable."""
    head = reader.head().checkpoint
    stated, note = _own(head, key)
    found = _cosigned(kept, stated.size - 1, key)
    return note if found is None else found[1]


def _own(note: str, key: VerifierKey) -> tuple[Checkpoint, str]:
    try:
        return checkpoint.verify(note, key), note
    except CheckpointInvalid as error:
        raise LedgerBroken(f"the newest checkpoint: {error}") from error


def _cosigned(kept: Path | None, position: int, key: VerifierKey) -> tuple[Checkpoint, str] | None:
    if kept is None:
        return None
    try:
        for stated, note in islice(NoteFile(kept).newest_first(key), RECENT):
            if stated.size <= position:
                return None
            if len(note.rpartition("\n\n")[2].splitlines()) > 1:
                return stated, note
    except OSError as error:
        raise LedgerUnreadable(f"{kept}: {error.strerror}") from error
    return None
