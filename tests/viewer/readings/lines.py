"""Rows of one resource as a page prints them, with plain blanks."""

from typing import Any

from plugin.faces.pages.wording import Language
from plugin.faces.viewer.rows import Row, Rows
from tests.viewer.readings.samples import row


def printed_row(tree: dict[str, Any], language: Language) -> Row:
    """The row that `tree` is."""
    return Rows(language, {}, lambda *_, **__: "").row(row(tree))


def details(tree: dict[str, Any], language: Language) -> list[tuple[str, str]]:
    """Names and values below the row."""
    below = printed_row(tree, language).below
    return [(name, value.replace("\u00a0", " ")) for name, value in below.details] if below is not None else []


def coded(system: str, code: str) -> dict[str, Any]:
    """A CodeableConcept of HL7's own systems."""
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def amount(value: Any, unit: str, ucum: str = "") -> dict[str, Any]:
    """A Quantity."""
    return {"value": value, "unit": unit} | ({"system": "http://unitsofmeasure.org", "code": ucum} if ucum else {})
