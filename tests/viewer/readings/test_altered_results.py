"""A modifier extension that we do not know ends the reading (R4 2.4.2): the row stands, and says so."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from plugin.faces.viewer.printed import printed
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.reimbursement_months import NoTotal, history
from plugin.faces.viewer.readings.result import Flag
from plugin.faces.viewer.readings.selection import Filter, matching
from plugin.faces.viewer.readings.trend import analyte_of, trends
from plugin.faces.viewer.readings.values import Altered
from tests.viewer.clinic import Clinic
from tests.viewer.readings.samples import code, interpreted, quantity, resources, row, told
from tests.world import observation

NEGATED = {"modifierExtension": [{"url": "http://x.example/negated", "valueBoolean": True}]}
GLUCOSE = {
    "code": code("2345-7", text="Glucose"),
    "status": "final",
    "effectiveDateTime": "2026-03-02",
    "valueQuantity": quantity(Decimal("9.1")),
    "interpretation": interpreted("HH"),
    "referenceRange": [{"high": quantity(5)}],
}
PLACES: list[dict[str, Any]] = [
    GLUCOSE | NEGATED,
    GLUCOSE | {"implicitRules": "http://x.example/rules"},
    GLUCOSE | {"component": [{"code": {"text": "a"}, "valueInteger": 1} | NEGATED]},
    GLUCOSE | {"component": [{"code": {"text": "a"}, "referenceRange": [{"text": "< 5"} | NEGATED]}]},
    {"resourceType": "MedicationRequest", "dosageInstruction": [{"text": "1 a day"} | NEGATED]},
    {"resourceType": "AllergyIntolerance", "reaction": [NEGATED]},
    {"resourceType": "ExplanationOfBenefit", "item": [{"detail": [{"subDetail": [{"adjudication": [NEGATED]}]}]}]},
]
SAYS = {
    "en": "The source changes the meaning of this result in a way that this page does not know. Ask the source.",
    "fr": "La source modifie le sens de ce résultat d’une façon que cette page ne connaît pas. Adressez-vous à la "
    "source.",
}


@pytest.mark.parametrize("tree", PLACES)
def test_wherever_it_stands_no_value_is_read(tree: dict[str, Any]) -> None:
    found = row(tree)
    assert found.value == Altered()
    assert (found.flag, found.ranges, found.parts, found.notes, found.details) == (Flag(), (), (), (), ())


def test_title_date_and_status_stay() -> None:
    plain, found = row(GLUCOSE), row(GLUCOSE | NEGATED)
    assert (found.title, found.when, found.standing) == (plain.title, plain.when, plain.standing)


@pytest.mark.parametrize("empty", [None, [], {}])
def test_an_empty_one_changes_nothing(empty: Any) -> None:
    assert row(GLUCOSE | {"modifierExtension": empty}) == row(GLUCOSE)


@pytest.mark.parametrize("changed", [NEGATED, {"ingredient": [NEGATED]}])
def test_a_medicine_that_is_changed_changes_its_prescription(changed: dict[str, Any]) -> None:
    """What a prescription says of its dose is about that medicine."""
    medicine = {"resourceType": "Medication", "id": "m", "code": {"text": "ramipril"}}
    tree = {"resourceType": "MedicationRequest", "medicationReference": {"reference": "#m"}}
    tree["dosageInstruction"] = [{"text": "1 a day"}]
    assert row(tree | {"contained": [medicine]}).value is None
    found = row(tree | {"contained": [medicine | changed]})
    assert (found.value, found.details) == (Altered(), ())


def test_a_specimen_that_is_changed_changes_its_measurement() -> None:
    specimen = {"resourceType": "Specimen", "id": "s"} | NEGATED
    assert row(GLUCOSE | {"specimen": {"reference": "#s"}, "contained": [specimen]}).value == Altered()


def test_it_is_in_no_chart_and_no_comparison_of_rows() -> None:
    found = overview([told(GLUCOSE, GLUCOSE | NEGATED | {"id": "x"})]).results
    altered = next(each for each in found if each.value == Altered())
    assert not altered.hints
    assert analyte_of(altered) is None
    (series,) = trends(found)
    assert (len(series.entries), len(series.drawn), series.abnormal) == (2, 1, 1)


def test_abnormal_only_keeps_it_since_it_may_be_that() -> None:
    found = row(GLUCOSE | NEGATED)
    assert not found.is_abnormal
    assert matching([found], Filter(abnormal=True)) == [found]


def test_what_changes_a_report_changes_the_results_inside_it() -> None:
    inside = GLUCOSE | {"resourceType": "Observation", "id": "c"}
    report = {"resourceType": "DiagnosticReport", "contained": [inside], "result": [{"reference": "#c"}], **NEGATED}
    assert {each.value for each in overview([told(report)]).results} == {Altered()}


def test_a_claim_with_one_has_no_amount_and_no_total() -> None:
    claim = next(each for each in resources("insurer") if each["resourceType"] == "ExplanationOfBenefit")
    day = {"billablePeriod": {"start": "2026-03-02"}, "item": [{"productOrService": {"text": "a"}}]}
    read = history([told(claim | day | NEGATED)], date(2026, 3, 9))
    (line,) = read.months[0].lines
    assert (line.is_altered, line.paid, line.billed) == (True, None, None)
    assert read.paid is NoTotal.AMOUNT_MISSING


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_row_says_so_in_place_of_its_value(clinic: Clinic, language: str) -> None:
    clinic.world.lab.resources.append(observation("g", **GLUCOSE, **NEGATED))
    seen = clinic.get("part/city-lab", language=language).text
    assert SAYS[language] in seen
    assert "Glucose" in seen
    assert "9.1" not in seen.replace(",", ".")
    assert printed(Altered(), "fr" if language == "fr" else "en") == SAYS[language]
