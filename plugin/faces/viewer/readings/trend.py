"""Values of one analyte over time: one series per analyte and unit, outside results and the EHR's own side by side.

A unit is converted only where that is exact (units); whatever has no number, or no date, is listed and not drawn.
Microbiology is left out: a susceptibility belongs to its organism, and two of them make no course. So is what is about
somebody else: the heart rate of a foetus is none of its mother's.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from fhir_adapters.moments import BEGINNING
from plugin.faces.viewer.readings.elements import Pair
from plugin.faces.viewer.readings.moment import When
from plugin.faces.viewer.readings.remarks import is_of_another
from plugin.faces.viewer.readings.result import Category, Flag, Part, ReferenceRange, Result, Standing
from plugin.faces.viewer.readings.text import Text, line
from plugin.faces.viewer.readings.units import shift, shifted
from plugin.faces.viewer.readings.values import Amount, Number, Term, Value, number
from policies.code_systems import SYSTEMS

KEY_LENGTH = 16
"""Hexadecimal digits of an analyte in an address: 64 bits, and nothing of a result in it."""

_LOINC = frozenset(SYSTEMS["loinc"].uris)
_LARGEST = Decimal("1e100")
"""Beyond, a number has no place on a chart; it stands in the table."""

Analyte = tuple[str, ...]
"""What is measured."""


class Band(Struct, frozen=True):
    """A reference range in the unit of the series; a side that is None is open."""

    low: Decimal | None
    high: Decimal | None


class Entry(Struct, frozen=True):
    """One value of a series, as its result told it."""

    feed: str
    is_local: bool
    reference: str
    anchor: str
    when: When | None
    order: datetime
    """For sorting: the first moment that `when` can mean, in UTC; undated ones first."""
    value: Value
    """As the source prints it."""
    converted: Number | None
    """The same in the unit of the series, where that is another one."""
    plotted: Decimal | None
    """Where it stands on the chart; None: it has no number that a chart can show, or was cancelled."""
    flag: Flag
    standing: Standing
    status: Term | None
    sites: tuple[Value, ...]
    """Where in the body it was measured, as far as the source says: of two eyes there is one course."""
    specimens: tuple[Value, ...]
    """On what it was measured: a code of a laboratory's own may stand for blood and urine."""
    remarks: tuple[Value, ...]
    """What changes what the value means: its specimen was haemolysed."""
    ranges: tuple[ReferenceRange, ...]
    band: Band | None
    """The normal range that its source gives, where there is just one."""

    @property
    def comparator(self) -> str:
        """`<` where only a limit is known."""
        return self.value.comparator if isinstance(self.value, Amount) else ""

    @property
    def is_drawn(self) -> bool:
        """Whether the chart shows it."""
        return self.plotted is not None and self.when is not None and self.when.is_dated


@dataclass(frozen=True, slots=True)
class Source:
    """A feed of a series."""

    feed: str
    is_local: bool
    shape: int
    """The number of its marker on the chart, from 0; LOCAL_SHAPE for the EHR's own."""


LOCAL_SHAPE = 0
"""The EHR's own results have this marker in every chart; outside sources have the others."""


@dataclass(frozen=True, slots=True)
class Series:
    """An analyte in one unit."""

    key: str
    """For an HTML id; the same at each look."""
    analyte: str
    """For an address: `trend_key` of what its results measure."""
    title: Term | None
    unit: Text | None
    entries: tuple[Entry, ...]
    """Oldest first; those without a date at the beginning."""
    drawn: tuple[Entry, ...]
    """What of them the chart shows."""
    sources: tuple[Source, ...]
    has_several_specimens: bool
    """The values were not all measured on the same, as far as the sources say."""

    @property
    def not_drawn(self) -> int:
        """How many entries stand in the table alone."""
        return len(self.entries) - len(self.drawn)

    @property
    def abnormal(self) -> int:
        """How many are marked."""
        return sum(each.flag.is_abnormal for each in self.entries)

    @property
    def lowest(self) -> Entry | None:
        """The drawn entry with the smallest number."""
        return min(self.drawn, key=_plotted, default=None)

    @property
    def highest(self) -> Entry | None:
        """The drawn entry with the largest number."""
        return max(self.drawn, key=_plotted, default=None)


