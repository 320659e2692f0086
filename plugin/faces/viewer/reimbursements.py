"""The page of twelve months of reimbursements: looked at, and nowhere kept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from plugin.faces.pages.wording import Language, month
from plugin.faces.viewer.course_words import IN_MONTH, NATURES, NO_TOTALS, TIMELINE, TOTAL
from plugin.faces.viewer.entrance import Entered
from plugin.faces.viewer.looks import Look, Question, ShownFeed, answers
from plugin.faces.viewer.overview import Choice
from plugin.faces.viewer.printed import moment, money, number, printed, term
from plugin.faces.viewer.readings.benefits import Nature, Reimbursement
from plugin.faces.viewer.readings.overview import pages_of
from plugin.faces.viewer.readings.reimbursement_months import MONTHS, History, Month, NoTotal, history
from plugin.faces.viewer.readings.result import Standing
from plugin.faces.viewer.readings.timeline import Labels, mark, timeline
from plugin.faces.viewer.readings.values import Altered, Money
from plugin.faces.viewer.rows import Rows

TYPE = "ExplanationOfBenefit"


def insurers(feeds: Sequence[ShownFeed]) -> list[ShownFeed]:
    """Those of which reimbursements can be asked."""
    return [each for each in feeds if TYPE in each.types]


def question(today: date, told: frozenset[str]) -> Question:
    """What is asked of them: from the first day of the first of twelve months."""
    months = today.year * 12 + today.month - MONTHS
    return Question(types=(TYPE,), since=date(months // 12, months % 12 + 1, 1).isoformat(), informed=told)


def told(entered: Entered, found: Sequence[Look], feeds: Sequence[ShownFeed], today: date) -> dict[str, Any]:
    """What the page prints."""
    shown = answers(found)
    read = history(shown, today)
    lines = [*(line for each in read.months for line in each.lines), *read.older, *read.later, *read.undated]
    language = entered.frame.language
    return {
        "choice": Choice(),
        "looks": found,
        "counts": {look.feed.id: sum(line.feed == look.feed.id for line in lines) for look in found},
        "mistaken": Counter(
            page.origin.feed for each in shown for page in pages_of(each) if page.standing is Standing.MISTAKEN
        ),
        "history": None if read.is_empty else read,
        "rows": Rows(language, {each.id: each for each in feeds}, entered.at),
        "book": Book(read, language),
    }


@dataclass(frozen=True, slots=True)
class Book:
    """Prints a history in one language."""

    history: History
    language: Language

    def image(self, title: str) -> Markup:
        """The timeline; empty where the months have nothing."""
        description = TIMELINE.said(self.language)
        return timeline(self.history, Labels(title, description, self._short, self._full))

    @property
    def marks(self) -> list[tuple[Markup, str]]:
        """Mark and name of each nature."""
        return [(mark(each), NATURES[each].said(self.language)) for each in Nature]

    @property
    def others(self) -> list[tuple[str, tuple[Reimbursement, ...]]]:
        """What stands outside the twelve months, under the name of its title in the words of the page."""
        listed = (("later", self.history.later), ("older", self.history.older), ("undated_lines", self.history.undated))
        return [(name, lines) for name, lines in listed if lines]

    def month(self, month_of: Month) -> str:
        """`juin 2026`"""
        return month(month_of.first, self.language)

    def total(self, paid: Money | NoTotal) -> str:
        """The sum, or why there is none."""
        if isinstance(paid, NoTotal):
            return NO_TOTALS[paid].said(self.language)
        return TOTAL.said(self.language).format(money(paid, self.language))

    def mark(self, line: Reimbursement) -> Markup:
        """Of its nature."""
        return mark(line.nature)

    def nature(self, line: Reimbursement) -> str:
        """In words."""
        return NATURES[line.nature].said(self.language)

    def category(self, line: Reimbursement) -> str:
        """The insurer's word for it; nothing where that is the act's."""
        told = "" if line.category is None else term(line.category, self.language)
        return "" if line.act is not None and told == term(line.act, self.language) else told

    @property
    def altered(self) -> str:
        """Why a line has no amounts that could be read."""
        return printed(Altered(), self.language)

    def act(self, line: Reimbursement) -> str:
        """What was done or delivered."""
        return "" if line.act is None else term(line.act, self.language)

    def when(self, line: Reimbursement) -> str:
        """Its day or period."""
        return "" if line.when is None else moment(line.when, self.language)

    def quantity(self, line: Reimbursement) -> str:
        """How many."""
        return printed(line.quantity, self.language)

    def remarks(self, line: Reimbursement) -> list[str]:
        """What changes the meaning of its amounts, in words."""
        return [printed(each, self.language) for each in line.remarks]

    def rate(self, line: Reimbursement) -> str:
        """`65 %`"""
        return "" if line.rate is None else f"{number(line.rate, self.language)}\u00a0%"

    def money(self, amount: Money | None) -> str:
        """An amount with its currency."""
        return "" if amount is None else money(amount, self.language)

    def _short(self, month_of: Month) -> str:
        return f"{month_of.month:02d}"

    def _full(self, month_of: Month) -> str:
        counts = [IN_MONTH[each].said(self.language, count) for each in Nature if (count := month_of.count(each))]
        return ": ".join(filter(None, (self.month(month_of), ", ".join(counts))))
