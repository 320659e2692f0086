"""FHIR dates as stretches of time, and the R4 comparisons of a search value with them (R4 3.1.1.4.6).

A date is as long as what it leaves unsaid: `2026-03` lasts a month. Where no time zone is given, UTC is meant.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)

APPROXIMATION = 0.1
"""`ap` reaches a tenth of the distance between the value and now to both sides, as R4 recommends."""

_DATE_TIME = re.compile(
    r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_PREFIX = re.compile(r"(eq|ne|gt|ge|lt|le|sa|eb|ap)?(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` up to but not including `end`."""

    start: datetime
    end: datetime

    def within(self, other: "Stretch") -> bool:
        """True if all of it lies inside `other`."""
        return other.start <= self.start and self.end <= other.end

    def covers(self, moment: datetime) -> bool:
        """True if `moment` lies in it."""
        return self.start <= moment < self.end

    def overlaps(self, other: "Stretch") -> bool:
        """True if they share a moment."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Sought:
    """A date of a search, with its comparison."""

    prefix: str
    stretch: Stretch

    def accepts(self, found: Stretch) -> bool:
        """True if a resource whose value is `found` matches."""
        return _COMPARISONS[self.prefix](found, self.stretch)


def sought(text: str) -> Sought:
    """A search value such as `ge2026-03-01`. Raises ValueError if it is not a prefix and a FHIR date or dateTime."""
    found = _PREFIX.fullmatch(text)
    if found is None:
        raise ValueError("not a date")
    return Sought(found[1] or "eq", stretch(found[2]))


def stretch(text: str) -> Stretch:
    """The time that a FHIR date, dateTime or instant covers. Raises ValueError if `text` is none, or no such day
    exists."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a date")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    digits = (fraction or "")[:6]
    start = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        59 if second == "60" else int(second or 0),  # a leap second has no datetime of its own: the second before it
        int(digits.ljust(6, "0")),
        tzinfo=UTC,
    )
    if month is None:
        length = timedelta(days=(datetime(start.year, 12, 31, tzinfo=UTC) - start).days + 1)
    elif day is None:
        length = timedelta(days=monthrange(start.year, start.month)[1])
    elif hour is None:
        length = timedelta(days=1)
    elif second is None:
        length = timedelta(minutes=1)
    else:
        length = timedelta(microseconds=10 ** (6 - len(digits)))
    return _lasting(_in_utc(start, zone), length)


def stretches(value: Any) -> list[Stretch]:
    """What a date, dateTime, instant, Period or Timing element covers. Raises ValueError if it cannot be told."""
    if isinstance(value, str):
        return [stretch(value)]
    if isinstance(value, dict):
        scheduled = "event" in value or "repeat" in value or "code" in value
        return _timing(value) if scheduled else [period(value)]
    raise ValueError("not a date")


def period(value: Any) -> Stretch:
    """A Period; a side that is missing is open. Its end is included to the end of the stretch that it names.

    Raises ValueError if it has neither side, as what is no object, or one that is no date.
    """
    start, end = (value.get("start"), value.get("end")) if isinstance(value, dict) else (None, None)
    if start is None and end is None:
        raise ValueError("a period without start and end")
    return Stretch(
        BEGINNING if start is None else stretch(_text(start)).start, END if end is None else stretch(_text(end)).end
    )


def _timing(value: Mapping[str, Any]) -> list[Stretch]:
    """The outer limits of a schedule (R4 3.1.1.4.6), from its events and the bounds of its repetition."""
    repeat = value.get("repeat")
    bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
    events = value.get("event", [])
    if not isinstance(events, list) or (repeat is not None and not isinstance(bounds, dict)):
        raise ValueError("a schedule without limits")
    limits = [stretch(_text(event)) for event in events] + ([period(bounds)] if isinstance(bounds, dict) else [])
    if not limits:
        raise ValueError("a schedule without limits")
    return [Stretch(min(limit.start for limit in limits), max(limit.end for limit in limits))]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("not a date")


def _in_utc(local: datetime, zone: str | None) -> datetime:
    if zone in (None, "Z"):
        return local
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    offset = timedelta(hours=hours, minutes=minutes)
    try:
        return local - offset if zone[0] == "+" else local + offset
    except OverflowError:
        raise ValueError("outside the calendar") from None


def _lasting(start: datetime, length: timedelta) -> Stretch:
    return Stretch(start, start + length if END - start > length else END)


def _widened(value: Stretch) -> Stretch:
    now = datetime.now(UTC)
    gap = max(value.start - now, now - value.end, timedelta()) * APPROXIMATION
    return Stretch(
        value.start - gap if value.start - BEGINNING > gap else BEGINNING,
        value.end + gap if END - value.end > gap else END,
    )


_COMPARISONS: Mapping[str, Callable[[Stretch, Stretch], bool]] = {
    "eq": lambda found, value: found.within(value),
    "ne": lambda found, value: not found.within(value),
    "gt": lambda found, value: found.end > value.end,
    "ge": lambda found, value: found.end > value.end or found.within(value),
    "lt": lambda found, value: found.start < value.start,
    "le": lambda found, value: found.start < value.start or found.within(value),
    "sa": lambda found, value: found.start >= value.end,
    "eb": lambda found, value: found.end <= value.start,
    "ap": lambda found, value: found.overlaps(_widened(value)),
}
"""Prefix -> does a resource's value lie so towards the sought one (R4 3.1.1.4.6)."""
