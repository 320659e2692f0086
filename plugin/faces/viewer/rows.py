"""One row of the overview as a template prints it: a Result's words in one language. Escaping is the template's."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from plugin.faces.pages.wording import Language
from plugin.faces.viewer.looks import ShownFeed
from plugin.faces.viewer.printed import moment, printed, reference_range, term
from plugin.faces.viewer.readings import duplicates
from plugin.faces.viewer.readings.cut import cut_texts
from plugin.faces.viewer.readings.duplicates import is_negated, is_unknown
from plugin.faces.viewer.readings.moment import Precision
from plugin.faces.viewer.readings.result import Basis, Flag, Hint, HintKind, Level, Part, Result, Standing
from plugin.faces.viewer.readings.text import Text
from plugin.faces.viewer.readings.trend import Analyte, Entry, analyte_of, part_analyte_of, trend_key
from plugin.faces.viewer.readings.values import Amount, Term, Value
from plugin.faces.viewer.words import CONTRADICTORY, DETAILS, HINTS, LEVELS, STANDINGS, TYPES

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
_FINER = frozenset({"status/partial", "status/appended"})
"""Statuses that say more than that a report is preliminary or amended: that it lacks a part, or has one more."""
_MAX_HINTS = 3
"""On one row; a source that repeats itself more often is seen to do so by three."""
_CODE = "code"
"""As a scale: two sources that word one code in two ways say the same."""
_SAME_LENGTH = 8
"""Hexadecimal digits: within one page and one patient."""


class Mark(Struct, frozen=True):
    """That a value is abnormal, or that its source contradicts itself."""

    kind: str
    """Which of the page's colours goes with it."""
    told: str
    """A sign and a word where it is abnormal, else ""."""
    is_compared: bool
    """It is we who say so."""
    disagrees: str
    """What the source's range says, where that contradicts the source's word."""
    words: str
    """What the source says of it besides."""


class PartLine(Struct, frozen=True):
    """A component's line."""

    title: str
    value: str
    mark: Mark | None
    ranges: str
    trend: str


class Below(Struct, frozen=True):
    """What stands below a row until it is opened."""

    members: Sequence[tuple[str, str]]
    """Anchor, "" where it is not on the page, and title."""
    reports: Sequence[tuple[str, str, str]]
    """Words, anchor and title."""
    details: Sequence[tuple[str, str]]
    """Name and value."""
    notes: Sequence[str]
    """And whatever the row cuts, whole."""
    left_out: int


class Row(Struct, frozen=True):
    """Everything that a row prints, worked out once: a template asks for nothing twice. "" where there is nothing."""

    anchor: str
    feed: str
    same: str
    """A word that results of one test at one time share, whatever their source."""
    said: str
    """Words, of which two such results share one where they say the same; before their point, where one could."""
    shade: str
    """"off" where something is abnormal, "worded" where that may be."""
    when: str
    machine_time: str
    title: str
    trend: str
    warnings: Sequence[str]
    standing: str
    status: str
    remarks: Sequence[str]
    below: Below | None
    hints: Sequence[tuple[str, str, str, str]]
    """Words, anchor, title of the other, and its source where that is another one."""
    document: str
    """Under which path of the view it is opened, if it is more than its row says."""
    has_files: bool
    value: str
    mark: Mark | None
    parts: Sequence[PartLine]
    ranges: str
    source: str
    performers: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Prints results in one language."""

    language: Language
    feeds: Mapping[str, ShownFeed]
    at: Callable[..., str]
    files: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(feed, reference) -> the first of its files that can be opened."""
    _addresses: dict[Analyte, str] = field(default_factory=dict, repr=False)
    """Of trends: an overview shows each analyte many times."""

    def row(self, result: Result) -> Row:
        """One row."""
        title, value = self._title(result), printed(result.value, self.language)
        parts, same = [self._part(result, each) for each in result.parts], _same(result, self.language)
        return Row(
            result.anchor,
            result.feed,
            same,
            _said(result, value, parts) if same else "",
            "off" if result.is_abnormal else "worded" if result.is_worded else "",
            self._when(result),
            _machine_time(result),
            title,
            self._trend(analyte_of(result)),
            [term(each, self.language) for each in result.warnings],
            result.standing,
            self._status(result),
            [printed(each, self.language) for each in result.remarks],
            self._below(result),
            [self._hint(result, each) for each in result.hints if each.kind not in _TOLD_OF_REPORTS][:_MAX_HINTS],
            self._document(result),
            bool(result.attachments),
            value,
            self.mark(result.flag, value),
            parts,
            self._ranges(result),
            self.source(result.feed),
            ", ".join([name.shown for name in result.performers]),
        )

    def mark(self, flag: Flag, value: str = "") -> Mark | None:
        """None where there is nothing to say beside `value`."""
        told, words = self.flag(flag), self.words(flag, value)
        disagrees = LEVELS[flag.disagrees].said(self.language) if flag.disagrees is not None else ""
        if not told and not disagrees and not words:
            return None
        kind = "critical" if flag.level.startswith("critical") else "abnormal"
        return Mark(kind, told, flag.is_abnormal and flag.basis is Basis.RANGE, disagrees, words)

    def flag(self, flag: Flag) -> str:
        """A sign and a word where it is abnormal, else ""."""
        if not flag.is_abnormal:
            return ""
        if flag.is_contradictory:
            return CONTRADICTORY.said(self.language)
        if flag.level is Level.NOTED:
            return "! " + ", ".join([term(each, self.language) for each in flag.words if each not in flag.plain])
        return LEVELS[flag.level].said(self.language)

    def words(self, flag: Flag, value: str = "") -> str:
        """What the source says without a mark, unless its value says the same."""
        told = [term(each, self.language) for each in flag.plain]
        return ", ".join([each for each in told if each.casefold() != value.casefold()])

    def source(self, feed_id: str) -> str:
        """A source's title."""
        feed = self.feeds.get(feed_id)
        return feed.title.said(self.language) if feed is not None else ""

    def _title(self, result: Result) -> str:
        if result.title is not None:
            return term(result.title, self.language)
        return TYPES[result.origin.type].said(self.language) if result.origin.type in TYPES else ""

    def _when(self, result: Result) -> str:
        """When it was so, else when it was released; in other terms than a date where there is none."""
        if result.when is None and result.when_told is not None:
            return printed(result.when_told, self.language)
        told = result.when or result.issued
        return moment(told, self.language) if told is not None else ""

    def _status(self, result: Result) -> str:
        """Nothing for what a reader expects: that a result is final, a claim in force, a medicine handed out."""
        # A status in words, or by a code that FHIR does not have, has no key, and is never what is expected.
        key = None if result.status is None else result.status.key
        if result.standing is Standing.FINAL or (key is not None and key == _EXPECTED.get(result.origin.type)):
            return ""
        return standing(result, self.language)

    def _ranges(self, result: Result | Part) -> str:
        return "; ".join(filter(None, [reference_range(each, self.language) for each in result.ranges]))

    def _trend(self, analyte: Analyte | None) -> str:
        """The address of the course of an analyte."""
        if analyte is None:
            return ""
        known = self._addresses.get(analyte)
        if known is None:
            known = self._addresses[analyte] = self.at(f"trend/{trend_key(analyte)}")
        return known

    def _part(self, result: Result, part: Part) -> PartLine:
        value = printed(part.value, self.language)
        return PartLine(
            term(part.title, self.language),
            value,
            self.mark(part.flag, value),
            self._ranges(part),
            self._trend(part_analyte_of(result, part)),
        )

    def _document(self, result: Result) -> str:
        if result.origin.is_local or not (result.attachments or result.has_narrative):
            return ""
        file = self.files.get((result.feed, result.origin.reference))
        return f"document/{result.feed}/{result.origin.reference}" + (f"/{file}" if file else "")

    def _hint(self, result: Result, hint: Hint) -> tuple[str, str, str, str]:
        return (*self._other(hint), self.source(hint.feed) if hint.feed != result.feed else "")

    def _other(self, hint: Hint) -> tuple[str, str, str]:
        title = term(hint.title, self.language) if hint.title is not None else ""
        return HINTS[hint.kind].said(self.language), hint.anchor, title or self.source(hint.feed)

    def _below(self, result: Result) -> Below | None:
        reports = [self._other(each) for each in result.hints if each.kind is HintKind.REPORTED_IN]
        texts = dict.fromkeys((*cut_texts(result), *result.notes))
        if not (result.details or texts or result.members or result.left_out or reports):
            return None
        language = self.language
        return Below(
            [(each.anchor if each.is_shown else "", printed(each.title, language)) for each in result.members],
            reports,
            [(DETAILS[each.name].said(language), printed(each.value, language)) for each in result.details],
            [each.whole or each.shown for each in texts],
            result.left_out,
        )


