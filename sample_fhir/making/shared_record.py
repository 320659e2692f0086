"""A regional shared record that the laboratory's portal happens to hold: problems, allergies, vaccines, medicines.

It gives every clinical type at least one example. Names and codes are short displays only.
"""

from typing import Any

from making.datatypes import (
    ATC,
    SNOMED,
    coding,
    concept,
    dosage,
    labels,
    loinc,
    meta,
    moment,
    quantity,
    reference,
    snomed,
    terminology,
)
from making.laboratory import BIOLOGIST, LABORATORY
from making.people import ALMA, HELOISE, NOE, WEI, YOUSSEF, Patient
from making.writing import Resource

WRITTEN = "2026-10-01T10:00:00+02:00"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
CVX = "http://hl7.org/fhir/sid/cvx"
ENCOUNTER = "enc-20417-1"
MOTHER = "rel-20421-1"


def resources() -> list[Resource]:
    """Everything in `shared-record.json`."""
    return [
        *_conditions(),
        *_allergies(),
        *_immunizations(),
        *_stay(),
        *_medicines(),
        _composition(),
    ]


def _about(resource_type: str, resource_id: str, element: str, patient: Patient, **content: Any) -> Resource:
    """A resource whose `element` (subject or patient) is `patient`."""
    return {
        "resourceType": resource_type,
        "id": resource_id,
        "meta": content.pop("meta", meta(WRITTEN)),
        element: reference("Patient", patient.lab or ""),
        **content,
    }


def _condition(resource_id: str, patient: Patient, code: dict[str, Any], onset: str, **content: Any) -> Resource:
    return _about(
        "Condition",
        resource_id,
        "subject",
        patient,
        clinicalStatus=terminology("condition-clinical", "active"),
        verificationStatus=terminology("condition-ver-status", "confirmed"),
        category=[terminology("condition-category", "problem-list-item", "Problem List Item")],
        code=code,
        onsetDateTime=onset,
        recordedDate=onset,
        **content,
    )


def _diagnosis(code: str, display: str, icd10: str) -> dict[str, Any]:
    """A problem coded twice, as hospitals do."""
    return concept(coding(SNOMED, code, display), coding(ICD10, icd10))


def _conditions() -> list[Resource]:
    return [
        _condition("cond-20417-1", ALMA, _diagnosis("44054006", "Diabetes mellitus type 2", "E11.9"), "2018-04-03"),
        _condition("cond-20417-2", ALMA, snomed("38341003", "Hypertensive disorder"), "2020-09-15"),
        _condition(
            "cond-20418-1",
            HELOISE,
            _diagnosis("86406008", "Human immunodeficiency virus infection", "B24"),
            "2019-02-11",
            meta=meta(WRITTEN, security=labels("R", "HIV")),
        ),
        _condition("cond-20419-1", YOUSSEF, _diagnosis("35489007", "Depressive disorder", "F32.9"), "2025-06-02"),
        _condition("cond-20420-1", WEI, snomed("40930008", "Hypothyroidism"), "2016-01-20"),
    ]


def _allergy(resource_id: str, patient: Patient, code: dict[str, Any], category: str, **content: Any) -> Resource:
    return _about(
        "AllergyIntolerance",
        resource_id,
        "patient",
        patient,
        clinicalStatus=terminology("allergyintolerance-clinical", "active"),
        verificationStatus=terminology("allergyintolerance-verification", "confirmed"),
        category=[category],
        criticality="high",
        code=code,
        recordedDate="2024-12-09",
        **content,
    )


def _allergies() -> list[Resource]:
    """The last two are Noé's and only *reported* by his mother Alma: they must never be shown as hers."""
    mother = _about(
        "RelatedPerson",
        MOTHER,
        "patient",
        NOE,
        active=True,
        relationship=[terminology("v3-RoleCode", "MTH", "mother")],
        name=[{"family": ALMA.family, "given": [ALMA.given[0]]}],
    )
    rash = {"manifestation": [snomed("271807003", "Eruption of skin")], "severity": "moderate"}
    return [
        _allergy("alg-20417-1", ALMA, snomed("91936005", "Allergy to penicillin"), "medication", reaction=[rash]),
        _allergy("alg-20420-1", WEI, snomed("300913006", "Shellfish allergy"), "food"),
        mother,
        _allergy(
            "alg-20421-1",
            NOE,
            snomed("91935009", "Allergy to peanut"),
            "food",
            recorder=reference("Practitioner", BIOLOGIST),
            asserter=reference("Patient", ALMA.lab or ""),
        ),
        _allergy(
            "alg-20421-2",
            NOE,
            snomed("424213003", "Allergy to bee venom"),
            "environment",
            recorder=reference("Patient", ALMA.lab or ""),
            asserter=reference("RelatedPerson", MOTHER),
        ),
    ]


