"""Abnormal by the source's word, else by the source's own range; where it cannot be told, nothing is said."""

from decimal import Decimal
from typing import Any

import pytest

from plugin.faces.viewer.readings.result import Basis, Flag, Level
from plugin.faces.viewer.readings.values import Unread
from tests.viewer.readings.lines import printed_row
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


@pytest.mark.parametrize(
    ("value", "comparator", "normal", "level"),
    [
        ("0.6", "<", {"high": quantity(5)}, Level.NORMAL),
        ("5", "<", {"high": quantity(5)}, Level.NORMAL),
        ("6", "<", {"high": quantity(5)}, Level.UNSTATED),
        ("90", ">", {"low": quantity(60)}, Level.NORMAL),
        ("2", ">", {"low": quantity(5)}, Level.UNSTATED),
    ],
)
def test_a_limit_is_normal_only_where_all_beyond_it_is(
    value: str, comparator: str, normal: dict[str, Any], level: Level
) -> None:
    """A detection limit above the range tells nothing, and contradicts nobody."""
    assert row(measured(value, normal, comparator=comparator)).flag.level is level


def test_what_cannot_be_told_contradicts_nothing() -> None:
    flag = row(measured("6", {"high": quantity(5)}, comparator="<", interpretation=interpreted("H"))).flag
    assert (flag.level, flag.disagrees) == (Level.HIGH, None)


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
    assert flag.is_contradictory and flag.is_abnormal


@pytest.mark.parametrize(("codes", "level"), [
    ("HH", Level.CRITICALLY_HIGH), ("LL", Level.CRITICALLY_LOW),
    ("AA", Level.CRITICAL), ("POS", Level.NOTED), ("NEG", Level.UNSTATED), ("R", Level.NOTED),
    ("HX", Level.HIGH), ("LX", Level.LOW), ("EX", Level.ABNORMAL), ("QCF", Level.NOTED), ("TOX", Level.NOTED),
])  # fmt: skip
def test_each_interpretation_has_its_level(codes: str, level: Level) -> None:
    assert row({"interpretation": interpreted(codes), "valueString": "x"}).flag.level is level


def test_of_several_interpretations_the_gravest_counts_and_all_are_told() -> None:
    flag = row({"interpretation": [*interpreted("N"), *interpreted("HH")]}).flag
    assert flag.level is Level.CRITICALLY_HIGH
    assert len(flag.words) == 2


@pytest.mark.parametrize(
    "concept",
    [
        code("H", "https://elsewhere.example"),
        {"coding": [{"code": "H"}]},
        {"text": "Élevé critique"},
        code("NEW", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"),
    ],
)
def test_what_no_code_explains_is_worded_and_not_judged(concept: dict[str, Any]) -> None:
    """H is hydrogen somewhere: it may be abnormal, and nobody here knows."""
    result = row({"interpretation": [concept], "valueString": "x"})
    assert (result.flag.level, result.is_abnormal, result.is_worded) == (Level.WORDED, False, True)
    assert result.flag.plain == result.flag.words != ()


@pytest.mark.parametrize("known", ["S", "I", "NEG", "ND", "IND", "EXP"])
def test_a_known_word_without_a_mark_is_no_riddle(known: str) -> None:
    flag = row({"interpretation": interpreted(known), "valueString": "x"}).flag
    assert (flag.level, len(flag.plain)) == (Level.UNSTATED, 1)


def test_a_marked_word_is_not_told_twice() -> None:
    flag = row({"interpretation": [*interpreted("H"), {"text": "hemolysed"}]}).flag
    assert (flag.level, [word.text.shown for word in flag.plain]) == (Level.HIGH, ["hemolysed"])


def test_where_low_and_high_are_stated_together_both_words_are_the_mark() -> None:
    flag = row({"interpretation": [*interpreted("L"), *interpreted("H")]}).flag
    assert (flag.level, len(flag.words), flag.plain) == (Level.NOTED, 2, ())


@pytest.mark.parametrize("population", [
    {"appliesTo": [{"text": "Pregnant"}]},
    {"age": {"low": quantity(0), "high": quantity(7, "d", "d")}},
])  # fmt: skip
def test_a_range_for_some_people_only_judges_nobody(population: dict[str, Any]) -> None:
    """Whether the patient is one of them is not told."""
    assert row(measured("9", {"low": quantity(14), "high": quantity(22), **population})).flag.level is Level.UNSTATED


def test_a_range_for_some_people_only_can_spoil_the_one_for_everybody() -> None:
    spared = {"high": quantity(20), "appliesTo": [{"text": "Pregnant"}]}
    assert row(measured("9", {"high": quantity(5)}, spared)).flag.level is Level.UNSTATED
    assert row(measured("30", {"high": quantity(5)}, spared)).flag.level is Level.HIGH


@pytest.mark.parametrize(
    "system",
    [
        "http://terminology.hl7.org/CodeSystem/v2-0078",
        "http://hl7.org/fhir/v2/0078",
        "urn:oid:2.16.840.1.113883.12.78",
        "urn:oid:2.16.840.1.113883.5.83",
    ],
)
def test_an_interpretation_is_known_by_each_name_of_its_system(system: str) -> None:
    found = row({"valueQuantity": quantity(5), "interpretation": [code("LL", system)]})
    assert found.flag.level is Level.CRITICALLY_LOW


@pytest.mark.parametrize(
    "limits",
    [
        {"low": {"value": "3"}, "high": quantity(6)},
        {"low": quantity(3, comparator="~"), "high": quantity(6)},
        {"low": 3, "high": quantity(6)},
        {"low": {"value": "3"}},
        RANGE | {"age": {"low": {"value": "x"}, "high": quantity(18, "a", "a")}},
    ],
)
def test_a_range_of_which_a_part_cannot_be_read_says_so_and_judges_nothing(limits: dict[str, Any]) -> None:
    """A limit that is passed over would be an open side, an age that is would be everybody."""
    tree = measured("2", limits)
    assert row(tree).flag == Flag()
    assert "The source gives something here that this page cannot read" in printed_row(tree, "en").ranges
    assert "≤" not in printed_row(tree, "en").ranges


def test_a_side_without_a_number_is_open() -> None:
    tree = measured("2", {"low": {"unit": "mg/L"}, "high": quantity(6)})
    assert printed_row(tree, "en").ranges == "≤\u00a06\u00a0mg/L"
    assert row(tree).flag.level is Level.NORMAL


def test_a_value_that_is_a_range_with_an_unreadable_side_is_not_half_told() -> None:
    assert isinstance(row({"valueRange": {"low": {"value": "3"}, "high": quantity(6)}}).value, Unread)
