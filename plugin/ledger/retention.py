"""How long records are kept: which are past their period and not held. Pure: reads no ledger and no clock.

A record's class and tenant are in its header and never change; which period a class has, at a tenant or everywhere, is
the caller's to say, and what has none is kept for ever. Removing what is due is for `purge`.
"""

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec

from plugin.ledger.errors import LedgerBroken
from plugin.ledger.own import OWN_CLASS
from plugin.ledger.record import SEARCH_COLUMNS, STATED, encode_time

PRESETS = {"6-months": 6, "1-year": 12, "3-years": 36, "10-years": 120, "20-years": 240}
"""Named periods, in calendar months. None is a default: the controller chooses."""
_DAYS = re.compile(r"([1-9][0-9]{0,4}) days")

_PERSON, _PATIENT = (3 + SEARCH_COLUMNS.index(name) for name in ("person", "patient"))


@dataclass(frozen=True, slots=True)
class Period:
    """How long the records of a class are kept."""

    text: str
    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """A preset's name, or `400 days`. Raises ValueError."""
        if text in PRESETS:
            return cls(text, months=PRESETS[text])
        found = _DAYS.fullmatch(text)
        if found is None:
            raise ValueError(f"a period is one of {', '.join(PRESETS)}, or a number of days: '400 days'")
        return cls(text, days=int(found.group(1)))

    def before(self, now: datetime) -> datetime:
        """The moment that a record must be older than to be past this period.

        The same day so many months ago; where that month is shorter, its last day.
        """
        years, month = divmod(now.year * 12 + now.month - 1 - self.months, 12)
        day = min(now.day, calendar.monthrange(years, month + 1)[1])
        return now.replace(year=years, month=month + 1, day=day) - timedelta(days=self.days)


Kept = tuple[str, str | None]
"""What has a period of its own: a class, of one tenant or (None) of every tenant that has none of its own for it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Keeps every record that has all that it names. Names at least one thing."""

    id: str
    tenant: str | None = None
    patient: str | None = None
    """As the search column of a record has it; `person` likewise."""
    person: str | None = None
    first: int | None = None
    last: int | None = None
    """Positions, both included; None: from the beginning, to the end."""

    def keeps(self, record: "Outline") -> bool:
        """True if the record is held by this."""
        return (
            self.tenant in {None, record.tenant}
            and self.patient in {None, record.patient}
            and self.person in {None, record.person}
            and (self.first is None or self.first <= record.position)
            and (self.last is None or record.position <= self.last)
        )


@dataclass(frozen=True, slots=True)
class Outline:
    """What retention asks of a record that still has its body."""

    position: int
    time: str
    """As `record.encode_time` writes it: text order is time order."""
    tenant: str
    retention_class: str
    person: str | None
    patient: str | None

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Self:
        """That of a row as `View.rows` has it. Raises LedgerBroken if its header is none."""
        position, header = row[:2]
        try:
            stated = STATED.decode(header)
        except (msgspec.DecodeError, RecursionError) as error:
            raise LedgerBroken(f"the header of record {position} is not in the form of a header") from error
        return cls(position, stated["time"], stated["tenant"], stated["class"], row[_PERSON], row[_PATIENT])


def is_held(record: Outline, holds: Sequence[Hold]) -> bool:
    """True if one of these keeps the record."""
    return any(hold.keeps(record) for hold in holds)


@dataclass(slots=True)
class Tally:
    """How many records of one class and tenant there are to go, from when to when, and how many stay for a hold."""

    due: int = 0
    since: str = ""
    until: str = ""
    held: int = 0

    def add(self, record: Outline) -> None:
        """Count one that is due."""
        self.due += 1
        self.since = min(self.since or record.time, record.time)
        self.until = max(self.until, record.time)


Ranges = list[list[int]]
"""First and last position, both included, in order, none touching the next."""


def extend(ranges: Ranges, position: int) -> None:
    """Take in a position behind all others."""
    if ranges and ranges[-1][1] == position - 1:
        ranges[-1][1] = position
    else:
        ranges.append([position, position])


@dataclass(slots=True)
class Due:
    """What is due of one class, of one tenant or of all that follow the general period."""

    retention_class: str
    tenant: str | None
    period: str
    before: str
    """Each record of it is older than this."""
    ranges: Ranges = field(default_factory=list)


class Selection:
    """Finds what is due among records that are shown to it one after another, in the order of their positions."""

    def __init__(self, periods: Mapping[Kept, Period], holds: Sequence[Hold], now: datetime) -> None:
        """Raises ValueError if a period is given to the class that explains the ledger."""
        if any(name == OWN_CLASS for name, _ in periods):
            raise ValueError(f"records of class {OWN_CLASS} are never purged")
        self._holds = holds
        self._due = {kept: Due(*kept, period.text, encode_time(period.before(now))) for kept, period in periods.items()}
        self.tallies: dict[tuple[str, str], Tally] = {}
        """By class and tenant, in the order in which they were met."""
        self.left: Ranges = []
        """What an interrupted purge left and no hold keeps."""
        self.kept = 0
        """How many records of an interrupted purge a hold keeps."""

    def show(self, record: Outline) -> bool:
        """Look at a record; True if it is due."""
        due = self._due.get((record.retention_class, record.tenant)) or self._due.get((record.retention_class, None))
        if due is None or record.time >= due.before:
            return False
        tally = self._tally(record)
        if is_held(record, self._holds):
            tally.held += 1
            return False
        tally.add(record)
        extend(due.ranges, record.position)
        return True

    def show_named(self, record: Outline) -> bool:
        """Look at a record that an earlier purge names and that still has its body; True if it is to go now."""
        if is_held(record, self._holds):
            self._tally(record).held += 1
            self.kept += 1
            return False
        extend(self.left, record.position)
        return True

    def due(self) -> list[Due]:
        """What was found, for each period that something is past."""
        return [due for due in self._due.values() if due.ranges]

    def _tally(self, record: Outline) -> Tally:
        return self.tallies.setdefault((record.retention_class, record.tenant), Tally())
