"""A file of checkpoints, one after another: appended to, synced, never rewritten.

Two places keep checkpoints like this: a sink on another mount, and the folder of the ledger itself, where each one is
kept with the cosignatures that it was given.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import MAX_NOTE, Checkpoint
from plugin.ledger.errors import CheckpointInvalid
from plugin.ledger.key import VerifierKey

_NOTE = re.compile(rb"[^\n]+\n[0-9]+\n[A-Za-z0-9+/=]+\n\n(?:\xe2\x80\x94 [^\n]+\n)+")
"""A checkpoint without extension lines. One that a crash cut short does not match, or its signature does not fit."""
_BLOCK = 4 * MAX_NOTE
"""Bytes read at once: each block overlaps the one before by the largest note."""


class NoteFile:
    """Checkpoints in a file, newest last. Every method may raise OSError."""

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

    def newest(self, key: VerifierKey) -> tuple[Checkpoint, str] | None:
        """The last checkpoint that `key` signed; None if there is none."""
        return next(self.newest_first(key), None)


def _stated(data: bytes, key: VerifierKey) -> tuple[Checkpoint, str] | None:
    try:
        note = data.decode()
        return checkpoint.verify(note, key), note
    except (CheckpointInvalid, UnicodeDecodeError):
        return None
