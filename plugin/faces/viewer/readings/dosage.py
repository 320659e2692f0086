"""A Dosage: the source's own words, else what its structure says; what neither tells is announced, never dropped.

Each table below names the elements that are read, in the order in which a sentence tells them. An element that no
table has, or whose content cannot be read, leaves the sign that something is not shown.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from plugin.faces.viewer.readings.code_words import TABLES
from plugin.faces.viewer.readings.elements import MAX_ITEMS, Tree, amount, coded, record, records, span, term, word
from plugin.faces.viewer.readings.measures import (
    TIMES,
    dose,
    dose_range,
    duration,
    duration_range,
    length,
    numbers,
    time_unit,
)
from plugin.faces.viewer.readings.moment import period, when
from plugin.faces.viewer.readings.text import line, prose
from plugin.faces.viewer.readings.values import Amount, Phrase, Said, Value, number

Parts = Iterable[Value | None]
"""What one element says; None: something that is not told."""
_Reader = Callable[[Any], Parts]
_Readers = Mapping[str, _Reader]
_Told = tuple[str, Value | None]

_CUT: Final = Said("dosage-cut")
_IN_WORDS: Final = frozenset({"text", "sequence"})
"""Nearly every dosage has nothing else."""
_TOLD_APART: Final = frozenset({*_IN_WORDS, "additionalInstruction", "patientInstruction"})
_UNREAD: Final = frozenset({"id", "extension"})
"""Elements that FHIR lets a reader pass over; a modifierExtension is not among them."""
_RHYTHM: Final = ("frequency", "frequencyMax", "period", "periodMax", "periodUnit")
_REPEAT_ALONE: Final = frozenset(
    {*_RHYTHM, "duration", "durationMax", "durationUnit", "when", "offset", "count", "countMax"}
)
"""Elements of a repeat that mean something together only."""
_MEALS: Final = ("AC", "PC")
"""How the codes before and after meals begin."""


def dosages(value: Any) -> Iterator[_Told]:
    """The details of a list of Dosages, or of a single one, in the order of their sequence."""
    listed = records(value) or ([value] if isinstance(value, dict) else [])
    if not listed and value:
        yield "dosage", _CUT
    if len(listed) > 1 and all(type(each.get("sequence")) is int for each in listed):
        listed = sorted(listed, key=_sequence)
        links = ["together" if _sequence(one) == _sequence(other) else "then" for one, other in pairwise(listed)]
    else:
        links = [""] * (len(listed) - 1)
    for each, link in zip(listed, ["", *links], strict=False):
        yield from _details(each, link)


def _sequence(tree: Tree) -> int:
    return int(tree["sequence"])


def _details(tree: Tree, link: str) -> Iterator[_Told]:
    text = prose(tree.get("text"))
    told: list[Value] = [] if text is None else [text]
    if not tree.keys() <= _IN_WORDS:
        structure = _phrase(_told(tree, _DOSAGE, _TOLD_APART))
        told += [] if structure is None else [structure]
    for place, each in enumerate(told):
        yield "dosage", Said(link, (each,)) if link and place == 0 else each
    if "additionalInstruction" in tree:
        for concept in _each(_one(term))(tree["additionalInstruction"]):
            yield "instruction", concept or _CUT
    yield "patient-instruction", prose(tree.get("patientInstruction"))


def _told(tree: Any, readers: _Readers, told_apart: frozenset[str] = frozenset()) -> Iterator[Value | None]:
    """What `readers` tell of the elements of `tree`, and None for what they do not know."""
    if not isinstance(tree, dict):
        yield None
        return
    for name, read in readers.items():
        if name in tree:
            yield from read(tree[name])
    known = told_apart | _UNREAD
    if any(name not in readers and name not in known and not name.startswith("_") for name in tree):
        yield None


def _phrase(parts: Parts) -> Value | None:
    told = list(parts)
    known = [each for each in told if each is not None]
    if len(known) < len(told):
        known.append(_CUT)
    return Phrase(tuple(known)) if known else None


def _one(read: Callable[[Any], Value | None], key: str = "") -> _Reader:
    """An element of one value, in the sentence `key`."""

    def reader(value: Any) -> Parts:
        found = read(value)
        return (found if found is None or not key else Said(key, (found,)),)

    return reader


def _each(read: _Reader) -> _Reader:
    """A list of what `read` reads, or a single one."""

    def reader(value: Any) -> Parts:
        listed = value if isinstance(value, list) else [value]
        for item in listed[:MAX_ITEMS]:
            yield from read(item)
        if len(listed) > MAX_ITEMS:
            yield None

    return reader


def _of(table: str) -> Callable[[Any], Value | None]:
    """Codes of a table; one without a word of ours is not told: it says nothing to a reader."""
    return lambda code: coded(table, code) if word(code) in TABLES[table] else None


def _as_needed(value: Any) -> Parts:
    return (Said("as-needed"),) if value is True else () if value is False else (None,)


def _per(ratio: Any) -> Value | None:
    """A dose in a time: `2 g a day`."""
    much, of = dose(record(ratio).get("numerator")), amount(record(ratio).get("denominator"))
    if much is None or of is None:
        return None
    unit = time_unit(of)
    if unit is None:
        return Said("amount-for", (much, of))
    if of.number.value == 1:
        return Said("beside", (much, Said(f"per/{unit}")))
    return Said("amount-in", (much, length(unit, of.number)))


def _times(least: Any, most: Any) -> Value | None:
    """So many times; None where neither number can be read."""
    low, high = number(least), number(most)
    if high is not None:
        told = Said("times", (Amount(high) if low is None else numbers(low, high),))
        return Said("up-to", (told,)) if low is None else told
    if low is None:
        return None
    return Said({"1": "once", "2": "twice"}[low.text]) if low.text in ("1", "2") else Said("times", (Amount(low),))


def _rhythm(tree: Tree) -> Parts:
    """How often: `2 to 3 times a day`, `every 8 hours`."""
    if not any(name in tree for name in _RHYTHM):
        return
    times = _times(tree.get("frequency"), tree.get("frequencyMax"))
    pace = _pace(tree)
    if times is not None and pace is not None and not pace.key.startswith("each/"):
        yield Said("beside", (times, pace))
    else:
        yield from (each for each in (times, pace) if each is not None)
    is_readable = all(number(tree[name]) is not None for name in _RHYTHM[:-1] if name in tree)
    if not is_readable or (pace is None and not tree.keys().isdisjoint(_RHYTHM[2:])):
        yield None


def _pace(tree: Tree) -> Said | None:
    least, most, unit = number(tree.get("period")), number(tree.get("periodMax")), word(tree.get("periodUnit"))
    if least is None or unit not in _UNITS:
        return None
    if least.value == 1 and most is None:
        counted = "frequency" in tree or "frequencyMax" in tree
        return Said(f"per/{unit}" if counted else f"each/{unit}")
    return Said(f"every/{unit}", (length(unit, least, most),))


def _limits(tree: Tree) -> Parts:
    """How long each time takes, and how many there are in all."""
    if any(name in tree for name in ("duration", "durationMax", "durationUnit")):
        least, most, unit = (
            number(tree.get("duration")),
            number(tree.get("durationMax")),
            word(tree.get("durationUnit")),
        )
        is_told = least is not None and unit in _UNITS and (most is not None or "durationMax" not in tree)
        yield Said("over", (length(unit, least, most),)) if least is not None and is_told else None
    if "count" in tree or "countMax" in tree:
        times = _times(tree.get("count"), tree.get("countMax"))
        yield None if times is None else Said("in-all", (times,))


def _moments(tree: Tree) -> Parts:
    """At which moments of the day, and how far from a meal."""
    named = tree.get("when", [])
    codes = [word(each) for each in (named if isinstance(named, list) else [named])[:MAX_ITEMS]]
    minutes = number(tree.get("offset"))
    is_far = minutes is not None and minutes.value > 0 and all(code.startswith(_MEALS) for code in codes)
    for code in codes:
        told = _of("when")(code)
        if told is not None and minutes is not None and is_far:
            told = Said("beside", (length("min", minutes), told))
        yield told
    if "offset" in tree and not (codes and is_far):
        yield None


def _clock(value: Any) -> Value | None:
    """A time without the seconds that nobody counts: `08:00`."""
    text = word(value)
    return line(text[: -len(":00")] if text.count(":") == 2 and text.endswith(":00") else text)


def _repeat(tree: Any) -> Parts:
    if not isinstance(tree, dict):
        return (None,)
    return (*_rhythm(tree), *_moments(tree), *_limits(tree), *_told(tree, _REPEAT, _REPEAT_ALONE))


_UNITS: Final = frozenset(TIMES.values())
_REPEAT: Final[_Readers] = {
    "dayOfWeek": _each(_one(_of("weekday"))),
    "timeOfDay": _each(_one(_clock, "at")),
    "boundsDuration": _one(duration, "for"),
    "boundsRange": _one(duration_range, "for"),
    "boundsPeriod": _one(period),
}
_TIMING: Final[_Readers] = {
    "code": _one(term),
    "repeat": _repeat,
    "event": _each(_one(when, "on")),
}
_DOSE: Final[_Readers] = {
    "doseQuantity": _one(dose),
    "doseRange": _one(dose_range),
    "rateRatio": _one(_per, "rate"),
    "rateRange": _one(span, "rate"),
    "rateQuantity": _one(amount, "rate"),
    "type": _one(term),
}
_DOSAGE: Final[_Readers] = {
    "doseAndRate": _each(lambda value: _told(value, _DOSE)),
    "timing": lambda value: _told(value, _TIMING),
    "asNeededBoolean": _as_needed,
    "asNeededCodeableConcept": _one(term, "as-needed-for"),
    "route": _one(term, "route"),
    "site": _one(term, "site"),
    "method": _one(term, "method"),
    "maxDosePerPeriod": _each(_one(_per, "at-most")),
    "maxDosePerAdministration": _one(dose, "at-most-at-once"),
    "maxDosePerLifetime": _one(dose, "at-most-in-life"),
}
