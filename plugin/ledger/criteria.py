"""What a search of the ledger asks for, in the words of its columns, and where it stands. How to find it is a store's.

Order is by time, then position: the clock of a machine may step back, so the one does not follow from the other.
"""

from dataclasses import dataclass

from plugin.ledger.errors import LedgerError
from plugin.ledger.record import SEARCH_COLUMNS, StoredRecord


class SearchTooLong(LedgerError):
    """The search was given up because its time had run out. What it found by then is not the whole."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The column has one of these values; none: no record does."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """The column has none of these values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Containing:
    """One of these texts stands in the stored body, byte for byte: no index helps, but little is faster to rule out."""

    texts: tuple[str, ...]


Condition = OneOf | NoneOf | Containing


@dataclass(frozen=True, slots=True)
class Criteria:
    """What the columns must say; all of it must hold. A record whose body was purged is found by nothing."""

    way_in: OneOf | None = None
    """The condition by whose index records are reached. It should hold for few, and its column must have an index with
    the time; None: all records of the period are gone through."""
    others: tuple[Condition, ...] = ()
    since: str | None = None
    """As `encode_time` writes it; included."""
    until: str | None = None
    """Not included."""
    positions: tuple[int, ...] | None = None
    """Only these."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the order of a search."""

    time: str
    position: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A record, and the place where a search stands when it has come to it."""

    mark: Mark
    record: StoredRecord


@dataclass(frozen=True, slots=True)
class Step:
    """The next records of a search, in its order."""

    criteria: Criteria
    entrance: str | None
    """The one value of the way in; None where there is no way in."""
    size: int
    """Only records below this position."""
    newest_first: bool
    after: Mark | None
    """Only what lies beyond; None: from the beginning."""
    count: int
    """At most so many."""


def checked(column: str) -> str:
    """The name of a search column, fit to stand in a statement. Raises ValueError if it is none."""
    if column not in SEARCH_COLUMNS:
        raise ValueError(f"{column!r} is no search column")
    return column
