"""The pretend EHR: its own patients, staff and a few observations. Nothing of a feed ever comes to stand here."""

from typing import Any

from making.datatypes import (
    LOINC,
    OBSERVATION_CATEGORY,
    coding,
    concept,
    loinc,
    moment,
    quantity,
    reference,
    snomed,
)
from making.people import ALMA, EHR_PATIENTS, HELOISE, NOE, Patient, ehr_patient
from making.writing import Resource

BASE = "https://ehr.hospital.example/fhir"
STAFF_SYSTEM = "urn:oid:1.2.250.1.999.3.1"
HOSPITAL = "ehr-org-1"

_STAFF = (
    ("ehr-prac-201", "Dr", "Château-Rey", "Aurélie", "female", snomed("309343006", "Physician")),
    ("ehr-prac-202", "Dr", "Öztürk", "Emre", "male", snomed("17561000", "Cardiologist")),
    ("ehr-prac-203", None, "Lemaître", "Maïwenn", "female", snomed("224535009", "Registered nurse")),
    ("ehr-prac-204", None, "Rakotomalala", "Hery", "male", snomed("46255001", "Pharmacist")),
    ("ehr-prac-205", "Dr", "Saint-Aÿ", "Gaëtan", "male", snomed("80584001", "Psychiatrist")),
)


def files() -> dict[str, list[Resource]]:
    """File name -> resources."""
    hospital = reference("Organization", HOSPITAL, "Hôpital Sainte-Vitrine")
    return {
        "patients": [ehr_patient(patient, hospital) for patient in EHR_PATIENTS],
        "staff": [_hospital(), *_practitioners(), *_roles(hospital)],
        "observations": _observations(),
    }


def _hospital() -> Resource:
    identifier = {"system": "urn:oid:1.2.250.1.999", "value": "999000017"}
    return {
        "resourceType": "Organization",
        "id": HOSPITAL,
        "identifier": [identifier],
        "active": True,
        "name": "Hôpital Sainte-Vitrine",
    }


def _practitioners() -> list[Resource]:
    return [
        {
            "resourceType": "Practitioner",
            "id": practitioner,
            "identifier": [{"system": STAFF_SYSTEM, "value": practitioner.removeprefix("ehr-prac-")}],
            "active": True,
            "name": [
                {"use": "official", "family": family, "given": [given]} | ({"prefix": [prefix]} if prefix else {})
            ],
            "gender": gender,
        }
        for practitioner, prefix, family, given, gender, _ in _STAFF
    ]


def _roles(hospital: dict[str, str]) -> list[Resource]:
    return [
        {
            "resourceType": "PractitionerRole",
            "id": practitioner.replace("prac", "role"),
            "active": True,
            "practitioner": reference("Practitioner", practitioner),
            "organization": hospital,
            "code": [role],
        }
        for practitioner, _, _, _, _, role in _STAFF
    ]


def _vital(number: int, patient: Patient, day: str, code: dict[str, Any], value: dict[str, Any]) -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"ehr-obs-{number}",
        "status": "final",
        "category": [concept(coding(OBSERVATION_CATEGORY, "vital-signs", "Vital Signs"))],
        "code": code,
        "subject": reference("Patient", patient.ehr or ""),
        "effectiveDateTime": moment(day, "09:40"),
        "performer": [reference("Practitioner", "ehr-prac-203")],
        **value,
    }


def _pressure(systolic: str, diastolic: str) -> dict[str, Any]:
    unit = ("mmHg", "mm[Hg]")
    return {
        "component": [
            {"code": loinc("8480-6", "Systolic blood pressure"), "valueQuantity": quantity(systolic, *unit)},
            {"code": loinc("8462-4", "Diastolic blood pressure"), "valueQuantity": quantity(diastolic, *unit)},
        ]
    }


def _observations() -> list[Resource]:
    weight = concept(coding(LOINC, "29463-7", "Body weight"), text="Poids")
    pressure = concept(coding(LOINC, "85354-9", "Blood pressure panel"), text="Pression artérielle")
    return [
        _vital(1, ALMA, "2026-05-18", weight, {"valueQuantity": quantity("71.50", "kg")}),
        _vital(2, ALMA, "2026-05-18", pressure, _pressure("148", "92")),
        _vital(3, ALMA, "2026-11-16", weight, {"valueQuantity": quantity("70.20", "kg")}),
        _vital(4, HELOISE, "2026-08-31", weight, {"valueQuantity": quantity("58.0", "kg")}),
        _vital(5, NOE, "2026-09-09", weight, {"valueQuantity": quantity("24.30", "kg")}),
    ]
