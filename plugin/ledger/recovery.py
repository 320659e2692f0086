"""A ledger that cannot be continued: what is last known of it, and how a new one takes its place.

The damaged file is set aside under another name, with all that belongs to it, and never written to. The new ledger is
another origin with another key; its first record, which is the caller's, says what it follows.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import MAX_NOTE, Checkpoint
from plugin.ledger.errors import CheckpointInvalid, LedgerError, LedgerUnavailable
from plugin.ledger.filesystem import sync_folder
from plugin.ledger.key import SigningKey, VerifierKey, load_private_key
from plugin.ledger.notes import NoteFile
from plugin.ledger.reader import Reader
from plugin.ledger.record import StoredRecord
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.store import Opening

_LOST = ".lost-"
_NEW = ".recovering"
_BESIDE = ("", "-wal", "-shm", ".checkpoints")
"""What belongs to an embedded ledger: the file, SQLite's log and index of it, the kept checkpoints."""
_ORIGIN = re.compile(rb"(?:^|\n)([^\n]+)\n[0-9]+\n[A-Za-z0-9+/=]+\n\n\xe2\x80\x94 ")
"""The name in the first line of a checkpoint, of whichever key."""


@dataclass(frozen=True, slots=True)
class LastKnown:
    """The newest head of a lost ledger that is known, and where from."""

    stated: Checkpoint
    note: str
    """The checkpoint that states it, with all its signatures."""
    vkey: str
    """The key that signed it."""
    found_in: str


@dataclass(frozen=True, slots=True)
class NewPlace:
    """Where the new ledger is made, before it takes the place of the lost one."""

    path: Path
    key_path: Path

    @classmethod
    def beside(cls, path: Path, key_path: Path) -> "NewPlace":
        """Beside the two."""
        return cls(path.with_name(path.name + _NEW), key_path.with_name(key_path.name + _NEW))

    def clear(self) -> None:
        """Remove what an attempt left there that came to nothing. Raises LedgerUnavailable."""
        try:
            for file in (*_parts(self.path), self.key_path):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise LedgerUnavailable(f"{error.filename}: {error.strerror}") from error

    def first_record(self) -> StoredRecord | None:
        """The record with which the new ledger begins; None if it was not written."""
        try:
            return next(Reader(self.path).records(0, 0), None)
        except LedgerError:
            return None


def aside_of(path: Path, now: datetime) -> Path:
    """The name under which a lost file is kept."""
    return path.with_name(f"{path.name}{_LOST}{now.astimezone(UTC).strftime('%Y%m%dT%H%M%S%fZ')}")


def last_known(place: Path | Opening, key_path: Path, notes: Sequence[Path]) -> LastKnown | None:
    """The newest head that any of these shows, signed by a key of the lost ledger; None if none does.

    `notes` are files of checkpoints, kept with it or elsewhere; its own head counts for nothing where it contradicts
    one. What the configured key signed counts before what only a key signed that the lost ledger itself names: that may
    be an impostor.
    """
    for keys in (_configured(key_path, place, notes), _named(place)):
        kept = [each for note in notes for each in _in_notes(note, keys)]
        found = kept if _contradicts(place, kept) else [*_in_itself(place, keys), *kept]
        if found:
            return max(found, key=lambda each: each.stated.size)
    return None


def set_aside(path: Path, key_path: Path, aside: Path) -> None:
    """Rename the lost ledger to `aside`, and with it its parts and its key. Raises LedgerUnavailable.

    Nothing is opened, and nothing written over: called again after an interruption, it does the rest.
    """
    for old, new in zip(_parts(path), _parts(aside), strict=True):
        _rename(old, new)
    suffix = aside.name.removeprefix(path.name)
    for key in (key_path, key_path.with_name(f"{key_path.name}.next")):
        _rename(key, key.with_name(key.name + suffix))


def put_in_place(new: NewPlace, path: Path, key_path: Path) -> None:
    """The new ledger, which nobody has open, takes the place of the one that was set aside.

    Raises LedgerUnavailable, or LedgerBroken if it is none. Its key first: while a ledger is not there, nothing starts.
    """
    # A crash can have left its first record in SQLite's log, which keeps its name: the last to close writes it back.
    store = SqliteStore(new.path)
    store.meta()
    store.close()
    _rename(new.key_path, key_path)
    _rename(new.path, path)


def _configured(key_path: Path, place: Path | Opening, notes: Sequence[Path]) -> list[VerifierKey]:
    """The configured key under each name that the lost ledger may have had: a key does not know its own."""
    try:
        private = load_private_key(key_path)
        return [SigningKey(name, private).verifier for name in _names(place, notes)]
    except LedgerError:
        return []


def _names(place: Path | Opening, notes: Sequence[Path]) -> set[str]:
    names = {key.name for key in _named(place)}
    for note in notes:
        try:
            with note.open("rb") as opened:
                size = opened.seek(0, os.SEEK_END)
                opened.seek(max(0, size - 2 * MAX_NOTE))
                names |= {found.decode() for found in _ORIGIN.findall(opened.read())}
        except (OSError, UnicodeDecodeError):
            continue
    return names


def _named(place: Path | Opening) -> list[VerifierKey]:
    """The keys that the lost ledger names, newest first, as far as they can be read."""
    try:
        reader = Reader(place)
        try:
            return list(reader.keys().keys[::-1])
        except LedgerError:
            return [VerifierKey.parse(reader.meta().vkey)]
    except LedgerError:
        return []


def _in_itself(place: Path | Opening, keys: Sequence[VerifierKey]) -> Iterator[LastKnown]:
    try:
        note = Reader(place).head().checkpoint
    except LedgerError:
        return
    for key in keys:
        try:
            yield LastKnown(
                checkpoint.verify(note, key), note, key.text, "file" if isinstance(place, Path) else "database"
            )
        except CheckpointInvalid:
            continue


def _contradicts(place: Path | Opening, kept: Sequence[LastKnown]) -> bool:
    """Whether what is left of the ledger is another history than a checkpoint that was kept of it."""
    try:
        with Reader(place).tree() as tree:
            return any(each.stated.size <= tree.head.size and not tree.continues(each.stated) for each in kept)
    except LedgerError:
        return False


def _in_notes(notes: Path, keys: Sequence[VerifierKey]) -> Iterator[LastKnown]:
    for key in keys:
        try:
            found = NoteFile(notes).largest(key)
        except OSError:
            continue
        if found is not None:
            yield LastKnown(found[0], found[1], key.text, f"file {notes}")


def _parts(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _BESIDE]


def _rename(old: Path, new: Path) -> None:
    if not old.exists() or new.exists():
        return
    try:
        old.rename(new)
        sync_folder(new.parent)
    except OSError as error:
        raise LedgerUnavailable(f"{old}: {error.strerror}") from error
