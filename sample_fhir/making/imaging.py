"""The imaging centre: examinations (request, study, report with its PDF) and documents of several kinds of label."""

import base64
import hashlib
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from making import papers, pdf
from making.datatypes import LOINC, V2_0074, coding, concept, labels, loinc, meta, moment, reference, snomed
from making.people import ALMA, HELOISE, NOE, STRANGER, YOUSSEF, ZOE, Patient, feed_patient
from making.writing import Resource

BASE = "https://imaging.example/fhir"
PATIENT_SYSTEM = "https://imaging.example/fhir/identifier/patient"
ACCESSION_SYSTEM = "https://imaging.example/fhir/identifier/accession"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
CENTRE = "img-org-1"
RADIOLOGIST = "img-prac-31"
REMOTE_BINARY = "bin-50361-1"
"""The one document whose content is not inline but behind `attachment.url`."""


@dataclass(frozen=True, slots=True)
class Examination:
    """One examination; its resources share the number."""

    number: int
    patient: Patient
    day: str
    modality: str
    code: str
    display: str
    finding: str
    further: tuple[str, ...] = field(default=())
    """Lines of a second page, if any."""

    @property
    def stem(self) -> str:
        """`50361-1`"""
        return f"{(self.patient.imaging or '').removeprefix('img-')}-{self.number}"


EXAMINATIONS = (
    Examination(1, ALMA, "2026-06-24", "CT", "24627-2", "CT Chest", "Pas d'anomalie parenchymateuse.",
                ("Mesures", "Nodule apical droit : 4,0 mm (stable).", "Contrôle proposé à douze mois.")),
    Examination(2, ALMA, "2025-03-03", "US", "24558-9", "US Abdomen", "Stéatose hépatique modérée."),
    Examination(1, HELOISE, "2025-11-18", "MG", "24606-6", "MG Breast screening", "ACR 2 des deux côtés."),
    Examination(1, YOUSSEF, "2025-06-19", "MR", "24590-2", "MR Brain", "IRM cérébrale sans particularité."),
    Examination(1, NOE, "2026-09-08", "DX", "36643-5", "XR Chest 2 views", "Foyer de la base gauche."),
    Examination(1, ZOE, "2026-03-16", "DX", "36643-5", "XR Chest 2 views", "Examen normal."),
    Examination(1, STRANGER, "2026-01-07", "US", "24558-9", "US Abdomen", "Examen normal."),
)  # fmt: skip

MODALITIES = {
    "CT": "Computed Tomography",
    "US": "Ultrasound",
    "MG": "Mammography",
    "MR": "Magnetic Resonance",
    "DX": "Digital Radiography",
}


def files() -> dict[str, list[Resource]]:
    """File name -> resources."""
    by_patient: dict[str, list[Resource]] = {"organization": _organization()}
    managing = reference("Organization", CENTRE)
    for patient in (ALMA, HELOISE, YOUSSEF, NOE, ZOE, STRANGER):
        feed_id = patient.imaging or ""
        by_patient[feed_id] = [feed_patient(patient, feed_id, PATIENT_SYSTEM, managing)]
    for examination in EXAMINATIONS:
        by_patient[examination.patient.imaging or ""] += _examined(examination)
    for patient, document in _documents():
        by_patient[patient.imaging or ""].append(document)
    by_patient[ALMA.imaging or ""].append(_binary())
    return by_patient


def _organization() -> list[Resource]:
    name = [{"use": "official", "family": "Strøm-Hébert", "given": ["Inès"], "prefix": ["Dr"]}]
    return [
        {"resourceType": "Organization", "id": CENTRE, "active": True, "name": "Centre d'imagerie des Écluses"},
        {"resourceType": "Practitioner", "id": RADIOLOGIST, "active": True, "name": name, "gender": "female"},
    ]


def _examined(examination: Examination) -> list[Resource]:
    subject = reference("Patient", examination.patient.imaging or "")
    order = {
        "resourceType": "ServiceRequest",
        "id": f"srq-{examination.stem}",
        "meta": meta(moment(examination.day, "08:00")),
        "status": "completed",
        "intent": "order",
        "category": [snomed("363679005", "Imaging")],
        "code": loinc(examination.code, examination.display),
        "subject": subject,
        "occurrenceDateTime": examination.day,
        "authoredOn": examination.day,
        "requester": {"display": "Dr Aurélie Château-Rey"},
    }
    return [order, _study(examination, subject), _report(examination, subject)]


