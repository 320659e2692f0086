"""What the program leaves behind: every clinical value carries a marker, and the markers are looked for everywhere."""

import json
import re
from pathlib import Path

import pytest

from tests.deployed.deployment import SAMPLES, Deployment, odd_feed
from tests.deployed.neighbours import Neighbours, http_answer, json_answer

CLINICAL = "clinmark7Qx"
"""In every text of the laboratory's resources, and in whatever else a caller or a feed sends."""
NUMBER = "73519.42070"
"""Every measured value."""
PERSON = "persmark7Qx"
"""The clinician: in the ledger, and nowhere else."""
PATIENT = "ehr-1001"
TOKEN = "tokmark7Qx"
"""In claims that are not kept, and in what is no token."""

STRUCTURE = {
    "resourceType",
    "id",
    "reference",
    "url",
    "fullUrl",
    "system",
    "code",
    "status",
    "type",
    "mode",
    "versionId",
}
MOMENT = re.compile(r"\d{4}(-\d\d){0,2}(T.*)?")


pytestmark = pytest.mark.slow


def marked(tree, key=""):
    """`tree` with the marker in every text that is no structure and no date, and in place of every measured number."""
    if isinstance(tree, dict):
        return {name: value if name == "identifier" else marked(value, name) for name, value in tree.items()}
    if isinstance(tree, list):
        return [marked(each, key) for each in tree]
    if isinstance(tree, str) and key not in STRUCTURE and not MOMENT.fullmatch(tree):
        return f"{tree} {CLINICAL}"
    return NUMBER if isinstance(tree, float) else tree


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    """A gateway that went through every kind of story and was stopped, and what it showed meanwhile."""
    folder = tmp_path_factory.mktemp("traces")
    laboratory = tmp_path_factory.mktemp("laboratory")
    sample = json.loads((SAMPLES / "city-lab" / "lab-20417.json").read_text())
    text = json.dumps(marked(sample), ensure_ascii=False).replace(f'"{NUMBER}"', NUMBER)
    (laboratory / "lab.json").write_text(text)
    around = Neighbours(SAMPLES)
    manners = {
        "garbled": http_answer(f'{{"resourceType": "{CLINICAL}'.encode()),
        "failing": http_answer(CLINICAL.encode(), status="500 Oops", more=f"X-Why: {CLINICAL}\r\n"),
        "outcome": json_answer({"resourceType": "OperationOutcome", "issue": [{"diagnostics": CLINICAL}]}),
    }
    feeds = [
        odd_feed(name, around.odd(name, lambda connection, data=data: connection.sendall(data)))
        for name, data in manners.items()
    ]
    made = Deployment(folder, around, workers=2, feeds="".join(feeds))
    made.path.write_text(made.path.read_text().replace(str(SAMPLES / "city-lab"), str(laboratory)))
    try:
        made.prepare().start()
        yield made, *stories(made)
    finally:
        made.end()
        around.close()


