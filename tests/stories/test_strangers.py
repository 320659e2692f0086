"""Callers who were never identified: what is recorded of them, and what a flood costs."""

import time

import orjson
import pytest

from plugin.ledger.reader import Reader
from plugin.state import callers
from tests.world import ISSUER, World

SEARCH = "/fhir/city-lab/Observation?patient=p1"


def test_a_flood_of_forged_tokens_leaves_a_bounded_number_of_records_with_exact_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anonymous callers cannot fill the disk, and what they did is known to the last one."""
    monkeypatch.setattr(callers, "BUCKET_SIZE", 10**9)
    forged = world.token()[:-10] + "AAAAAAAAAA"
    answers = [world.ask(SEARCH, token=forged) for _ in range(300)]
    assert {answer.status for answer in answers} == {401}
    world.assembled.strangers.summarise()
    first, rest = world.bodies()
    assert (first["callers"]["count"], rest["callers"]["count"]) == (1, 299)
    assert first["request"] == answers[0].headers["X-Request-Id"], "what is recorded by itself is joined to its answer"
    assert "request" not in rest
    assert "AAAAAAAAAA" not in str(world.bodies())
    assert world.lab.queries == []


def test_a_token_that_was_verified_but_is_not_for_us_is_counted_under_its_subject(world: World) -> None:
    """A misconfigured client, or a stolen token for somewhere else: the issuer vouches for the name.

    So the record is of the EHR whose issuer that is: auditors of others have no business with the person.
    """
    world.ask(SEARCH, token=world.token(aud="https://elsewhere.example"))
    assert world.last()["callers"]["subject"] == f"{ISSUER} dr-roy results-pane"
    world.ask(SEARCH, token=world.token(exp=1))
    assert "subject" not in world.last()["callers"]
    headers = [orjson.loads(each.header) for each in Reader(world.settings.ledger.path).records()]
    assert [each["tenant"] for each in headers[-2:]] == ["hospital", "gateway"]


def test_an_address_that_keeps_failing_is_held_off_with_429(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns when to come back; its neighbours are answered."""
    monkeypatch.setattr(callers, "BUCKET_REFILL", 0.001)
    for _ in range(callers.BUCKET_SIZE):
        world.ask(SEARCH, token="forged.forged.forged")
    answer = world.ask(SEARCH)
    assert (answer.status, answer.issue) == (429, "throttled")
    assert int(answer.headers["Retry-After"]) > 0
    assert world.ask(SEARCH, environ_overrides={"REMOTE_ADDR": "192.0.2.9"}).status == 200


def test_who_was_identified_before_is_not_held_off_by_the_failures_of_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hospital behind one proxy has one address: a program there that fails must not blind the wards. A token that
    nobody has verified yet waits, and so does one that has expired."""
    monkeypatch.setattr(callers, "BUCKET_REFILL", 0.001)
    known, short = world.token(), world.token(exp=int(time.time()) + 2)
    assert [world.ask(SEARCH, token=token).status for token in (known, short)] == [200, 200]
    for _ in range(callers.BUCKET_SIZE):
        world.ask(SEARCH, token="forged.forged.forged")
    assert world.ask(SEARCH, token=known).status == 200
    assert world.last()["action"] == "consultation:released"
    assert world.ask(SEARCH, token=world.token()).status == 429
    world.assembled.gateway.identifier._clock = lambda: time.time() + 3
    assert world.ask(SEARCH, token=short).status == 429
    world.assembled.gateway.identifier._clock = lambda: time.time() + 120
    assert world.ask(SEARCH, token=known).status == 200, "verified anew, once it is not remembered any more"
