"""The page of one analyte over time: outside results and the EHR's own, in one chart per unit, with their table."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from plugin.event import LOCAL_FEED
from plugin.faces.pages.wording import Language, Word, clock, short_day
from plugin.faces.viewer.course_words import ABNORMAL, CHART, CHART_EXTREMES, CHART_SPAN, CHART_TABLE, VALUES
from plugin.faces.viewer.entrance import Entered
from plugin.faces.viewer.looks import Look, Question, ShownFeed, answers
from plugin.faces.viewer.overview import Choice
from plugin.faces.viewer.printed import moment, number, printed, reference_range, term
from plugin.faces.viewer.readings.axes import Tick, TickUnit
from plugin.faces.viewer.readings.chart import Labels, chart, marker
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.result import Standing
from plugin.faces.viewer.readings.trend import KEY_LENGTH, Entry, Series, measures, trends
from plugin.faces.viewer.rows import Rows, standing

FORBIDDEN: Final = 403

LOCAL: Final = ShownFeed(LOCAL_FEED, Word("Votre dossier", "Your own record"), ("Observation",), is_local=True)
"""The EHR's own measurements, read by the token of the launch and kept nowhere, as those of any source."""

_ANALYTE: Final = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
_PAGES: Final = re.compile(rf"reimbursements|trend/{_ANALYTE.pattern}")


def is_analyte(text: str) -> bool:
    """Whether an address can name an analyte so."""
    return _ANALYTE.fullmatch(text) is not None


def is_page(path: str) -> bool:
    """Whether `path` is a page that a form may lead back to: a trend, or the reimbursements."""
    return _PAGES.fullmatch(path) is not None


def measuring(feeds: Sequence[ShownFeed]) -> list[ShownFeed]:
    """Those of which measurements can be asked."""
    return [each for each in feeds if "Observation" in each.types]


def question(told: frozenset[str]) -> Question:
    """What is asked of the feeds: all measurements, since a component's test is no code of its observation."""
    return Question(types=("Observation",), informed=told)


def told(entered: Entered, found: Sequence[Look], analyte: str, feeds: Sequence[ShownFeed]) -> dict[str, Any]:
    """What the page prints."""
    read = overview(answers(found))
    kept = [each for each in trends(read.results) if each.analyte == analyte]
    language = entered.frame.language
    rows = Rows(language, {each.id: each for each in feeds}, entered.at)
    figures = [Figure(each, rows) for each in kept]
    anchors = {entry.anchor for series in kept for entry in series.entries}
    listed = [each for each in read.results if each.anchor in anchors]
    return {
        "choice": Choice(),
        "looks": [each for each in found if not _is_closed(each)],
        "local_closed": any(map(_is_closed, found)),
        "counts": {look.feed.id: sum(each.feed == look.feed.id for each in listed) for look in found},
        "mistaken": Counter(each.feed for each in read.mistaken if measures(each, analyte)),
        "figures": figures,
        "title": next((figure.title for figure in figures if figure.title), ""),
        "rows": rows,
    }


def _is_closed(found: Look) -> bool:
    """The EHR's own record, where the launch gave no access to measurements: no failure, and no result is missing that
    its own pages do not show."""
    return found.feed.is_local and found.error is not None and found.error.status == FORBIDDEN


@dataclass(frozen=True, slots=True)
class Figure:
    """One series as a template prints it."""

    series: Series
    rows: Rows

    @property
    def language(self) -> Language:
        """Of the page."""
        return self.rows.language

    @property
    def title(self) -> str:
        """The test."""
        return "" if self.series.title is None else term(self.series.title, self.language)

    @property
    def heading(self) -> str:
        """The test and its unit."""
        return ", ".join(filter(None, (self.title, self.series.unit.shown if self.series.unit else "")))

    @property
    def chart(self) -> Markup:
        """The image; empty where nothing can be drawn."""
        words = Labels(self.heading, self.description, self._tick_number, self._tick_date, self._point)
        return chart(self.series, words)

    @property
    def description(self) -> str:
        """The image in words."""
        drawn, language = self.series.drawn, self.language
        if not drawn:
            return ""
        count = VALUES.said(language, len(drawn))
        first, last = (moment(each.when, language) if each.when else "" for each in (drawn[0], drawn[-1]))
        span = CHART_SPAN.said(language).format(first, last) if len(drawn) > 1 else first
        extremes = [printed(each.value, language) for each in (self.series.lowest, self.series.highest) if each]
        parts = [CHART.said(language).format(count, span)]
        if len(drawn) > 1:
            parts.append(CHART_EXTREMES.said(language).format(*extremes))
        if self.series.abnormal:
            parts.append(ABNORMAL.said(language, self.series.abnormal))
        return " ".join([*parts, CHART_TABLE.said(language)])

    @property
    def sources(self) -> list[tuple[Markup, str, bool]]:
        """Marker, name, and whether it is the EHR's own."""
        return [(marker(each.shape), self.rows.source(each.feed), each.is_local) for each in self.series.sources]

    @property
    def entries(self) -> list[Entry]:
        """Newest first, those without a date last."""
        return list(reversed(self.series.entries))

    def when(self, entry: Entry) -> str:
        """Its date."""
        return "" if entry.when is None else moment(entry.when, self.language)

    def value(self, entry: Entry) -> str:
        """As its source prints it."""
        return printed(entry.value, self.language)

    def converted(self, entry: Entry) -> str:
        """The same in the unit of the chart; "" where that is its own."""
        if entry.converted is None:
            return ""
        unit = f"\u00a0{self.series.unit.shown}" if self.series.unit else ""
        return f"{number(entry.converted, self.language)}{unit}"

    def ranges(self, entry: Entry) -> str:
        """Its reference ranges."""
        return "; ".join(filter(None, (reference_range(each, self.language) for each in entry.ranges)))

    def marker(self, entry: Entry) -> Markup:
        """That of its source."""
        return next(marker(each.shape) for each in self.series.sources if each.feed == entry.feed)

    def status(self, entry: Entry) -> str:
        """Nothing for what is final."""
        return "" if entry.standing is Standing.FINAL else standing(entry, self.language)

    def remarks(self, entry: Entry) -> list[str]:
        """What changes what its value means."""
        return [printed(each, self.language) for each in entry.remarks]

    def sites(self, entry: Entry) -> str:
        """Where it was measured, and on what, where that is not the same for all."""
        specimens = entry.specimens if self.series.has_several_specimens else ()
        return ", ".join([printed(each, self.language) for each in (*specimens, *entry.sites)])

    def _point(self, entry: Entry) -> str:
        value, flag = self.value(entry), entry.flag
        parts = (
            self.when(entry),
            self.status(entry),
            *self.remarks(entry),
            self.sites(entry),
            value,
            self.rows.flag(flag),
            self.rows.words(flag, value),
            self.rows.source(entry.feed),
        )
        return ", ".join(filter(None, parts))

    def _tick_number(self, digits: str) -> str:
        return digits.replace(".", ",") if self.language == "fr" else digits

    def _tick_date(self, tick: Tick) -> str:
        match tick.unit:
            case TickUnit.YEAR:
                return f"{tick.at.year:04d}"
            case TickUnit.MONTH:
                return f"{tick.at.month:02d}/{tick.at.year:04d}"
            case TickUnit.DAY:
                return short_day(tick.at, self.language)
            case TickUnit.HOUR:
                return f"{short_day(tick.at, self.language)} {clock(tick.at, self.language)}"
