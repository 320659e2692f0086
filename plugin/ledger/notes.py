"""A file of checkpoints, one after another: appended to, synced, never rewritten.

Two places keep checkpoints like this: a sink on another mount, and the folder of the ledger itself, where each one is
kept with the cosignatures that it was given.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterator
from pathlib import Path

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import MAX_NOTE, Checkpoint
from plugin.ledger.errors import CheckpointInvalid
from plugin.ledger.key import VerifierKey
from plugin.ledger.merkle import HASH_SIZE

_NOTE = re.compile(rb"(?m)^([^\n]+)\n([0-9]{1,19})\n([A-Za-z0-9+/=]+)\n\n(?:\xe2\x80\x94 [^\n]+\n)+")
"""A checkpoint without extension lines: origin, size, root.

One that a crash cut short does not match, or its signature does not fit."""
_BLOCK = 4 * MAX_NOTE
"""Bytes read at once: each block overlaps the one before by the largest note."""


class NoteFile:
    """Checkpoints in a file, newest last, unless somebody else wrote there. Every method may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, note: str) -> None:
        """Add a checkpoint; durable when this returns. The file is made if need be, its folder never."""
        # In front of it an empty line: whatever a crash left of an earlier one does not run into it.
        data = f"\n{note}".encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def newest_first(self, key: VerifierKey) -> Iterator[tuple[Checkpoint, str]]:
        """The checkpoints that `key` signed, with their notes, last one first; nothing if there is no file.

        What is no such checkpoint is passed over: a torn end, or those of an earlier ledger.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            end = unread = file.seek(0, os.SEEK_END)
            while end > 0:
                start = max(0, end - _BLOCK)
                file.seek(start)
                for match in reversed(list(_NOTE.finditer(file.read(end - start)))):
                    found = _stated(match.group(), key) if start + match.start() < unread else None
                    if found is not None:
                        unread = start + match.start()
                        yield found
                end = start + MAX_NOTE if start else 0

    def largest(self, key: VerifierKey, since: int = 0) -> tuple[Checkpoint, str] | None:
        """Of the checkpoints that `key` signed the one of most records, wherever it stands; of several the last.

        An old one that is appended again hides nothing. `since`: from which byte on; None if there is none.
        """
        name = key.name.encode()
        sizes = sorted([(int(note[2]), at) for at, note in self._matches(since) if note[1] == name], reverse=True)
        if not sizes:
            return None
        with self.path.open("rb") as file:
            for _, at in sizes:
                file.seek(at)
                match = _NOTE.match(file.read(MAX_NOTE))
                found = None if match is None else _stated(match.group(), key)
                if found is not None:
                    return found
        return None

    def claims(self, origin: str) -> Iterator[tuple[Checkpoint, bytes]]:
        """What each checkpoint of this origin says, with its note, first one first. Whether it is signed is not asked:
        that takes a hundred times as long, and matters only where it says something else than the ledger."""
        for _, note in self._matches(0):
            if note[1] == origin.encode() and len(root := _decoded(note[3])) == HASH_SIZE:
                yield Checkpoint(origin, int(note[2]), root), note.group()

    def length(self) -> int:
        """In bytes; 0 if there is no file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _matches(self, since: int) -> Iterator[tuple[int, re.Match[bytes]]]:
        """What looks like a checkpoint, and at which byte it stands. Nothing if there is no file."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(since)
            at, data = since, b""
            while more := file.read(_BLOCK):
                data += more
                whole = len(data) - MAX_NOTE  # what begins later may be cut
                end = 0
                for match in _NOTE.finditer(data):
                    if match.start() >= whole:
                        break
                    yield at + match.start(), match
                    end = match.end()
                keep = max(0, whole, end)
                at, data = at + keep, data[keep:]
            for match in _NOTE.finditer(data):
                yield at + match.start(), match


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _stated(data: bytes, key: VerifierKey) -> tuple[Checkpoint, str] | None:
    try:
        note = data.decode()
        return checkpoint.verify(note, key), note
    except (CheckpointInvalid, UnicodeDecodeError):
        return None
