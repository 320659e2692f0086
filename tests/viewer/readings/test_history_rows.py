"""What changes the meaning of a medicine, an allergy, a problem or an act stands on its row, in both languages."""

from typing import Any

import pytest

from plugin.faces.pages.wording import Language
from tests.viewer.readings.lines import amount, coded, details, printed_row
from tests.viewer.readings.samples import row

CONDITION = "condition-ver-status"
ALLERGY = "allergyintolerance-verification"


def both(tree: dict[str, Any], name: str) -> tuple[Any, Any]:
    """One field of the row, in French and in English."""
    languages: tuple[Language, Language] = ("fr", "en")
    french, english = (getattr(printed_row(tree, language), name) for language in languages)
    return french, english


@pytest.mark.parametrize(
    ("resource_type", "french", "english"),
    [
        ("MedicationRequest", "Ne pas donner", "Do not give"),
        ("ServiceRequest", "À ne pas faire", "Not to be done"),
    ],
)
def test_what_must_not_be_done_is_a_warning(resource_type: str, french: str, english: str) -> None:
    """Without it the row reads as an active prescription."""
    tree = {"resourceType": resource_type, "status": "active", "doNotPerform": True}
    assert both(tree, "warnings") == ([french], [english])
    assert both(tree | {"doNotPerform": False}, "warnings") == ([], [])


@pytest.mark.parametrize(
    ("code", "french", "english"),
    [
        ("unconfirmed", "non confirmé", "unconfirmed"),
        ("provisional", "à confirmer", "provisional"),
        ("differential", "diagnostic différentiel", "differential"),
        ("refuted", "écarté", "refuted"),
    ],
)
@pytest.mark.parametrize(("resource_type", "system"), [("Condition", CONDITION), ("AllergyIntolerance", ALLERGY)])
def test_what_is_not_confirmed_says_so_on_its_row(
    resource_type: str, system: str, code: str, french: str, english: str
) -> None:
    tree = {"resourceType": resource_type, "verificationStatus": coded(system, code)}
    assert both(tree, "remarks") == ([french], [english])


def test_what_is_confirmed_goes_without_saying() -> None:
    assert both({"resourceType": "Condition", "verificationStatus": coded(CONDITION, "confirmed")}, "remarks")[1] == []


def test_an_allergy_that_may_kill_warns() -> None:
    tree = {"resourceType": "AllergyIntolerance", "criticality": "high", "reaction": [{"severity": "mild"}]}
    assert both(tree, "warnings") == (["Risque de réaction grave"], ["Risk of a serious reaction"])


def test_a_severe_reaction_warns() -> None:
    reactions = [{"severity": "mild"}, {"severity": "severe"}, {"severity": "severe"}]
    tree = {"resourceType": "AllergyIntolerance", "criticality": "low", "reaction": reactions}
    assert both(tree, "warnings") == (["Réaction sévère"], ["Severe reaction"])


@pytest.mark.parametrize("resource_type", ["MedicationRequest", "ServiceRequest"])
@pytest.mark.parametrize(
    ("told", "french", "english"),
    [
        ({"intent": "proposal"}, ["proposition"], ["proposal"]),
        ({"intent": "plan"}, ["projet"], ["plan"]),
        ({"intent": "option", "priority": "routine"}, ["option"], ["option"]),
        ({"intent": "directive"}, ["consigne"], ["directive"]),
        ({"intent": "order", "priority": "urgent"}, ["urgente"], ["urgent"]),
        ({"intent": "order", "priority": "asap"}, ["dès que possible"], ["as soon as possible"]),
        ({"intent": "plan", "priority": "stat"}, ["projet", "immédiate"], ["plan", "immediate"]),
        ({"intent": "instance-order", "priority": "routine"}, [], []),
    ],
)
def test_what_is_no_order_and_what_is_urgent_say_so(
    resource_type: str, told: dict[str, str], french: list[str], english: list[str]
) -> None:
    assert both({"resourceType": resource_type, "status": "active"} | told, "remarks") == (french, english)


@pytest.mark.parametrize(
    ("resource_type", "name", "value"),
    [
        ("Procedure", "statusReason", {"text": "Saignement"}),
        ("MedicationRequest", "statusReason", {"text": "Saignement"}),
        ("MedicationStatement", "statusReason", [{"text": "Saignement"}]),
        ("MedicationDispense", "statusReasonCodeableConcept", {"text": "Saignement"}),
        ("MedicationDispense", "statusReasonReference", {"display": "Saignement"}),
        ("Immunization", "statusReason", {"text": "Saignement"}),
    ],
)
def test_why_something_was_stopped_or_not_done_stands_beside_the_status(
    resource_type: str, name: str, value: Any
) -> None:
    tree = {"resourceType": resource_type, "status": "not-done", name: value}
    assert both(tree, "status") == ("non fait", "not done")
    assert both(tree, "remarks") == (["motif : Saignement"], ["reason: Saignement"])