def _plotted(entry: Entry) -> Decimal:
    return entry.plotted if entry.plotted is not None else Decimal(0)


@dataclass(frozen=True, slots=True)
class _Told:
    """A value before it is known which series it goes to."""

    entry: Entry
    title: Term | None


def trends(results: Iterable[Result]) -> tuple[Series, ...]:
    """Every series that these results make, those with one entry too; most entries first."""
    analytes: dict[Analyte, list[_Told]] = defaultdict(list)
    for result in results:
        if _is_charted(result):
            for analyte, told in _values_of(result):
                analytes[analyte].append(told)
    found = [series for analyte, told in analytes.items() for series in _series_of(analyte, told)]
    return tuple(sorted(found, key=lambda each: -len(each.entries)))


def analyte_of(result: Result) -> Analyte | None:
    """What a result measures; None where it is nothing that can be charted."""
    if not _is_drawable(result.value) or not _is_charted(result):
        return None
    return _analyte(result.feed, result.codes, result.title)


def part_analyte_of(result: Result, part: Part) -> Analyte | None:
    """The same of a component of `result`."""
    if not _is_drawable(part.value) or not _is_charted(result):
        return None
    return _analyte(result.feed, part.codes, part.title)


def measures(result: Result, key: str) -> bool:
    """Whether a value of `result` is of the analyte with this key, charted or not."""
    return any(trend_key(analyte) == key for analyte, _ in _values_of(result))


def trend_key(analyte: Analyte) -> str:
    """Stands for `analyte` in the address of its trend."""
    return hashlib.sha256("\n".join(analyte).encode(errors="replace")).hexdigest()[:KEY_LENGTH]


def _is_drawable(value: Value | None) -> bool:
    """Whether it is a number of one unit."""
    return isinstance(value, Amount) and value.is_comparable


def _is_charted(result: Result) -> bool:
    observed = result.origin.type == "Observation"
    if not observed or result.category is Category.MICROBIOLOGY or result.is_mistaken:
        return False
    return not is_of_another(result)


def _values_of(result: Result) -> Iterator[tuple[Analyte, _Told]]:
    """The values of a result: its own, and those of its components."""
    if result.value is not None and (analyte := _analyte(result.feed, result.codes, result.title)) is not None:
        yield analyte, _Told(_entry(result, result.value, result.flag, result.ranges), result.title)
    for part in result.parts:
        if part.value is not None and (analyte := _analyte(result.feed, part.codes, part.title)) is not None:
            yield analyte, _Told(_entry(result, part.value, part.flag, part.ranges), part.title)


def _analyte(feed: str, codes: Sequence[Pair], title: Term | None) -> Analyte | None:
    """What is measured: its LOINC code, else its first code with a system; else, within one feed only, its words."""
    loinc = next((code for system, code in codes if system in _LOINC), None)
    if loinc is not None:
        return ("loinc", loinc)
    coded = next((pair for pair in codes if pair[0]), None)
    if coded is not None:
        return coded
    return None if title is None else ("", feed, title.text.shown.casefold())


def _entry(result: Result, value: Value, flag: Flag, ranges: tuple[ReferenceRange, ...]) -> Entry:
    when = result.when or result.issued
    return Entry(
        feed=result.feed,
        is_local=result.is_local,
        reference=result.reference,
        anchor=result.anchor,
        when=when,
        order=BEGINNING if when is None else when.order,
        value=value,
        converted=None,
        plotted=None,
        flag=flag,
        standing=result.standing,
        status=result.status,
        sites=tuple([each.value for each in result.details if each.name == "body-site"]),
        specimens=tuple([each.value for each in result.details if each.name == "specimen"]),
        remarks=result.remarks,
        ranges=ranges,
        band=None,
    )


def _series_of(analyte: Analyte, told: Sequence[_Told]) -> Iterator[Series]:
    """The series of one analyte: as many as there are units that are not exactly the same."""
    numbered = [each for each in told if _is_drawable(each.entry.value)]
    groups = _by_unit(numbered)
    if not groups:
        return
    rest = [each for each in told if not _is_drawable(each.entry.value)]
    largest = max(groups, key=len)
    for group in groups:
        yield _series(analyte, group, rest if group is largest else [])


