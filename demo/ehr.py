"""The pretend EHR: a FHIR base that serves its own patients to the gateway, and a page that lists them for a newcomer.

Nothing of what is looked at through the gateway ever comes to stand here.
"""

import shlex
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from demo.access_tokens import BearerCheck, BearerError
from demo.authorization_server import smart_configuration
from demo.fhir_answers import fhir, outcome, unauthorized
from demo.loopback_http import UnreachableError
from demo.pages import chosen_language, prepare
from demo.people import PatientName, call
from demo.results_pane import ResultsPane, SignInError
from fhir_adapters.interface import Feed

LOOKS: Mapping[str, tuple[str, Mapping[str, str], Mapping[str, str]]] = {
    "city-lab": (
        "Observation",
        {"category": "laboratory", "_sort": "-date"},
        {"en": "City laboratory: results", "fr": "Laboratoire de ville : résultats"},
    ),
    "imaging": ("DiagnosticReport", {}, {"en": "Imaging: reports", "fr": "Imagerie : comptes rendus"}),
    "insurer": (
        "ExplanationOfBenefit",
        {},
        {"en": "Insurer: reimbursements", "fr": "Assurance maladie : remboursements"},
    ),
}
"""What a newcomer may look at: feed -> type, parameters beside the patient, title."""


def look(gateway: str, feed: str, patient: str) -> str:
    """The address at the gateway of what `feed` has to show of `patient`."""
    resource_type, parameters, _ = LOOKS[feed]
    return f"{gateway}/fhir/{feed}/{resource_type}?{urlencode({'patient': patient, **parameters})}"


def curl_line(url: str, token: str) -> str:
    """A shell command that works as it stands; `token` may be `$TOKEN`."""
    header = f'"Authorization: Bearer {token}"' if token.startswith("$") else f"'Authorization: Bearer {token}'"
    # A proxy that the shell's environment names would not reach this machine's loopback.
    direct = "--noproxy 127.0.0.1 " if urllib.request.getproxies() else ""
    return f"curl -sS {direct}-H {header} {shlex.quote(url)}"


def create_ehr(
    *,
    base: str,
    gateway: str,
    own_records: Feed,
    patients: tuple[PatientName, ...],
    check: BearerCheck,
    pane: ResultsPane,
) -> Flask:
    """The EHR as a Flask app. `base` is its own address without `/fhir`; `check` guards its FHIR base."""
    app = Flask(__name__)
    prepare(app, form_targets=(check.issuer,))
    _add_fhir_base(app, base, own_records, check)
    by_id = {patient.id: patient for patient in patients}

    @app.get("/")
    def patient_list() -> str:
        lines = [(patient, curl_line(look(gateway, "city-lab", patient.id), "$TOKEN")) for patient in patients]
        return render_template("patients.html", patients=lines)

    @app.get("/results-pane/<patient>")
    def sign_in(patient: str) -> AnyResponse:
        if patient not in by_id:
            abort(404, "This EHR has no such patient.")
        return redirect(pane.begin(patient))

    @app.get("/results-pane")
    def signed_in() -> str:
        try:
            granted = pane.finish(request.args)
        except (SignInError, UnreachableError) as error:
            abort(400, f"{error}.")
        lines = [
            (titles[chosen_language()], curl_line(look(gateway, feed, granted.patient), granted.access_token))
            for feed, (_, _, titles) in LOOKS.items()
        ]
        return render_template("lines.html", patient=by_id[granted.patient], lines=lines)

    return app


def _add_fhir_base(app: Flask, base: str, own_records: Feed, check: BearerCheck) -> None:
    @app.get("/fhir/.well-known/smart-configuration")
    def smart() -> Response:
        response = jsonify(smart_configuration(check.issuer))
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    @app.get("/fhir/metadata")
    def metadata() -> Response:
        return fhir(_capability(base + "/fhir", check.issuer))

    @app.get("/fhir/Patient/<patient>")
    def read_patient(patient: str) -> Response:
        try:
            check.claims(request.headers.get("Authorization"))
        except BearerError as error:
            return unauthorized(error)
        found = own_records.read("Patient", patient, call("ehr-patient"))
        return outcome(404, "not-found") if found is None else fhir(found)

    @app.route("/fhir/<path:_>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nothing_else(_: str) -> Response:
        return outcome(404, "not-supported")


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
                "resource": [{"type": "Patient", "interaction": [{"code": "read"}]}],
            }
        ],
    }
