"""Which R4 search parameters each type has, of what kind, and where their values stand in a resource. Data, no
behaviour.

From the R4 definitions (http://hl7.org/fhir/R4/searchparameter-registry.html), for what a folder of files offers. How a
value is compared is `matching`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How values compare (R4 3.1.1.4)."""

    ID = "id"
    TOKEN = "token"  # noqa: S105 - the name of a search parameter type
    REFERENCE = "reference"
    PATIENT = "patient"  # a reference to a Patient: the `patient` parameter
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A search parameter: a value at any of `paths` may match. A path is element names joined by dots; lists are
    entered."""

    kind: Kind
    paths: tuple[str, ...]


def _token(*paths: str) -> Parameter:
    return Parameter(Kind.TOKEN, paths)


def _date(*paths: str) -> Parameter:
    return Parameter(Kind.DATE, paths)


def _reference(*paths: str) -> Parameter:
    return Parameter(Kind.REFERENCE, paths)


def _about(path: str) -> dict[str, Parameter]:
    """`patient`, and `subject` too where the element has that name (R4 gives both to those types)."""
    patient = {"patient": Parameter(Kind.PATIENT, (path,))}
    return {**patient, "subject": _reference(path)} if path == "subject" else patient


_EVERY_TYPE = {"_id": Parameter(Kind.ID, ("id",)), "_lastUpdated": _date("meta.lastUpdated")}
_CATEGORY, _CODE, _STATUS, _TYPE = _token("category"), _token("code"), _token("status"), _token("type")
_ENCOUNTER, _IDENTIFIER = _reference("encounter"), _token("identifier")
_MEDICATION = _token("medicationCodeableConcept")
_CONDITION_STATUS = {
    "clinical-status": _token("clinicalStatus"),
    "verification-status": _token("verificationStatus"),
}

_BY_TYPE: Mapping[str, Mapping[str, Parameter]] = {
    "Patient": {"identifier": _IDENTIFIER, "birthdate": _date("birthDate")},
    "Observation": {
        **_about("subject"),
        "category": _CATEGORY,
        "code": _CODE,
        "status": _STATUS,
        "date": _date("effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming"),
        "encounter": _ENCOUNTER,
    },
    "DiagnosticReport": {
        **_about("subject"),
        "category": _CATEGORY,
        "code": _CODE,
        "status": _STATUS,
        "date": _date("effectiveDateTime", "effectivePeriod"),
        "issued": _date("issued"),
        "encounter": _ENCOUNTER,
    },
    "DocumentReference": {
        **_about("subject"),
        "category": _CATEGORY,
        "type": _TYPE,
        "status": _STATUS,
        "date": _date("date"),
        "period": _date("context.period"),
        "encounter": _reference("context.encounter"),
    },
    "Specimen": {
        **_about("subject"),
        "type": _TYPE,
        "status": _STATUS,
        "collected": _date("collection.collectedDateTime", "collection.collectedPeriod"),
    },
    "ServiceRequest": {
        **_about("subject"),
        "category": _CATEGORY,
        "code": _CODE,
        "status": _STATUS,
        "authored": _date("authoredOn"),
        "occurrence": _date("occurrenceDateTime", "occurrencePeriod", "occurrenceTiming"),
        "encounter": _ENCOUNTER,
    },
    "ImagingStudy": {
        **_about("subject"),
        "status": _STATUS,
        "started": _date("started"),
        "modality": _token("series.modality"),
        "encounter": _ENCOUNTER,
    },
    "Consent": {**_about("patient"), "status": _STATUS},
    "Condition": {
        **_about("subject"),
        **_CONDITION_STATUS,
        "category": _CATEGORY,
        "code": _CODE,
        "onset-date": _date("onsetDateTime", "onsetPeriod"),
        "recorded-date": _date("recordedDate"),
        "encounter": _ENCOUNTER,
    },
    "AllergyIntolerance": {
        **_about("patient"),
        **_CONDITION_STATUS,
        "category": _CATEGORY,
        "code": _token("code", "reaction.substance"),
        "date": _date("recordedDate"),
        "type": _TYPE,
    },
    "Immunization": {
        **_about("patient"),
        "status": _STATUS,
        "date": _date("occurrenceDateTime"),
        "vaccine-code": _token("vaccineCode"),
    },
    "Procedure": {
        **_about("subject"),
        "category": _CATEGORY,
        "code": _CODE,
        "status": _STATUS,
        "date": _date("performedDateTime", "performedPeriod"),
        "encounter": _ENCOUNTER,
    },
    "MedicationRequest": {
        **_about("subject"),
        "category": _CATEGORY,
        "code": _MEDICATION,
        "status": _STATUS,
        "intent": _token("intent"),
        "authoredon": _date("authoredOn"),
        "encounter": _ENCOUNTER,
    },
    "MedicationDispense": {
        **_about("subject"),
        "code": _MEDICATION,
        "status": _STATUS,
        "type": _TYPE,
        "whenhandedover": _date("whenHandedOver"),
    },
    "MedicationStatement": {
        **_about("subject"),
        "category": _CATEGORY,
        "code": _MEDICATION,
        "status": _STATUS,
        "effective": _date("effectiveDateTime", "effectivePeriod"),
    },
    "ExplanationOfBenefit": {
        **_about("patient"),
        "status": _STATUS,
        "created": _date("created"),
        "encounter": _reference("item.encounter"),
    },
    "Practitioner": {"identifier": _IDENTIFIER},
    "Organization": {"identifier": _IDENTIFIER, "type": _TYPE},
}

SEARCH_PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    resource_type: {**_EVERY_TYPE, **parameters} for resource_type, parameters in _BY_TYPE.items()
}
"""Type -> parameter name -> parameter. What does not stand here is refused, since to ignore it would widen the
answer."""
