"""What a source says twice, and differently, is said twice, and nothing is concluded from either."""

from decimal import Decimal
from typing import Any

import pytest

from plugin.faces.pages.wording import Language
from plugin.faces.viewer.printed import printed, reference_range
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.result import Flag, HintKind, Level
from plugin.faces.viewer.readings.trend import analyte_of, trends
from tests.viewer.clinic import Clinic
from tests.viewer.readings.samples import code, quantity, row, told
from tests.world import observation

TWO_UNITS = {
    "status": "final",
    "code": code("1988-5", text="CRP"),
    "effectiveDateTime": "2026-03-02",
    "valueQuantity": quantity(Decimal("0.012"), "mg/L", "g/L"),
}
PLAIN = TWO_UNITS | {"id": "plain", "valueQuantity": quantity(Decimal(12))}


def ranged(value: int, text: str, low: str = "5", high: str = "10") -> dict[str, Any]:
    limits = {"low": quantity(Decimal(low), "g/dL", "g/dL"), "high": quantity(Decimal(high), "g/dL", "g/dL")}
    return {"valueQuantity": quantity(value, "g/dL", "g/dL"), "referenceRange": [limits | {"text": text}]}


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("fr", "0,012 mg/L (la source donne deux unités : mg/L et g/L)"),
        ("en", "0.012 mg/L (the source gives two units: mg/L and g/L)"),
    ],
)
def test_a_value_of_two_units_says_both(language: Language, says: str) -> None:
    assert printed(row(TWO_UNITS).value, language).replace("\u00a0", " ") == says


def test_it_is_compared_with_no_range() -> None:
    assert row(TWO_UNITS | {"referenceRange": [{"high": quantity(Decimal("0.005"))}]}).flag == Flag()
    high = quantity(5, "mg/L", "g/L")
    assert row(PLAIN | {"referenceRange": [{"high": high}]}).flag == Flag()


def test_it_stands_in_the_table_of_a_trend_and_on_no_line() -> None:
    found = overview([told(TWO_UNITS, PLAIN)]).results
    (series,) = trends(found)
    assert (len(series.entries), len(series.drawn), series.not_drawn) == (2, 1, 1)
    assert [each.converted for each in series.entries] == [None, None]
    assert [analyte_of(each) is None for each in found if each.reference != "Observation/plain"] == [True]


def test_it_is_the_same_as_no_value_of_one_unit() -> None:
    moment = {"effectiveDateTime": "2026-03-02T08:00:00Z"}
    one = TWO_UNITS | {"valueQuantity": quantity(Decimal(12), "mg/L", "g/L")} | moment
    found = overview([told(one, TWO_UNITS | {"id": "x", "valueQuantity": quantity(12, "g/L", "g/L")} | moment)]).results
    assert {hint.kind for each in found for hint in each.hints} == {HintKind.OTHER_VALUE}


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("fr", "5 - 8 (la source donne aussi 5 – 10 g/dL)"),
        ("en", "5 - 8 (the source also gives 5 – 10 g/dL)"),
    ],
)
def test_a_range_whose_text_has_other_numbers_says_both(language: Language, says: str) -> None:
    (found,) = row(ranged(9, "5 - 8")).ranges
    assert reference_range(found, language).replace("\u00a0", " ") == says


@pytest.mark.parametrize("text", ["5 - 10", "5,0 à 10.00 g/dL", "Adults: 5-10", "see below"])
def test_a_text_of_the_same_numbers_or_none_says_nothing_more(text: str) -> None:
    (found,) = row(ranged(9, text)).ranges
    assert not found.is_contradictory


def test_thousands_and_an_unsaid_nought_are_the_same_numbers() -> None:
    for tree in (ranged(9, "150 000 - 400 000", "150000", "400000"), ranged(9, "< 10", "0", "10")):
        assert not row(tree).ranges[0].is_contradictory


@pytest.mark.parametrize(("value", "level"), [(4, Level.LOW), (9, Level.UNSTATED), (11, Level.HIGH)])
def test_within_the_numbers_of_such_a_range_nothing_is_normal(value: int, level: Level) -> None:
    assert row(ranged(value, "5 - 8")).flag.level is level


@pytest.mark.parametrize(
    ("language", "units", "ranges"),
    [
        ("fr", "deux unités : mg/L et g/L", "la source donne aussi 5 – 10 g/dL"),
        ("en", "two units: mg/L and g/L", "the source also gives 5 – 10 g/dL"),
    ],
)
def test_the_page_says_so_on_the_row(clinic: Clinic, language: str, units: str, ranges: str) -> None:
    clinic.world.lab.resources += [observation("u", **TWO_UNITS), observation("r", **ranged(9, "5 - 8"))]
    seen = clinic.get("part/city-lab", language=language).text.replace("\u00a0", " ")
    assert units in seen
    assert ranges in seen


@pytest.mark.parametrize("text", ["Men: 5 - 10", "5 - 10 (women: 4 - 9)", "fasting", "5 - 10 g/dL until 3 months"])
def test_words_of_a_range_stand_beside_its_limits(text: str) -> None:
    """For whom or when the limits hold is what makes them true."""
    (found,) = row(ranged(9, text)).ranges
    assert reference_range(found, "en").replace("\u00a0", " ") == f"{text} (the source also gives 5 – 10 g/dL)"


@pytest.mark.parametrize("text", ["5 - 10", "5,0 à 10.00 g/dL", "[5 – 10] g/dL", "de 5 à 10"])
def test_a_text_of_the_limits_alone_is_not_printed_twice(text: str) -> None:
    (found,) = row(ranged(9, text)).ranges
    assert reference_range(found, "en").replace("\u00a0", " ") == "5 – 10 g/dL"


@pytest.mark.parametrize(("text", "side"), [("< 60", "low"), ("≥ 60", "high")])
def test_a_text_that_names_the_other_side_contradicts_its_limit(text: str, side: str) -> None:
    limit = {side: {"value": 60, "unit": "mL/min"}}
    (found,) = row(
        {"valueQuantity": {"value": 60, "unit": "mL/min"}, "referenceRange": [limit | {"text": text}]}
    ).ranges
    assert found.is_contradictory
    assert text in reference_range(found, "en")
