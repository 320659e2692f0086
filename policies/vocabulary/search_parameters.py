"""The search parameters that are offered, by type: one table for requests, the CapabilityStatement and OpenAPI.

Names and kinds are FHIR R4's. What is not in the table is refused: a parameter that a feed ignores widens an answer.
"""

from types import MappingProxyType

COMMON = MappingProxyType({"_id": "token", "_lastUpdated": "date"})
"""Offered for every type."""

_BY_TYPE: dict[str, dict[str, str]] = {
    "Patient": {},
    "Observation": {"category": "token", "code": "token", "status": "token", "date": "date", "encounter": "reference"},
    "DiagnosticReport": {
        "category": "token",
        "code": "token",
        "status": "token",
        "date": "date",
        "issued": "date",
        "encounter": "reference",
    },
    "DocumentReference": {
        "category": "token",
        "type": "token",
        "status": "token",
        "date": "date",
        "period": "date",
        "encounter": "reference",
    },
    "Specimen": {"type": "token", "status": "token", "collected": "date"},
    "ServiceRequest": {
        "category": "token",
        "code": "token",
        "status": "token",
        "authored": "date",
        "occurrence": "date",
        "encounter": "reference",
    },
    "ImagingStudy": {"status": "token", "modality": "token", "started": "date", "encounter": "reference"},
    "Condition": {
        "category": "token",
        "code": "token",
        "clinical-status": "token",
        "verification-status": "token",
        "onset-date": "date",
        "recorded-date": "date",
        "encounter": "reference",
    },
    "AllergyIntolerance": {
        "category": "token",
        "code": "token",
        "type": "token",
        "clinical-status": "token",
        "verification-status": "token",
        "date": "date",
    },
    "Immunization": {"status": "token", "vaccine-code": "token", "date": "date"},
    "Procedure": {"category": "token", "code": "token", "status": "token", "date": "date", "encounter": "reference"},
    "MedicationRequest": {
        "category": "token",
        "code": "token",
        "status": "token",
        "intent": "token",
        "authoredon": "date",
        "encounter": "reference",
    },
    "MedicationDispense": {"code": "token", "type": "token", "status": "token", "whenhandedover": "date"},
    "MedicationStatement": {"category": "token", "code": "token", "status": "token", "effective": "date"},
    "ExplanationOfBenefit": {"status": "token", "created": "date", "encounter": "reference"},
}

_WITHOUT_SUBJECT = frozenset({"AllergyIntolerance", "Immunization", "ExplanationOfBenefit"})
"""Types for which R4 defines `patient` only."""


def offered(resource_type: str) -> dict[str, str]:
    """Name -> kind ("token", "date", "reference") of what may filter this type, the patient left out."""
    return {**COMMON, **_BY_TYPE[resource_type]}


_PERIODS = {
    "Observation": "date",
    "DiagnosticReport": "date",
    "DocumentReference": "date",
    "ServiceRequest": "authored",
    "ImagingStudy": "started",
    "Immunization": "date",
    "Procedure": "date",
    "MedicationRequest": "authoredon",
    "MedicationDispense": "whenhandedover",
    "ExplanationOfBenefit": "created",
}
"""By what a period of results is asked for. Of the other types what holds today may have begun, or been written, long
ago, or carries no day at all."""


def since(resource_type: str, day: str) -> tuple[tuple[str, str], ...]:
    """The parameters that ask for results of this type from `day` on; none where no day tells."""
    name = _PERIODS.get(resource_type)
    return () if name is None else ((name, f"ge{day}"),)


def naming_the_patient(resource_type: str) -> tuple[str, ...]:
    """The parameters that say whose results are meant; none for Patient itself."""
    if resource_type == "Patient":
        return ()
    return ("patient",) if resource_type in _WITHOUT_SUBJECT else ("patient", "subject")


def sortable(resource_type: str) -> frozenset[str]:
    """What `_sort` may name: dates."""
    return frozenset(name for name, kind in offered(resource_type).items() if kind == "date")


_INCLUDES: dict[str, dict[str, str]] = {
    "Observation": {
        "has-member": "hasMember",
        "derived-from": "derivedFrom",
        "specimen": "specimen",
        "performer": "performer",
        "device": "device",
        "based-on": "basedOn",
    },
    "DiagnosticReport": {
        "result": "result",
        "specimen": "specimen",
        "performer": "performer",
        "results-interpreter": "resultsInterpreter",
        "based-on": "basedOn",
    },
    "DocumentReference": {"author": "author", "custodian": "custodian", "relatesto": "relatesTo.target"},
    "Specimen": {"collector": "collection.collector"},
    "ServiceRequest": {"specimen": "specimen", "requester": "requester", "performer": "performer"},
    "ImagingStudy": {"basedon": "basedOn"},
    "Condition": {"asserter": "asserter"},
    "AllergyIntolerance": {"asserter": "asserter"},
    "Immunization": {"performer": "performer.actor"},
    "Procedure": {"performer": "performer.actor", "based-on": "basedOn"},
    "MedicationRequest": {"medication": "medicationReference", "requester": "requester"},
    "MedicationDispense": {
        "medication": "medicationReference",
        "prescription": "authorizingPrescription",
        "performer": "performer.actor",
    },
    "MedicationStatement": {"medication": "medicationReference"},
    "ExplanationOfBenefit": {"provider": "provider"},
}
"""Type -> R4 search parameter -> the element whose references it follows, a dot between names."""


def includes(resource_type: str) -> dict[str, str]:
    """`Type:parameter`, as `_include` may name it -> the element that it follows. Whose results they are is known."""
    return {f"{resource_type}:{name}": path for name, path in _INCLUDES.get(resource_type, {}).items()}


INCLUDE = "_include"

REFUSED = frozenset(
    [
        "_has",
        "_revinclude",
        "_filter",
        "_query",
        "_security",
        "_total",
        "_elements",
        "_summary",
        "_list",
        "_text",
        "_content",
        "_contained",
        "_containedType",
        "_tag",
        "_profile",
        "_source",
        "_type",
        "_since",
        "_outputFormat",
        "_typeFilter",
        "_graph",
        "_method",
        "access_token",
    ]
)
"""Known to FHIR, or as a trick, and refused on purpose: they count, widen, probe labels or reach other resources."""
