"""The overview's page: what it asks for, and what of the answers it lists, in which sections.

The period bounds the look itself, so that less is asked of the sources; the other choices are made among what the look
has shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from plugin.faces.pages.wording import Word
from plugin.faces.viewer.entrance import Entered
from plugin.faces.viewer.looks import Look, Question, ShownFeed, answers
from plugin.faces.viewer.readings import overview as reading
from plugin.faces.viewer.readings.beside import Answer
from plugin.faces.viewer.readings.result import Category, Result
from plugin.faces.viewer.readings.selection import Filter, by_category, matching
from plugin.faces.viewer.rows import Row, Rows
from plugin.faces.viewer.words import CATEGORIES, PERIODS

EVERYTHING: Final = "all"
MAX_TEXT: Final = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """What of the results a clinician wants to see, as the address says it."""

    period: str = EVERYTHING
    category: str = ""
    source: str = ""
    abnormal: bool = False
    text: str = ""

    @property
    def query(self) -> dict[str, str]:
        """As parameters of an address, without what is not chosen."""
        told = {
            "period": "" if self.period == EVERYTHING else self.period,
            "category": self.category,
            "source": self.source,
            "abnormal": "1" if self.abnormal else "",
            "text": self.text,
        }
        return {name: value for name, value in told.items() if value}


def read_choice(arguments: Mapping[str, str], sources: frozenset[str]) -> Choice:
    """The choice that an address makes. A value that is none of ours chooses nothing."""
    period, category, source = (arguments.get(name, "") for name in ("period", "category", "source"))
    return Choice(
        period if period in PERIODS else EVERYTHING,
        category if category in CATEGORIES else "",
        source if source in sources else "",
        arguments.get("abnormal") == "1",
        " ".join(arguments.get("text", "").split())[:MAX_TEXT],
    )


def question(choice: Choice, today: date, told: frozenset[str]) -> Question:
    """What is asked of the feeds. `told`: those of which the patient knows, by the clinician's word."""
    days = PERIODS[choice.period][1]
    return Question(since=None if days is None else (today - timedelta(days=days)).isoformat(), informed=told)


def frame(choice: Choice, feeds: Sequence[ShownFeed], words: Sequence[str]) -> dict[str, Any]:
    """What the page prints before any feed has answered. `words`: that the patient was told, for the addresses."""
    asked = [each for each in feeds if choice.source in ("", each.id)]
    return {
        "choice": choice,
        "feeds": feeds,
        "asked": asked,
        "periods": PERIODS.items(),
        "categories": CATEGORIES.items(),
        "told": words,
    }


def told(
    entered: Entered, found: Sequence[Look], choice: Choice, feeds: Sequence[ShownFeed], words: Sequence[str]
) -> dict[str, Any]:
    """What the page prints of the answers."""
    shown = answers(found)
    read = reading.overview(shown)
    kept = matching(read.results, chosen(choice))
    rows = Rows(entered.frame.language, {each.id: each for each in feeds}, entered.at, _files(shown))
    return {
        **frame(choice, feeds, words),
        "looks": found,
        "counts": {each.feed.id: sum(result.feed == each.feed.id for result in kept) for each in found},
        "mistaken": {each.feed.id: sum(result.feed == each.feed.id for result in read.mistaken) for each in found},
        "sections": sections(kept, rows),
        "none_left": bool(read.results) and not kept,
    }


def _files(shown_by: Sequence[Answer]) -> dict[tuple[str, str], int]:
    """(feed, reference) -> the first of its files that can be opened."""
    return {
        (answer.feed, shown.reference): file.number
        for answer in shown_by
        for shown in answer.shown
        for file in reversed(shown.files)
        if file.openable
    }


def chosen(choice: Choice) -> Filter:
    """The choices that are made among results. The period is not: it bounds what is asked."""
    return Filter(
        category=Category(choice.category) if choice.category else None,
        feed=choice.source or None,
        abnormal=choice.abnormal,
        text=choice.text,
    )


def sections(results: Sequence[Result], rows: Rows) -> list[tuple[str, Word, list[Row]]]:
    """Name, title and rows of each section that has any."""
    return [
        (str(each), CATEGORIES[each], [rows.row(result) for result in listed])
        for each, listed in by_category(results).items()
    ]
