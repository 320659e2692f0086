"""Hints that two rows are one thing: a report and its observations, one test told twice. Said, never merged.

What counts as the same is standards/feeds.md section 6: business identifier, else test, time and specimen. A difference
in value is then a contradiction, and said as that. Ids of resources mean nothing across sources.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date

from msgspec.structs import replace

from plugin.faces.viewer.readings.elements import Pair
from plugin.faces.viewer.readings.moment import Precision
from plugin.faces.viewer.readings.remarks import foci_of
from plugin.faces.viewer.readings.result import Hint, HintKind, Part, Result, Standing
from plugin.faces.viewer.readings.text import Text
from plugin.faces.viewer.readings.units import shift, shifted
from plugin.faces.viewer.readings.values import Altered, Amount, Sampled, Term, Unread, Value

MAX_HINTS = 12
"""On one row. A report names all its results as members anyway."""
MAX_ALIKE = 20
"""Rows compared with each other; more with one test and time is a source that repeats itself, and the first tell it."""

_APART = ("body-site", "dosage", "dose", "dose-number", "form", "ingredient", "instruction", "patient-instruction")
"""Details that make two entries of one test, act, medicine or vaccine two, where both tell them."""
_NEGATED = frozenset({"status/not-done", "status/not-taken", "status/declined", "verification/refuted"})
_UNKNOWN = Altered | Unread | Sampled
"""Values of which it is not known whether two are the same."""
_DAYS = frozenset({Precision.DAY, Precision.TIME})
"""Dates that name a day."""

_Hints = dict[int, list[Hint]]


def with_hints(results: Sequence[Result]) -> tuple[Result, ...]:
    """`results` in their order, each with its hints."""
    hints: _Hints = defaultdict(list)
    _report_hints(results, hints)
    _replacement_hints(results, hints)
    _alike_hints(results, hints)
    return tuple(
        replace(each, hints=tuple(dict.fromkeys(hints[place]))[:MAX_HINTS]) if place in hints else each
        for place, each in enumerate(results)
    )


def _hint(kind: HintKind, other: Result) -> Hint:
    return Hint(kind, other.feed, other.reference, other.anchor, other.title)


def _places(results: Sequence[Result]) -> dict[tuple[str, str], int]:
    return {(each.feed, each.reference): place for place, each in enumerate(results)}


def _report_hints(results: Sequence[Result], hints: _Hints) -> None:
    places = _places(results)
    for place, report in enumerate(results):
        for reference in (*(link.reference for link in report.members), *sorted(report.about)):
            other = places.get((report.feed, reference))
            if other is not None and other != place:
                hints[other].append(_hint(HintKind.REPORTED_IN, report))
                hints[place].append(_hint(HintKind.REPORTS, results[other]))


def _replacement_hints(results: Sequence[Result], hints: _Hints) -> None:
    places = _places(results)
    for place, newer in enumerate(results):
        for reference in sorted(newer.replaces):
            other = places.get((newer.feed, reference))
            if other is not None and other != place:
                hints[place].append(_hint(HintKind.REPLACES, results[other]))
                hints[other].append(_hint(HintKind.REPLACED_BY, newer))


def _alike_hints(results: Sequence[Result], hints: _Hints) -> None:
    """Pairs of one type that share an identifier, or a test and a day."""
    groups: dict[object, list[int]] = defaultdict(list)
    for place, each in enumerate(results):
        for key in _keys(each):
            groups[key].append(place)
    told = set[tuple[int, int]]()
    for group in groups.values():
        for first, second in _pairs_of(group[:MAX_ALIKE]):
            if (first, second) not in told and (kind := _alike(results[first], results[second])) is not None:
                told.add((first, second))
                hints[first].append(_hint(kind, results[second]))
                hints[second].append(_hint(kind, results[first]))


def _keys(result: Result) -> Iterator[object]:
    kind = result.origin.type
    for pair in result.identifiers:
        yield (kind, "identifier", pair)
    moment = result.when
    if moment is None or not moment.is_dated or moment.precision in (Precision.YEAR, Precision.MONTH):
        return
    days: set[date] = {moment.at.date(), moment.order.date()}
    for test in _tests(result):
        for day in days:
            yield (kind, test, day)


def _tests(result: Result | Part) -> Iterator[Pair | str]:
    """What was measured: its codes, else its words."""
    if result.codes:
        yield from result.codes
    elif result.title is not None:
        yield result.title.text.shown.casefold()


def _pairs_of(group: Sequence[int]) -> Iterator[tuple[int, int]]:
    for place, first in enumerate(group):
        for second in group[place + 1 :]:
            yield first, second


def _alike(one: Result, other: Result) -> HintKind | None:
    if one.reference == other.reference and one.feed == other.feed:
        return None
    if _is_replacement(one, other) or is_superseded(one) or is_superseded(other):
        return None
    shared = HintKind.SAME_IDENTIFIER if one.identifiers & other.identifiers else None
    if one.when is None or other.when is None or not _same_test(one, other) or _is_apart(one, other):
        return shared
    if is_unknown(one) or is_unknown(other) or (same_value := _same_value(one, other)) is None:
        return shared  # what it says is not known, so neither the same nor another thing
    if one.when.precision is Precision.TIME and other.when.precision is Precision.TIME:
        if one.when.order != other.when.order:
            return shared
        return HintKind.SAME_RESULT if same_value else HintKind.OTHER_VALUE
    is_same_day = {one.when.precision, other.when.precision} <= _DAYS and one.when.at.date() == other.when.at.date()
    return HintKind.SAME_DAY if same_value and is_same_day else shared


def _same_test(one: Result, other: Result) -> bool:
    if one.codes and other.codes:
        return not set(one.codes).isdisjoint(other.codes)
    mine, theirs = (_folded(each.title) for each in (one, other))
    return bool(mine) and mine == theirs


def _folded(title: Term | None) -> str:
    return "" if title is None else title.text.shown.casefold()


def _is_apart(one: Result, other: Result) -> bool:
    """Of one test or medicine, yet two: of somebody else, of another specimen, site or dose, or the one denies what the
    other says."""
    if one.warnings != other.warnings or is_negated(one) != is_negated(other) or _other_specimen(one, other):
        return True
    if foci_of(one) != foci_of(other):
        return True
    return any(_differ(_told(one, name), _told(other, name)) for name in _APART)


def is_unknown(result: Result) -> bool:
    """Whether it says something that cannot be compared."""
    return isinstance(result.value, _UNKNOWN) or any(isinstance(each.value, _UNKNOWN) for each in result.parts)


def is_negated(result: Result) -> bool:
    """Whether it says that something is not so, or was not done."""
    said = (result.status, *result.remarks)
    return any(isinstance(each, Term) and each.key in _NEGATED for each in said)


def apart(result: Result) -> list[Value]:
    """What makes two entries of one test or medicine two."""
    return [*foci_of(result), *_told(result, *_APART)]


def _told(result: Result, *names: str) -> list[Value]:
    return [each.value for each in result.details if each.name in names]


def _differ(mine: list[Value], theirs: list[Value]) -> bool:
    """Whether both tell, and not the same."""
    return bool(mine) and bool(theirs) and mine != theirs


def _other_specimen(one: Result, other: Result) -> bool:
    """Both tell their specimens, in one source, and share none; across sources a reference says nothing."""
    if one.feed != other.feed or not one.specimens or not other.specimens:
        return False
    return one.specimens.isdisjoint(other.specimens)


def _same_value(one: Result, other: Result) -> bool | None:
    """Whether the values are equal, and those of the components that they share. None: that is not known, since two
    units do not convert exactly or a component has no counterpart."""
    found = {_equal(one, other)}
    if (one.parts and other.parts) or one.value is None or other.value is None:
        found.update(_parts_compared(one.parts, other.parts))
    return False if False in found else None if None in found else True


def _parts_compared(mine: Sequence[Part], theirs: Sequence[Part]) -> Iterator[bool | None]:
    """Of components, whatever their order."""
    by_test: dict[Pair | str, list[Part]] = defaultdict(list)
    for part in theirs:
        for test in _tests(part):
            by_test[test].append(part)
    for part in mine:
        same = {id(each): each for test in _tests(part) for each in by_test.get(test, [])}
        yield _equal(part, next(iter(same.values()))) if len(same) == 1 else None
    if len(mine) != len(theirs):
        yield None


def _equal(one: Result | Part, other: Result | Part) -> bool | None:
    """Equal as printed, by a code, or equal numbers in equal units: 1.5 is 1.50, 1 g/L is 100 mg/dL. None: the units
    are two that do not convert exactly."""
    if not set(one.value_codes).isdisjoint(other.value_codes):
        return True
    mine, theirs = one.value, other.value
    if isinstance(mine, Amount) and isinstance(theirs, Amount):
        if mine.other_unit != theirs.other_unit:
            return False
        powers = _powers(mine, theirs)
        if powers is None:
            return None
        return mine.comparator == theirs.comparator and shifted(mine.number.value, powers) == theirs.number.value
    if isinstance(mine, Term) and isinstance(theirs, Term) and mine.key is not None:
        return mine.key == theirs.key
    if isinstance(mine, Term | Text) and isinstance(theirs, Term | Text):
        return str(mine).casefold() == str(theirs).casefold()
    return mine == theirs


def _powers(mine: Amount, theirs: Amount) -> int | None:
    """By how many powers of ten the unit of one is that of the other."""
    if mine.ucum and theirs.ucum:
        return shift(mine.ucum, theirs.ucum)
    return 0 if mine.unit == theirs.unit else None


def _is_replacement(one: Result, other: Result) -> bool:
    return one.feed == other.feed and (other.reference in one.replaces or one.reference in other.replaces)


def is_superseded(result: Result) -> bool:
    """Whether it does not stand any more: another replaces it, or it was cancelled."""
    return result.standing in (Standing.SUPERSEDED, Standing.CANCELLED)
