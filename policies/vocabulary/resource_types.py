"""The resource types that the gateway knows, and what ties each to a patient.

A type is about a patient by its subject, not by the whole R4 patient compartment, which follows performer, author and
recorder too: a child's allergy that our patient reported is not our patient's.
"""

PATIENT_PATHS: dict[str, str] = {
    "Patient": "id",
    "Observation": "subject",
    "DiagnosticReport": "subject",
    "DocumentReference": "subject",
    "Specimen": "subject",
    "ServiceRequest": "subject",
    "ImagingStudy": "subject",
    "Condition": "subject",
    "AllergyIntolerance": "patient",
    "Immunization": "patient",
    "Procedure": "subject",
    "MedicationRequest": "subject",
    "MedicationDispense": "subject",
    "MedicationStatement": "subject",
    "ExplanationOfBenefit": "patient",
}
"""Type -> the element whose reference says whose it is."""

CONSULTABLE = tuple(PATIENT_PATHS)
"""What may be read and searched."""

COMPANIONS = frozenset(
    {"Practitioner", "PractitionerRole", "Organization", "Location", "Device", "Medication", "Substance", "Specimen"}
)
"""Types that may be about nobody: shown only beside a kept resource of the same answer that refers to them."""

DIRECTORY = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location"})
"""Who did something and where: what stands in a directory says nothing of a patient."""

HANDLED = "Binary"
"""The type under which a file of a document is read, by the handle that was issued with the document."""