def _immunizations() -> list[Resource]:
    given = (
        ("imm-20417-1", ALMA, "140", "Influenza, seasonal", "2025-10-20"),
        ("imm-20417-2", ALMA, "33", "Pneumococcal polysaccharide", "2024-12-02"),
        ("imm-20421-1", NOE, "03", "MMR", "2020-06-03"),
        ("imm-20420-1", WEI, "140", "Influenza, seasonal", "2025-11-04"),
    )
    return [
        _about(
            "Immunization",
            resource_id,
            "patient",
            patient,
            status="completed",
            vaccineCode=concept(coding(CVX, code, display)),
            occurrenceDateTime=day,
            primarySource=True,
            lotNumber="LOT-0000",
        )
        for resource_id, patient, code, display, day in given
    ]


def _stay() -> list[Resource]:
    """One hospital day with its procedure, what was administered and the plan that followed."""
    encounter = reference("Encounter", ENCOUNTER)
    period = {"start": moment("2026-06-24", "08:00"), "end": moment("2026-06-24", "17:30")}
    return [
        _about(
            "Encounter",
            ENCOUNTER,
            "subject",
            ALMA,
            status="finished",
            **{"class": coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB", "ambulatory")},
            period=period,
            serviceProvider=reference("Organization", LABORATORY),
        ),
        _about(
            "Procedure",
            "proc-20417-1",
            "subject",
            ALMA,
            status="completed",
            code=snomed("80146002", "Appendectomy"),
            performedDateTime="2003-08-14",
        ),
        _about(
            "Procedure",
            "proc-20417-2",
            "subject",
            ALMA,
            status="completed",
            code=snomed("46973005", "Blood pressure taking"),
            encounter=encounter,
            performedPeriod=period,
        ),
        _about(
            "MedicationAdministration",
            "adm-20417-1",
            "subject",
            ALMA,
            status="completed",
            medicationCodeableConcept=_medicine("J01DD04", "ceftriaxone"),
            effectiveDateTime=period["start"],
            context=encounter,
            dosage={"text": "1 g IM, dose unique", "dose": quantity("1.00", "g")},
        ),
        _about(
            "Device",
            "dev-20417-1",
            "patient",
            ALMA,
            status="active",
            type=snomed("337414009", "Blood glucose meter"),
            deviceName=[{"name": "Lecteur de glycémie", "type": "user-friendly-name"}],
        ),
        _about(
            "CarePlan",
            "plan-20417-1",
            "subject",
            ALMA,
            status="active",
            intent="plan",
            title="Suivi du diabète",
            period={"start": "2026-06-24"},
            addresses=[reference("Condition", "cond-20417-1")],
        ),
    ]


def _medicine(code: str, name: str) -> dict[str, Any]:
    return concept(coding(ATC, code, name), text=name)


def _coded(code: str, name: str) -> dict[str, Any]:
    return {"medicationCodeableConcept": _medicine(code, name)}


def _medicines() -> list[Resource]:
    """What is prescribed and what is taken, once through a Medication of its own; an antiretroviral among them."""
    metformin = {
        "resourceType": "Medication",
        "id": "med-1",
        "meta": meta(WRITTEN),
        "code": _medicine("A10BA02", "metformin"),
        "status": "active",
    }
    prescribed = (
        ("mrq-20417-1", ALMA, {"medicationReference": reference("Medication", "med-1")}, "1000 mg matin et soir"),
        ("mrq-20417-2", ALMA, _coded("C09AA05", "ramipril"), "5 mg le matin"),
        ("mrq-20418-1", HELOISE, _coded("J05AR20", "bictegravir combination"), "1 par jour"),
        ("mrq-20419-1", YOUSSEF, _coded("N06AB06", "sertraline"), "50 mg le matin"),
    )
    taken = (
        ("mst-20417-1", ALMA, {"medicationReference": reference("Medication", "med-1")}, "1000 mg matin et soir"),
        ("mst-20420-1", WEI, _coded("H03AA01", "levothyroxine"), "75 µg le matin"),
    )
    requests = [
        _about(
            "MedicationRequest",
            resource_id,
            "subject",
            patient,
            status="active",
            intent="order",
            **medicine,
            authoredOn="2026-09-14",
            requester={"display": "Dr Aurélie Château-Rey"},
            dosageInstruction=dosage(text),
        )
        for resource_id, patient, medicine, text in prescribed
    ]
    statements = [
        _about(
            "MedicationStatement",
            resource_id,
            "subject",
            patient,
            status="active",
            **medicine,
            effectivePeriod={"start": "2024-12-01"},
            dateAsserted="2026-09-14",
            dosage=dosage(text),
        )
        for resource_id, patient, medicine, text in taken
    ]
    return [metformin, *requests, *statements]


def _composition() -> Resource:
    """A discharge report as a structured document, labelled by its source."""
    return _about(
        "Composition",
        "comp-20417-1",
        "subject",
        ALMA,
        meta=meta(WRITTEN, security=labels("N")),
        status="final",
        type=loinc("18842-5", "Discharge summary"),
        encounter=reference("Encounter", ENCOUNTER),
        date=moment("2026-06-24", "17:45"),
        author=[reference("Organization", LABORATORY)],
        title="Compte rendu de sortie",
        confidentiality="N",
        section=[
            {"title": "Problèmes", "entry": [reference("Condition", f"cond-20417-{number}") for number in (1, 2)]},
            {"title": "Traitements", "entry": [reference("MedicationRequest", "mrq-20417-1")]},
        ],
    )
