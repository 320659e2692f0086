"""Whether a value is abnormal: by the source's interpretation, else by the source's own reference range.

Nothing is judged by a range of ours. Where it cannot be told (another unit, a range for some people only, a comparator
that reaches into the range), nothing is said. What the source says in words that no code explains is printed, unjudged.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from plugin.faces.viewer.readings.code_words import SYSTEMS, TABLES
from plugin.faces.viewer.readings.elements import Tree, is_limited, pairs, record, records, span, term
from plugin.faces.viewer.readings.result import Basis, Flag, Level, ReferenceRange
from plugin.faces.viewer.readings.text import line
from plugin.faces.viewer.readings.values import Amount, Span, Value

_LEVELS: Final[Mapping[str, Level]] = {
    "N": Level.NORMAL,
    "L": Level.LOW,
    "LU": Level.LOW,
    "L<": Level.LOW,
    "LX": Level.LOW,
    "<": Level.LOW,
    "LL": Level.CRITICALLY_LOW,
    "H": Level.HIGH,
    "HU": Level.HIGH,
    "H>": Level.HIGH,
    "HX": Level.HIGH,
    ">": Level.HIGH,
    "HH": Level.CRITICALLY_HIGH,
    "A": Level.ABNORMAL,
    "EX": Level.ABNORMAL,
    "AA": Level.CRITICAL,
    "TOX": Level.NOTED,
    "AC": Level.NOTED,
    "QCF": Level.NOTED,
    "HM": Level.NOTED,
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
"""Of several interpretations the last one in this order counts, unless they contradict each other."""

_NUMBERS: Final = re.compile(r"[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+(?![0-9])|[0-9]+(?:[.,][0-9]+)?")
_THOUSANDS: Final = re.compile(r"[ \u00a0\u202f]")
_WORD: Final = re.compile(r"[^\W\d_]+")
_BETWEEN: Final = frozenset({"a", "\u00e0", "to", "et", "and", "de", "from"})
"""Words of a text that say nothing beside its numbers."""
_AT_MOST: Final = frozenset("<\u2264")
_AT_LEAST: Final = frozenset(">\u2265")
_LOW = frozenset({Level.LOW, Level.CRITICALLY_LOW})
_HIGH = frozenset({Level.HIGH, Level.CRITICALLY_HIGH})
_TABLE = "interpretation"
_SYSTEMS = frozenset(system for system, table in SYSTEMS.items() if table == _TABLE)
_BELOW = frozenset({"<", "<="})
_ABOVE = frozenset({">", ">="})


def ranges_of(tree: Tree) -> tuple[ReferenceRange, ...]:
    """The reference ranges of an Observation or component, in the source's order."""
    found = []
    for each in records(tree.get("referenceRange")):
        kind = term(each.get("type"))
        normal = kind is not None and kind.key == "range/normal"
        limits, text, age = span(each), line(each.get("text")), span(each.get("age"))
        one = ReferenceRange(
            limits,
            text,
            None if normal else kind,
            tuple([whom for item in records(each.get("appliesTo")) if (whom := term(item)) is not None]),
            age,
            limits is not None and text is not None and _says_otherwise(text.shown, limits),
            limits is not None and text is not None and _says_more(text.shown, limits),
            (limits is None and is_limited(each, "low", "high")) or ("age" in each and age is None),
        )
        if one.span is not None or one.text is not None or one.is_unread:
            found.append(one)
    return tuple(found)


def _says_otherwise(text: str, limits: Span) -> bool:
    """Whether a text that has numbers lacks one of the limits. A lower limit of nought often goes without saying."""
    written = set(map(_decimal, _NUMBERS.findall(text)))
    if not written:
        return False
    low = limits.low.number.value if limits.low is not None else Decimal(0)
    stated = {abs(low), abs(limits.high.number.value) if limits.high is not None else Decimal(0)}
    if (limits.high is None and not _AT_MOST.isdisjoint(text)) or (
        limits.low is None and not _AT_LEAST.isdisjoint(text)
    ):
        return True  # of the one side that there is, the text says the other
    return not stated - {Decimal(0)} <= written


