"""Abnormal by the source's word, else by the source's own range; where it cannot be told, nothing is said."""

from decimal import Decimal
from typing import Any

import pytest

from plugin.faces.viewer.readings.result import Basis, Level
from tests.viewer.readings.samples import code, interpreted, quantity, row

THERAPEUTIC = code("therapeutic", "http://terminology.hl7.org/CodeSystem/referencerange-meaning")
RANGE = {"low": quantity(Decimal("3.5")), "high": quantity(Decimal("5.1"))}


def measured(value: str, *ranges: dict[str, Any], comparator: str | None = None, **more: Any) -> dict[str, Any]:
    limit = {"comparator": comparator} if comparator else {}
    return {"valueQuantity": quantity(Decimal(value), **limit), "referenceRange": list(ranges or [RANGE]), **more}


@pytest.mark.parametrize(
    ("value", "level"),
    [("3.4", Level.LOW), ("3.5", Level.NORMAL), ("5.1", Level.NORMAL), ("5.10", Level.NORMAL), ("5.2", Level.HIGH)],
)
def test_without_an_interpretation_the_sources_range_decides(value: str, level: Level) -> None:
    flag = row(measured(value)).flag
    assert (flag.level, flag.basis) == (level, Basis.RANGE)


@pytest.mark.parametrize(
    ("value", "comparator", "level"),
    [
        ("3.5", "<", Level.LOW),
        ("4.0", "<", Level.UNSTATED),
        ("5.1", ">", Level.HIGH),
        ("4.0", ">", Level.UNSTATED),
        ("3.0", "<=", Level.LOW),
        ("3.5", "<=", Level.UNSTATED),
        ("6.0", ">=", Level.HIGH),
        ("6.0", "<", Level.UNSTATED),
    ],
)
def test_a_limit_is_abnormal_only_where_that_is_certain(value: str, comparator: str, level: Level) -> None:
    assert row(measured(value, comparator=comparator)).flag.level is level


def test_a_limit_below_a_range_without_a_lower_side_is_normal() -> None:
    assert row(measured("0.6", {"high": quantity(5)}, comparator="<")).flag.level is Level.NORMAL


@pytest.mark.parametrize(
    "ranges",
    [
        [{"high": quantity(5, "g/L", "g/L")}],
        [{"high": quantity(5)}, {"high": quantity(50)}],
        [{"high": quantity(5)}, {"text": "see comment"}],
        [{"text": "0 - 5 mg/L"}],
        [{"type": THERAPEUTIC, "high": quantity(5)}],
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_not_judged(ranges: list[dict[str, Any]]) -> None:
    """Another unit, ranges that disagree, a range in words, a range of another kind."""
    assert row(measured("9", *ranges)).flag.level is Level.UNSTATED


def test_an_interpretation_that_its_own_range_contradicts_is_told_with_the_contradiction() -> None:
    flag = row(measured("9", interpretation=interpreted("N"))).flag
    assert (flag.level, flag.basis, flag.disagrees) == (Level.NORMAL, Basis.INTERPRETATION, Level.HIGH)


@pytest.mark.parametrize(("codes", "level"), [("HH", Level.CRITICALLY_HIGH), ("LL", Level.CRITICALLY_LOW),
    ("AA", Level.CRITICAL), ("POS", Level.NOTED), ("NEG", Level.UNSTATED), ("R", Level.NOTED)])  # fmt: skip
def test_each_interpretation_has_its_level(codes: str, level: Level) -> None:
    assert row({"interpretation": interpreted(codes), "valueString": "x"}).flag.level is level


def test_of_several_interpretations_the_gravest_counts_and_all_are_told() -> None:
    flag = row({"interpretation": [*interpreted("N"), *interpreted("HH")]}).flag
    assert flag.level is Level.CRITICALLY_HIGH
    assert len(flag.words) == 2


def test_a_code_of_another_system_says_nothing() -> None:
    """H is hydrogen somewhere."""
    assert row({"interpretation": [code("H", "https://elsewhere.example")]}).flag.level is Level.UNSTATED
