"""FHIR's data types as they stand in a parsed tree, read without trust: anything may be missing or of another type.

What is not in FHIR's form is passed over, never guessed and never an error; of a value it is said. Lists are read up to
a bound, since a page is for people.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from plugin.faces.viewer.readings.code_words import SYSTEMS, TABLES
from plugin.faces.viewer.readings.moment import period, timing, when
from plugin.faces.viewer.readings.text import Text, line, prose
from plugin.faces.viewer.readings.units import contradict
from plugin.faces.viewer.readings.values import (
    Absent,
    Amount,
    Money,
    Phrase,
    Ratio,
    Sampled,
    Span,
    Term,
    Truth,
    Unread,
    Value,
    number,
)

Tree = Mapping[str, Any]
Pair = tuple[str, str]
"""(system, code); an absent system is ""."""

MAX_ITEMS = 100
"""Entries of one list that are read: an antibiogram has some thirty components, a panel some fifty members."""

UCUM = "http://unitsofmeasure.org"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_COMPARATORS = {"<": "<", "<=": "<=", ">=": ">=", ">": ">", "\u2264": "<=", "\u2265": ">="}
"""As a source may write them -> FHIR's own."""
_CURRENCY_LENGTH = 3


def record(value: Any) -> Tree:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: Any, most: int = MAX_ITEMS) -> list[Tree]:
    """The objects of a list, of which no more than `most` entries are read."""
    if not isinstance(value, list):
        return []
    return [each for each in value[:most] if isinstance(each, dict)]


def left_out(*values: Any) -> int:
    """How many entries of these lists `records` does not read because of the bound."""
    return sum([len(each) - MAX_ITEMS for each in values if isinstance(each, list) and len(each) > MAX_ITEMS])


def word(value: Any) -> str:
    """A code, id or address: `value` if it is a text, else ""."""
    return value if isinstance(value, str) else ""


def pairs(concept: Any) -> tuple[Pair, ...]:
    """(system, code) of the codings of a CodeableConcept, in the source's order."""
    if not isinstance(concept, dict):
        return ()
    codings = records(concept.get("coding"))
    return tuple([(word(each.get("system")), code) for each in codings if (code := word(each.get("code")))])


def coded(table: str, code: Any) -> Term | None:
    """The term of a required code (`table` of code_words); without a word of ours it is printed as a code."""
    text = line(code)
    if text is None:
        return None
    key = f"{table}/{code}" if code in TABLES[table] else None
    return Term(text, key, is_code=key is None)


def coding(value: Any) -> Term | None:
    """The term of one Coding: FHIR's own code has our word, any other its display, else its code."""
    if not isinstance(value, dict):
        return None
    tree: Tree = value
    code = word(tree.get("code"))
    display = line(tree.get("display"))
    text = display or line(code)
    if text is None:
        return None
    table = SYSTEMS.get(word(tree.get("system")))
    key = f"{table}/{code}" if table is not None and code in TABLES[table] else None
    translated = _translations(tree["_display"]) if "_display" in tree else ()
    return Term(text, key, is_code=display is None, translations=translated)


def term(value: Any) -> Term | None:
    """What a CodeableConcept says: its text; else the word of a FHIR code; else the display chosen by a user, or the
    first one; else its first code."""
    if not isinstance(value, dict):
        return None
    tree: Tree = value
    text = line(tree.get("text"))
    if text is not None:
        return Term(text, translations=_translations(tree["_text"])) if "_text" in tree else Term(text)
    codings = records(tree.get("coding"))
    if len(codings) == 1:
        return coding(codings[0])
    codings.sort(key=lambda each: each.get("userSelected") is not True)
    terms = [(found, each) for each in codings if (found := coding(each)) is not None]
    named = (found for found, each in terms if found.key is not None or line(each.get("display")) is not None)
    return next(named, terms[0][0] if terms else None)


def _translations(element: Any) -> tuple[tuple[str, Text], ...]:
    """(language tag, words) of the extension `translation` on a text."""
    found = []
    for each in records(record(element).get("extension")):
        if each.get("url") == TRANSLATION:
            told = {word(part.get("url")): part for part in records(each.get("extension"))}
            language = word(record(told.get("lang")).get("valueCode"))
            content = line(record(told.get("content")).get("valueString"))
            if content is not None:
                found.append((language, content))
    return tuple(found)


def amount(value: Any) -> Amount | None:
    """A Quantity; None without a number, or with a comparator that is not known: the number alone would say more."""
    if not isinstance(value, dict):
        return None
    tree: Tree = value
    digits, comparator = number(tree.get("value")), _comparator(tree.get("comparator"))
    if digits is None or comparator is None:
        return None
    code = word(tree.get("code"))
    unit, ucum = _unit(tree.get("unit"), code), code if tree.get("system") == UCUM else ""
    is_contradictory = unit is not None and ucum not in ("", unit.shown) and contradict(unit.shown, ucum)
    return Amount(
        digits,
        comparator,
        unit,
        ucum,
        line(code) if is_contradictory else None,
    )


