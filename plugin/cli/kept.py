"""The checkpoints that `audit verify` holds a log against: a named file's, or those of the file sinks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from plugin.cli.failure import CANNOT, Failure
from plugin.ledger import elsewhere
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.key import VerifierKey
from plugin.ledger.notes import NoteFile
from plugin.ledger.reader import Reader
from plugin.settings.document import Settings
from plugin.settings.ledger import FileSinkSettings


@dataclass(frozen=True, slots=True)
class CheckpointsKept:
    """Files of checkpoints and the keys that may have signed them, the newest first."""

    files: Sequence[NoteFile]
    keys: Sequence[VerifierKey]
    largest: str | None
    """The note of most records that any of them holds."""
    silent: Sequence[str]
    """A sentence for each file sink that says nothing of this log."""

    @classmethod
    def of(cls, settings: Settings, against: Path | None, keys: Sequence[VerifierKey]) -> Self:
        """Those of `against`, or of the configured file sinks: the other kinds show nothing back.

        Ends the command if `against` holds none.
        """
        if against is not None:
            return cls._of_file(against, keys)
        files, silent, found = [], [], []
        for path in [sink.path for sink in settings.ledger.sinks if isinstance(sink, FileSinkSettings)]:
            file = NoteFile(path)
            try:
                newest = elsewhere.largest(file, keys) if path.exists() else None
            except OSError as error:
                silent.append(f"the sink {path} cannot be read: {error.strerror}")
                continue
            if newest is None:
                said = "holds no checkpoint of this log" if path.exists() else "is not there"
                silent.append(f"the sink {path} {said}")
                continue
            files.append(file)
            found.append(newest)
        largest = max(found, key=lambda each: each[0].size, default=None)
        return cls(files, keys, None if largest is None else largest[1], silent)

    @classmethod
    def _of_file(cls, path: Path, keys: Sequence[VerifierKey]) -> Self:
        file = NoteFile(path)
        with _reading(path):
            path.stat()
            found = elsewhere.largest(file, keys)
        if found is None:
            raise Failure(f"{path} holds no checkpoint of this ledger", CANNOT)
        return cls([file], keys, found[1], ())

    def refutation(self, reader: Reader) -> str | None:
        """Which checkpoint the log does not continue, in a sentence without a full stop; None if it continues all."""
        for file in self.files:
            refuting = self._refuting(reader, file)
            if refuting is not None:
                return f"the first {refuting.size:,} records are not those of a checkpoint that {file.path} holds"
        return None

    def earlier_state(self, reader: Reader) -> str:
        """Of a log that ends before a checkpoint: whether what is there is what was there before."""
        for file in self.files:
            refuting = self._refuting(reader, file)
            if refuting is not None:
                return f"the first {refuting.size:,} are not those of an earlier checkpoint: not an earlier state of it"
        size = reader.head().size
        earlier = [each for file in self.files for each in self._until(file, size)]
        if not earlier:
            return "no earlier checkpoint is held elsewhere: whether this is an earlier state of it cannot be told"
        return (
            f"the first {max(earlier):,} are proven by an earlier checkpoint: an earlier state of it, a backup or a cut"
        )

    def _refuting(self, reader: Reader, file: NoteFile) -> Checkpoint | None:
        with _reading(file.path):
            return elsewhere.refutation(reader, file, self.keys)

    def _until(self, file: NoteFile, size: int) -> Iterator[int]:
        """Of each key the newest checkpoint of at most so many records."""
        with _reading(file.path):
            for key in self.keys:
                found = next((each for each, _ in file.newest_first(key) if each.size <= size), None)
                if found is not None:
                    yield found.size


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Ends the command if the file cannot be read."""
    try:
        yield
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}", CANNOT) from error