def _uid(*parts: object) -> str:
    """A DICOM UID of the `2.25.` form, derived from what it names."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:12], 'big')}"


def _study(examination: Examination, subject: dict[str, str]) -> Resource:
    modality = coding(DICOM, examination.modality, MODALITIES[examination.modality])
    series = {
        "uid": _uid(examination.stem, "series"),
        "number": 1,
        "modality": modality,
        "description": examination.display,
        "numberOfInstances": 2,
    }
    return {
        "resourceType": "ImagingStudy",
        "id": f"ims-{examination.stem}",
        "meta": meta(moment(examination.day, "09:00")),
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{_uid(examination.stem)}"}],
        "status": "available",
        "modality": [modality],
        "subject": subject,
        "started": moment(examination.day, "08:45"),
        "basedOn": [reference("ServiceRequest", f"srq-{examination.stem}")],
        "numberOfSeries": 1,
        "numberOfInstances": 2,
        "description": examination.display,
        "series": [series],
    }


def _report(examination: Examination, subject: dict[str, str]) -> Resource:
    issued = moment(examination.day, "11:30")
    first = [
        examination.display,
        f"Patient : {_latin(examination.patient)}",
        f"Date : {examination.day}",
        examination.finding,
    ]
    pages = [first, list(examination.further)] if examination.further else [first]
    return {
        "resourceType": "DiagnosticReport",
        "id": f"rep-{examination.stem}",
        "meta": meta(issued, security=labels("N")),
        "text": papers.narrative(examination.display, *first[2:]),
        "identifier": [{"system": ACCESSION_SYSTEM, "value": f"ACC{examination.stem.replace('-', '0')}"}],
        "basedOn": [reference("ServiceRequest", f"srq-{examination.stem}")],
        "status": "final",
        "category": [concept(coding(V2_0074, "RAD", "Radiology"))],
        "code": loinc(examination.code, examination.display),
        "subject": subject,
        "effectiveDateTime": moment(examination.day, "08:45"),
        "issued": issued,
        "performer": [reference("Organization", CENTRE, "Centre d'imagerie des Écluses")],
        "resultsInterpreter": [reference("Practitioner", RADIOLOGIST, "Dr Inès Strøm-Hébert")],
        "imagingStudy": [reference("ImagingStudy", f"ims-{examination.stem}")],
        "conclusion": examination.finding,
        "presentedForm": [pdf.attachment(f"Compte rendu, {examination.display}", issued, pages)],
    }


def _latin(patient: Patient) -> str:
    """The patient's name without its marks, as older systems print it."""
    return "".join(mark for mark in unicodedata.normalize("NFKD", patient.printed) if not unicodedata.combining(mark))


Labels = list[dict[str, str]]


def _document(
    number: int, patient: Patient, kind: tuple[str, str], day: str, security: Labels, **content: Any
) -> tuple[Patient, Resource]:
    """A DocumentReference, labelled in both places that R4 has, or in neither when `security` is empty."""
    label = {"securityLabel": [concept(item) for item in security]} if security else {}
    created = moment(day, "15:00")
    inline = pdf.attachment(kind[1], created, [[kind[1], f"Patient : {_latin(patient)}", f"Date : {day}"]])
    document = {
        "resourceType": "DocumentReference",
        "id": f"doc-{(patient.imaging or '').removeprefix('img-')}-{number}",
        "meta": meta(created, security=security),
        "status": "current",
        "docStatus": "final",
        "type": loinc(*kind),
        "category": [concept(coding(LOINC, "18726-0", "Radiology studies"))],
        "subject": reference("Patient", patient.imaging or ""),
        "date": created,
        "author": [reference("Organization", CENTRE, "Centre d'imagerie des Écluses")],
        "custodian": reference("Organization", CENTRE),
        **label,
        "content": [{"attachment": inline}],
    }
    return patient, document | content


