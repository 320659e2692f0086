"""How a medicine is to be taken: told from its structure where the source has no words for it, and never dropped."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.viewer.readings.lines import amount, coded, details, printed_row
from tests.viewer.readings.test_hostile_trees import TREES, changed, is_harmless, places

CUT = ("une partie de la posologie n’est pas affichée ici", "part of the dosage is not shown here")


def prescribed(*dosages: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "status": "active", "dosageInstruction": list(dosages)}


def repeat(**told: Any) -> dict[str, Any]:
    return {"timing": {"repeat": told}}


def dosed(value: Any, unit: str, ucum: str = "") -> dict[str, Any]:
    return {"doseAndRate": [{"doseQuantity": amount(value, unit, ucum)}]}


def told(tree: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The values below the row, in French and in English."""
    return [value for _, value in details(tree, "fr")], [value for _, value in details(tree, "en")]


WEEKLY = repeat(frequency=1, period=1, periodUnit="wk") | dosed(4, "cp")


def test_four_tablets_once_a_week_say_so() -> None:
    """Methotrexate taken daily kills."""
    assert details(prescribed(WEEKLY), "fr") == [("Posologie", "4 comprimés, 1 fois par semaine")]
    assert details(prescribed(WEEKLY), "en") == [("Dosage", "4 tablets, once a week")]


@pytest.mark.parametrize(
    ("timing", "french", "english"),
    [
        ({"frequency": 2, "period": 1, "periodUnit": "d"}, "2 fois par jour", "twice a day"),
        ({"frequency": 3, "period": 1, "periodUnit": "d"}, "3 fois par jour", "3 times a day"),
        (
            {"frequency": 2, "frequencyMax": 3, "period": 1, "periodUnit": "d"},
            "2 à 3 fois par jour",
            "2 to 3 times a day",
        ),
        ({"frequencyMax": 3, "period": 1, "periodUnit": "d"}, "jusqu’à 3 fois par jour", "up to 3 times a day"),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, "1 fois toutes les 8 heures", "once every 8 hours"),
        ({"frequency": 1, "period": 2, "periodUnit": "d"}, "1 fois tous les 2 jours", "once every 2 days"),
        ({"period": 4, "periodMax": 6, "periodUnit": "h"}, "toutes les 4 à 6 heures", "every 4 to 6 hours"),
        (
            {"period": 1, "periodUnit": "d", "when": ["MORN", "HS"]},
            "chaque jour, le matin, au coucher",
            "each day, in the morning, at bedtime",
        ),
        ({"when": ["ACM"], "offset": 30}, "30 minutes avant le petit-déjeuner", "30 minutes before breakfast"),
        ({"dayOfWeek": ["mon", "thu"]}, "le lundi, le jeudi", "on Mondays, on Thursdays"),
        ({"timeOfDay": ["08:00:00", "20:30"]}, "à 08:00, à 20:30", "at 08:00, at 20:30"),
        ({"count": 6}, "6 fois en tout", "6 times in all"),
        ({"duration": 30, "durationUnit": "min"}, "en 30 minutes", "over 30 minutes"),
        ({"boundsDuration": amount(1, "semaine", "wk")}, "pendant 1 semaine", "for 1 week"),
        (
            {"boundsRange": {"low": amount(5, "d", "d"), "high": amount(7, "d", "d")}},
            "pendant 5 à 7 jours",
            "for 5 to 7 days",
        ),
        (
            {"boundsPeriod": {"start": "2026-10-01", "end": "2026-10-08"}},
            "du 1 oct. 2026 au 8 oct. 2026",
            "1 Oct 2026 to 8 Oct 2026",
        ),
    ],
)
def test_when_a_medicine_is_taken_is_worded(timing: dict[str, Any], french: str, english: str) -> None:
    assert told(prescribed(repeat(**timing))) == ([french], [english])


@pytest.mark.parametrize(
    ("dosage", "french", "english"),
    [
        (dosed(Decimal("0.5"), "comprimé"), "0,5 comprimé", "0.5 tablets"),
        (dosed(Decimal("1.5"), "{tbl}"), "1,5 comprimé", "1.5 tablets"),
        (dosed(500, "mg", "mg"), "500 mg", "500 mg"),
        (
            {"doseAndRate": [{"doseRange": {"low": amount(1, "tablet"), "high": amount(2, "tablet")}}]},
            "1 à 2 comprimés",
            "1 to 2 tablets",
        ),
        (
            {"doseAndRate": [{"rateRatio": {"numerator": amount(100, "mL"), "denominator": amount(2, "h", "h")}}]},
            "débit : 100 mL en 2 heures",
            "rate: 100 mL in 2 hours",
        ),
        (
            {"maxDosePerPeriod": {"numerator": amount(2, "g"), "denominator": amount(1, "d", "d")}},
            "maximum 2 g par jour",
            "at most 2 g a day",
        ),
        ({"timing": {"code": coded("v3-GTSAbbreviation", "BID")}}, "2 fois par jour", "twice a day"),
        ({"asNeededBoolean": True}, "si besoin", "as needed"),
        ({"asNeededCodeableConcept": {"text": "toux"}}, "si besoin (toux)", "as needed (toux)"),
        ({"route": {"text": "orale"}}, "voie : orale", "route: orale"),
    ],
)
def test_how_much_and_how_is_worded(dosage: dict[str, Any], french: str, english: str) -> None:
    assert told(prescribed(dosage)) == ([french], [english])


