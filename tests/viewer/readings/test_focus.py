"""A measurement about somebody else than its patient (Observation.focus) is never taken for the patient's own."""

from typing import Any

import pytest

from plugin.faces.pages.wording import Language
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.trend import trends
from tests.viewer.readings.lines import printed_row
from tests.viewer.readings.samples import code, quantity, told

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


def test_it_is_in_no_course_of_the_patient() -> None:
    found = overview([told(RATE, RATE | FOETUS)]).results
    (series,) = trends(found)
    assert [each.reference for each in series.entries] == ["Observation/mother"]
    assert printed_row(RATE | FOETUS, "en").trend == ""


def test_it_is_no_other_value_of_the_patient() -> None:
    found = overview([told(RATE), told(RATE | FOETUS, feed="other")]).results
    assert [each.hints for each in found] == [(), ()]
    assert printed_row(RATE, "en").same != printed_row(RATE | FOETUS, "en").same
