"""One row of the overview as a template prints it: a Result's words in one language. Escaping is the template's."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from plugin.faces.pages.wording import Language
from plugin.faces.viewer.looks import ShownFeed
from plugin.faces.viewer.printed import moment, printed, reference_range, term
from plugin.faces.viewer.readings.moment import Precision
from plugin.faces.viewer.readings.result import Basis, Flag, Hint, HintKind, Level, Part, Result, Standing
from plugin.faces.viewer.readings.trend import analyte_of, part_analyte_of
from plugin.faces.viewer.words import DETAILS, HINTS, LEVELS, STANDINGS, TYPES

_TOLD_OF_REPORTS = frozenset({HintKind.REPORTED_IN, HintKind.REPORTS})
"""Hints that a row says in its details: nearly every result of a laboratory is part of a report."""
_EXPECTED = {
    "ExplanationOfBenefit": "status/active",
    "MedicationDispense": "status/completed",
    "Immunization": "status/completed",
    "Procedure": "status/completed",
    "DocumentReference": "status/current",
    "ImagingStudy": "status/available",
}
"""Type -> the status that goes without saying."""
_MAX_HINTS = 3
"""On one row; a source that repeats itself more often is seen to do so by three."""
_SAME_LENGTH = 8
"""Hexadecimal digits: within one page and one patient."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Prints results in one language."""

    language: Language
    feeds: Mapping[str, ShownFeed]
    at: Callable[..., str]
    files: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(feed, reference) -> the first of its files that can be opened."""

    def document(self, result: Result) -> str:
        """Under which path of the view it is opened, if it is more than its row says; else ""."""
        if result.origin.is_local or not (result.attachments or result.has_narrative):
            return ""
        file = self.files.get((result.feed, result.origin.reference))
        return f"document/{result.feed}/{result.origin.reference}" + (f"/{file}" if file else "")

    def title(self, result: Result) -> str:
        """What it is."""
        if result.title is not None:
            return term(result.title, self.language)
        return TYPES[result.origin.type].said(self.language) if result.origin.type in TYPES else ""

    def value(self, result: Result | Part) -> str:
        return printed(result.value, self.language)

    def ranges(self, result: Result | Part) -> str:
        return "; ".join(filter(None, (reference_range(each, self.language) for each in result.ranges)))

    def when(self, result: Result) -> str:
        """When it was so, else when it was released."""
        told = result.when or result.issued
        return moment(told, self.language) if told is not None else ""

    def machine_time(self, result: Result) -> str:
        """The same for `<time datetime>` and for sorting in the page; "" where there is no date."""
        told = result.when or result.issued
        if told is None or not told.is_dated:
            return ""
        return told.order.strftime("%Y-%m-%dT%H:%MZ")

    def flag(self, flag: Flag) -> str:
        """A sign and a word where it is abnormal, else ""."""
        if not flag.is_abnormal:
            return ""
        if flag.level is Level.NOTED and flag.words:
            return "! " + ", ".join(term(each, self.language) for each in flag.words)
        return LEVELS[flag.level].said(self.language)

    def flag_kind(self, flag: Flag) -> str:
        """Which of the page's colours goes with it."""
        return "critical" if flag.level.startswith("critical") else "abnormal"

    def is_compared(self, flag: Flag) -> bool:
        """It is we who say so."""
        return flag.is_abnormal and flag.basis is Basis.RANGE

    def disagrees(self, flag: Flag) -> str:
        """What the source's range says, where that contradicts the source's word."""
        return LEVELS[flag.disagrees].said(self.language) if flag.disagrees is not None else ""

    def status(self, result: Result) -> str:
        """Nothing for what a reader expects: that a result is final, a claim in force, a medicine handed out."""
        expected = _EXPECTED.get(result.origin.type)
        if result.standing is Standing.FINAL or (result.status is not None and result.status.key == expected):
            return ""
        return STANDINGS[result.standing].said(self.language) or printed(result.status, self.language)

    def source(self, feed_id: str) -> str:
        feed = self.feeds.get(feed_id)
        return feed.title.said(self.language) if feed is not None else ""

    def hints(self, result: Result) -> list[tuple[str, Hint, str]]:
        """Words, hint and title of the other, but for a report and its parts."""
        return [self._hint(each) for each in result.hints if each.kind not in _TOLD_OF_REPORTS][:_MAX_HINTS]

    def reports(self, result: Result) -> list[tuple[str, Hint, str]]:
        """Those."""
        return [self._hint(each) for each in result.hints if each.kind is HintKind.REPORTED_IN]

    def _hint(self, hint: Hint) -> tuple[str, Hint, str]:
        title = term(hint.title, self.language) if hint.title is not None else ""
        return HINTS[hint.kind].said(self.language), hint, title or self.source(hint.feed)

    def details(self, result: Result) -> list[tuple[str, str]]:
        """Name and value of each further fact."""
        return [(DETAILS[each.name].said(self.language), printed(each.value, self.language)) for each in result.details]

    def text(self, value: object) -> str:
        """A Term, a Text or another value."""
        return printed(value, self.language)  # type: ignore[arg-type]

    def same(self, result: Result) -> str:
        """A word that results of one test at one time share, whatever their source; "" where that cannot be told."""
        if result.when is None or result.when.precision is not Precision.TIME or not result.codes:
            return ""
        told = f"{sorted(result.codes)[0]}{result.when.order}".encode(errors="replace")
        return hashlib.sha256(told).hexdigest()[:_SAME_LENGTH]

    def trend(self, result: Result, part: Part | None = None) -> str:
        """The address of the course of what a result, or a component of it, measures; "" where there is none."""
        analyte = analyte_of(result) if part is None else part_analyte_of(result, part)
        return self.at(f"trend/{analyte}") if analyte else ""

    def has_more(self, result: Result) -> bool:
        """Whether anything stands below the row."""
        return bool(result.details or result.notes or result.members or result.left_out or self.reports(result))