def _by_unit(told: Sequence[_Told]) -> list[list[_Told]]:
    """Groups of entries whose units convert into each other exactly. A unit without UCUM code goes with the UCUM unit
    that is printed or written the same."""
    codes = _codes_by_words(told)
    groups: dict[str, list[_Told]] = {}
    for each in told:
        code = _unit_code(each, codes)
        home = next((known for known in groups if shift(code, known) is not None), code)
        groups.setdefault(home, []).append(each)
    return list(groups.values())


def _codes_by_words(told: Sequence[_Told]) -> Mapping[str, str]:
    """Printed unit -> UCUM code, where all that print it so mean one."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in told:
        value = each.entry.value
        if isinstance(value, Amount) and value.ucum:
            found[value.ucum].add(value.ucum)
            if value.unit is not None:
                found[value.unit.shown].add(value.ucum)
    return {words: next(iter(codes)) for words, codes in found.items() if len(codes) == 1}


def _unit_code(told: _Told, codes: Mapping[str, str]) -> str:
    value = told.entry.value
    if not isinstance(value, Amount):
        return ""
    words = "" if value.unit is None else value.unit.shown
    return value.ucum or codes.get(words) or (f"{{{words}}}" if _is_doubtful(words) else words)


def _is_doubtful(words: str) -> bool:
    """Whether a unit that has no code is another one in small letters: `ML` and `Mmol/L` are rarely mega."""
    return shift(words, words.lower()) not in (0, None)


def _series(analyte: Analyte, told: Sequence[_Told], rest: Sequence[_Told]) -> Series:
    codes = _codes_by_words(told)
    used = Counter(_unit_code(each, codes) for each in told)
    newest_first = sorted(told, key=lambda each: each.entry.order, reverse=True)
    code = max((_unit_code(each, codes) for each in newest_first), key=lambda each: used[each])
    unit = next((each.entry.value.unit for each in newest_first  # as the newest of that unit prints it
                 if isinstance(each.entry.value, Amount) and _unit_code(each, codes) == code), line(code))  # fmt: skip
    entries = [_placed(each.entry, _unit_code(each, codes), code) for each in told]
    entries += [each.entry for each in rest]
    title = next((each.title for each in newest_first if each.title is not None), None)
    ordered = tuple(sorted(entries, key=lambda each: each.order))
    return Series(
        trend_key((*analyte, "", code)),
        trend_key(analyte),
        title,
        unit,
        ordered,
        tuple(each for each in ordered if each.is_drawn),
        _sources(entries),
        len({each.specimens for each in entries if each.specimens}) > 1,
    )


def _placed(entry: Entry, own: str, code: str) -> Entry:
    """`entry` on the scale of the series."""
    powers = shift(own, code)
    if not isinstance(entry.value, Amount) or powers is None:
        return entry
    value = shifted(entry.value.number.value, powers)
    return replace(
        entry,
        converted=number(value) if own != code else None,
        plotted=value if abs(value) < _LARGEST and entry.standing is not Standing.CANCELLED else None,
        band=_band(entry, own, powers),
    )


def _band(entry: Entry, own: str, powers: int) -> Band | None:
    """The one normal range of an entry, moved with it; None where there is none, or several."""
    normal = [each for each in entry.ranges if each.meaning is None]
    spans = [each.span for each in normal if each.span is not None]
    if len(spans) != 1 or any(each.is_contradictory or each.is_unread for each in normal):
        return None
    sides = []
    for side in (spans[0].low, spans[0].high):
        if side is not None and (side.ucum not in ("", own) or not side.is_comparable):
            return None
        sides.append(None if side is None else shifted(side.number.value, powers))
    return Band(*sides)


def _sources(entries: Iterable[Entry]) -> tuple[Source, ...]:
    """Each feed with its marker: the EHR's own first, then the others by name, so that a shape stays at every look."""
    feeds = sorted({(not each.is_local, each.feed) for each in entries})
    outside = iter(range(LOCAL_SHAPE + 1, LOCAL_SHAPE + 1 + len(feeds)))
    return tuple(Source(feed, not away, next(outside) if away else LOCAL_SHAPE) for away, feed in feeds)
