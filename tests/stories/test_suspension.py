"""The security officer stops somebody while the gateway runs: at once, in every process, and lets them go on again."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from plugin.cli import main
from plugin.sealing import new_key
from plugin.state.suspensions import FILE
from policies.vocabulary.purposes import ACT_REASON
from tests.consultation.test_attempt import rebuilt
from tests.world import CLIENT, CONFIGURATION, ISSUER, World, observation

SEARCH = "/fhir/city-lab/Observation?patient=p1"
PERSON = ("person", f"{ISSUER}|dr-roy")
AUDITORS = 'auditors = { claim = "roles", values = ["auditor"] }\n  [[ehr.issuer]]'


def vitrine(world: World, *words: str) -> str:
    """Run the command, which shares nothing with the gateway but files; what it printed."""
    done = CliRunner().invoke(main, ["--config", str(world.folder / "vitrine.toml"), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One with an auditor."""
    made = World(tmp_path, CONFIGURATION.replace("[[ehr.issuer]]", AUDITORS, 1))
    made.lab.resources.append(observation("o1", valueString="MARKER"))
    return made


def auditor(world: World, subject: str = "a-1") -> str:
    """The token of somebody who may search the log."""
    iua = {"purpose_of_use": [{"system": ACT_REASON, "code": "HCOMPL"}]}
    return world.token(
        sub=subject,
        roles=["auditor"],
        scope="user/AuditEvent.rs",
        fhirUser=f"Practitioner/{subject}",
        extensions={"ihe_iua": iua},
        without=("patient",),
    )


@pytest.mark.parametrize("what", [PERSON, ("client", CLIENT), ("feed", "city-lab")])
def test_what_is_suspended_is_refused_at_once_and_goes_on_when_resumed(world: World, what: tuple[str, str]) -> None:
    """No restart and no new token: the rule of the core refuses, nobody is asked, the refusal is recorded."""
    token = world.token()
    assert world.ask(SEARCH, token=token).status == 200
    vitrine(world, "policy", "suspend", *what, "--reason", "seen selling results")
    world.lab.queries.clear()
    answer = world.ask(SEARCH, token=token)
    assert (answer.status, answer.reason) == (403, "access-denied")
    assert b"MARKER" not in answer.data
    assert b"suspended" not in answer.data, "why is for the log"
    assert world.lab.queries == []
    record = world.last()
    assert (record["action"], record["rules"]) == ("consultation:denied", ["suspended"])
    assert record["person"]["subject"] == "dr-roy"
    vitrine(world, "policy", "resume", *what, "--reason", "cleared")
    assert world.ask(SEARCH, token=token).status == 200


def test_others_go_on(world: World) -> None:
    """A suspension stops what it names and nothing else."""
    vitrine(world, "policy", "suspend", *PERSON, "--reason", "r")
    vitrine(world, "policy", "suspend", "feed", "imaging", "--reason", "r")
    assert world.ask(SEARCH, token=world.token(sub="dr-kim")).status == 200
    assert world.ask("/fhir/imaging/ImagingStudy", token=world.token(sub="dr-kim")).status == 403


def test_attempts_at_anything_else_are_refused_too(world: World) -> None:
    """A read, a search by POST and a write: one refusal, whose status tells nothing of the address."""
    vitrine(world, "policy", "suspend", *PERSON, "--reason", "r")
    token = world.token()
    for method, path in [
        ("GET", "/fhir/city-lab/Observation/o1"),
        ("POST", "/fhir/city-lab/Observation/_search"),
        ("POST", "/fhir/city-lab/Observation"),
    ]:
        answer = world.ask(path, token=token, method=method, content_type="application/x-www-form-urlencoded")
        assert (answer.status, answer.reason) == (403, "access-denied")
        assert "suspended" in world.last()["rules"]


def test_a_suspended_auditor_does_not_read_the_log(world: World) -> None:
    """By token; the refusal stands in the log that they wanted to see."""
    token = auditor(world)
    assert world.ask("/fhir/AuditEvent", token=token).status == 200
    vitrine(world, "policy", "suspend", "person", f"{ISSUER}|a-1", "--reason", "r")
    answer = world.ask("/fhir/AuditEvent", token=token)
    assert (answer.status, answer.reason) == (403, "access-denied")
    record = world.last()
    assert (record["action"], record["rules"]) == ("log:denied", ["suspended"])
    assert "resumed" not in vitrine(world, "audit", "list", "--reason", "what happened"), "the operator still reads"


def test_where_suspensions_cannot_be_read_nothing_is_shown(world: World) -> None:
    """Not knowing who is stopped is not knowing that somebody may look: 503, recorded, for looks and log alike."""
    (world.settings.state_dir / FILE).mkdir()
    for question, token, action in [
        (SEARCH, world.token(), "consultation:unavailable"),
        ("/fhir/AuditEvent", auditor(world), "log:failed"),
    ]:
        answer = world.ask(question, token=token)
        assert (answer.status, answer.reason) == (503, "state-unavailable")
        assert b"MARKER" not in answer.data
        assert world.last()["action"] == action
    assert world.lab.queries == []
    assert vitrine(world, "audit", "list", "--reason", "what happened"), "the operator finds out what is wrong"


def test_a_lost_sealing_key_lets_nobody_walk_in_again(world: World) -> None:
    """The person suspended under the old key could not be found under the new one, so nothing is shown."""
    vitrine(world, "policy", "suspend", *PERSON, "--reason", "r")
    world.settings.key_file.write_text(new_key())
    world.assembled = world._assembled()
    rebuilt(world)
    assert world.ask(SEARCH, token=world.token(sub="dr-kim")).status == 503