def standing(of: Result | Entry, language: Language) -> str:
    """What a status means for a reader, in words."""
    key, own = None if of.status is None else of.status.key, printed(of.status, language)
    return own if key in _FINER else STANDINGS[of.standing].said(language) or own


def _machine_time(result: Result) -> str:
    """When it was, for `<time datetime>` and for sorting in the page; "" where there is no date."""
    told = result.when or result.issued
    return f"{told.order.isoformat()[:16]}Z" if told is not None and told.is_dated else ""


def _same(result: Result, language: Language) -> str:
    """A test (an act, a medicine) at one time. Nothing where another row can never say the same of it."""
    if result.when is None or result.when.precision is not Precision.TIME or not result.codes or is_unknown(result):
        return ""
    if duplicates.is_superseded(result):
        return ""
    apart = [printed(each, language) for each in duplicates.apart(result)]
    return _hash(result.origin.type, min(result.codes), result.when.order, is_negated(result), result.warnings, apart)


def _said(result: Result, value: str, parts: Sequence[PartLine]) -> str:
    """Words, of which rows that say the same share one: scale, point, value. Components stand in it in any order."""
    told = result.value
    inner = sorted(
        [
            (min(each.codes, default=("", line.title)), _scales(each.value)[:1], _number(each.value, line.value))
            for each, line in zip(result.parts, parts, strict=True)
        ]
    )
    tests, point = [each[:2] for each in inner], _hash(_number(told, value), [each[2] for each in inner])
    codes = [f"{_hash(_CODE, tests)}.{_hash(each)}" for each in result.value_codes if not tests]
    return " ".join([f"{_hash(each, tests)}.{point}" for each in _scales(told)] + codes)


def _scales(value: Value | None) -> list[str]:
    """What a value is told in: a unit has up to two names, of which one is enough to be the same."""
    if not isinstance(value, Amount):
        return ["words" if isinstance(value, Term | Text) else type(value).__name__]
    named = (value.ucum, "" if value.unit is None else value.unit.shown)
    return [f"{each}\n{value.other_unit or ''}" for each in dict.fromkeys(filter(None, named))] or [""]


def _number(value: Value | None, printed: str) -> str:
    # Equal numbers have one hash, whatever their digits: 1.5 is 1.50.
    return f"{value.comparator}{hash(value.number.value)}" if isinstance(value, Amount) else printed.casefold()


def _hash(*told: object) -> str:
    return hashlib.sha256(repr(told).encode(errors="replace")).hexdigest()[:_SAME_LENGTH]
