"""The log as a source of answers: the only way by which the content of records leaves, always through the gateway."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from plugin.audit.search import Reach, page, purged, stream
from plugin.errors import LogUnreadable
from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader
from plugin.ledger.record import StoredRecord
from plugin.ledger.store import Opening
from policies.vocabulary.log_search import LogMark, LogSearch


@dataclass(frozen=True, slots=True)
class LogRelease:
    """Records, bounded when they were asked for: the record of this look is not among them."""

    first: int
    last: int
    """Position of the last record; `first - 1` if there is none."""
    _records: Callable[[int, int], Iterator[StoredRecord]]
    """Those from a first to a last position, both included. Of a range it pickles: other processes read parts."""
    next: LogMark | None = None
    """Where the next page of a search begins; None: there is none."""
    reader: str = ""
    """To whom it was released: a link to the next page is theirs alone."""
    checkpoint: str = ""
    """Of a range: the log's newest signed head when it was asked for, which covers it."""

    def records(self) -> Iterator[StoredRecord]:
        """The records, in ledger order or that of the search, memory flat. Raises LogUnreadable."""
        try:
            yield from self._records(self.first, self.last)
        except LedgerError as error:
            raise LogUnreadable from error

    def part(self, first: int, last: int) -> "LogRelease":
        """Those of the records that stand from `first` to `last`, both included: never more than was released."""
        return replace(self, first=max(first, self.first), last=min(last, self.last))


class LogFeed:
    """Reads one ledger."""

    def __init__(self, ledger: Opening) -> None:
        self._ledger = ledger

    def find(self, name: str) -> LogRelease:
        """The records of one request, by its id or a record's. Raises LogUnreadable."""
        try:
            found = tuple(Reader(self._ledger).find(name))
        except LedgerError as error:
            raise LogUnreadable from error
        return _chosen(found)

    def search(self, wanted: LogSearch, reach: Reach) -> LogRelease:
        """What `wanted` finds for a reader with this reach: a page of it, or all. Raises as `search.page` does."""
        if wanted.count is None:
            everything = stream(self._ledger, wanted, reach)
            return LogRelease(0, everything.size - 1, lambda first, last: _within(everything.records(), first, last))
        found = page(self._ledger, wanted, reach)
        return _chosen(found.records, found.next)

    def purged(self, wanted: LogSearch, reach: Reach) -> bool:
        """Whether what `wanted` names by its position was there, and was purged. Raises LogUnreadable."""
        return purged(self._ledger, wanted, reach)

    def records(self, first: int, last: int | None) -> LogRelease:
        """Records `first` to `last`, both included; None is the newest now. Raises LogUnreadable."""
        try:
            reader = Reader(self._ledger)
            head = reader.head()
        except LedgerError as error:
            raise LogUnreadable from error
        newest = head.size - 1
        last = newest if last is None else min(last, newest)
        return LogRelease(first, max(last, first - 1), reader.records, checkpoint=head.checkpoint)


def _chosen(found: tuple[StoredRecord, ...], going_on: LogMark | None = None) -> LogRelease:
    positions = [each.position for each in found]
    first, last = min(positions, default=0), max(positions, default=-1)
    return LogRelease(first, last, lambda first, last: _within(found, first, last), going_on)


def _within(records: Iterable[StoredRecord], first: int, last: int) -> Iterator[StoredRecord]:
    return (each for each in records if first <= each.position <= last)
