"""The scales of a chart: which numbers and dates stand at its sides, and where a value lies between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

MAX_TICKS = 5
"""On the axis of time: at 380 px, five dates of some 60 px each."""
_STEPS = (1.0, 2.0, 5.0, 10.0)
_Y_TICKS = 4
_RANGE_STRETCH = 3.0
"""A limit of the reference range is on the chart while that makes it at most so many times as high as the values
alone; a far limit would press them into one line."""
_FLAT = 0.1
"""Of the value: the height of a chart whose values are all the same."""
_SLICE = 0.15
"""Of the height: how far the chart goes on beyond a limit at its edge, so that the band is seen to be there."""
_ALONE = timedelta(days=3)
"""Before and after a single moment."""
_HOURS = 3
"""Ticks within two days: each says its day and its hour, and is wider."""


class TickUnit(StrEnum):
    """How exactly a date on the axis is written."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Tick(Struct, frozen=True):
    """A date on the axis."""

    at: datetime
    unit: TickUnit
    x: float
    """From 0 to 1."""


@dataclass(frozen=True, slots=True)
class Heights:
    """The axis of values."""

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int
    """Digits behind the point that tell the ticks apart."""

    def at(self, value: float) -> float:
        """From 0, at the bottom, to 1; what is beyond stays at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def all_at(self, values: Sequence[float]) -> list[float]:
        """The same of many, none of which is beyond."""
        low, height = self.low, self.high - self.low
        return [(each - low) / height for each in values]


@dataclass(frozen=True, slots=True)
class Times:
    """The axis of time."""

    first: datetime
    last: datetime
    ticks: tuple[Tick, ...]

    def at(self, moment: datetime) -> float:
        """From 0 to 1; what is beyond stays at the edge."""
        return min(1.0, max(0.0, (moment - self.first) / (self.last - self.first)))

    def all_at(self, moments: Sequence[datetime]) -> list[float]:
        """The same of many, none of which is beyond."""
        # From one of them, not from the axis's first: moments of one time zone are told apart without asking it.
        start, length = moments[0], (self.last - self.first).total_seconds()
        lead = start - self.first
        return [(each - start + lead).total_seconds() / length for each in moments]


def heights(values: Sequence[float], limits: Sequence[float]) -> Heights:
    """An axis for `values`, of which there is at least one, with those of `limits` that are near enough."""
    low, high = min(values), max(values)
    height = max(high - low, _FLAT * max(abs(low), abs(high)), 1e-9)
    for limit in sorted(limits, key=lambda each: max(low - each, each - high)):
        if max(high, limit) - min(low, limit) <= _RANGE_STRETCH * height:
            low, high = min(low, limit), max(high, limit)
    if high - low < height:
        low, high = low - height / 2, high + height / 2
    edge = _SLICE * (high - low)
    low, high = (low - edge if low < min(values) else low), (high + edge if high > max(values) else high)
    step = _nice((high - low) / _Y_TICKS)
    bottom, top = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    if bottom < 0 <= min(values):
        bottom = 0.0
    count = round((top - bottom) / step)
    return Heights(bottom, top, tuple(bottom + step * each for each in range(count + 1)), _decimals(step))


def times(moments: Sequence[datetime]) -> Times:
    """An axis from the first to the last of `moments`, of which there is at least one, with a little room around."""
    first, last = min(moments), max(moments)
    if last - first < timedelta(hours=1):
        first, last = _moved(first, -_ALONE), _moved(last, _ALONE)
    axis = Times(first, last, ())
    return Times(first, last, tuple(Tick(at, unit, axis.at(at)) for at, unit in _dates(first, last)))


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:  # the calendar ends in 9999
        return moment


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(each * power for each in _STEPS if each * power >= step * (1 - 1e-9))


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _dates(first: datetime, last: datetime) -> list[tuple[datetime, TickUnit]]:
    """Round dates between two moments, at most MAX_TICKS."""
    days = (last - first).total_seconds() / 86_400
    if days <= 2:
        hours = next(each for each in (1, 3, 6, 12, 24) if days * 24 / each <= _HOURS or each == 24)
        start = first.replace(minute=0, second=0, microsecond=0, hour=first.hour - first.hour % hours)
        return _steps(start, timedelta(hours=hours), first, last, TickUnit.HOUR)
    if days <= 120:
        length = next(each for each in (1, 2, 7, 14, 28) if days / each <= MAX_TICKS - 1 or each == 28)
        start = first.replace(hour=0, minute=0, second=0, microsecond=0)
        return _steps(start, timedelta(days=length), first, last, TickUnit.DAY)
    return _months(first, last, days)


def _steps(
    start: datetime, step: timedelta, first: datetime, last: datetime, unit: TickUnit
) -> list[tuple[datetime, TickUnit]]:
    found = []
    at = start
    while at <= last:
        if at >= first:
            found.append((at, unit))
        moved = _moved(at, step)
        if moved == at:
            break
        at = moved
    return found[:MAX_TICKS]


def _months(first: datetime, last: datetime, days: float) -> list[tuple[datetime, TickUnit]]:
    month_steps = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200)
    step = next((each for each in month_steps if days / 30.4 / each <= MAX_TICKS), 24_000)
    unit = TickUnit.YEAR if step >= 12 else TickUnit.MONTH
    month = first.year * 12 + first.month - 1
    month += -month % step
    end = last.year * 12 + last.month - 1
    dates = (datetime(each // 12, each % 12 + 1, 1, tzinfo=first.tzinfo) for each in range(month, end + 1, step))
    return [(at, unit) for at in dates if first <= at <= last][:MAX_TICKS]
