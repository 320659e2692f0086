"""Twelve months of reimbursements, by month, newest first; a month with nothing is there and says so.

Totals are sums of what one insurer says it paid: given only where every line says it, in one currency, exactly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, Inexact
from enum import StrEnum

from plugin.faces.viewer.readings.benefits import Nature, Reimbursement, reimbursements
from plugin.faces.viewer.readings.beside import Answer
from plugin.faces.viewer.readings.moment import Precision
from plugin.faces.viewer.readings.overview import pages_of
from plugin.faces.viewer.readings.values import Money, number

MONTHS = 12
"""What insurers keep (the French history of reimbursements reaches back twelve months)."""

_MAX_DIGITS = 60
"""Of a sum; one that needs more is refused as not exact rather than rounded."""


class NoTotal(StrEnum):
    """Why there is no sum."""

    NOTHING = "nothing"
    """Nothing was reimbursed."""
    AMOUNT_MISSING = "amount-missing"
    SEVERAL_CURRENCIES = "several-currencies"
    SEVERAL_SOURCES = "several-sources"
    """Two sources may tell of one reimbursement."""
    NOT_EXACT = "not-exact"


@dataclass(frozen=True, slots=True)
class Month:
    """One month of care."""

    year: int
    month: int
    lines: tuple[Reimbursement, ...]
    """Newest first."""
    paid: Money | NoTotal

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    def count(self, nature: Nature) -> int:
        """How many lines of one nature were paid."""
        return sum(each.nature is nature and each.is_paid for each in self.lines)

    @property
    def is_empty(self) -> bool:
        """Nothing in this month."""
        return not self.lines


@dataclass(frozen=True, slots=True)
class History:
    """What the sources showed of these months."""

    months: tuple[Month, ...]
    """MONTHS of them, newest first."""
    older: tuple[Reimbursement, ...]
    """From before the first month, newest first."""
    later: tuple[Reimbursement, ...]
    """From after the last month: a mistake of a source, or a clock."""
    undated: tuple[Reimbursement, ...]
    """Without a date, or known to the year only."""
    paid: Money | NoTotal
    """Over the months."""

    @property
    def lines(self) -> int:
        """How many lines stand in the months."""
        return sum(len(each.lines) for each in self.months)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all."""
        return not self.lines and not self.older and not self.later and not self.undated

    @property
    def busiest(self) -> int:
        """The most lines of any month."""
        return max((len(each.lines) for each in self.months), default=0)


def history(answers: Iterable[Answer], today: date, months: int = MONTHS) -> History:
    """The history up to the month of `today`. A sick leave counts in the month in which it begins."""
    lines = [
        line
        for answer in answers
        for page in pages_of(answer)
        if page.origin.type == "ExplanationOfBenefit"
        for line in reimbursements(page)
    ]
    lines.sort(key=_order, reverse=True)
    places = [_back(today, each) for each in range(months)]
    by_month: dict[tuple[int, int], list[Reimbursement]] = {each: [] for each in places}
    older: list[Reimbursement] = []
    later: list[Reimbursement] = []
    undated: list[Reimbursement] = []
    for line in lines:
        place = _month_of(line)
        if place is None:
            undated.append(line)
        elif place in by_month:
            by_month[place].append(line)
        else:
            (later if place > places[0] else older).append(line)
    told = tuple(Month(*place, tuple(found), total(found)) for place, found in by_month.items())
    within = [line for found in by_month.values() for line in found]
    return History(told, tuple(older), tuple(later), tuple(undated), total(within))


def total(lines: Sequence[Reimbursement]) -> Money | NoTotal:
    """The sum of what was paid, or why it cannot be given. Cancelled claims, drafts and estimates are not counted.

    A line whose claim has one amount for all its lines is counted with that amount once.
    """
    counted = [each for each in lines if each.is_paid]
    if not counted:
        return NoTotal.NOTHING
    told_whole = {(each.feed, each.reference) for each in counted if each.is_whole_claim}
    amounts = [each for each in counted if each.paid is not None]
    missing = [each for each in counted if each.paid is None and (each.feed, each.reference) not in told_whole]
    if missing:
        return NoTotal.AMOUNT_MISSING
    if len({each.feed for each in amounts}) > 1:
        return NoTotal.SEVERAL_SOURCES
    currencies = {each.paid.currency for each in amounts if each.paid is not None}
    if len(currencies) != 1 or "" in currencies:
        return NoTotal.SEVERAL_CURRENCIES
    context = Context(prec=_MAX_DIGITS, traps=[Inexact])
    summed = Decimal(0)
    try:
        for each in amounts:
            summed = context.add(summed, each.paid.number.value if each.paid is not None else Decimal(0))
    except Inexact:
        return NoTotal.NOT_EXACT
    digits = number(summed)
    return NoTotal.NOT_EXACT if digits is None else Money(digits, currencies.pop())


def _month_of(line: Reimbursement) -> tuple[int, int] | None:
    moment = line.when
    if moment is None or not moment.is_dated or moment.precision is Precision.YEAR:
        return None
    return moment.at.year, moment.at.month


def _order(line: Reimbursement) -> date:
    moment = line.when
    return date.min if moment is None or not moment.is_dated else moment.at.date()


def _back(today: date, months: int) -> tuple[int, int]:
    place = today.year * 12 + today.month - 1 - months
    return place // 12, place % 12 + 1