@pytest.mark.parametrize("resource_type", ["Condition", "AllergyIntolerance"])
def test_a_status_in_the_words_of_its_source_stands_on_the_row(resource_type: str) -> None:
    """A resolved problem whose source says so in a text beside the code read like one that is active."""
    said = coded("condition-clinical", "resolved") | {"text": "Résolu"}
    assert both({"resourceType": resource_type, "clinicalStatus": said}, "status") == ("Résolu", "Résolu")


@pytest.mark.parametrize("resource_type", ["Observation", "DiagnosticReport", "MedicationRequest", "Procedure"])
def test_a_status_that_fhir_does_not_have_stands_on_the_row(resource_type: str) -> None:
    """What it means is not known; without it the result would read as final."""
    assert both({"resourceType": resource_type, "status": "paused"}, "status") == ("Code paused", "Code paused")


@pytest.mark.parametrize(
    ("resource_type", "told", "french", "english"),
    [
        ("Procedure", {"performedAge": amount(43, "a", "a")}, "à l’âge de 43 ans", "aged 43 years"),
        ("Procedure", {"performedAge": amount(1, "a", "a")}, "à l’âge de 1 an", "aged 1 year"),
        (
            "Procedure",
            {"performedRange": {"low": amount(5, "a", "a"), "high": amount(7, "a", "a")}},
            "à l’âge de 5 à 7 ans",
            "aged 5 to 7 years",
        ),
        ("Procedure", {"performedString": "vers 1998"}, "vers 1998", "vers 1998"),
        ("Immunization", {"occurrenceString": "hiver 2019", "recorded": "2020"}, "hiver 2019", "hiver 2019"),
        ("Condition", {"onsetAge": amount(43, "a", "a"), "recordedDate": "2020"}, "à l’âge de 43 ans", "aged 43 years"),
        ("Condition", {"onsetString": "vers 1998"}, "vers 1998", "vers 1998"),
        ("AllergyIntolerance", {"onsetAge": amount(5, "a", "a")}, "à l’âge de 5 ans", "aged 5 years"),
        ("AllergyIntolerance", {"onsetString": "enfance", "recordedDate": "2020"}, "enfance", "enfance"),
        ("AllergyIntolerance", {"recordedDate": "2020"}, "2020", "2020"),
    ],
)
def test_when_it_was_is_told_where_there_is_no_date(
    resource_type: str, told: dict[str, Any], french: str, english: str
) -> None:
    """The day on which it was written down is not when it was."""
    when = both({"resourceType": resource_type} | told, "when")
    assert tuple(each.replace("\u00a0", " ") for each in when) == (french, english)


def test_an_endless_telling_of_when_it_was_can_be_read_below() -> None:
    below = printed_row({"resourceType": "Procedure", "performedString": "vers 1998 " * 50}, "fr").below
    assert below is not None
    assert len(below.notes[0]) > 400


@pytest.mark.parametrize(
    ("tree", "french", "english"),
    [
        (
            {"resourceType": "Procedure", "complication": [{"text": "Fistule"}]},
            ("Complication", "Fistule"),
            ("Complication", "Fistule"),
        ),
        (
            {"resourceType": "Condition", "abatementDateTime": "2020-03"},
            ("Résolution ou rémission", "mars 2020"),
            ("Resolved or in remission", "March 2020"),
        ),
        (
            {"resourceType": "Condition", "abatementAge": amount(12, "a", "a")},
            ("Résolution ou rémission", "à l’âge de 12 ans"),
            ("Resolved or in remission", "aged 12 years"),
        ),
        (
            {"resourceType": "Condition", "abatementString": "dans l’enfance"},
            ("Résolution ou rémission", "dans l’enfance"),
            ("Resolved or in remission", "dans l’enfance"),
        ),
        (
            {
                "resourceType": "Immunization",
                "protocolApplied": [{"doseNumberPositiveInt": 2, "seriesDosesPositiveInt": 3}],
            },
            ("Schéma vaccinal", "dose 2 sur 3"),
            ("Vaccination schedule", "dose 2 of 3"),
        ),
        (
            {"resourceType": "Immunization", "protocolApplied": [{"doseNumberString": "4"}]},
            ("Schéma vaccinal", "dose 4"),
            ("Vaccination schedule", "dose 4"),
        ),
        (
            {"resourceType": "Immunization", "protocolApplied": [{"doseNumberString": "rappel"}]},
            ("Schéma vaccinal", "rappel"),
            ("Vaccination schedule", "rappel"),
        ),
        (
            {"resourceType": "MedicationDispense", "substitution": {"wasSubstituted": False}},
            ("Substitué", "non"),
            ("Substituted", "no"),
        ),
        (
            {
                "resourceType": "MedicationDispense",
                "substitution": {"type": coded("v3-substanceAdminSubstitution", "G")},
            },
            ("Type de substitution", "générique"),
            ("Kind of substitution", "generic"),
        ),
        (
            {"resourceType": "MedicationDispense", "daysSupply": amount(30, "d", "d")},
            ("Durée du traitement", "30 jours"),
            ("Days of supply", "30 days"),
        ),
    ],
)
def test_facts_that_change_the_meaning_stand_below_the_row(
    tree: dict[str, Any], french: tuple[str, str], english: tuple[str, str]
) -> None:
    assert (details(tree, "fr"), details(tree, "en")) == ([french], [english])


