"""Feeds that want the patient told: only in the viewer, with the clinician's word, which is durable before the call."""

from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.interface import FeedTimeout
from plugin.authentication.credential import BearerToken
from plugin.consultation.release import Release
from plugin.errors import FeedTooSlow, RecordUnavailable, Refused
from plugin.ledger.errors import LedgerUnavailable
from plugin.recorder import Recorder
from policies.vocabulary.consultation import ClinicalConsultation, Origin
from policies.vocabulary.interactions import Delivery, Interaction, Level
from tests.consultation.test_attempt import FaultyLedger, rebuilt
from tests.world import CONFIGURATION, World, observation

SEARCH = "/fhir/city-lab/Observation?patient=p1"
INSURER = CONFIGURATION.replace('id = "city-lab"', 'id = "city-lab"\npatient_informed = true')


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Whose laboratory wants the patient told."""
    made = World(tmp_path, INSURER)
    made.lab.resources.append(observation("o1"))
    return made


def look(world: World, *, word: bool, delivery: Delivery = Delivery.RENDERED, **more: Any) -> Release:
    """A look as the viewer will ask for it."""
    token = world.token(**more.pop("claims", {}))
    asked = ClinicalConsultation(
        more.pop("feed", "city-lab"),
        Interaction.SEARCH_TYPE,
        Level.TYPE,
        delivery,
        more.pop("resource_type", "Observation"),
        patient_informed=word,
    )
    origin = Origin("req-1", "192.0.2.1", "viewer")
    return world.assembled.gateway.consult(BearerToken(token, asked.feed), asked, origin)


def test_with_the_word_the_results_are_shown_and_both_are_recorded(world: World) -> None:
    """The word first: the feed was called knowing that it was durable."""
    durable_at_call: list[list[str]] = []
    search = world.lab.search

    def searched(*asked: Any) -> Any:
        durable_at_call.append([each["action"] for each in world.bodies()])
        return search(*asked)

    world.lab.search = searched  # type: ignore[method-assign]
    release = look(world, word=True)
    assert [each.resource["id"] for each in release.shown] == ["o1"]
    word, record = world.bodies()
    assert durable_at_call
    assert all(actions == ["patient:informed"] for actions in durable_at_call)
    assert (word["action"], word["outcome"]) == ("patient:informed", "0")
    assert (word["record"], word["request"]) == ("req-1.1-informed", "req-1")
    assert (word["patient"], word["feed"], word["person"]["subject"]) == ("p1", {"id": "city-lab"}, "dr-roy")
    assert word["ehr"]["id"] == "hospital"
    assert (record["action"], record["informed"]) == ("consultation:released", word["record"])


@pytest.mark.parametrize("delivery", Delivery)
def test_without_the_word_nobody_is_asked_anything(world: World, delivery: Delivery) -> None:
    """Deny by absence, and no word is invented for the record."""
    with pytest.raises(Refused) as refusal:
        look(world, word=False, delivery=delivery)
    assert (refusal.value.status, refusal.value.rules) == (403, ("informed-patient",))
    assert (world.ehr.queries, world.lab.queries) == ([], [])
    (record,) = world.bodies()
    assert (record["action"], record["rules"]) == ("consultation:denied", ["informed-patient"])
    assert "informed" not in record


def test_a_structured_request_is_refused_whatever_it_says(world: World) -> None:
    """A program cannot give a clinician's word."""
    with pytest.raises(Refused) as refusal:
        look(world, word=True, delivery=Delivery.STRUCTURED)
    assert refusal.value.rules == ("informed-patient",)
    answer = world.ask(SEARCH)
    assert (answer.status, answer.reason) == (403, "access-denied")
    assert world.last()["rules"] == ["informed-patient"]
    assert world.lab.queries == []
    assert [each["action"] for each in world.bodies()] == ["consultation:denied"] * 2


def test_a_word_for_a_look_that_is_refused_otherwise_is_not_recorded(world: World) -> None:
    """It was said of a look that never began."""
    with pytest.raises(Refused):
        look(world, word=True, claims={"scope": "patient/Patient.r"})
    with pytest.raises(Refused):
        look(world, word=True, claims={"patient": "p1", "without": ("fhirUser",)})
    assert {each["action"] for each in world.bodies()} == {"consultation:denied"}


def test_the_word_stays_when_the_feed_fails(world: World) -> None:
    """It was given; the record of the failure names it."""
    world.lab.failure = FeedTimeout("slow")
    with pytest.raises(FeedTooSlow):
        look(world, word=True)
    word, record = world.bodies()
    assert (record["action"], record["informed"]) == ("consultation:failed", word["record"])


@pytest.mark.parametrize("moment", ["before", "after"])
def test_no_feed_is_called_when_the_word_cannot_be_made_durable(world: World, moment: str) -> None:
    """Refused by the ledger, or of unknown outcome: then what is there is withdrawn, and nothing was shown."""
    faulty = FaultyLedger(world.assembled.ledger, [(moment, LedgerUnavailable("full"))])
    rebuilt(world, recorder=Recorder(faulty, {"base": "b", "version": "0", "policies": "d"}))  # type: ignore[arg-type]
    with pytest.raises(RecordUnavailable):
        look(world, word=True)
    assert (world.ehr.queries, world.lab.queries) == ([], [])
    actions = [each["action"] for each in world.bodies()]
    settled = ["patient:informed", "release:withdrawn"] if moment == "after" else ["ledger:gap"]
    assert actions == [*settled, "consultation:unavailable"]


def test_a_feed_that_does_not_want_it_is_looked_at_without_a_word(world: World) -> None:
    """And a word that is given is recorded all the same: a rule may have asked for it."""
    look(world, word=False, feed="imaging", resource_type="ImagingStudy")
    assert [each["action"] for each in world.bodies()] == ["consultation:released"]
    look(world, word=True, feed="imaging", resource_type="ImagingStudy")
    assert [each["action"] for each in world.bodies()][1:] == ["patient:informed", "consultation:released"]
