"""What a source says of the specimen that changes a measurement's meaning stands with the measurement."""

from typing import Any

import pytest

from tests.viewer.readings.lines import amount, coded, details, printed_row

POTASSIUM = {"code": {"text": "K"}, "valueQuantity": amount(7, "mmol/L"), "specimen": {"reference": "#s"}}


def measured_on(**specimen: Any) -> dict[str, Any]:
    return POTASSIUM | {"contained": [{"resourceType": "Specimen", "id": "s"} | specimen]}


@pytest.mark.parametrize(
    ("specimen", "french", "english"),
    [
        ({"condition": [{"text": "HEM"}]}, ["prélèvement : HEM"], ["specimen: HEM"]),
        ({"status": "unsatisfactory"}, ["prélèvement : non conforme"], ["specimen: unsatisfactory"]),
        ({"status": "entered-in-error"}, ["prélèvement : saisi par erreur"], ["specimen: entered in error"]),
        ({"condition": [coded("v2-0493", "HEM")]}, ["prélèvement : hémolysé"], ["specimen: haemolysed"]),
        ({"condition": [coded("v2-0493", "ROOM")]}, [], []),
        ({"status": "available"}, [], []),
    ],
)
def test_a_specimen_that_is_not_fit_is_said_on_the_row(
    specimen: dict[str, Any], french: list[str], english: list[str]
) -> None:
    """Potassium of haemolysed blood is no potassium of the patient."""
    tree = measured_on(**specimen)
    assert (printed_row(tree, "fr").remarks, printed_row(tree, "en").remarks) == (french, english)


def test_whether_the_patient_had_eaten_is_told() -> None:
    hours = measured_on(collection={"fastingStatusDuration": amount(8, "h", "h")})
    assert details(hours, "fr") == [("À jeun", "8 heures")]
    words = measured_on(collection={"fastingStatusCodeableConcept": {"text": "non"}})
    assert details(words, "en") == [("Fasting", "non")]


def test_a_specimen_of_its_own_tells_its_condition() -> None:
    tree = {"resourceType": "Specimen", "condition": [coded("v2-0493", "ROOM")]}
    assert details(tree, "fr") == [("État", "à température ambiante")]
