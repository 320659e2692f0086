"""A sink that is a file on another mount: checkpoints are appended to it and synced."""

from collections.abc import Sequence
from pathlib import Path

from plugin.ledger.checkpoint import MAX_NOTE, Checkpoint
from plugin.ledger.errors import SinkFailed, SinkForked
from plugin.ledger.key import VerifierKey
from plugin.ledger.notes import NoteFile
from plugin.ledger.sink import Offer

START_BYTES = 1 << 20
"""Of the end of the file, in which a start looks: some three days of a checkpoint a minute. After a year there are a
hundred times as many, and a start, and a command that appends, would wait for all of them."""


class FileSink:
    """See `Sink`. Its folder must exist: a mount that is not there is never replaced by a folder of ours."""

    cosigns = False

    def __init__(self, path: Path, key: VerifierKey) -> None:
        self.name = f"file {path}"
        self._notes = NoteFile(path)
        self._key = key
        self._largest: tuple[Checkpoint, str] | None = None
        self._read_to = 0
        """Bytes of the file in which `_largest` was looked for."""

    def newest(self) -> Checkpoint | None:
        """See `Sink.newest`. Looks at the end of the file, and at all of it where none stands there.

        Whoever buried the largest under a megabyte of old ones is found by the first `deliver`, and by `verify`.
        """
        try:
            end = max(0, self._notes.length() - START_BYTES)
            found = self._notes.largest(self._key, end) or (self._notes.largest(self._key) if end else None)
        except OSError as error:
            raise SinkFailed(f"{self.name}: {error.strerror}") from error
        return None if found is None else found[0]

    def deliver(self, offer: Offer) -> Sequence[str]:
        """See `Sink.deliver`. What the file has already is not written again: another process may have been first."""
        found = self._read()
        if found is not None and not offer.continues(found[0]):
            raise SinkForked(
                f"{self.name} holds a checkpoint of {found[0].size} records that the ledger's"
                f" {offer.stated.size} do not continue"
            )
        if found is None or found[1] != offer.note:
            try:
                self._notes.append(offer.note)
            except OSError as error:
                raise SinkFailed(f"{self.name}: {error.strerror}") from error
        return ()

    def _read(self) -> tuple[Checkpoint, str] | None:
        """The checkpoint of most records: an old one that somebody appended again is not what the ledger has to follow.

        What was read before is not read again: after a year there may be half a million.
        """
        try:
            length = self._notes.length()
            if length < self._read_to:
                self._largest, self._read_to = None, 0
            found = self._notes.largest(self._key, max(0, self._read_to - MAX_NOTE))
        except OSError as error:
            raise SinkFailed(f"{self.name}: {error.strerror}") from error
        self._read_to = length
        if found is not None and (self._largest is None or found[0].size >= self._largest[0].size):
            self._largest = found
        return self._largest