def _documents() -> list[tuple[Patient, Resource]]:
    normal = labels("N")
    study, discharge, psychiatry = (
        ("18748-4", "Diagnostic imaging study"),
        ("18842-5", "Discharge summary"),
        ("34788-0", "Psychiatry Consult note"),
    )
    two_pages = [["Compte rendu détaillé", "Patient : voir en-tête", "Page 1 sur 2"], ["Suite", "Page 2 sur 2"]]
    detailed = pdf.attachment("Compte rendu détaillé", moment("2026-06-26", "15:00"), two_pages)
    replaced = {"relatesTo": [{"code": "replaces", "target": reference("DocumentReference", "doc-50361-1")}]}
    remote = {
        "contentType": "application/pdf",
        "url": f"{BASE}/Binary/{REMOTE_BINARY}",
        "size": len(_remote_pdf()),
        "title": "Ancien compte rendu",
        "creation": moment("2024-12-11", "15:00"),
    }
    letter, summary = ("34117-2", "History and physical note"), ("34133-9", "Summarization of episode note")
    other_category = {"category": [concept(coding(LOINC, "11488-4", "Consult note"))]}
    return [
        _document(1, ALMA, study, "2026-06-24", normal, status="superseded"),
        _document(2, ALMA, study, "2026-06-26", normal, **replaced, content=[{"attachment": detailed}]),
        _document(3, ALMA, discharge, "2026-06-24", []),
        _document(4, ALMA, study, "2024-12-11", normal, content=[{"attachment": remote}]),
        _document(5, ALMA, summary, "2026-06-27", normal, **other_category, content=[{"attachment": _summary()}]),
        _document(6, ALMA, letter, "2026-06-28", normal, **other_category, content=[{"attachment": _letter()}]),
        _document(1, HELOISE, study, "2025-11-18", normal),
        _document(1, YOUSSEF, study, "2025-06-19", normal),
        _document(2, YOUSSEF, psychiatry, "2025-06-23", labels("R", "PSY"), **other_category),
        _document(1, NOE, study, "2026-09-08", normal),
        _document(1, ZOE, study, "2026-03-16", normal),
        _document(1, STRANGER, study, "2026-01-07", normal),
    ]


def _summary() -> dict[str, Any]:
    sections: list[papers.Section] = [
        ("Motif", ["Surveillance d'un nodule pulmonaire apical droit."], []),
        (
            "Résultats",
            ["Scanner du 24 juin 2026, comparé à celui du 11 décembre 2024."],
            [["Mesure", "2024", "2026"], ["Nodule apical droit", "4,0 mm", "4,0 mm"], ["Épanchement", "non", "non"]],
        ),
        ("Conduite à tenir", ["Contrôle à douze mois.", "Pas de traitement."], []),
    ]
    content = papers.ccda("Synthèse d'épisode", _latin(ALMA), "2026-06-27", sections)
    return papers.attachment(content, "application/xml", "Synthèse d'épisode", moment("2026-06-27", "15:00"))


def _letter() -> dict[str, Any]:
    lines = [
        "Centre d'imagerie des Écluses",
        "",
        f"Patient : {_latin(ALMA)}",
        "",
        "Cher confrère,",
        "",
        "Le scanner du 24 juin 2026 est stable :",
        "",
        "    Mesure                2024      2026",
        "    Nodule apical droit   4,0 mm    4,0 mm",
        "",
        "Je propose un contrôle à douze mois.",
        "",
        "Dr Inès Strøm-Hébert",
    ]
    content = ("\n".join(lines) + "\n").encode()
    return papers.attachment(content, "text/plain; charset=utf-8", "Courrier", moment("2026-06-28", "15:00"))


def _remote_pdf() -> bytes:
    return pdf.document([["Ancien compte rendu", f"Patient : {_latin(ALMA)}", "Date : 2024-12-11"]])


def _binary() -> Resource:
    return {
        "resourceType": "Binary",
        "id": REMOTE_BINARY,
        "meta": meta(moment("2024-12-11", "15:00"), security=labels("N")),
        "contentType": "application/pdf",
        "securityContext": reference("DocumentReference", "doc-50361-4"),
        "data": base64.b64encode(_remote_pdf()).decode("ascii"),
    }
