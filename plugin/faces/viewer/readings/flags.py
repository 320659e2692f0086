"""Whether a value is abnormal: by the source's interpretation, else by the source's own reference range.

Nothing is judged by a range of ours. Where it cannot be told (another unit, several populations, a comparator that
reaches into the range), nothing is said.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from plugin.faces.viewer.readings.elements import Tree, pairs, record, records, span, term
from plugin.faces.viewer.readings.result import Basis, Flag, Level, ReferenceRange
from plugin.faces.viewer.readings.text import line
from plugin.faces.viewer.readings.values import Amount, Span, Value

_LEVELS: Final[Mapping[str, Level]] = {
    "N": Level.NORMAL,
    "L": Level.LOW,
    "LU": Level.LOW,
    "<": Level.LOW,
    "LL": Level.CRITICALLY_LOW,
    "H": Level.HIGH,
    "HU": Level.HIGH,
    ">": Level.HIGH,
    "HH": Level.CRITICALLY_HIGH,
    "A": Level.ABNORMAL,
    "AA": Level.CRITICAL,
    "TOX": Level.CRITICAL,
    "POS": Level.NOTED,
    "DET": Level.NOTED,
    "RR": Level.NOTED,
    "WR": Level.NOTED,
    "R": Level.NOTED,
    "NS": Level.NOTED,
    "SYN-R": Level.NOTED,
    "UNE": Level.NOTED,
    "CAR": Level.NOTED,
}
"""Of v3-ObservationInterpretation. Negative, susceptible, intermediate and the rest are words without a mark."""

_SEVERITY = (
    Level.UNSTATED,
    Level.NORMAL,
    Level.NOTED,
    Level.ABNORMAL,
    Level.LOW,
    Level.HIGH,
    Level.CRITICAL,
    Level.CRITICALLY_LOW,
    Level.CRITICALLY_HIGH,
)
"""Of several interpretations the last one in this order counts."""

_LOW = frozenset({Level.LOW, Level.CRITICALLY_LOW})
_HIGH = frozenset({Level.HIGH, Level.CRITICALLY_HIGH})
_INTERPRETATION_SYSTEMS = frozenset(
    {
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
        "http://terminology.hl7.org/CodeSystem/v2-0078",
        "http://hl7.org/fhir/v2/0078",
        "urn:oid:2.16.840.1.113883.5.83",
    }
)
_BELOW = frozenset({"<", "<="})
_ABOVE = frozenset({">", ">="})


def ranges_of(tree: Tree) -> tuple[ReferenceRange, ...]:
    """The reference ranges of an Observation or component, in the source's order."""
    found = []
    for each in records(tree.get("referenceRange")):
        kind = term(each.get("type"))
        normal = kind is not None and kind.key == "range/normal"
        one = ReferenceRange(
            span(each),
            line(each.get("text")),
            None if normal else kind,
            tuple([whom for item in records(each.get("appliesTo")) if (whom := term(item)) is not None]),
            span(each.get("age")),
        )
        if one.span is not None or one.text is not None:
            found.append(one)
    return tuple(found)


def flag_of(tree: Tree, value: Value | None, ranges: tuple[ReferenceRange, ...]) -> Flag:
    """The mark of an Observation or component."""
    concepts = records(tree.get("interpretation")) or [record(tree.get("interpretation"))]  # a list in R4, one before
    words = tuple([word for each in concepts if (word := term(each)) is not None])
    stated = _stated(concepts)
    compared = by_range(value, ranges)
    if stated is not Level.UNSTATED:
        return Flag(stated, Basis.INTERPRETATION, words, compared if _contradict(stated, compared) else None)
    if compared is not Level.UNSTATED:
        return Flag(compared, Basis.RANGE, words)
    return Flag(words=words)


def by_range(value: Value | None, ranges: tuple[ReferenceRange, ...]) -> Level:
    """Where `value` lies in the normal range, if that can be told and all normal ranges agree."""
    if not isinstance(value, Amount):
        return Level.UNSTATED
    levels = set()
    for each in ranges:
        if each.meaning is None:
            if each.span is None:
                return Level.UNSTATED  # it is in words alone, and might be the one that counts
            levels.add(_compared(value, each.span))
    return levels.pop() if len(levels) == 1 else Level.UNSTATED


def _stated(concepts: Iterable[Tree]) -> Level:
    """The gravest of what these interpretations say."""
    found = [
        _LEVELS[code]
        for each in concepts
        for system, code in pairs(each)
        if code in _LEVELS and system in _INTERPRETATION_SYSTEMS
    ]
    return found[0] if len(found) == 1 else max(found, key=_SEVERITY.index, default=Level.UNSTATED)


def _compared(value: Amount, normal: Span) -> Level:
    if normal.low is not None and _comparable(value, normal.low):
        limit = normal.low.number.value
        if _surely_below(value, limit):
            return Level.LOW
    elif normal.low is not None:
        return Level.UNSTATED
    if normal.high is not None and _comparable(value, normal.high):
        limit = normal.high.number.value
        if _surely_above(value, limit):
            return Level.HIGH
    elif normal.high is not None:
        return Level.UNSTATED
    return Level.NORMAL if _surely_within(value, normal) else Level.UNSTATED


def _comparable(value: Amount, limit: Amount) -> bool:
    """A limit without a unit has the value's (R4, Observation.referenceRange)."""
    if limit.comparator:
        return False
    if value.ucum and limit.ucum:
        return value.ucum == limit.ucum
    return limit.unit is None or limit.unit == value.unit


def _surely_below(value: Amount, limit: Decimal) -> bool:
    if value.comparator == "<":
        return value.number.value <= limit
    return value.comparator not in _ABOVE and value.number.value < limit


def _surely_above(value: Amount, limit: Decimal) -> bool:
    if value.comparator == ">":
        return value.number.value >= limit
    return value.comparator not in _BELOW and value.number.value > limit


def _surely_within(value: Amount, normal: Span) -> bool:
    """Below a detection limit is normal only where the range has no lower side, and so on."""
    if value.comparator in _BELOW:
        return normal.low is None
    if value.comparator in _ABOVE:
        return normal.high is None
    return True


def _contradict(stated: Level, compared: Level) -> bool:
    if stated is compared:
        return False
    if stated is Level.NORMAL:
        return compared in (Level.LOW, Level.HIGH)
    return (stated in _LOW and compared in (Level.NORMAL, Level.HIGH)) or (
        stated in _HIGH and compared in (Level.NORMAL, Level.LOW)
    )