def _says_more(text: str, limits: Span) -> bool:
    """Whether a text has words, or other numbers, beside the limits and their units: for whom they are, when, or a
    second range."""
    rest = text
    for side in (limits.low, limits.high):
        if side is not None:
            units = (side.unit.shown if side.unit is not None else "", side.ucum)
            for unit in sorted(filter(None, units), key=len, reverse=True):
                rest = rest.replace(unit, " ")
    sides = {abs(side.number.value) for side in (limits.low, limits.high) if side is not None}
    if not set(map(_decimal, _NUMBERS.findall(rest))) <= sides | {Decimal(0)}:
        return True
    return any(each not in _BETWEEN for each in _WORD.findall(rest.lower()))


def _decimal(digits: str) -> Decimal:
    return Decimal(_THOUSANDS.sub("", digits).replace(",", "."))


def flag_of(tree: Tree, value: Value | None, ranges: tuple[ReferenceRange, ...]) -> Flag:
    """The mark of an Observation or component."""
    compared = by_range(value, ranges)
    if "interpretation" not in tree:
        return Flag() if compared is Level.UNSTATED else Flag(compared, Basis.RANGE)
    concepts = records(tree["interpretation"]) or [record(tree["interpretation"])]  # a list in R4, one before
    read = [(concept, word, _levels(concept)) for concept in concepts if (word := term(concept)) is not None]
    words = tuple([word for _, word, _ in read])
    plain = tuple([word for _, word, levels in read if not levels])
    stated = _stated([level for _, _, levels in read for level in levels])
    if stated is not Level.UNSTATED:
        disagrees = compared if _contradict(stated, compared) else None
        return Flag(stated, Basis.INTERPRETATION, words, plain, disagrees)
    if compared in _LOW | _HIGH or all(_is_known(concept) for concept, _, _ in read):
        return Flag(compared, Basis.NONE if compared is Level.UNSTATED else Basis.RANGE, words, plain)
    return Flag(Level.WORDED, Basis.INTERPRETATION, words, plain)


def by_range(value: Value | None, ranges: tuple[ReferenceRange, ...]) -> Level:
    """Where `value` lies in the normal range, if that can be told: one is for everybody, and all normal ones agree."""
    if not isinstance(value, Amount) or not value.is_comparable:
        return Level.UNSTATED
    levels, is_for_everybody = set(), False
    for each in ranges:
        if each.meaning is None:
            if each.span is None or each.is_unread:
                return Level.UNSTATED  # it is in words alone, or unreadable, and might be the one that counts
            level = _compared(value, each.span)
            # Of two ranges in one the narrower may count: what is within the numbers is not called normal.
            levels.add(Level.UNSTATED if each.is_contradictory and level is Level.NORMAL else level)
            is_for_everybody = is_for_everybody or not (each.applies_to or each.age)
    return levels.pop() if is_for_everybody and len(levels) == 1 else Level.UNSTATED


def _levels(concept: Tree) -> list[Level]:
    """What the codes of one interpretation say."""
    return [_LEVELS[code] for system, code in pairs(concept) if code in _LEVELS and system in _SYSTEMS]


def _is_known(concept: Tree) -> bool:
    """Whether a code of it has a meaning that we know."""
    return any(code in TABLES[_TABLE] and system in _SYSTEMS for system, code in pairs(concept))


def _stated(levels: Sequence[Level]) -> Level:
    """The gravest of these; where one is low and another high, their words say it."""
    if len(levels) == 1:
        return levels[0]
    if not _LOW.isdisjoint(levels) and not _HIGH.isdisjoint(levels):
        return Level.NOTED
    return max(levels, key=_SEVERITY.index, default=Level.UNSTATED)


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
    if limit.comparator or not limit.is_comparable:
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
    """A limit of measurement is normal only where all that it leaves open lies in the range."""
    if value.comparator in _BELOW:
        return normal.low is None and normal.high is not None and value.number.value <= normal.high.number.value
    if value.comparator in _ABOVE:
        return normal.high is None and normal.low is not None and value.number.value >= normal.low.number.value
    return True


def _contradict(stated: Level, compared: Level) -> bool:
    if stated is compared:
        return False
    if stated is Level.NORMAL:
        return compared in (Level.LOW, Level.HIGH)
    return (stated in _LOW and compared in (Level.NORMAL, Level.HIGH)) or (
        stated in _HIGH and compared in (Level.NORMAL, Level.LOW)
    )
