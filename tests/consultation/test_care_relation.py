"""What ties a person to a patient: the launch, or their own word with a reason where a rule takes it."""

from pathlib import Path
from typing import Any

import pytest

from plugin.authentication.credential import BearerToken
from plugin.consultation.care_context import MAX_REASON
from plugin.consultation.release import Release
from plugin.errors import Refused
from policies.vocabulary.consultation import ClinicalConsultation, Origin
from policies.vocabulary.interactions import Delivery, Interaction, Level
from tests.world import CONFIGURATION, World, observation

RULE = """
@id("declared-care") @fr("F.") @en("E.")
permit (principal, action in Action::"consult", resource)
when { context has purpose && context.purpose == "TREAT" && context has care_relation &&
       context.care_relation == "declared" };
"""


def site(folder: Path, rule: str) -> World:
    (folder / "rules").mkdir()
    (folder / "rules" / "site.cedar").write_text(rule)
    world = World(folder, f'{CONFIGURATION}\n[policies]\ndirectory = "rules"\n')
    world.lab.resources.append(observation("o1"))
    return world


@pytest.fixture
def declaring(tmp_path: Path) -> World:
    """A site that takes a person's word."""
    return site(tmp_path, RULE)


def look(world: World, delivery: Delivery = Delivery.RENDERED, **asked: Any) -> Release:
    """By somebody who has opened no patient at the EHR."""
    token = world.token(scope="openid fhirUser user/*.rs", without=("patient",))
    question = ClinicalConsultation(
        "city-lab", Interaction.SEARCH_TYPE, Level.TYPE, delivery, "Observation", patient="p1", **asked
    )
    return world.assembled.gateway.consult(BearerToken(token, None), question, Origin("req", "192.0.2.1", "viewer"))


def test_a_declared_relation_counts_where_a_rule_takes_it_and_is_recorded(declaring: World) -> None:
    """Kind of evidence and reason, in the record of the look."""
    release = look(declaring, care_declared="Takes over from Dr Kim tonight")
    assert [each.resource["id"] for each in release.shown] == ["o1"]
    record = declaring.last()
    assert (record["care_relation"], record["care_reason"]) == ("declared", "Takes over from Dr Kim tonight")


def test_by_default_no_rule_takes_it(world: World) -> None:
    """The shipped rules want the launch."""
    with pytest.raises(Refused):
        look(world, care_declared="Takes over from Dr Kim tonight")
    assert world.last()["outcome"] == "4"
    assert world.lab.queries == []


@pytest.mark.parametrize("reason", [None, "", "   ", "a\nb", "\u202e", "x" * (MAX_REASON + 1)])
def test_without_a_reason_that_can_be_read_nothing_is_declared(declaring: World, reason: str | None) -> None:
    """And the record holds none."""
    with pytest.raises(Refused):
        look(declaring, care_declared=reason)
    assert {"care_relation", "care_reason"}.isdisjoint(declaring.last())


def test_a_program_declares_nothing(declaring: World) -> None:
    """Only who is asked on a page can answer."""
    with pytest.raises(Refused):
        look(declaring, delivery=Delivery.STRUCTURED, care_declared="Takes over from Dr Kim tonight")


def test_the_launch_is_the_stronger_evidence(declaring: World) -> None:
    """What was declared beside it is not needed, and not recorded."""
    question = ClinicalConsultation(
        "city-lab",
        Interaction.SEARCH_TYPE,
        Level.TYPE,
        Delivery.RENDERED,
        "Observation",
        care_declared="not needed",
    )
    origin = Origin("req", "192.0.2.1", "viewer")
    declaring.assembled.gateway.consult(BearerToken(declaring.token(), None), question, origin)
    record = declaring.last()
    assert record["care_relation"] == "launch"
    assert "care_reason" not in record
