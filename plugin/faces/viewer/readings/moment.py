"""FHIR dates as a reader meets them: as precise as the source wrote them, in the source's own clock time.

A date is never made more precise than it is: `2026-03` is a month. What cannot be read as a date is kept as text.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, ClassVar

from msgspec import Struct

from fhir_adapters.moments import BEGINNING, stretch
from plugin.faces.viewer.readings.text import Text, line

_WHOLE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})")
"""A moment to the second with its zone, as nearly every source writes it."""
_EDGE_YEARS = ("0001", "9999")
"""Where the moment itself may lie outside the calendar, although what stands there can be read."""
_ZONE_MARKS = ("+", "-")
_DATE_LENGTHS = {4: "year", 7: "month", 10: "day"}
_ZONE_LENGTH = len("+01:00")


class Precision(StrEnum):
    """How much a date says."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    TIME = "time"
    UNREADABLE = "unreadable"
    """No date that the calendar has; `written` says what stood there."""


class When(Struct, frozen=True, gc=False):
    """A date, a time, or a period from one to another."""

    kind: ClassVar[str] = "when"

    precision: Precision
    at: datetime
    """Where it begins: clock time as the source wrote it, with its offset; UTC where none is stated. For
    Precision.UNREADABLE the beginning of the calendar."""
    zoned: bool = False
    """The source stated the offset. A date without a time never has one."""
    until: "When | None" = None
    """The end of a period; None: it has none, or goes on (`is_period`)."""
    is_period: bool = False
    is_open_start: bool = False
    """A period of which only the end is known; `at` and `precision` are then those of the end."""
    written: Text | None = None
    """What cannot be read: the date itself, or the start of a period of which only the end is known."""

    @property
    def is_dated(self) -> bool:
        """Whether it has a place in the calendar."""
        return self.precision is not Precision.UNREADABLE

    @property
    def order(self) -> datetime:
        """For sorting, in UTC: the first moment that it can mean."""
        return self.at.astimezone(UTC) if self.at.tzinfo is not UTC else self.at

    @property
    def last_day(self) -> date:
        """The last day that the date itself can mean, its end aside."""
        day = self.at.date()
        if self.precision is Precision.YEAR:
            return day.replace(month=12, day=31)
        if self.precision is Precision.MONTH:
            return day.replace(day=monthrange(day.year, day.month)[1])
        return day


def when(value: Any) -> When | None:
    """A FHIR date, dateTime or instant. None where there is no text."""
    if not isinstance(value, str):
        return None
    try:
        return _read(value)
    except (ValueError, OverflowError):
        written = line(value)
        return None if written is None else When(Precision.UNREADABLE, BEGINNING, written=written)


def period(value: Any) -> When | None:
    """A Period: from its start, or up to its end where it has no start. None where it has neither."""
    if not isinstance(value, Mapping):
        return None
    start, end = when(value.get("start")), when(value.get("end"))
    if start is None and end is None:
        return None
    if start is None or not start.is_dated:
        first = end or start
        assert first is not None  # one of them is there, see above  # noqa: S101
        written = start.written if start is not None and first.is_dated else first.written
        return When(
            first.precision, first.at, first.zoned, is_period=True, is_open_start=end is not None, written=written
        )
    return When(start.precision, start.at, start.zoned, until=end, is_period=True)


def timing(value: Any) -> When | None:
    """A Timing, by the limits of its repetition, else by its first event. None where it has neither."""
    if not isinstance(value, Mapping):
        return None
    repeat = value.get("repeat")
    limits = period(repeat.get("boundsPeriod")) if isinstance(repeat, Mapping) else None
    events = value.get("event")
    return limits or (when(events[0]) if isinstance(events, list) and events else None)


def _read(text: str) -> When:
    if _WHOLE.fullmatch(text) and text[:4] not in _EDGE_YEARS and text[17:19] != "60":
        # The same as below, at a fifth of the time: an overview has two of them a row.
        at = datetime.fromisoformat(text)
        return When(Precision.TIME, at.replace(tzinfo=UTC) if text[-1] == "Z" else at, zoned=True)
    start = stretch(text).start
    day, _, clock = text.partition("T")
    if not clock:
        return When(Precision(_DATE_LENGTHS[len(day)]), start)
    if clock.endswith("Z"):
        return When(Precision.TIME, start, zoned=True)
    if clock[-_ZONE_LENGTH : -_ZONE_LENGTH + 1] not in _ZONE_MARKS:
        return When(Precision.TIME, start)
    sign, hours, minutes = clock[-6], int(clock[-5:-3]), int(clock[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    # Beyond a day `timezone` raises ValueError: then it is no date that a clock can show.
    return When(Precision.TIME, start.astimezone(timezone(-offset if sign == "-" else offset)), zoned=True)
