"""Answers of feeds for tests: the sample data as a page would get it, and trees made by hand."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from fhir_adapters.resource import parse
from plugin.consultation.release import Shown
from plugin.faces.viewer.readings.beside import Answer
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.result import Result
from policies.coding import contents
from policies.labels import category_of

SAMPLES = Path(__file__).parents[3] / "sample_fhir"
ALMA = {"city-lab": "lab-20417", "imaging": "img-50361", "insurer": "inr-7001"}
HELOISE = {"city-lab": "lab-20418", "imaging": "img-50362", "insurer": "inr-7002"}


@cache
def resources(folder: str) -> tuple[dict[str, Any], ...]:
    """Numbers as the gateway has them."""
    return tuple(
        entry["resource"]
        for path in sorted((SAMPLES / folder).glob("*.json"))
        for entry in parse(path.read_bytes())["entry"]
    )


@cache
def answer(folder: str, patient: str) -> Answer:
    """What this feed holds of one patient, and what stands beside it."""
    shown = []
    for each in resources(folder):
        whose = each.get("subject", each.get("patient", {})).get("reference")
        if whose == f"Patient/{patient}" or (whose is None and each["resourceType"] != "Patient"):
            shown.append(_shown(each, companion=whose is None))
    return Answer(folder, tuple(shown))


def _shown(resource: dict[str, Any], *, companion: bool) -> Shown:
    """With the category that the consultation would have found."""
    kind = resource["resourceType"]
    return Shown(f"{kind}/{resource['id']}", resource, companion, category_of(kind, contents(resource).codings))


def answers(patient: dict[str, str]) -> list[Answer]:
    return [answer(folder, feed_id) for folder, feed_id in patient.items()]


def told(*trees: dict[str, Any], feed: str = "lab", local: bool = False) -> Answer:
    """An answer of trees that are resources; a type and an id are added where missing."""
    shown = []
    for place, tree in enumerate(trees):
        whole = {"resourceType": "Observation", "id": f"o{place}"} | tree
        shown.append(_shown(whole, companion=False))
    return Answer(feed, tuple(shown), local)


def row(tree: dict[str, Any]) -> Result:
    """The one result that `tree` is."""
    listed = overview([told(tree)])
    return (*listed.results, *listed.mistaken)[0]


def by_reference(results: Iterable[Result]) -> dict[str, Result]:
    return {each.reference: each for each in results}


def quantity(value: Any, unit: str = "mg/L", ucum: str | None = "mg/L", **more: Any) -> dict[str, Any]:
    system = {"system": "http://unitsofmeasure.org", "code": ucum} if ucum else {}
    return {"value": value, "unit": unit, **system, **more}


def code(value: str, system: str = "http://loinc.org", text: str | None = None) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": value}], **({"text": text} if text else {})}


def interpreted(value: str) -> list[dict[str, Any]]:
    return [code(value, "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation")]
