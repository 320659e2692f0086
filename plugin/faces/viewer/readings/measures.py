"""Durations, ages and doses whose unit we have a word for, so that it is told in the reader's language and number.

Any other unit, and one that its code contradicts, is printed as the source wrote it.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from plugin.faces.viewer.readings.elements import amount, record, span
from plugin.faces.viewer.readings.values import Amount, Number, Said, Span, Value

Names = Mapping[str, str]
"""How a source writes a unit, in small letters -> our name of it."""


def _names(**names: str) -> Names:
    return {each: unit for unit, told in names.items() for each in (unit, *told.split())}


TIMES: Final[Names] = _names(
    s="sec second seconds seconde secondes",
    min="minute minutes",
    h="hr hour hours heure heures",
    d="j day days jour jours",
    wk="week weeks semaine semaines",
    mo="month months mois",
    a="y yr year years an ans année années",
)
"""FHIR's units of time (UCUM), and their names."""

_DOSES: Final[Names] = _names(
    ampoule="ampoules",
    capsule="cap capsules gélule gélules",
    drop="drops goutte gouttes [drp]",
    patch="patches patchs",
    puff="puffs bouffée bouffées",
    sachet="sachets",
    suppository="suppositories suppositoire suppositoires",
    tablet="tab tbl tablets tablet(s) comprimé comprimés comprimé(s) cp cpr",
)
_MANY: Final = Decimal(1000)
"""Plural in both languages, as is all beyond; a number of a million digits is not looked at for that."""


def duration(value: Any) -> Value | None:
    """A Duration or Age; None without a number."""
    return None if (told := amount(value)) is None else _amount("length", told, time_unit(told))


def duration_range(value: Any) -> Value | None:
    """A Range of durations or ages; None without a side."""
    return None if (told := span(value)) is None else _span("length", told, time_unit)


def age(*values: Value | None) -> Value | None:
    """The first of `values` that says something, told as an age."""
    return next((Said("aged", (each,)) for each in values if each is not None), None)


def dose(value: Any) -> Value | None:
    """A dose; None without a number."""
    return None if (told := amount(value)) is None else _amount("dose", told, _dose_unit(told))


def dose_range(value: Any) -> Value | None:
    """A Range of doses; None without a side."""
    return None if (told := span(value)) is None else _span("dose", told, _dose_unit)


def strength(value: Any) -> Value | None:
    """A Ratio of an ingredient to its medicine: `500 mg`, `40 mg for 5 mL`; None without a numerator."""
    tree = record(value)
    much, of = dose(tree.get("numerator")), amount(tree.get("denominator"))
    if of is None or much is None:
        return much if "denominator" not in tree else None
    is_one = of.number.value == 1 and not of.comparator and of.unit is None
    return much if is_one else Said("amount-for", (much, dose(tree["denominator"]) or of))


def length(unit: str, least: Number, most: Number | None = None) -> Said:
    """So many of a unit of TIMES."""
    return _counted(f"length/{unit}", Amount(least), None if most is None else Amount(most))


def numbers(least: Number, most: Number | None = None) -> Value:
    """A number, or one to another."""
    return Amount(least) if most is None else Said("to", (Amount(least), Amount(most)))


def time_unit(value: Amount) -> str | None:
    """Its unit of time, by the code and the name that the source gives it."""
    named = None if value.unit is None else TIMES.get(value.unit.shown.casefold())
    coded = TIMES.get(value.ucum)
    if value.ucum and (coded is None or named not in (coded, None)):
        return None
    return named or coded


def _dose_unit(value: Amount) -> str | None:
    if value.unit is None or not (value.ucum in ("", "1") or value.ucum[0] in "{["):
        return None
    return _DOSES.get(value.unit.shown.casefold().strip("{}"))


def _amount(kind: str, told: Amount, unit: str | None) -> Value:
    return told if unit is None else _counted(f"{kind}/{unit}", told)


def _span(kind: str, told: Span, unit_of: Callable[[Amount], str | None]) -> Value:
    if told.low is None or told.high is None:
        return told
    unit = unit_of(told.high)
    if unit is None or (told.low.unit is not None and unit_of(told.low) != unit):
        return told
    return _counted(f"{kind}/{unit}", told.low, told.high)


def _counted(key: str, low: Amount, high: Amount | None = None) -> Said:
    told = [Amount(each.number, each.comparator) for each in (low, high) if each is not None]
    count = min((high or low).number.value.copy_abs(), _MANY)
    return Said(key, (told[0] if len(told) == 1 else Said("to", tuple(told)),), count)
