"""Legal holds: what the records that place and lift them say, and which are in force.

A hold is in force from the record that places it to the one that lifts it, by its id. What it keeps is for `retention`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from plugin.ledger.errors import LedgerBroken
from plugin.ledger.own import Own, OwnInvalid, read
from plugin.ledger.record import StoredRecord
from plugin.ledger.retention import Hold
from plugin.ledger.store import View

HELD, LIFTED = "ledger:held", "ledger:hold-lifted"
"""The actions of the two records."""


class _Placed(msgspec.Struct):
    id: str
    reason: str
    tenant: str | None = None
    patient: str | None = None
    person: str | None = None
    first: int | None = None
    last: int | None = None


class _Lifted(msgspec.Struct):
    id: str


class _Placing(msgspec.Struct):
    hold: _Placed


class _Lifting(msgspec.Struct):
    hold: _Lifted


@dataclass(frozen=True, slots=True)
class PlacedHold:
    """A hold in force, and what its record says of it."""

    hold: Hold
    reason: str
    since: str
    """The time of its record."""


def holds_of(view: View) -> list[PlacedHold]:
    """The holds in force, oldest first. Raises LedgerBroken if a record of one cannot be read."""
    return in_force(view.own(HELD), view.own(LIFTED))


def in_force(placing: Iterable[StoredRecord], lifting: Iterable[StoredRecord]) -> list[PlacedHold]:
    """The holds that `placing` places and `lifting` does not lift. Raises LedgerBroken."""
    try:
        lifted = {own.facts.hold.id: own.position for own in read(lifting, _Lifting)}
        return [_placed(own) for own in read(placing, _Placing) if lifted.get(own.facts.hold.id, -1) < own.position]
    except OwnInvalid as error:
        raise LedgerBroken(str(error)) from error


def _placed(own: Own[_Placing]) -> PlacedHold:
    said = own.facts.hold
    hold = Hold(said.id, said.tenant, said.patient, said.person, said.first, said.last)
    return PlacedHold(hold, said.reason, own.time)
