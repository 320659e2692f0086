"""The pretend EHR: a list of patients, and outside results beside each. Its FHIR base is `ehr_records`.

Nothing of what is looked at through the gateway ever comes to stand here.
"""

import shlex
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Flask, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from demo.ehr_records import Doors, add_fhir_base
from demo.launches import Launches
from demo.loopback_http import UnreachableError
from demo.pages import chosen_language, prepare
from demo.people import PatientName
from demo.results_pane import ResultsPane, SignInError
from fhir_adapters.interface import Feed

EHR_ID = "hospital"
"""What the gateway's configuration calls this EHR."""

STYLE_PATH = "/style.json"
STYLE = {
    "color_background": "#f5f7f8",
    "color_error": "#9b1c1c",
    "color_highlight": "#0b5c73",
    "color_modal_backdrop": "#16232e",
    "color_success": "#1d6b3a",
    "color_text": "#16232e",
}
"""The colours of `static/demo.css`, as SMART has an EHR tell them."""

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
    doors: Doors,
    pane: ResultsPane,
    launches: Launches,
) -> Flask:
    """The EHR as a Flask app. `base` is its own address without `/fhir`; `doors` guard its FHIR base."""
    app = Flask(__name__)
    issuer = doors.matching.issuer
    prepare(app, form_targets=(issuer,), frames=(base, gateway, issuer))
    add_fhir_base(app, base, own_records, doors)
    by_id = {patient.id: patient for patient in patients}

    @app.get("/")
    def patient_list() -> str:
        lines = [(patient, curl_line(look(gateway, "city-lab", patient.id), "$TOKEN")) for patient in patients]
        return render_template("patients.html", patients=lines)

    app.add_url_rule(STYLE_PATH, "style", lambda: jsonify(STYLE))

    @app.get("/patients/<patient>")
    def record(patient: str) -> str:
        """A patient's own page, with the viewer beside what the EHR shows itself."""
        if patient not in by_id:
            abort(404, "This EHR has no such patient.")
        return render_template("record.html", patient=by_id[patient])

    @app.get("/viewer/<patient>")
    def open_viewer(patient: str) -> AnyResponse:
        """SMART App Launch: in the frame or the tab that asks for it."""
        if patient not in by_id:
            abort(404, "This EHR has no such patient.")
        launch = urlencode({"iss": f"{base}/fhir", "launch": launches.open(patient)})
        return redirect(f"{gateway}/launch/{EHR_ID}?{launch}")

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
