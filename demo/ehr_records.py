"""The pretend EHR's FHIR base: a patient's identifiers for the gateway's own client, and one patient's record for the
application that the EHR launched for that patient. It takes nothing in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, jsonify, request

from demo.access_tokens import BearerCheck, BearerError
from demo.authorization_server import smart_configuration
from demo.feed_server import Habits, searched
from demo.fhir_answers import fhir, outcome, unauthorized
from demo.people import call
from fhir_adapters.interface import Feed, FeedError, Tree

SHARED_TYPES = frozenset({"Practitioner", "PractitionerRole", "Organization"})
"""Of nobody's record: what a result refers to."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may ask."""

    matching: BearerCheck
    """The gateway's own client: reads a Patient."""
    launched: BearerCheck
    """An application that was launched for one patient: reads and searches what is about that one."""


def add_fhir_base(app: Flask, base: str, own_records: Feed, doors: Doors) -> None:
    """Add `/fhir` to the EHR. `base` is its own address without `/fhir`."""

    @app.get("/fhir/.well-known/smart-configuration")
    def smart() -> Response:
        response = jsonify(smart_configuration(doors.matching.issuer))
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    @app.get("/fhir/metadata")
    def metadata() -> Response:
        return fhir(_capability(base + "/fhir", doors.matching.issuer))

    @app.get("/fhir/<resource_type>/<resource_id>")
    def read(resource_type: str, resource_id: str) -> Response:
        try:
            patient = _patient_in_context(doors)
        except BearerError as error:
            return unauthorized(error)
        if patient is None and resource_type != "Patient":
            return outcome(404, "not-supported")
        found = own_records.read(resource_type, resource_id, call("ehr-read"))
        return outcome(404, "not-found") if found is None or not _is_of(patient, found) else fhir(found)

    @app.get("/fhir/<resource_type>")
    def search(resource_type: str) -> Response:
        try:
            patient = _patient_in_context(doors)
        except BearerError as error:
            return unauthorized(error)
        if patient is None:
            return outcome(404, "not-supported")
        named = request.args.get("_id" if resource_type == "Patient" else "patient", "")
        if named.removeprefix("Patient/") != patient:
            return outcome(403, "forbidden")
        try:
            return searched(own_records, f"{base}/fhir", Habits(), resource_type)
        except FeedError:
            return outcome(400, "not-supported")

    @app.route("/fhir/<path:_>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nothing_else(_: str) -> Response:
        return outcome(404, "not-supported")


def _patient_in_context(doors: Doors) -> str | None:
    """The one patient of a launch; None for the gateway's own client. Raises BearerError."""
    given = request.headers.get("Authorization")
    try:
        patient = doors.launched.claims(given).get("patient")
    except BearerError:
        doors.matching.claims(given)
        return None
    if not isinstance(patient, str):
        raise BearerError("insufficient_scope", 403)
    return patient


def _is_of(patient: str | None, resource: Tree) -> bool:
    """Whether a launch for `patient` reaches it; the gateway's own client reaches every Patient."""
    if patient is None or resource["resourceType"] in SHARED_TYPES:
        return True
    if resource["resourceType"] == "Patient":
        return bool(resource["id"] == patient)
    subject: Mapping[str, Any] = resource.get("subject", {})
    return bool(subject.get("reference") == f"Patient/{patient}")


def _capability(fhir_base: str, issuer: str) -> dict[str, Any]:
    endpoints = [
        {"url": "authorize", "valueUri": f"{issuer}/authorize"},
        {"url": "token", "valueUri": f"{issuer}/token"},
    ]
    oauth = {"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris", "extension": endpoints}
    service = {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}
        ]
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-24",
        "kind": "instance",
        "software": {"name": "Pretend EHR"},
        "implementation": {"description": "The EHR of the Vitrine demonstration", "url": fhir_base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {"service": [service], "extension": [oauth]},
                "resource": [{"type": name, "interaction": [{"code": "read"}]} for name in ("Patient", "Observation")],
            }
        ],
    }
