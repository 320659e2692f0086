"""The log as a source of answers: the only way by which the content of records leaves, always through the gateway."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plugin.errors import LogUnreadable
from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader
from plugin.ledger.record import StoredRecord


@dataclass(frozen=True, slots=True)
class LogRelease:
    """A range of records, bounded when it was asked for: the record of this look is not in it."""

    first: int
    last: int
    """Position of the last record; `first - 1` if there is none."""
    _reader: Reader
    _chosen: tuple[StoredRecord, ...] | None = None

    def records(self) -> Iterator[StoredRecord]:
        """The records, in ledger order, memory flat. Raises LogUnreadable."""
        if self._chosen is not None:
            yield from self._chosen
            return
        try:
            yield from self._reader.records(self.first, self.last)
        except LedgerError as error:
            raise LogUnreadable from error


class LogFeed:
    """Reads the ledger at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, name: str) -> LogRelease:
        """The records of one request, by its id or a record's. Raises LogUnreadable."""
        try:
            reader = Reader(self._path)
            found = tuple(reader.find(name))
        except LedgerError as error:
            raise LogUnreadable from error
        positions = [each.position for each in found]
        return LogRelease(min(positions, default=0), max(positions, default=-1), reader, found)

    def records(self, first: int, last: int | None) -> LogRelease:
        """Records `first` to `last`, both included; None is the newest now. Raises LogUnreadable."""
        try:
            reader = Reader(self._path)
            newest = reader.head().size - 1
        except LedgerError as error:
            raise LogUnreadable from error
        return LogRelease(first, newest if last is None else min(last, newest), reader)
