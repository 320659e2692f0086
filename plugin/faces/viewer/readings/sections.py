"""Which section of the overview a result stands in. What kind of data it is comes from the one table of `policies`."""

from collections.abc import Iterable, Mapping
from typing import Final

from plugin.faces.viewer.readings.elements import Pair
from plugin.faces.viewer.readings.result import Category

_BY_TYPE: Final[Mapping[str, Category]] = {
    "DocumentReference": Category.DOCUMENTS,
    "Composition": Category.DOCUMENTS,
    "MedicationRequest": Category.MEDICINES,
    "MedicationDispense": Category.MEDICINES,
    "MedicationStatement": Category.MEDICINES,
    "ServiceRequest": Category.OTHER,
}
"""Types whose form decides, whatever they are about: a document on imaging is opened as a document."""

_BY_DATA: Final[Mapping[str, Category]] = {
    "test-results": Category.LABORATORY,
    "imaging": Category.IMAGING,
    "reimbursement": Category.REIMBURSEMENTS,
    "prescription": Category.MEDICINES,
    "dispensation": Category.MEDICINES,
    "discharge-report": Category.DOCUMENTS,
}
"""Kind of data of `policies/tables/categories.toml` -> section; the rest is `other`."""

_V2_SECTIONS = ("http://terminology.hl7.org/CodeSystem/v2-0074", "http://hl7.org/fhir/v2/0074")
_MICROBIOLOGY: Final[frozenset[Pair]] = frozenset(
    (system, code) for system in _V2_SECTIONS for code in ("MB", "MCB", "MYC", "PAR", "VR")
)
"""Diagnostic service sections (HL7 table 0074): microbiology, mycobacteriology, mycology, parasitology, virology."""


def section_of(resource_type: str, data: str, categories: Iterable[Pair]) -> Category:
    """The section of a result; `categories` are the codings of its own category element."""
    if (fixed := _BY_TYPE.get(resource_type)) is not None:
        return fixed
    if not _MICROBIOLOGY.isdisjoint(categories):
        return Category.MICROBIOLOGY
    return _BY_DATA.get(data, Category.OTHER)


def reported_section(own: Category, report: Category) -> Category:
    """The section of an observation in a report: where the report is narrower, or the observation says nothing."""
    if own is Category.OTHER or (own is Category.LABORATORY and report is Category.MICROBIOLOGY):
        return report
    return own
