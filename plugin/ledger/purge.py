"""What purge records say: which bodies were removed, and by which rule. Without one a missing body is a loss.

A purge record is an ordinary record of the class that is never purged. It names ranges of positions, which never
overlap those of an earlier one; it is durable before the first body goes. What is due is for `retention`, and removing
it for `disposal`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from plugin.ledger.own import OWN_CLASS, Own, OwnInvalid, read
from plugin.ledger.record import SEARCH_COLUMNS, STATED, StoredRecord, flaw, purged_flaw
from plugin.ledger.store import Row, View

PURGED = "ledger:purged"
"""The action of a purge record."""


class _Due(msgspec.Struct):
    retention_class: str
    before: str
    ranges: list[tuple[int, int]]
    tenant: str | None = None


class _Said(msgspec.Struct):
    due: list[_Due]


class _Purge(msgspec.Struct):
    """The keys of a purge record that decide; it says more, to its readers."""

    purge: _Said


@dataclass(frozen=True, slots=True)
class Cover:
    """A range of positions whose bodies a purge record removes."""

    first: int
    last: int
    retention_class: str
    before: str
    """Each of them is of this class and older than this."""
    purge: int
    """The position of the purge record."""
    tenant: str | None = None
    """Each of them is of this tenant, if one is said."""


class Purges:
    """The covers of all purge records, in order of their positions."""

    def __init__(self, covers: Iterable[Cover] = ()) -> None:
        """`covers` do not overlap."""
        self.covers = sorted(covers, key=lambda cover: cover.first)
        self._firsts = [cover.first for cover in self.covers]

    def at(self, position: int) -> Cover | None:
        """The cover that a position lies in."""
        if not self._firsts:  # as nearly always: this is asked of every record that is verified
            return None
        found = bisect_right(self._firsts, position) - 1
        return self.covers[found] if found >= 0 and position <= self.covers[found].last else None

    def reach(self, first: int, end: int) -> bool:
        """True if one of them has a position from `first` to before `end`."""
        found = bisect_right(self._firsts, end - 1) - 1
        return found >= 0 and self.covers[found].last >= first

    def within(self, first: int, end: int) -> "Purges":
        """Those that reach into the positions from `first` to before `end`."""
        begin = max(0, bisect_right(self._firsts, first) - 1)
        return Purges(
            cover for cover in self.covers[begin : bisect_right(self._firsts, end - 1)] if cover.last >= first
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Purges) and self.covers == other.covers

    __hash__ = None  # type: ignore[assignment]  # as of any class that compares by what it holds


def purges(records: Iterable[StoredRecord]) -> tuple[Purges, OwnInvalid | None]:
    """What purge records, in order of their positions, cover, and what is wrong with the first bad one, if any.

    Nothing behind a bad one covers anything.
    """
    covers: list[Cover] = []
    try:
        for record in records:
            (own,) = read((record,), _Purge)
            for cover in _covers(own):
                _insert(covers, cover)
    except OwnInvalid as error:
        return Purges(covers), error
    return Purges(covers), None


def purges_of_tail(rows: Sequence[Row]) -> Purges:
    """What the purge records among the newest rows cover: a body among them can have been purged by no other."""
    action = SEARCH_COLUMNS.index("action")
    return purges(StoredRecord(row.position, row.header, row.body) for row in rows if row.columns[action] == PURGED)[0]


def purges_of(view: View) -> tuple[Purges, OwnInvalid | None]:
    """`purges` of what is stored."""
    return purges(view.own(PURGED))


def row_flaw(
    purges: Purges, position: int, header: bytes, body: bytes | None, columns: tuple[str | None, ...]
) -> str | None:
    """What is wrong with a stored record, if its body may be gone only where a purge says so; None if nothing is."""
    cover = purges.at(position)
    if cover is None:
        return flaw(position, header, body, columns)
    wrong = purged_flaw(position, header, columns) if body is None else flaw(position, header, body, columns)
    return wrong or _rule_flaw(cover, position, header)


def _rule_flaw(cover: Cover, position: int, header: bytes) -> str | None:
    """Why the rule that a purge record states does not fit the record that it names; None if it does."""
    stated = STATED.decode(header)
    if stated["class"] != cover.retention_class:
        return f"the purge at {cover.purge} names record {position}, which is of class {stated['class']}"
    if cover.tenant not in {None, stated["tenant"]}:
        return f"the purge at {cover.purge} names record {position}, which is of tenant {stated['tenant']}"
    if stated["time"] >= cover.before:
        return f"the purge at {cover.purge} names record {position}, which is younger than it says"
    return None


def _covers(own: Own[_Purge]) -> Iterator[Cover]:
    for due in own.facts.purge.due:
        if due.retention_class == OWN_CLASS:
            raise OwnInvalid(own.position, f"the purge at {own.position} names records that explain the ledger")
        for first, last in due.ranges:
            yield Cover(first, last, due.retention_class, due.before, own.position, due.tenant)


def _insert(covers: list[Cover], cover: Cover) -> None:
    """Put it into its place. Raises OwnInvalid if it can have none."""
    purge = f"the purge at {cover.purge}"
    if not 0 <= cover.first <= cover.last:
        raise OwnInvalid(cover.purge, f"{purge} names a range that is none")
    if cover.last >= cover.purge:
        raise OwnInvalid(cover.purge, f"{purge} names itself, or what comes after it")
    at = bisect_right(covers, cover.first, key=lambda each: each.first)
    if at > 0 and covers[at - 1].last >= cover.first:
        raise OwnInvalid(cover.purge, f"{purge} names record {cover.first} again")
    if at < len(covers) and covers[at].first <= cover.last:
        raise OwnInvalid(cover.purge, f"{purge} names record {covers[at].first} again")
    covers.insert(at, cover)
