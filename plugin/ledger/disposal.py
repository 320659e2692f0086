"""Purging, step by step: find what is due, and, once a purge record names it, remove bodies and search columns.

Headers are never touched. Writing the record between the two is the caller's, and so is the right to remove: in
PostgreSQL another role's. What was recorded and not removed, because something went down in between, is removed first.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypedDict

import msgspec

from plugin.ledger.errors import LedgerBroken
from plugin.ledger.hold import holds_of
from plugin.ledger.own import OWN_CLASS
from plugin.ledger.purge import Purges, purges_of
from plugin.ledger.record import SEARCH_COLUMNS, flaw
from plugin.ledger.retention import Due, Kept, Outline, Period, Selection, Tally
from plugin.ledger.store import Opening, View

CHUNK = 4_096
"""Records read at a time: no read transaction lasts long."""
MAX_RANGES = 10_000
"""Of one purge record: some 200 kB. Further ones go into a record of their own."""

_Stated = TypedDict("_Stated", {"class": str, "tenant": str, "time": str})
_STATED = msgspec.json.Decoder(_Stated)
_PERSON, _PATIENT = (3 + SEARCH_COLUMNS.index(name) for name in ("person", "patient"))


class Eraser(Protocol):
    """Removes bodies and search columns, and can change nothing else.

    Every method may raise LedgerUnavailable (StorageFailed after an I/O error) or LedgerBroken.
    """

    def alone(self) -> AbstractContextManager[None]:
        """Keeps other purges of this ledger, new holds and changes of key out as long as the block lasts.

        Raises LedgerUnavailable if somebody else is inside.
        """

    def erase(self, first: int, last: int) -> int:
        """Remove what the records from `first` to `last` say; returns how many still had a body.

        Durable when this returns, and in pieces: other writers get their turn in between. Safe to repeat.
        """


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due now."""

    due: Sequence[Due]
    tallies: Mapping[tuple[str, str], Tally]
    """By class and tenant; also those of which everything is held."""
    unfinished: int
    """Records that an earlier purge record names and that still have their body."""

    def parts(self) -> Iterator[list[Due]]:
        """What is due, in portions for one purge record each."""
        for due in self.due:
            for at in range(0, len(due.ranges), MAX_RANGES):
                yield [replace(due, ranges=due.ranges[at : at + MAX_RANGES])]


def plan(opened: Opening, periods: Mapping[Kept, Period], now: datetime) -> Plan:
    """Find what is past its period and not held. Reads everything, changes nothing.

    Raises LedgerBroken if a record that is due, or one that explains the ledger, is not what its header says: what may
    be evidence is not removed. Or LedgerUnreadable.
    """
    with opened() as view:
        view.freeze()
        view.check_tables()
        purges, misleading = purges_of(view)
        if misleading is not None:
            raise LedgerBroken(str(misleading))
        selection = Selection(periods, [placed.hold for placed in holds_of(view)], now)
        size = view.head().size
    unfinished = 0
    for first in range(0, size, CHUNK):
        with opened() as view:
            unfinished += _show(view, first, min(first + CHUNK, size), selection, purges)
    return Plan(selection.due(), selection.tallies, unfinished)


def finish(opened: Opening, eraser: Eraser) -> int:
    """Remove what purge records name and is still there; returns how much. Raises as `plan` and `Eraser.erase`."""
    with opened() as view:
        purges, misleading = purges_of(view)
    if misleading is not None:
        raise LedgerBroken(str(misleading))
    return sum(eraser.erase(cover.first, cover.last) for cover in purges.covers)


def erase(eraser: Eraser, due: Sequence[Due]) -> int:
    """Remove what a purge record names; returns how many records. Raises as `Eraser.erase`."""
    return sum(eraser.erase(first, last) for each in due for first, last in each.ranges)


def _show(view: View, first: int, end: int, selection: Selection, purges: Purges) -> int:
    """Show a piece to the selection; how many of it an interrupted purge left. Raises LedgerBroken."""
    unfinished = 0
    for row in view.rows(first, end):
        position, header, body = row[:3]
        if purges.at(position) is not None:
            unfinished += body is not None
            continue
        if body is None:
            raise LedgerBroken(f"the body of record {position} is missing, and no purge record names it")
        try:
            stated = _STATED.decode(header)
        except (msgspec.DecodeError, RecursionError) as error:
            raise LedgerBroken(f"the header of record {position} is not in the form of a header") from error
        outline = Outline(position, stated["time"], stated["tenant"], stated["class"], row[_PERSON], row[_PATIENT])
        # The records of holds too: one that is not found by its column would let go what it keeps.
        if selection.show(outline) or outline.retention_class == OWN_CLASS:
            wrong = flaw(position, header, body, row[3:])
            if wrong is not None:
                raise LedgerBroken(wrong)
    return unfinished
