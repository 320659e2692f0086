"""What the ledger asks of a place to keep records. One interface, one contract; `sqlite` is the embedded one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from plugin.ledger.criteria import Hit, Step
from plugin.ledger.errors import LedgerBroken
from plugin.ledger.merkle import Edge
from plugin.ledger.record import StoredRecord
from plugin.ledger.tiles import Shelf

FORMAT = 2
"""Of what is stored: tables, their meaning, and what makes them quick to search and hard to change by mistake."""
OLDER_FORMATS = frozenset({1})
"""They can be read and verified; `upgrade` makes them this one. 1 lacks indexes, in part, and allows no purge."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What never changes about a ledger."""

    format: int
    origin: str
    vkey: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest state of the tree."""

    edge: Edge
    checkpoint: str
    """A signed note that states this size and root."""
    time: str
    """When it was signed."""

    @property
    def size(self) -> int:
        """How many records there are."""
        return self.edge.size

    @property
    def root(self) -> bytes:
        """The root that the edge comes to."""
        return self.edge.root()


def head_of(row: tuple | None) -> Head:  # type: ignore[type-arg]  # as a store returns it
    """The head of its row: size, edge, checkpoint, time. Raises LedgerBroken if there is none or it is malformed."""
    if row is None:
        raise LedgerBroken("the ledger has no head")
    size, edge, checkpoint, time = row
    try:
        return Head(Edge.from_bytes(size, edge), checkpoint, time)
    except ValueError as error:
        raise LedgerBroken(f"the head has no edge of a tree of {size} records") from error


@dataclass(frozen=True, slots=True)
class Row:
    """A record with its search columns."""

    position: int
    header: bytes
    body: bytes | None
    columns: tuple[str | None, ...]
    """In the order of `record.SEARCH_COLUMNS`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that follow a head, and the head that they lead to."""

    rows: Sequence[Row]
    head: Head


class Store(Protocol):
    """Keeps rows and one head. Several processes may share what it keeps; a Store object has one user at a time.

    Every method may raise LedgerUnavailable (StorageFailed after an I/O error) or LedgerBroken, and nothing else.
    """

    def meta(self) -> Meta:
        """What the ledger was made with. Raises LedgerMissing, too, if there is none."""

    def commit(self, make_batch: Callable[[Head], Batch]) -> None:
        """Add a batch, all of it or nothing, durable when this returns.

        `make_batch` is called once at most, with the newest head and while no other process can change it; what it
        raises passes through, and nothing is stored. Raises LedgerUnavailable if the batch may or may not be there,
        LedgerBroken if a position of it is taken.
        """

    def tail(self, count: int) -> tuple[Head, Sequence[Row]]:
        """The head and the last `count` rows, oldest first, both of one moment."""

    def contains(self, record: str) -> bool:
        """True if a row's column `record` has this value."""

    def close(self) -> None:
        """Let go of connections. A later call opens anew."""


class View(Protocol):
    """What a reader sees of what a store keeps. Holds a connection, so it is not kept for long.

    Every method may raise LedgerBroken; whatever else goes wrong is LedgerUnreadable once the view is left.
    """

    def freeze(self) -> None:
        """From here on everything is seen as of one moment."""

    def check_tables(self) -> None:
        """Raises LedgerBroken unless the tables are ours: others could hold values that no reader expects."""

    def check_aids(self) -> None:
        """Raises LedgerBroken, which names it, if an index or a trigger is missing or not as it was made."""

    def meta(self) -> Meta:
        """What the ledger was made with."""

    def head(self) -> Head:
        """The newest head."""

    def shelf(self) -> Shelf:
        """The hashes of the tree."""

    def bounds(self) -> tuple[int | None, int | None]:
        """The lowest and the highest position that there is; None if there are no records."""

    def rows(self, first: int, end: int) -> Iterator[tuple[Any, ...]]:
        """The rows from `first` to before `end`, in order: position, header, body and SEARCH_COLUMNS."""

    def records(self, first: int, last: int, limit: int) -> list[StoredRecord]:
        """The first `limit` of the records from `first` to `last`, both included, in order."""

    def find(self, name: str) -> list[StoredRecord]:
        """The records whose record id or request id is `name`, in order."""

    def matching(self, step: Step, give_up_at: float | None = None) -> list[Hit]:
        """The next records of a search. Raises SearchTooLong once `give_up_at`, of `time.monotonic`, has passed."""

    def own(self, action: str) -> list[StoredRecord]:
        """The records of an action that explains the ledger (`own.PREFIX`), in order. From their search column."""


Opening = Callable[[], AbstractContextManager[View]]
"""Opens a view. Pickles, for other processes are handed it. Raises LedgerUnreadable; LedgerMissing if there is none."""