def test_an_imaging_study_names_each_part_of_the_body_once_and_its_side() -> None:
    left = {"system": "http://snomed.info/sct", "code": "7771000", "display": "Left"}
    knee, hip = {"bodySite": {"display": "Knee"}, "laterality": left}, {"bodySite": {"display": "Hip"}}
    tree = {"resourceType": "ImagingStudy", "series": [knee, knee, hip, {"laterality": left}]}
    assert [value for _, value in details(tree, "fr")] == ["Knee (côté gauche)", "Hip", "côté gauche"]
    assert [value for _, value in details(tree, "en")] == ["Knee (left)", "Hip", "left"]


def test_a_subpotent_dose_of_a_vaccine_is_a_warning_with_its_reason() -> None:
    """R4 marks it as a modifier: such a dose does not protect as one should."""
    tree = {
        "resourceType": "Immunization",
        "status": "completed",
        "isSubpotent": True,
        "subpotentReason": [{"text": "cold chain break"}],
    }
    assert both(tree, "warnings") == (["Dose insuffisamment active"], ["Subpotent dose"])
    assert both(tree, "remarks") == (["motif : cold chain break"], ["reason: cold chain break"])
    assert both(tree | {"isSubpotent": False}, "warnings") == ([], [])


def test_a_reaction_to_a_vaccine_is_told() -> None:
    tree = {"resourceType": "Immunization", "reaction": [{"detail": {"display": "Anaphylaxis"}}]}
    assert details(tree, "en") == [("Reaction", "Anaphylaxis")]


def test_a_reaction_to_a_vaccine_without_a_name_is_told_by_its_day() -> None:
    tree = {"resourceType": "Immunization", "reaction": [{"date": "2026-03-02"}]}
    assert details(tree, "en") == [("Reaction began", "2 Mar 2026")]
    assert details(tree, "fr") == [("Début de la réaction", "2 mars 2026")]


def test_an_allergy_says_what_it_is_when_it_last_happened_and_by_which_way() -> None:
    tree = {
        "resourceType": "AllergyIntolerance",
        "type": "intolerance",
        "lastOccurrence": "2025",
        "reaction": [{"onset": "2025-04", "exposureRoute": {"text": "orale"}}],
    }
    assert details(tree, "fr") == [
        ("Catégorie", "intolérance"),
        ("Dernière survenue", "2025"),
        ("Début de la réaction", "avril 2025"),
        ("Voie", "orale"),
    ]
    assert details(tree, "en")[:2] == [("Category", "intolerance"), ("Last occurrence", "2025")]


@pytest.mark.parametrize(
    ("tree", "french", "english"),
    [
        (
            {"resourceType": "MedicationRequest", "reportedBoolean": True},
            "rapporté, non constaté par la source",
            "reported, not recorded first-hand by the source",
        ),
        (
            {"resourceType": "Immunization", "primarySource": False},
            "rapporté, non constaté par la source",
            "reported, not recorded first-hand by the source",
        ),
        (
            {"resourceType": "MedicationRequest", "reportedReference": {"display": "la patiente"}},
            "rapporté par : la patiente",
            "reported by: la patiente",
        ),
        (
            {"resourceType": "Immunization", "primarySource": False, "reportOrigin": {"text": "carnet"}},
            "rapporté par : carnet",
            "reported by: carnet",
        ),
    ],
)
def test_what_a_source_has_from_somebody_s_account_says_so(tree: dict[str, Any], french: str, english: str) -> None:
    assert both(tree, "remarks") == ([french], [english])
    first_hand = tree | {"reportedBoolean": False, "primarySource": True}
    for name in ("reportedReference", "reportOrigin"):
        first_hand.pop(name, None)
    assert both(first_hand, "remarks") == ([], [])


def test_a_reaction_is_told_by_its_description_and_its_substance_too() -> None:
    """Many sources write what happened in words alone."""
    reaction = {
        "substance": {"text": "amoxicillin"},
        "description": "anaphylactic shock",
        "note": [{"text": "intensive care"}],
    }
    tree = {"resourceType": "AllergyIntolerance", "code": {"text": "penicillins"}, "reaction": [reaction]}
    assert details(tree, "en") == [
        ("Reaction", "anaphylactic shock"),
        ("Substance", "amoxicillin"),
        ("Reaction", "intensive care"),
    ]