def _unit(printed: Any, code: str) -> Text | None:
    """What is printed behind a number: digits alone (a code of SNOMED CT, UCUM's `1`) would be read as a part of it."""
    unit = line(printed) or line(code)
    if unit is None or not unit.shown.isdigit():
        return unit
    return None if unit.shown == "1" else line(f"[{unit.shown}]")


def _comparator(value: Any) -> str | None:
    """None: there is one, and it is not known."""
    return "" if value is None else _COMPARATORS.get(word(value) or "?")


def span(value: Any) -> Span | None:
    """A Range; None without a side, or with one that cannot be read: left out, it would count as open."""
    if not isinstance(value, dict):
        return None
    tree: Tree = value
    low, high = amount(tree.get("low")), amount(tree.get("high"))
    if (low is None and high is None) or (low is None and is_limited(tree, "low")):
        return None
    return None if high is None and is_limited(tree, "high") else Span(low, high)


def is_limited(tree: Tree, *sides: str) -> bool:
    """Whether one of these sides of a Range has a limit, readable or not; one without a number is open."""
    return any("value" in side if isinstance(side := tree.get(name), dict) else side is not None for name in sides)


def money(value: Any) -> Money | None:
    """A Money; None without a number. A currency that is no code of three capitals is not stated."""
    if not isinstance(value, dict):
        return None
    tree: Tree = value
    digits = number(tree.get("value"))
    if digits is None:
        return None
    currency = word(tree.get("currency"))
    is_code = len(currency) == _CURRENCY_LENGTH and currency.isascii() and currency.isalpha() and currency.isupper()
    return Money(digits, currency if is_code else "")


def truth(value: Any) -> Truth | None:
    """A boolean."""
    return Truth(value) if isinstance(value, bool) else None


def numbered(value: Any) -> Amount | None:
    """A number without a unit."""
    return None if (digits := number(value)) is None else Amount(digits)


def value_of(tree: Tree, name: str = "value") -> Value | None:
    """The `value[x]` of an element; else why it is absent, or that it cannot be read; None where nothing is said.

    Two values, or a value and why there is none, are against FHIR's rules: all are told, and nothing is compared.
    """
    found: list[Value] = [each for each in _typed(tree, name) if each is not None]
    if "dataAbsentReason" in tree and (reason := term(tree["dataAbsentReason"])) is not None:
        found.append(Absent(reason))
    if found:
        return found[0] if len(found) == 1 else Phrase(tuple(found))
    there = [key for key, each in tree.items() if each and _is_choice(key.removeprefix("_"), name)]
    reasons = (_absent_by_extension(tree[key]) for key in there if key.startswith("_"))
    return next((each for each in reasons if each is not None), Unread() if there else None)


def _is_choice(key: str, name: str) -> bool:
    """Whether `key` is one of `name[x]`."""
    return key.startswith(name) and key[len(name) :][:1].isupper()


def _absent_by_extension(element: Any) -> Absent | None:
    """Why a primitive has no value, which stands beside where it would be."""
    codes = [each.get("valueCode") for each in records(record(element).get("extension")) if each.get("url") == ABSENT]
    reason = coded("absent", codes[0]) if codes else None
    return None if reason is None else Absent(reason)


def moment_of(tree: Tree, name: str) -> Any:
    """The `…DateTime`, `…Period`, `…Instant`, `…Timing`, `…Date` of an element as a When; else None."""
    return (
        when(tree.get(f"{name}DateTime"))
        or period(tree.get(f"{name}Period"))
        or when(tree.get(f"{name}Instant"))
        or when(tree.get(f"{name}Date"))
        or timing(tree.get(f"{name}Timing"))
    )


def notes(value: Any) -> tuple[Text, ...]:
    """The texts of a list of Annotations."""
    return tuple([text for each in records(value) if (text := prose(each.get("text"))) is not None])


def _typed(tree: Tree, name: str) -> Iterator[Value | None]:
    yield amount(tree.get(f"{name}Quantity"))
    yield term(tree.get(f"{name}CodeableConcept"))
    yield prose(tree.get(f"{name}String"))
    yield truth(tree.get(f"{name}Boolean"))
    yield numbered(tree.get(f"{name}Integer"))
    yield span(tree.get(f"{name}Range"))
    yield _ratio(tree.get(f"{name}Ratio"))
    yield when(tree.get(f"{name}DateTime"))
    yield period(tree.get(f"{name}Period"))
    yield line(tree.get(f"{name}Time"))
    yield _sampled(tree.get(f"{name}SampledData"))


def _ratio(value: Any) -> Ratio | None:
    if not isinstance(value, dict):
        return None
    tree: Tree = value
    numerator, denominator = amount(tree.get("numerator")), amount(tree.get("denominator"))
    return None if numerator is None or denominator is None else Ratio(numerator, denominator)


def _sampled(value: Any) -> Sampled | None:
    if not isinstance(value, dict):
        return None
    data, dimensions = value.get("data"), value.get("dimensions")
    points = data.count(" ") + 1 if isinstance(data, str) and data else None
    if points is not None and type(dimensions) is int and dimensions > 1:
        points //= dimensions
    origin = amount(value.get("origin"))
    return Sampled(points, origin.unit if origin is not None else None)
