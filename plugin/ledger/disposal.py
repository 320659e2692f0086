"""Purging, step by step: find what is due, and, once a purge record names it, remove bodies and search columns.

Headers are never touched. Writing the record between the two is the caller's, and so is the right to remove: in
PostgreSQL another role's. What was recorded and not removed, because something went down in between, is removed first.
A hold keeps what still has its body, also where a purge record names it already: holds are looked up for each batch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from plugin.ledger.errors import LedgerBroken
from plugin.ledger.hold import holds_of
from plugin.ledger.own import OWN_CLASS
from plugin.ledger.purge import Purges, purges_of
from plugin.ledger.record import flaw
from plugin.ledger.retention import Due, Kept, Outline, Period, Ranges, Selection, Tally, is_held
from plugin.ledger.store import Opening, View

CHUNK = 4_096
"""Records read at a time: no read transaction lasts long."""
MAX_RANGES = 10_000
"""Of one purge record: some 200 kB. Further ones go into a record of their own."""
BATCH = 500
"""Records that are removed in one transaction: some ten milliseconds, for which appends to a file wait."""


class Eraser(Protocol):
    """Removes bodies and search columns, and can change nothing else.

    Every method may raise LedgerUnavailable (StorageFailed after an I/O error) or LedgerBroken.
    """

    def alone(self) -> AbstractContextManager[None]:
        """Keeps other purges of this ledger and changes of key out as long as the block lasts.

        Raises LedgerUnavailable if somebody else is inside.
        """

    def erase(self, batches: Iterable[Sequence[int]]) -> int:
        """Remove what the records at these positions say; returns how many still had a body.

        Each batch is a transaction, and is asked for when its turn has come: other writers get theirs in between.
        All is durable when this returns. Safe to repeat.
        """


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due now."""

    due: Sequence[Due]
    tallies: Mapping[tuple[str, str], Tally]
    """By class and tenant; also those of which everything is held."""
    left: Ranges
    """Records that an earlier purge record names, that still have their body, and that no hold keeps."""
    kept: int
    """Those that a hold keeps."""

    def parts(self) -> Iterator[list[Due]]:
        """What is due, in portions for one purge record each."""
        for due in self.due:
            for at in range(0, len(due.ranges), MAX_RANGES):
                yield [replace(due, ranges=due.ranges[at : at + MAX_RANGES])]


def plan(opened: Opening, periods: Mapping[Kept, Period], now: datetime) -> Plan:
    """Find what is past its period and not held. Reads everything, changes nothing.

    Raises LedgerBroken if a record that is to go, or one that explains the ledger, is not what its header says: what
    may be evidence is not removed. Or LedgerUnreadable.
    """
    with opened() as view:
        view.freeze()
        view.check_tables()
        purges, misleading = purges_of(view)
        if misleading is not None:
            raise LedgerBroken(str(misleading))
        selection = Selection(periods, [placed.hold for placed in holds_of(view)], now)
        size = view.head().size
    for first in range(0, size, CHUNK):
        with opened() as view:
            _show(view, first, min(first + CHUNK, size), selection, purges)
    return Plan(selection.due(), selection.tallies, selection.left, selection.kept)


def erase(opened: Opening, eraser: Eraser, ranges: Iterable[Sequence[int]]) -> int:
    """Remove what purge records name; returns how many records. What is held by the time of its batch is left.

    `ranges` are first and last positions, in order. Raises as `plan` and `Eraser.erase`.
    """
    return eraser.erase(_batches(opened, ranges))


def _batches(opened: Opening, ranges: Iterable[Sequence[int]]) -> Iterator[Sequence[int]]:
    """The positions that no hold keeps when the batch's turn has come."""
    with opened() as view:
        for positions in _pieces(ranges):
            yield _released(view, positions)


def _pieces(ranges: Iterable[Sequence[int]]) -> Iterator[list[int]]:
    """The positions in batches, none of which spans more than is read at a time."""
    piece: list[int] = []
    for first, last in ranges:
        for position in range(first, last + 1):
            if piece and (len(piece) == BATCH or position - piece[0] >= CHUNK):
                yield piece
                piece = []
            piece.append(position)
    if piece:
        yield piece


def _released(view: View, positions: Sequence[int]) -> Sequence[int]:
    holds = [placed.hold for placed in holds_of(view)]
    if not holds:
        return positions
    held = {row[0] for row in view.rows(positions[0], positions[-1] + 1) if is_held(Outline.of(row), holds)}
    return [position for position in positions if position not in held]


def _show(view: View, first: int, end: int, selection: Selection, purges: Purges) -> None:
    """Show a piece to the selection. Raises LedgerBroken."""
    for row in view.rows(first, end):
        position, header, body = row[:3]
        named = purges.at(position) is not None
        if body is None:
            if not named:
                raise LedgerBroken(f"the body of record {position} is missing, and no purge record names it")
            continue
        outline = Outline.of(row)
        goes = selection.show_named(outline) if named else selection.show(outline)
        # The records of holds too: one that is not found by its column would let go what it keeps.
        if goes or outline.retention_class == OWN_CLASS:
            wrong = flaw(position, header, body, row[3:])
            if wrong is not None:
                raise LedgerBroken(wrong)
