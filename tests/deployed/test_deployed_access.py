"""Access that ends while the gateway serves: by a suspension in all workers at once; by the clock, recorded once."""

import time

import pytest

from plugin import assembly
from plugin.settings.file import load
from plugin.state.openings import Opening, Openings
from tests.deployed.deployment import PATIENT, Deployment

OBSERVATION = "/fhir/city-lab/Observation/obs-20417-261116-01"
ASKED = 12
"""Requests, each on a connection of its own: enough for both workers to get some."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def served(tmp_path, neighbours):
    """Two workers."""
    made = Deployment(tmp_path, neighbours, workers=2)
    yield made.prepare().start()
    made.end()


def statuses(served, token):
    return {served.ask(OBSERVATION, token=token).status for _ in range(ASKED)}


@pytest.mark.parametrize("what", ["person", "client", "feed"])
def test_a_suspension_reaches_every_worker_at_once_and_so_does_its_end(served, what):
    """From the moment that the command has returned; both are records."""
    token = served.token()
    assert statuses(served, token) == {200}
    person = served.last()["person"]
    key = {"person": f"{person['issuer']}|{person['subject']}", "client": "results-pane", "feed": "city-lab"}[what]
    served.run("policy", "suspend", what, key, "--reason", "an incident")
    assert statuses(served, token) == {403}
    assert served.last()["rules"] == ["suspended"]
    served.run("policy", "resume", what, key, "--reason", "cleared")
    assert statuses(served, token) == {200}
    actions = [body["action"] for body in served.bodies() if body["action"].startswith("access:")]
    assert actions == ["access:suspended", "access:resumed"]


def test_the_end_of_an_emergency_is_recorded_by_one_worker_within_a_minute(served):
    """Also if nobody looks any more, and whichever worker comes first."""
    served.ask(OBSERVATION)
    look = served.last()
    settings = load(served.path)
    openings = Openings(settings.state_dir, assembly.sealing_keys(settings))
    now = time.time()
    person = look["person"]
    opening = Opening(
        look["record"], person["issuer"], person["subject"], "hospital", PATIENT, "other", now - 60, now + 2
    )
    assert openings.reserve(opening, now - 60)
    assert openings.begin(opening)

    def ends():
        return [body for body in served.bodies() if body["action"] == "break-glass:closed"]

    served.wait_until(ends)
    time.sleep(1)
    (closed,) = ends()
    assert closed["break_glass"]["opening"] == look["record"]
    assert closed["break_glass"]["closed_by"] == "time"
    assert (closed["person"]["subject"], closed["patient"]) == (person["subject"], PATIENT)
    assert openings.claim_ended(time.time() + 3600) == []