def stories(gateway):
    """Everything that may happen; the answers, the metrics, and the tokens that were presented."""
    tokens, answers = [], []

    def ask(path, *, token=None, **more):
        if token is None:
            token = gateway.token(sub=PERSON, name=f"Dr {PERSON}", nickname=TOKEN)
        tokens.append(token)
        answers.append(gateway.ask(path, token=token, **more))
        return answers[-1]

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    first = ask(f"/fhir/city-lab/Observation?patient={PATIENT}&_count=5")
    link = next(each["url"] for each in first.json["link"] if each["relation"] == "next")
    ask(link.partition(str(gateway.port))[2])
    for resource_type in ("Observation", "DiagnosticReport", "Condition", "AllergyIntolerance", "MedicationRequest"):
        ask(f"/fhir/city-lab/Patient/{PATIENT}/{resource_type}")
    ask("/fhir/city-lab/Observation/_search", method="POST", headers=form, body=f"patient={PATIENT}".encode())
    ask("/fhir/city-lab/Observation/obs-20417-261116-01")
    ask("/fhir/city-lab/Observation/none")
    ask(f"/fhir/city-lab/Observation?_text={CLINICAL}&{CLINICAL}=1")
    ask(f"/fhir/city-lab/{CLINICAL}/{CLINICAL}")
    ask(f"/{CLINICAL}")
    ask("/fhir/city-lab/Observation", method="POST", headers={"X-Note": CLINICAL}, body=CLINICAL.encode() * 99)
    ask("/fhir/city-lab/Observation/o1", method="PUT", body=CLINICAL.encode())
    ask("/fhir/city-lab/Observation/_search", method="POST", headers=form, body=f"_content={CLINICAL}".encode())
    for manner in ("garbled", "failing", "outcome"):
        ask(f"/fhir/{manner}/Observation")
    ask("/fhir/city-lab/Observation", token=f"{TOKEN}.{TOKEN}.{TOKEN}")
    ask("/fhir/city-lab/Observation", token=gateway.token(sub=PERSON, exp=1))
    ask("/fhir/city-lab/Observation", token=gateway.token(sub=PERSON, scope="patient/Immunization.rs"))
    ask("/fhir/city-lab/Observation", token=gateway.token(sub=PERSON, jti=None, nickname=TOKEN))
    ask("/fhir/city-lab/Observation", headers={"Authorization": f"Basic {TOKEN}"})
    ask(f"/fhir/city-lab/Observation?access_token={TOKEN}")
    gateway.run("token", "explain", stdin=tokens[0].encode())
    metrics = gateway.operations("/metrics").body
    gateway.stop()
    return answers, metrics, tokens


def holding(folder: Path, *markers: str) -> list[str]:
    """Files below `folder` (or the file itself) in which a marker stands."""
    files = [folder] if folder.is_file() else [each for each in folder.rglob("*") if each.is_file()]
    return [str(each) for each in files for marker in markers if marker.encode() in each.read_bytes()]


def test_the_markers_were_there_to_be_left_behind(traces):
    """Otherwise the other tests would say nothing."""
    gateway, answers, _, _ = traces
    shown = b"".join(each.body for each in answers)
    assert shown.count(CLINICAL.encode()) > 100
    assert NUMBER.encode() in shown
    assert {each.status for each in answers} >= {200, 400, 401, 403, 404, 405, 502}
    assert holding(gateway.ledger.parent, PERSON, "Observation/obs-20417-261116-01")
    assert len(gateway.bodies()) > 20


def test_clinical_content_is_nowhere_at_rest(traces):
    gateway, _, metrics, _ = traces
    for place in ("state", "ledger", "tmp", "stderr", "stdout"):
        assert holding(gateway.folder / place, CLINICAL, NUMBER) == [], place
    assert CLINICAL.encode() not in metrics


def test_a_token_is_nowhere_at_rest(traces):
    """Neither whole nor in part, nor what a verified or a forged one says beyond what is recorded."""
    gateway, _, metrics, tokens = traces
    parts = {part for token in tokens for part in token.split(".")[1:] if part}
    for place in ("state", "ledger", "tmp", "stderr", "stdout"):
        assert holding(gateway.folder / place, TOKEN, *parts) == [], place
    assert TOKEN.encode() not in metrics


def test_persons_and_patients_are_in_the_ledger_alone(traces):
    gateway, _, metrics, _ = traces
    for place in ("state", "tmp", "stderr", "stdout"):
        assert holding(gateway.folder / place, PERSON, PATIENT, "lab-20417", "280015999090180") == [], place
    assert PERSON.encode() not in metrics
    assert PATIENT.encode() not in metrics


def test_the_log_is_json_and_has_no_error_of_ours(traces):
    gateway, *_ = traces
    assert not [line for line in gateway.log_lines() if line["level"] in {"error", "critical"}]
