"""What may be the same is hinted at and never merged; what is listed is in order, and found without its accents."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from plugin.faces.viewer.readings.moment import Precision
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.result import Category, HintKind, Result
from plugin.faces.viewer.readings.selection import Filter, fold, matching
from tests.viewer.readings.lines import printed_row
from tests.viewer.readings.samples import ALMA, answers, code, quantity, row, told

SAME = HintKind.SAME_RESULT
NINE = "2026-03-02T09:00:00+01:00"


def potassium(when: str = NINE, value: str = "5.0", **more: Any) -> dict[str, Any]:
    return {"code": code("2823-3"), "effectiveDateTime": when, "valueQuantity": quantity(Decimal(value)), **more}


def hints(one: dict[str, Any], other: dict[str, Any], feed: str = "other") -> list[HintKind]:
    """Of `one`, beside `other` of another feed; both are listed."""
    first = told(one | {"id": "one"})
    second = told(other | {"id": "other"}, feed=feed)
    answers_of = [first, second] if feed != "lab" else [told(one | {"id": "one"}, other | {"id": "other"})]
    listed = overview(answers_of).results
    assert len(listed) == 2
    return [hint.kind for each in listed if each.reference == "Observation/one" for hint in each.hints]


def test_one_test_at_one_time_with_one_value_may_be_one_result() -> None:
    assert hints(potassium(), potassium("2026-03-02T08:00:00Z", "5.00")) == [HintKind.SAME_RESULT]


def test_another_value_is_a_contradiction_and_no_duplicate() -> None:
    assert hints(potassium(), potassium(value="5.1")) == [HintKind.OTHER_VALUE]


def test_another_time_or_test_is_no_hint() -> None:
    assert hints(potassium(), potassium("2026-03-02T09:01:00+01:00")) == []
    assert hints(potassium(), potassium(code=code("2951-2"))) == []


def test_a_day_without_a_time_may_be_the_same_when_the_value_is() -> None:
    assert hints(potassium(), potassium("2026-03-02")) == [HintKind.SAME_DAY]
    assert hints(potassium(), potassium("2026-03-02", "5.1")) == []


def test_two_specimens_of_one_source_are_two_results() -> None:
    left, right = ({"specimen": {"reference": f"Specimen/{side}"}} for side in ("left", "right"))
    assert hints(potassium(**left), potassium(**right), feed="lab") == []
    assert hints(potassium(**left), potassium(**left), feed="lab") == [HintKind.SAME_RESULT]


def test_two_sites_of_the_body_are_two_results() -> None:
    left, right = ({"bodySite": {"text": side}} for side in ("left eye", "right eye"))
    for value in ("5.0", "6.0"):
        assert hints(potassium(**left), potassium(value=value, **right)) == []
    assert hints(potassium(**left), potassium(**left)) == hints(potassium(**left), potassium()) == [SAME]


@pytest.mark.parametrize(
    ("value", "unit", "kinds"),
    [
        ("500", "mg/dL", [HintKind.SAME_RESULT]),
        ("501", "mg/dL", [HintKind.OTHER_VALUE]),
        ("5", "mmol/L", []),
        ("90", "mmol/L", []),
    ],
)
def test_values_in_two_units_are_compared_only_where_that_is_exact(
    value: str, unit: str, kinds: list[HintKind]
) -> None:
    """`90 mg/dL` of glucose is `5 mmol/L`: neither another value nor surely the same."""
    grams = potassium() | {"valueQuantity": quantity(Decimal(5), "g/L", "g/L")}
    assert hints(grams, grams | {"valueQuantity": quantity(Decimal(value), unit, unit)}) == kinds


def pressure(*parts: tuple[str, Any], unit: str = "mm[Hg]", **more: Any) -> dict[str, Any]:
    told = [{"code": code(test), "valueQuantity": quantity(value, unit, unit)} for test, value in parts]
    return {"code": code("85354-9"), "effectiveDateTime": NINE, "component": told} | more


def said(**value: Any) -> dict[str, Any]:
    return {"code": code("5222-3"), "effectiveDateTime": NINE} | value


def test_words_are_the_same_whatever_their_capitals() -> None:
    negative, shouted = said(valueString="Négatif"), said(valueCodeableConcept={"text": "NÉGATIF"})
    assert hints(negative, shouted) == [SAME]
    assert hints(negative, said(valueString="Positif")) == [HintKind.OTHER_VALUE]


def concept(value: str, text: str) -> dict[str, Any]:
    return said(valueCodeableConcept=code(value, "http://snomed.info/sct", text))


def test_a_code_that_two_sources_word_in_two_ways_is_one_value() -> None:
    french, english = concept("260385009", "Négatif"), concept("260385009", "Negative")
    assert hints(french, english) == [SAME]
    assert hints(french, concept("10828004", "Positif")) == [HintKind.OTHER_VALUE]
    bare = {"valueCodeableConcept": {"coding": [{"code": "7"}], "text": "Négatif"}}
    assert hints(said(**bare), said(valueCodeableConcept={"coding": [{"code": "7"}], "text": "Negative"})) != [SAME]


HIGH, LOW, MEAN = ("8480-6", Decimal(120)), ("8462-4", Decimal(80)), ("8478-0", Decimal(93))
SCORE = {"valueInteger": 13}
PRESSURES = [
    (pressure(HIGH, LOW), pressure(("8480-6", Decimal("120.0")), LOW), [SAME]),
    (pressure(HIGH, LOW), pressure(LOW, HIGH), [SAME]),
    (pressure(HIGH, LOW), pressure(("8480-6", Decimal(80)), ("8462-4", Decimal(120))), [HintKind.OTHER_VALUE]),
    (pressure(HIGH, LOW), pressure(HIGH, LOW, unit="kPa"), []),
    (pressure(HIGH, LOW), pressure(HIGH, LOW, MEAN), []),
    (pressure(HIGH, LOW), pressure(), []),
    (pressure(HIGH, HIGH), pressure(HIGH, HIGH), []),
    (pressure(HIGH, **SCORE), pressure(("8480-6", Decimal(1)), **SCORE), [HintKind.OTHER_VALUE]),
]


@pytest.mark.parametrize(("one", "other", "kinds"), PRESSURES)
def test_components_are_compared_with_those_of_the_same_test(
    one: dict[str, Any], other: dict[str, Any], kinds: list[HintKind]
) -> None:
    """Sources list them in an order of their own, and write `120` or `120.0`."""
    assert hints(one, other) == hints(other, one) == kinds


def test_series_that_are_not_drawn_are_not_called_the_same() -> None:
    lead = {"origin": {"value": 0, "unit": "mV"}, "period": 10, "dimensions": 1}
    one, other = (
        {"code": code("131329"), "effectiveDateTime": NINE, "valueSampledData": lead | {"data": data}}
        for data in ("1 2", "9 8")
    )
    assert hints(one, other) == []


def _order(**more: Any) -> dict[str, Any]:
    medicine = {"coding": [{"system": "urn:x", "code": "ramipril"}]}
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "medicationCodeableConcept": medicine,
        "authoredOn": NINE,
    } | more


def _doses(text: str) -> dict[str, Any]:
    return {"dosageInstruction": [{"text": text}]}


def _act(status: str) -> dict[str, Any]:
    return {"resourceType": "Procedure", "status": status, "code": code("1"), "performedDateTime": NINE}


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (_order(), _order(), True),
        (_order(**_doses("1 a day")), _order(**_doses("1 a day")), True),
        (_order(**_doses("1 a day")), _order(), True),
        (_order(**_doses("1 a day")), _order(**_doses("2 a day")), False),
        (_order(), _order(doNotPerform=True), False),
        (_act("completed"), _act("completed"), True),
        (_act("completed"), _act("not-done"), False),
    ],
)
def test_what_differs_in_dose_or_is_denied_is_not_called_the_same(
    one: dict[str, Any], other: dict[str, Any], is_same: bool
) -> None:
    listed = overview([told(one | {"id": "one"}), told(other | {"id": "other"}, feed="other")]).results
    assert [[hint.kind for hint in each.hints] for each in listed] == [[SAME] if is_same else []] * 2


@pytest.mark.parametrize(
    ("one", "other", "shares", "scale"),
    [
        (potassium(), potassium(value="5.00"), True, True),
        (potassium(), potassium(value="5.1"), False, True),
        (potassium(), potassium() | {"valueQuantity": quantity(5, "mmol/L", "mmol/L")}, False, False),
        (potassium(), potassium() | {"valueQuantity": quantity(5, "mg/l", "mg/L")}, True, True),
        (potassium(), potassium() | {"valueQuantity": quantity(5, comparator="<")}, False, True),
        (potassium(), {**potassium(), "valueQuantity": None, "valueString": "x"}, False, False),
        (said(valueString="Négatif"), said(valueCodeableConcept={"text": "NÉGATIF"}), True, True),
        (concept("260385009", "Négatif"), concept("260385009", "Negative"), True, True),
        (concept("260385009", "Négatif"), concept("10828004", "Positif"), False, True),
        (pressure(HIGH, LOW), pressure(LOW, ("8480-6", Decimal("120.0"))), True, True),
        (pressure(HIGH, LOW), pressure(("8480-6", Decimal(80)), ("8462-4", Decimal(120))), False, True),
        (pressure(HIGH, LOW), pressure(HIGH, LOW, MEAN), False, False),
        (pressure(HIGH, **SCORE), pressure(("8480-6", Decimal(1)), **SCORE), False, True),
    ],
)
def test_a_row_tells_the_script_what_it_says(
    one: dict[str, Any], other: dict[str, Any], shares: bool, scale: bool
) -> None:
    """Sources of the overview arrive one by one, and its script compares their rows."""
    mine, theirs = printed_row(one, "en"), printed_row(other, "en")
    assert mine.same == theirs.same != ""
    words, others = set(mine.said.split()), set(theirs.said.split())
    assert (not words.isdisjoint(others)) is shares
    assert (not {each.split(".")[0] for each in words}.isdisjoint(each.split(".")[0] for each in others)) is scale


@pytest.mark.parametrize(
    "changed", [{"bodySite": {"text": "left"}}, {"status": "cancelled"}, {"modifierExtension": [{"url": "x"}]}]
)
def test_a_row_that_is_another_is_not_compared_by_the_script(changed: dict[str, Any]) -> None:
    assert printed_row(potassium(), "en").same != printed_row(potassium(**changed), "en").same


def test_a_shared_business_identifier_is_said() -> None:
    number = {"identifier": [{"system": "urn:x", "value": "7"}]}
    for when in ("2026-04-01", "2026", "2026-03", "unknown"):
        assert hints(potassium(when, **number), potassium("2026-04-02", **number)) == [HintKind.SAME_IDENTIFIER]
        assert hints(potassium("2026", **number), potassium("2026", **number)) == [HintKind.SAME_IDENTIFIER]


def test_ids_of_resources_mean_nothing_across_sources() -> None:
    listed = overview(
        [told(potassium() | {"id": "x"}), told(potassium("2026-05-01") | {"id": "x"}, feed="other")]
    ).results
    assert [each.hints for each in listed] == [(), ()]


@pytest.mark.parametrize(
    ("written", "precision"),
    [
        ("2026", Precision.YEAR),
        ("2026-03", Precision.MONTH),
        ("2026-03-02", Precision.DAY),
        (NINE, Precision.TIME),
        ("2026-02-30", Precision.UNREADABLE),
        ("last spring", Precision.UNREADABLE),
    ],
)
def test_a_date_keeps_its_precision(written: str, precision: Precision) -> None:
    when = row(potassium(written)).when
    assert when is not None
    assert when.precision is precision
    assert (when.written is not None) == (precision is Precision.UNREADABLE)


def test_a_time_is_that_of_the_sources_clock() -> None:
    when = row(potassium("2026-03-02T23:30:00-05:00")).when
    assert when is not None
    assert (when.at.date(), when.at.hour, when.order.date()) == (date(2026, 3, 2), 23, date(2026, 3, 3))


def days(results: list[Result]) -> list[str]:
    return [each.reference.removeprefix("Observation/") for each in results]


def test_order_is_by_moment_across_time_zones_and_undated_last() -> None:
    late = potassium("2026-03-02T23:30:00-05:00") | {"id": "late"}
    early = potassium("2026-03-03T01:00:00+01:00") | {"id": "early"}
    undated = {"code": code("1"), "id": "undated"}
    assert days(list(overview([told(undated, early, late)]).results)) == ["late", "early", "undated"]


def kept(wanted: Filter) -> list[Result]:
    return matching(overview(answers(ALMA)).results, wanted)


def test_filters_hold_together() -> None:
    found = kept(Filter(date(2026, 11, 1), date(2026, 11, 30), Category.LABORATORY, "city-lab", abnormal=True))
    assert {str(each.title) for each in found} == {"Créatinine", "Glycémie", "HbA1c", "Potassium", "Hémoglobine"}
    assert kept(Filter(feed="nowhere")) == []


@pytest.mark.parametrize("text", ["creatinine", "CRÉATININE", "  créatinine  beffroi ", "1.50 mg/dl"])
def test_a_search_ignores_case_and_accents_and_wants_every_word(text: str) -> None:
    assert "Observation/obs-20417-261116-01" in {each.reference for each in kept(Filter(text=text))}
    assert kept(Filter(text=f"{text} nowhere-to-be-found")) == []


def test_a_status_is_found_by_its_word_in_both_languages() -> None:
    for text in ("provisoire", "preliminary"):
        assert "Observation/obs-20417-261116-09" in {each.reference for each in kept(Filter(text=text))}


def test_a_month_lies_in_a_period_that_begins_within_it() -> None:
    """It cannot be told to be older, so it is not left out."""
    listed = overview([told(potassium("2026-03"), potassium("2026-02"), {"code": code("1")})]).results
    assert len(matching(listed, Filter(since=date(2026, 3, 15)))) == 2


def test_folding_spreads_ligatures() -> None:
    assert fold("Œdème, Æther, ﬁn") == "oedeme, aether, fin"


@pytest.mark.parametrize(
    ("tree", "sought"),
    [
        ({"valueQuantity": quantity(Decimal("12.5"))}, "12,5"),
        ({"valueQuantity": quantity(Decimal("12.5"))}, "12.5 mg/L"),
        ({"valueQuantity": quantity(5, comparator="<=")}, "\u2264 5"),
        ({"valueRange": {"low": quantity(3), "high": quantity(7)}}, "7 mg/l"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "128"),
        ({"dataAbsentReason": code("masked", "http://terminology.hl7.org/CodeSystem/data-absent-reason")}, "masquée"),
        ({"referenceRange": [{"high": quantity(Decimal("5.1")), "text": "fasting"}]}, "5,1 fasting"),
        ({"component": [{"code": {"text": "a"}, "valueQuantity": quantity(Decimal("1.2"))}]}, "1,2"),
    ],
)
def test_what_is_printed_as_a_value_is_found(tree: dict[str, Any], sought: str) -> None:
    """As the page's script finds it; a number as either language writes it."""
    found = row(potassium() | {"valueQuantity": None} | tree)
    assert matching([found], Filter(text=sought)) == [found]
    assert matching([found], Filter(text=f"{sought} 4711")) == []
