"""FHIR datatypes and code systems, as short functions, so that the content modules read like lists of facts."""

from decimal import Decimal
from typing import Any

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
ATC = "http://www.whocc.no/atc"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
V2_0074 = "http://terminology.hl7.org/CodeSystem/v2-0074"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"

FIRST_SUMMER_MONTH, LAST_SUMMER_MONTH = 4, 10
"""Whole months are enough for an invented offset; no sample stands in the last days of March or October."""

_LABEL_DISPLAYS = {
    "N": "normal",
    "R": "restricted",
    "HIV": "HIV/AIDS information sensitivity",
    "PSY": "psychiatry disorder information sensitivity",
}
_INTERPRETATION_DISPLAYS = {
    "H": "High",
    "L": "Low",
    "N": "Normal",
    "POS": "Positive",
    "NEG": "Negative",
    "S": "Susceptible",
    "I": "Intermediate",
    "R": "Resistant",
}


def moment(day: str, time: str) -> str:
    """A dateTime in French local time: `2026-02-16`, `08:15` -> `2026-02-16T08:15:00+01:00`."""
    summer = FIRST_SUMMER_MONTH <= int(day[5:7]) <= LAST_SUMMER_MONTH
    return f"{day}T{time}:00{'+02:00' if summer else '+01:00'}"


def coding(system: str, code: str, display: str | None = None) -> dict[str, str]:
    """A Coding."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(*codings: dict[str, str], text: str | None = None) -> dict[str, Any]:
    """A CodeableConcept; `text` alone is one too."""
    return ({"coding": list(codings)} if codings else {}) | ({"text": text} if text else {})


def loinc(code: str, display: str) -> dict[str, Any]:
    """A CodeableConcept with one LOINC coding."""
    return concept(coding(LOINC, code, display))


def snomed(code: str, display: str) -> dict[str, Any]:
    """A CodeableConcept with one SNOMED CT coding."""
    return concept(coding(SNOMED, code, display))


def terminology(name: str, code: str, display: str | None = None) -> dict[str, Any]:
    """A CodeableConcept with one coding of an HL7 code system, by the last part of its URL."""
    return concept(coding(f"http://terminology.hl7.org/CodeSystem/{name}", code, display))


def reference(resource_type: str, resource_id: str, display: str | None = None) -> dict[str, str]:
    """A relative Reference."""
    return {"reference": f"{resource_type}/{resource_id}"} | ({"display": display} if display else {})


def quantity(value: str, unit: str, code: str | None = None, comparator: str | None = None) -> dict[str, Any]:
    """A UCUM Quantity that keeps the literal `value`; `code` is the UCUM code where the printed unit differs."""
    return {
        "value": Decimal(value),
        **({"comparator": comparator} if comparator else {}),
        "unit": unit,
        "system": UCUM,
        "code": code or unit,
    }


def interpretation(code: str) -> list[dict[str, Any]]:
    """`Observation.interpretation` with one code."""
    return [concept(coding(INTERPRETATION, code, _INTERPRETATION_DISPLAYS[code]))]


def labels(confidentiality: str, *sensitivity: str) -> list[dict[str, str]]:
    """Security labels: one confidentiality code, then any sensitivity codes."""
    return [
        coding(CONFIDENTIALITY, confidentiality, _LABEL_DISPLAYS[confidentiality]),
        *(coding(ACT_CODE, code, _LABEL_DISPLAYS[code]) for code in sensitivity),
    ]


def meta(updated: str, *, version: str = "1", security: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """A source's own Meta."""
    return {"versionId": version, "lastUpdated": updated} | ({"security": security} if security else {})


def dosage(text: str) -> list[dict[str, str]]:
    """A Dosage in words."""
    return [{"text": text}]
