"""A text that is too long for its row is cut there with a mark, and stands whole in what opens below the row."""

from typing import Any

import pytest

from tests.viewer.readings.lines import amount, printed_row

LONG = "une phrase de plus, " * 200 + "conclusion : carcinome"
FINAL = {"status": "final", "code": {"text": "Anatomopathologie"}}


@pytest.mark.parametrize(
    "tree",
    [
        {"resourceType": "DiagnosticReport", "conclusion": LONG},
        {"resourceType": "DiagnosticReport", "conclusionCode": [{"text": "a"}, {"text": LONG}]},
        {"resourceType": "Observation", "valueString": LONG},
        {"resourceType": "Observation", "valueCodeableConcept": {"text": LONG}},
        {"resourceType": "Observation", "dataAbsentReason": {"text": LONG}},
        {"resourceType": "Observation", "interpretation": [{"text": LONG}]},
        {"resourceType": "Observation", "valueQuantity": amount(5, "mg/L"), "referenceRange": [{"text": LONG}]},
        {"resourceType": "Observation", "component": [{"code": {"text": "a"}, "valueString": LONG}]},
        {"resourceType": "Observation", "code": {"text": LONG}},
        {"resourceType": "MedicationRequest", "dosageInstruction": [{"text": LONG}]},
        {"resourceType": "MedicationRequest", "statusReason": {"text": LONG}},
        {"resourceType": "AllergyIntolerance", "reaction": [{"description": LONG}]},
    ],
    ids=lambda tree: "-".join(list(tree)[:2]),
)
def test_what_a_row_cuts_can_be_read_whole_below_it(tree: dict[str, Any]) -> None:
    """The last words of a pathologist's report are those that count."""
    below = printed_row(FINAL | tree, "fr").below
    assert below is not None
    assert [each[-9:] for each in below.notes] == ["carcinome"]


def test_a_description_that_is_the_title_too_is_whole_once() -> None:
    below = printed_row({"resourceType": "DocumentReference", "status": "current", "description": LONG}, "fr").below
    assert below is not None
    assert [each[-9:] for each in below.notes] == ["carcinome"]


def test_what_a_row_has_room_for_is_not_said_twice() -> None:
    assert printed_row(FINAL | {"resourceType": "Observation", "valueString": "normal"}, "fr").below is None
