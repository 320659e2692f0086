"""The health insurer: twelve months of reimbursements, and the dispensations of one patient's medicines."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from making.datatypes import ATC, coding, concept, dosage, meta, moment, quantity, reference, terminology
from making.people import ALMA, HELOISE, JEAN_BAPTISTE, SIOBHAN, STRANGER, YOUSSEF, ZOE, Patient, feed_patient
from making.writing import Resource

BASE = "https://insurer.example/fhir"
PATIENT_SYSTEM = "https://insurer.example/fhir/identifier/patient"
CLAIM_SYSTEM = "https://insurer.example/fhir/identifier/claim"
CARE_CATEGORY = "https://insurer.example/fhir/CodeSystem/care-category"
ACTS = "https://insurer.example/fhir/CodeSystem/acts"
INSURER = "inr-org-1"

MONTHS = ("2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05",
          "2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11")  # fmt: skip

CATEGORIES = {
    "consultation": ("professional", "Consultation"),
    "act": ("professional", "Acte technique"),
    "medicine": ("pharmacy", "Médicament"),
    "biology": ("institutional", "Biologie"),
    "sick-leave": ("professional", "Arrêt de travail"),
}
"""Category of care -> (claim type, words)."""

GENERAL, CARDIOLOGY, PSYCHIATRY = "Médecine générale", "Cardiologie", "Psychiatrie"
CHATEAU_REY = ("Dr Aurélie Château-Rey", GENERAL)
OZTURK = ("Dr Emre Öztürk", CARDIOLOGY)
SAINT_AY = ("Dr Gaëtan Saint-Aÿ", PSYCHIATRY)
KEITA = ("Dr Sylvain Keïta", "Biologie médicale")
IMAGING_CENTRE = "Centre d'imagerie des Écluses"
PHARMACY = "Pharmacie de la Grand-Place"


@dataclass(frozen=True, slots=True)
class Care:
    """One reimbursed thing. Amounts in euros with two decimals; the base is what the rate applies to."""

    day: str
    category: str
    system: str
    code: str
    name: str
    count: str
    prescriber: tuple[str, str]
    performer: str
    billed: str
    rate: str
    long_term_illness: bool = False
    ends: str | None = None
    """Last day of a period (sick leave)."""

    @property
    def paid(self) -> Decimal:
        """What the insurer paid, to the cent."""
        return (Decimal(self.billed) * Decimal(self.rate) / 100).quantize(Decimal("0.01"))


def consultation(
    day: str, code: str, doctor: tuple[str, str], billed: str, *, rate: str = "70", illness: bool = False
) -> Care:
    """A visit; prescriber and performer are the same person."""
    name = f"Consultation, {doctor[1]}"
    return Care(day, "consultation", ACTS, code, name, "1", doctor, doctor[0], billed, rate, illness)


def medicine(
    day: str, code: str, name: str, count: str, doctor: tuple[str, str], *, billed: str, rate: str = "65"
) -> Care:
    """A delivery by the pharmacy; a rate of 100 means a long-term illness."""
    return Care(day, "medicine", ATC, code, name, count, doctor, PHARMACY, billed, rate, rate == "100")


def _alma() -> list[Care]:
    monthly = [
        care
        for month in MONTHS
        for care in (
            medicine(f"{month}-04", "A10BA02", "metformin 1000 mg", "2", CHATEAU_REY, billed="7.60", rate="100"),
            medicine(f"{month}-04", "C09AA05", "ramipril 5 mg", "1", OZTURK, billed="4.10"),
        )
    ]
    biology = [
        Care(f"{month}-16", "biology", ACTS, "B", "Bilan biologique", "1", CHATEAU_REY, KEITA[0], "41.50", "60")
        for month in ("2026-02", "2026-05", "2026-08", "2026-11")
    ]
    return [
        *monthly,
        *biology,
        consultation("2026-01-12", "G", CHATEAU_REY, "30.00", illness=True),
        consultation("2026-05-18", "G", CHATEAU_REY, "30.00", illness=True),
        consultation("2026-06-02", "CSC", OZTURK, "60.00"),
        Care("2026-06-24", "act", ACTS, "ZBQH", "Scanner thoracique", "1", CHATEAU_REY, IMAGING_CENTRE,
             "125.50", "70"),
        Care("2026-06-22", "sick-leave", ACTS, "IJ", "Indemnités journalières", "5", CHATEAU_REY, CHATEAU_REY[0],
             "206.50", "100", ends="2026-06-26"),
    ]  # fmt: skip


def _heloise() -> list[Care]:
    return [
        *(medicine(f"{month}-09", "J05AR20", "bictegravir association", "1", CHATEAU_REY, billed="720.30", rate="100")
          for month in MONTHS),
        consultation("2026-02-10", "G", CHATEAU_REY, "30.00"),
        consultation("2026-08-25", "CS", ("Dr Nadège Okoyé", "Infectiologie"), "60.00", rate="100", illness=True),
        Care("2025-12-03", "act", ACTS, "QEQK", "Mammographie de dépistage", "1", CHATEAU_REY,
             IMAGING_CENTRE, "66.40", "100"),
    ]  # fmt: skip


def _youssef() -> list[Care]:
    return [
        *(consultation(f"{month}-17", "CNP", SAINT_AY, "57.00") for month in MONTHS[::2]),
        *(medicine(f"{month}-18", "N06AB06", "sertraline 50 mg", "1", SAINT_AY, billed="6.80") for month in MONTHS),
        Care("2026-03-02", "sick-leave", ACTS, "IJ", "Indemnités journalières", "12", SAINT_AY, SAINT_AY[0],
             "498.00", "100", ends="2026-03-13"),
    ]  # fmt: skip


def _jean_baptiste() -> list[Care]:
    return [
        *(medicine(f"{month}-21", "C10AA05", "atorvastatin 20 mg", "1", OZTURK, billed="9.70") for month in MONTHS),
        consultation("2026-04-08", "CSC", OZTURK, "60.00"),
    ]


CARES: tuple[tuple[Patient, list[Care]], ...] = (
    (ALMA, _alma()),
    (HELOISE, _heloise()),
    (YOUSSEF, _youssef()),
    (JEAN_BAPTISTE, _jean_baptiste()),
    (ZOE, [consultation("2026-03-12", "G", CHATEAU_REY, "30.00")]),
    (SIOBHAN, [consultation("2026-04-15", "G", CHATEAU_REY, "30.00")]),
    (STRANGER, [medicine("2026-10-06", "N02BE01", "paracetamol 1 g", "2", CHATEAU_REY, billed="4.36")]),
)


def files() -> dict[str, list[Resource]]:
    """File name -> resources."""
    managing = reference("Organization", INSURER)
    written: dict[str, list[Resource]] = {
        "organization": [
            {"resourceType": "Organization", "id": INSURER, "active": True, "name": "Caisse d'assurance des Remparts"}
        ]
    }
    for patient, cares in CARES:
        feed_id = patient.insurer or ""
        ordered = sorted(cares, key=lambda care: (care.day, care.code))
        benefits = [_benefit(feed_id, number, care) for number, care in enumerate(ordered, start=1)]
        written[feed_id] = [feed_patient(patient, feed_id, PATIENT_SYSTEM, managing), _coverage(feed_id), *benefits]
    written[ALMA.insurer or ""] += _dispensations(ALMA.insurer or "")
    return written


def _coverage(feed_id: str) -> Resource:
    return {
        "resourceType": "Coverage",
        "id": f"cov-{feed_id.removeprefix('inr-')}",
        "status": "active",
        "beneficiary": reference("Patient", feed_id),
        "payor": [reference("Organization", INSURER, "Caisse d'assurance des Remparts")],
        "period": {"start": "2020-01-01"},
    }


def _euros(amount: Decimal) -> dict[str, Any]:
    return {"value": amount, "currency": "EUR"}


def _amounts(care: Care) -> list[dict[str, Any]]:
    category = "adjudication"
    return [
        {"category": terminology(category, "submitted"), "amount": _euros(Decimal(care.billed))},
        {"category": terminology(category, "eligible"), "amount": _euros(Decimal(care.billed))},
        {"category": terminology(category, "eligpercent"), "value": Decimal(care.rate)},
        {"category": terminology(category, "benefit"), "amount": _euros(care.paid)},
    ]


def _benefit(feed_id: str, number: int, care: Care) -> Resource:
    claim_type, words = CATEGORIES[care.category]
    benefit_id = f"eob-{feed_id.removeprefix('inr-')}-{number:02d}"
    name, speciality = care.prescriber
    kind = coding("http://terminology.hl7.org/CodeSystem/claim-type", claim_type)
    when = {"servicedPeriod": {"start": care.day, "end": care.ends}} if care.ends else {"servicedDate": care.day}
    item = {
        "sequence": 1,
        "careTeamSequence": [1],
        "productOrService": concept(coding(care.system, care.code, care.name), text=care.name),
        **when,
        "quantity": {"value": Decimal(care.count)},
        "adjudication": _amounts(care),
    }
    illness = {"sequence": 1, "category": concept(text="ALD"), "code": concept(text="Affection de longue durée")}
    return {
        "resourceType": "ExplanationOfBenefit",
        "id": benefit_id,
        "meta": meta(moment(care.day, "23:30")),
        "identifier": [{"system": CLAIM_SYSTEM, "value": benefit_id.removeprefix("eob-")}],
        "status": "active",
        "type": concept(kind, coding(CARE_CATEGORY, care.category, words), text=words),
        "use": "claim",
        "patient": reference("Patient", feed_id),
        "billablePeriod": {"start": care.day, "end": care.ends or care.day},
        "created": care.ends or care.day,
        "insurer": reference("Organization", INSURER, "Caisse d'assurance des Remparts"),
        "provider": {"display": care.performer},
        "outcome": "complete",
        "careTeam": [
            {
                "sequence": 1,
                "provider": {"display": name},
                "role": concept(text="Prescripteur"),
                "qualification": concept(text=speciality),
            }
        ],
        **({"supportingInfo": [illness]} if care.long_term_illness else {}),
        "insurance": [{"focal": True, "coverage": reference("Coverage", f"cov-{feed_id.removeprefix('inr-')}")}],
        "item": [item],
        "total": [{"category": terminology("adjudication", "benefit"), "amount": _euros(care.paid)}],
        "payment": {"date": care.ends or care.day, "amount": _euros(care.paid)},
    }


def _dispensations(feed_id: str) -> list[Resource]:
    """Alma's deliveries of metformin; the last one names its medicine through a contained Medication."""
    metformin = concept(coding(ATC, "A10BA02", "metformin"), text="metformin 1000 mg")
    contained = {"resourceType": "Medication", "id": "m1", "code": metformin}
    written = []
    for index, month in enumerate(MONTHS):
        last = index == len(MONTHS) - 1
        which = {"medicationReference": {"reference": "#m1"}} if last else {"medicationCodeableConcept": metformin}
        written.append(
            {
                "resourceType": "MedicationDispense",
                "id": f"dsp-{feed_id.removeprefix('inr-')}-{index + 1:02d}",
                "meta": meta(moment(f"{month}-04", "18:00")),
                **({"contained": [contained]} if last else {}),
                "status": "completed",
                **which,
                "subject": reference("Patient", feed_id),
                "performer": [{"actor": {"display": PHARMACY}}],
                "quantity": quantity("60", "tablet", "{tbl}"),
                "daysSupply": quantity("30", "d"),
                "whenHandedOver": moment(f"{month}-04", "17:45"),
                "dosageInstruction": dosage("1 matin et soir"),
            }
        )
    return written