def test_a_medicine_that_is_not_as_needed_says_nothing_of_that() -> None:
    assert told(prescribed(WEEKLY | {"asNeededBoolean": False}))[1] == ["4 tablets, once a week"]


@pytest.mark.parametrize(
    "unknown",
    [
        {"modifierNotes": 1},
        {"timing": {"repeat": {"when": ["AFTERNOON TEA"]}}},
        {"timing": {"repeat": {"frequency": "x"}}},
        {"timing": {"repeat": {"frequency": 1, "period": 2}}},
        {"timing": {"repeat": {"offset": 30}}},
        {"doseAndRate": [{"doseQuantity": amount(4, "mg")}, "two"]},
        {"asNeededBoolean": "yes"},
        {"route": {}},
    ],
)
def test_what_cannot_be_worded_is_announced(unknown: dict[str, Any]) -> None:
    french, english = told(prescribed(dosed(4, "mg") | unknown))
    assert french[0].startswith("4 mg, ") and french[0].endswith(CUT[0])
    assert english[0].startswith("4 mg, ") and english[0].endswith(CUT[1])


def test_a_dosage_that_is_no_dosage_is_announced() -> None:
    assert told({"resourceType": "MedicationStatement", "dosage": "1 a day"}) == ([CUT[0]], [CUT[1]])


def test_a_unit_that_its_code_contradicts_is_printed_as_it_came() -> None:
    assert told(prescribed(WEEKLY | dosed(4, "tablet", "mg")))[0][0].startswith("4 tablet,")
    assert "semaine" in told(prescribed(repeat(boundsDuration=amount(3, "semaine", "d"))))[1][0]


def test_instructions_stand_beside_the_sources_own_words() -> None:
    dosage = {
        "text": "1 cp le soir",
        "additionalInstruction": [{"text": "Surveiller l’INR"}],
        "patientInstruction": "À jeun",
    }
    assert details(prescribed(dosage), "fr") == [
        ("Posologie", "1 cp le soir"),
        ("Consigne", "Surveiller l’INR"),
        ("Consigne au patient", "À jeun"),
    ]
    assert [name for name, _ in details(prescribed(dosage), "en")] == [
        "Dosage",
        "Instruction",
        "Instruction to the patient",
    ]


def test_a_structure_beside_words_is_told_too() -> None:
    """They may differ, and then the reader must know."""
    assert told(prescribed(WEEKLY | {"text": "1 par jour"}))[0] == ["1 par jour", "4 comprimés, 1 fois par semaine"]


def test_several_dosages_follow_their_sequence() -> None:
    taper = [{"sequence": 2, "text": "10 mg"}, {"sequence": 1, "text": "20 mg"}, {"sequence": 2, "text": "potassium"}]
    french, english = told(prescribed(*taper))
    assert french == ["20 mg", "puis : 10 mg", "en même temps : potassium"]
    assert english == ["20 mg", "then: 10 mg", "at the same time: potassium"]


@pytest.mark.parametrize(
    ("resource_type", "name", "value"),
    [
        ("MedicationRequest", "dosageInstruction", [WEEKLY]),
        ("MedicationDispense", "dosageInstruction", [WEEKLY]),
        ("MedicationStatement", "dosage", [WEEKLY]),
    ],
)
def test_every_type_of_medicine_tells_its_dosage(resource_type: str, name: str, value: Any) -> None:
    assert told({"resourceType": resource_type, name: value})[1][0].startswith("4 tablets")


WHOLE = (
    WEEKLY
    | repeat(
        frequency=1, frequencyMax=2, period=1, periodMax=2, periodUnit="d", count=3, countMax=4, duration=1,
        durationMax=2, durationUnit="h", when=["AC"], offset=30, dayOfWeek=["mon"], timeOfDay=["08:00"],
        boundsRange={"low": amount(5, "d", "d"), "high": amount(7, "d", "d")},
    )
    | {"maxDosePerPeriod": {"numerator": amount(2, "g"), "denominator": amount(1, "d", "d")}, "sequence": 1}
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_any_element_of_a_dosage_may_be_anything(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(WHOLE)))
    tree = prescribed(changed(WHOLE, path, data.draw(TREES)), {"sequence": 1, "text": "x"})
    for language in ("fr", "en"):
        below = printed_row(tree, language).below
        assert below is None or all(is_harmless(value) for _, value in below.details)


@pytest.mark.parametrize("huge", [Decimal("1e999999"), Decimal("1e-999999"), Decimal("-1e999999")])
def test_a_number_of_a_million_digits_holds_no_page_up(huge: Decimal) -> None:
    assert "E" in told(prescribed(dosed(huge, "cp") | repeat(frequency=huge, period=huge, periodUnit="d")))[0][0]
