"""A measurement about somebody else than its patient (Observation.focus) is never taken for the patient's own."""

from typing import Any

import pytest

from plugin.faces.pages.wording import Language
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.trend import analyte_of, trends
from tests.viewer.readings.lines import printed_row
from tests.viewer.readings.samples import code, quantity, row, told

RATE = {
    "id": "mother",
    "status": "final",
    "subject": {"reference": "Patient/1"},
    "code": code("8867-4", text="Heart rate"),
    "effectiveDateTime": "2026-03-02T09:00:00+01:00",
    "valueQuantity": quantity(80, "/min", "/min"),
}
FOETUS = {
    "id": "foetus",
    "focus": [{"reference": "#f", "display": "Foetus A"}],
    "valueQuantity": quantity(144, "/min", "/min"),
}


@pytest.mark.parametrize(
    ("language", "named", "unnamed"),
    [
        ("fr", "concerne Foetus A, et non le patient lui-même", "ne concerne pas le patient lui-même"),
        ("en", "about Foetus A, not the patient", "not about the patient"),
    ],
)
def test_whom_it_is_about_stands_on_its_row(language: Language, named: str, unnamed: str) -> None:
    assert printed_row(RATE | FOETUS, language).remarks == [named]
    assert printed_row(RATE | {"focus": [{"reference": "Patient/2"}]}, language).remarks == [unnamed]


@pytest.mark.parametrize("focus", [[], [{"reference": "Patient/1"}], [{"reference": "Patient/1/_history/2"}], "x"])
def test_a_focus_that_is_the_patient_is_no_remark(focus: Any) -> None:
    assert printed_row(RATE | {"focus": focus}, "en").remarks == []


TUMOUR = {"id": "tumour", "focus": [{"reference": "Condition/1/_history/2", "display": "Cancer du sein"}]}


@pytest.mark.parametrize(
    ("focus", "french", "english"),
    [
        (TUMOUR["focus"], "concerne Cancer du sein", "about Cancer du sein"),
        ([{"type": "BodyStructure", "display": "T2"}], "concerne T2", "about T2"),
        (
            [{"reference": "https://ehr.example/Procedure/1"}],
            "concerne un autre élément du dossier",
            "about another entry of the record",
        ),
    ],
)
def test_what_is_about_one_of_the_patients_own_findings_is_the_patients(focus: Any, french: str, english: str) -> None:
    """A stage is of a tumour, a score of an operation: R4 has them in the focus too."""
    tree = RATE | {"focus": focus}
    assert (printed_row(tree, "fr").remarks, printed_row(tree, "en").remarks) == ([french], [english])
    assert analyte_of(row(tree)) == analyte_of(row(RATE)) is not None


def test_two_findings_in_one_course_are_told_apart_and_are_no_other_value() -> None:
    other = RATE | {"id": "other", "focus": [{"reference": "Condition/2"}]}
    found = overview([told(RATE | TUMOUR), told(other, feed="other")]).results
    (series,) = trends(found)
    assert {len(each.remarks) for each in series.entries} == {1}
    assert [each.hints for each in found] == [(), ()]


def test_it_is_in_no_course_of_the_patient() -> None:
    found = overview([told(RATE, RATE | FOETUS)]).results
    (series,) = trends(found)
    assert [each.reference for each in series.entries] == ["Observation/mother"]
    assert analyte_of(row(RATE | FOETUS)) is None


def test_it_is_no_other_value_of_the_patient() -> None:
    found = overview([told(RATE), told(RATE | FOETUS, feed="other")]).results
    assert [each.hints for each in found] == [(), ()]
    assert printed_row(RATE, "en").same != printed_row(RATE | FOETUS, "en").same
