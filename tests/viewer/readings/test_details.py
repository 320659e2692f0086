"""What a resource says beside its value stands below its row, under a name in the reader's language."""

from typing import Any

import pytest

from tests.viewer.readings.lines import details, printed_row

REASONS = {"reasonCode": [{"text": "fièvre"}], "reasonReference": [{"reference": "#c"}, {"reference": "Condition/9"}]}
PNEUMONIA = {"contained": [{"resourceType": "Condition", "id": "c", "code": {"text": "pneumonie"}}]}


@pytest.mark.parametrize(
    "resource_type",
    [
        "MedicationRequest",
        "MedicationStatement",
        "Immunization",
        "Procedure",
        "ImagingStudy",
        "ServiceRequest",
    ],
)
def test_why_something_was_asked_for_given_or_done_is_told(resource_type: str) -> None:
    tree = {"resourceType": resource_type} | REASONS | PNEUMONIA
    assert details(tree, "fr") == [("Motif", "fièvre"), ("Motif", "pneumonie")]


@pytest.mark.parametrize(
    ("tree", "french", "english"),
    [
        (
            {"resourceType": "Procedure", "followUp": [{"text": "pansement"}], "usedCode": [{"text": "clou"}]},
            [("Suivi", "pansement"), ("Dispositif", "clou")],
            [("Follow-up", "pansement"), ("Device", "clou")],
        ),
        (
            {"resourceType": "Procedure", "focalDevice": [{"manipulated": {"display": "DAI"}}]},
            [("Dispositif", "DAI")],
            [("Device", "DAI")],
        ),
        (
            {"resourceType": "MedicationDispense", "type": {"text": "partielle"}},
            [("Catégorie", "partielle")],
            [("Category", "partielle")],
        ),
        (
            {
                "resourceType": "Immunization",
                "manufacturer": {"display": "Labo"},
                "protocolApplied": [{"targetDisease": [{"text": "grippe"}]}, {"targetDisease": [{"text": "grippe"}]}],
            },
            [("Maladie visée", "grippe"), ("Fabricant", "Labo")],
            [("Target disease", "grippe"), ("Manufacturer", "Labo")],
        ),
        (
            {"resourceType": "Condition", "evidence": [{"code": [{"text": "toux"}], "detail": [{"display": "TDM"}]}]},
            [("Éléments en faveur", "toux"), ("Éléments en faveur", "TDM")],
            [("Evidence", "toux"), ("Evidence", "TDM")],
        ),
        (
            {
                "resourceType": "DocumentReference",
                "authenticator": {"display": "Dr A"},
                "context": {"event": [{"text": "coloscopie"}]},
            },
            [("Validé par", "Dr A"), ("Acte", "coloscopie")],
            [("Authenticated by", "Dr A"), ("Act", "coloscopie")],
        ),
    ],
)
def test_details_of_a_type(tree: dict[str, Any], french: list[tuple[str, str]], english: list[tuple[str, str]]) -> None:
    assert (details(tree, "fr"), details(tree, "en")) == (french, english)


def test_what_a_report_says_of_its_pictures_is_told() -> None:
    below = printed_row({"resourceType": "DiagnosticReport", "media": [{"comment": "nodule"}]}, "fr").below
    assert below is not None
    assert below.notes == ["nodule"]


@pytest.mark.parametrize(
    ("code", "french", "english"),
    [
        ("appends", "complète {}", "adds to {}"),
        ("signs", "signe {}", "signs {}"),
        ("transforms", "transcrit {}", "transformed from {}"),
    ],
)
def test_a_document_that_belongs_to_another_says_so_on_its_row(code: str, french: str, english: str) -> None:
    """Read alone, an addendum says half."""
    tree: dict[str, Any] = {"resourceType": "DocumentReference", "relatesTo": [{"code": code, "target": {}}]}
    assert printed_row(tree, "fr").remarks == [french.format("un autre document")]
    assert printed_row(tree, "en").remarks == [english.format("another document")]
    tree["relatesTo"][0]["target"] = {"display": "CR du 2 mars"}
    assert printed_row(tree, "fr").remarks == [french.format("CR du 2 mars")]
    assert printed_row(tree | {"relatesTo": [{"code": ["replaces"]}]}, "en").remarks == []


def test_a_reason_that_is_given_twice_is_said_once() -> None:
    told = {"reasonCode": [{"text": "fièvre"}], "reasonReference": [{"reference": "Condition/9", "display": "fièvre"}]}
    assert details({"resourceType": "MedicationStatement", "status": "active", **told}, "fr") == [("Motif", "fièvre")]


def test_a_medicine_that_is_called_by_its_ingredients_names_them_once() -> None:
    much = {"numerator": {"value": 5, "unit": "mg"}}
    parts = [{"itemCodeableConcept": {"text": "A"}}, {"itemCodeableConcept": {"text": "B"}, "strength": much}]
    tree = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "contained": [{"resourceType": "Medication", "id": "m", "ingredient": parts}],
        "medicationReference": {"reference": "#m"},
    }
    assert printed_row(tree, "fr").title == "A + B"
    assert details(tree, "fr") == [("Composition", "B, 5 mg")]
