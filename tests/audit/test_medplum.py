"""Our AuditEvents, checked by a validator that is not ours: `validateResource` of Medplum, with the BALP profiles.

`tests/audit/medplum/install` installs it; `tests/audit/medplum/validate.mjs` says what it checks and what it does not.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import Phase, given, settings

from fhir_adapters.interface import FeedUnavailable
from plugin.audit.audit_event import to_audit_event
from plugin.audit.deleted import deleted_event
from plugin.event import AuditAction
from plugin.ledger.reader import Reader
from tests.audit import bodies
from tests.audit.test_balp_profile import EXAMPLES, MUTATIONS, example
from tests.world import World, observation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Event = dict[str, Any]
HERE = Path(__file__).parent
PACKAGES = HERE.parents[1] / ".cache" / "medplum"
BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
SECONDS = 240
"""For Node to read the definitions of R4 and some hundred events, on a machine with much else to do."""

UNSEEN = {"an empty string", "an entity in a closed slicing", "authorizer that is not the source"}
"""What our own checker refuses and Medplum lets pass. No event of ours claims the profile of the last two."""


def node() -> str:
    """The path of Node, where the packages are those of the lock file; otherwise the test is skipped."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    lock = "package-lock.json"
    installed = PACKAGES / lock
    complete = (PACKAGES / "node_modules" / ".package-lock.json").exists()
    if not complete or installed.read_bytes() != (HERE / "medplum" / lock).read_bytes():
        pytest.skip("@medplum/core is not there: run tests/audit/medplum/install (it needs Node 20 and npm)")
    return found


def medplum_problems(events: Iterable[Event]) -> list[list[str]]:
    """What Medplum has against each event, as R4 AuditEvent and as every profile that it claims."""
    done = subprocess.run(
        [node(), HERE / "medplum" / "validate.mjs", PACKAGES, HERE / "balp"],
        input=b"\n".join(orjson.dumps(event) for event in events),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[:300]
    return [json.loads(line) for line in done.stdout.splitlines()]


def objections(events: Mapping[str, Event]) -> dict[str, list[str]]:
    """The events that Medplum has something against, and what."""
    found = medplum_problems(events.values())
    assert len(found) == len(events)
    return {name: problems for name, problems in zip(events, found, strict=True) if problems}


def claims(events: Iterable[Event]) -> set[str]:
    return {url.removeprefix(BALP) for event in events for url in event.get("meta", {}).get("profile", [])}


def test_what_ihe_published_passes() -> None:
    """Otherwise the profiles would not be those of IHE any more after they were cut for Medplum."""
    assert objections({name: example(name) for name in EXAMPLES}) == {}


def test_wrong_events_are_seen() -> None:
    """The check bites: each mutation breaks one rule of a profile, and what Medplum does not see is known by name."""
    events = {}
    for name, (source, mutate) in MUTATIONS.items():
        events[name] = example(source)
        mutate(events[name])
    assert events.keys() - objections(events).keys() == UNSEEN


def test_a_misspelt_profile_or_extension_is_seen() -> None:
    """A claim that cannot be checked must not pass for one without rules."""
    event = example("AuditEvent-ex-auditBasicReadServer")
    profile = {**event, "meta": {"profile": [BALP + "PatientRaed"]}}
    extension = {**event, "extension": [{"url": "https://profiles.ihe.net/x", "valueString": "x"}]}
    assert objections({"profile": profile, "extension": extension}) == {
        "profile": ["IHE.BasicAudit.PatientRaed there is no such definition"],
        "extension": ["x there is no such definition"],
    }


def test_an_event_of_every_kind_conforms_to_what_it_claims() -> None:
    """Each kind of record, each interaction, each kind of token."""
    events = {name: to_audit_event(bodies.header(), body) for name, body in bodies.ONE_OF_EACH.items()}
    assert objections({**events, "deleted": deleted_event(bodies.header())}) == {}
    assert {str(action) for action in AuditAction} <= {body["action"] for body in bodies.ONE_OF_EACH.values()}
    assert claims(events.values()) == {
        "PatientRead",
        "PatientQuery",
        "OAUTHaccessTokenUse.Comprehensive",
        "OAUTHaccessTokenUse.Minimal",
    }


def test_an_event_of_a_body_with_anything_missing_conforms_to_what_it_claims() -> None:
    """A claim is made only where the record has all that the profile asks for; odd text stays valid FHIR."""
    events: list[Event] = []

    @settings(max_examples=400, derandomize=True, database=None, phases=[Phase.generate], deadline=None)
    @given(bodies.any_body)
    def gather(body: bodies.Body) -> None:
        events.append(to_audit_event(bodies.header(), body))

    gather()
    assert objections({f"{number} {event}": event for number, event in enumerate(events)}) == {}


def test_the_events_of_a_day_conform_to_what_they_claim(world: World) -> None:
    """Records as the gateway writes them: releases, refusals, failures, callers without a token."""
    world.lab.resources += [observation("o1"), observation("o2")]
    world.lab.page_size = 1
    searched = world.ask("/fhir/city-lab/Observation?patient=p1&_count=1")
    following = searched.link("next")
    assert following is not None
    world.ask(following)
    world.ask("/fhir/city-lab/Observation/o1")
    world.ask("/fhir/city-lab/Patient/p1")
    world.ask("/fhir/city-lab/Observation/nothing")
    world.ask("/fhir/city-lab/Observation?patient=p2")
    world.ask("/fhir/city-lab/Observation?patient=p1", token=world.token(scope="patient/Immunization.rs"))
    world.ask("/fhir/city-lab/Observation?patient=p1", token=world.token(without=("jti",)))
    world.ask("/fhir/city-lab/Observation", method="POST", json=observation("o3"))
    world.ask("/fhir/city-lab/Observation/o1", method="DELETE")
    world.ask("/fhir/city-lab/Observation?patient=p1", token="")
    world.ask("/fhir/city-lab/Observation?patient=p1", token="not.a.token")
    world.lab.failure = FeedUnavailable("feed 'city-lab' could not be reached")
    world.ask("/fhir/city-lab/Observation?patient=p1")
    records = [each for each in Reader(world.settings.ledger.path).records() if each.body]
    events = {
        f"{number} {orjson.loads(each.body)['action']}": to_audit_event(
            orjson.loads(each.header), orjson.loads(each.body)
        )
        for number, each in enumerate(records)
    }
    assert objections(events) == {}
    assert {name.partition(" ")[2] for name in events} >= {
        AuditAction.CONSULTATION_RELEASED,
        AuditAction.CONSULTATION_DENIED,
        AuditAction.CONSULTATION_FAILED,
        AuditAction.CALLERS_REFUSED,
    }
    assert claims(events.values()) >= {"PatientRead", "PatientQuery", "OAUTHaccessTokenUse.Comprehensive"}