def test_a_medicine_without_a_code_is_told_by_what_it_is_made_of() -> None:
    ingredients = [{"itemCodeableConcept": {"text": name}} for name in ("morphine", "ketamine")]
    tree = {
        "resourceType": "MedicationRequest",
        "contained": [{"resourceType": "Medication", "id": "m", "ingredient": ingredients}],
        "medicationReference": {"reference": "#m"},
    }
    assert both(tree, "title") == ("morphine + ketamine", "morphine + ketamine")


def _prescribed(*ingredients: dict[str, Any], **medicine: Any) -> dict[str, Any]:
    morphine = {"resourceType": "Substance", "id": "s", "code": {"text": "morphine"}}
    made = {"resourceType": "Medication", "id": "m", "ingredient": list(ingredients)} | medicine
    return {
        "resourceType": "MedicationRequest",
        "contained": [morphine, made],
        "medicationReference": {"reference": "#m"},
    }


KETAMINE = {"itemCodeableConcept": {"text": "ketamine"}}


def test_an_ingredient_that_is_a_resource_of_its_own_is_named_with_the_others() -> None:
    missing = {"itemReference": {"reference": "Substance/9"}}
    tree = _prescribed({"itemReference": {"reference": "#s"}}, KETAMINE, missing)
    assert both(tree, "title") == ("morphine + ketamine + ?", "morphine + ketamine + ?")
    display = {"itemReference": missing["itemReference"] | {"display": "naloxone"}}
    assert both(_prescribed(KETAMINE, display), "title")[1] == "ketamine + naloxone"
    nothing = {"itemReference": {"reference": "#m"}}
    assert both(_prescribed(nothing), "title")[1] == "Prescription"


@pytest.mark.parametrize(
    ("strength", "french", "english"),
    [
        ({"numerator": amount(500, "mg", "mg"), "denominator": {"value": 1}}, "500 mg", "500 mg"),
        ({"numerator": amount(500, "mg", "mg")}, "500 mg", "500 mg"),
        (
            {"numerator": amount(500, "mg", "mg"), "denominator": amount(1, "capsule", "{capsule}")},
            "500 mg pour 1 gélule",
            "500 mg for 1 capsule",
        ),
        (
            {"numerator": amount(40, "mg", "mg"), "denominator": amount(5, "mL", "mL")},
            "40 mg pour 5 mL",
            "40 mg for 5 mL",
        ),
    ],
)
def test_how_much_of_what_is_in_a_medicine_is_told(strength: dict[str, Any], french: str, english: str) -> None:
    """`2 capsules` is no dose without it."""
    tree = _prescribed(KETAMINE | {"strength": strength}, code={"text": "ketamine"}, form={"text": "gélule"})
    assert details(tree, "fr") == [("Forme", "gélule"), ("Composition", f"ketamine, {french}")]
    assert details(tree, "en") == [("Form", "gélule"), ("Ingredient", f"ketamine, {english}")]


def test_a_strength_that_cannot_be_read_is_said() -> None:
    tree = _prescribed(KETAMINE | {"strength": {"numerator": amount(5, "mg"), "denominator": {"value": "x"}}})
    assert details(tree, "en")[0][1].startswith("ketamine, The source gives something here that this page cannot read")


def test_how_a_prescription_may_be_dispensed_is_told() -> None:
    """Not to be substituted, and until when: a pharmacist's and a prescriber's question alike."""
    tree = {
        "resourceType": "MedicationRequest",
        "substitution": {"allowedBoolean": False},
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 0,
            "validityPeriod": {"start": "2026-03-02", "end": "2026-03-08"},
        },
    }
    assert details(tree, "en") == [
        ("Valid", "2 Mar 2026 to 8 Mar 2026"),
        ("Repeats", "0"),
        ("Substitution allowed", "no"),
    ]
    assert ("Substitution permise", "non") in details(tree, "fr")


def test_the_stage_of_a_problem_is_told() -> None:
    stages = [{"summary": {"text": "IV"}, "type": {"text": "clinical"}}, {"assessment": []}]
    assert details({"resourceType": "Condition", "stage": stages}, "fr") == [("Stade", "IV")]


@pytest.mark.parametrize("status", ["current", "superseded", "entered-in-error"])
def test_a_document_whose_content_is_an_error_is_no_result(status: str) -> None:
    """That another one replaced it does not make it one."""
    tree = {"resourceType": "DocumentReference", "status": status, "docStatus": "entered-in-error"}
    assert row(tree).is_mistaken
