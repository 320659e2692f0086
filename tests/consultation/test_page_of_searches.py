"""A page needs several searches at one feed: they are one look, judged type by type and as a whole, with one record."""

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.interface import Call, Entry, FeedTypeUnknown, FeedUnavailable, Page
from plugin.authentication.credential import BearerToken
from plugin.consultation.release import Release
from plugin.errors import FeedFailed, Refused
from policies.vocabulary.consultation import ClinicalConsultation, Origin, Reason
from policies.vocabulary.interactions import Delivery, Interaction, Level
from tests.consultation.site import labelled, strict_world
from tests.world import CONFIGURATION, MemoryFeed, World, lab_patient, observation

TYPES = ("Observation", "DiagnosticReport", "ImagingStudy")


def look(world: World, *types: str, since: str | None = None, **claims: Any) -> Release:
    asked = ClinicalConsultation(
        "city-lab",
        Interaction.SEARCH_TYPE,
        Level.TYPE,
        Delivery.RENDERED,
        resource_type=types[0],
        also=types[1:],
        since=since,
    )
    return world.assembled.gateway.consult(
        BearerToken(world.token(**claims), None), asked, Origin("req-page", "192.0.2.1", "viewer")
    )


def report(resource_id: str, *results: str) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": resource_id,
        "status": "final",
        "code": {"text": "Blood count"},
        "subject": {"reference": "Patient/lab-1"},
        "result": [{"reference": f"Observation/{each}"} for each in results],
    }


def test_a_page_of_several_types_is_one_look_and_one_record(world: World) -> None:
    """In the order of the types, whatever order the feed answers in."""
    world.lab.resources += [observation("o1", valueQuantity={"value": Decimal("1.50")}), report("r1", "o1")]
    shown = look(world, *TYPES).shown
    assert [each.reference for each in shown] == ["Observation/o1", "DiagnosticReport/r1"]
    assert str(shown[0].resource["valueQuantity"]["value"]) == "1.50"
    [body] = world.bodies()
    assert body["action"] == "consultation:released"
    assert body["asked"]["query"] == "?_type=Observation,DiagnosticReport,ImagingStudy&patient=p1"
    assert body["asked"]["scope"] == "patient/Observation.s patient/DiagnosticReport.s patient/ImagingStudy.s"
    assert [each["reference"] for each in body["released"]] == ["Observation/o1", "DiagnosticReport/r1"]
    assert "left_out" not in body["asked"]


def test_what_the_token_does_not_cover_is_left_out_and_recorded(world: World) -> None:
    """And is never asked of the feed."""
    world.lab.resources += [observation("o1"), report("r1")]
    shown = look(world, *TYPES, scope="patient/Observation.rs patient/ImagingStudy.s").shown
    assert [each.reference for each in shown] == ["Observation/o1"]
    assert not [query for query in world.lab.queries if "DiagnosticReport" in query]
    assert world.last()["asked"]["left_out"] == [{"type": "DiagnosticReport", "rules": ["scope"]}]
    assert world.last()["asked"]["query"].startswith("?_type=Observation,ImagingStudy&")


class Partial(MemoryFeed):
    """A server that knows only some types, and says so with 404 as R4 does."""

    types: tuple[str, ...] = ("Patient", "Observation")

    def search(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        if resource_type not in self.types:
            raise FeedTypeUnknown("the feed has no resources of the type")
        return super().search(resource_type, parameters, call)


def test_a_type_that_a_feed_does_not_have_takes_nothing_from_the_others(world: World) -> None:
    """Few servers have all that a page asks for. The record says which this one lacks."""
    world.lab.__class__ = Partial
    world.lab.resources.append(observation("o1"))
    assert [each.reference for each in look(world, *TYPES).shown] == ["Observation/o1"]
    lacking = [{"type": name, "rules": ["not-at-feed"]} for name in TYPES[1:]]
    assert (world.last()["outcome"], world.last()["asked"]["left_out"]) == ("0", lacking)


def test_a_feed_that_has_none_of_the_types_gave_no_answer(world: World) -> None:
    """Its address may be a mistyped one: an empty page would say that there are no results."""
    world.lab.__class__ = Partial
    with pytest.raises(FeedFailed):
        look(world, *TYPES[1:])
    assert (world.last()["outcome"], world.last()["feed"]["answer"]) == ("8", "type-unknown")


def test_a_page_of_which_nothing_is_permitted_is_refused(world: World) -> None:
    """With the refusal of its first type, and one record."""
    with pytest.raises(Refused) as refusal:
        look(world, *TYPES, scope="patient/Condition.rs")
    assert refusal.value.reason == Reason.INSUFFICIENT_SCOPE
    [body] = world.bodies()
    assert (body["outcome"], [each["type"] for each in body["asked"]["left_out"]]) == ("4", list(TYPES))
    assert world.lab.queries == []


def test_a_rule_may_leave_out_a_type(tmp_path: Path) -> None:
    """As it would refuse a look at that type alone."""
    rule = """
    @id("no-imaging") @fr("F.") @en("E.")
    forbid (principal, action in Action::"consult", resource)
    when { context has type && context.type == "ImagingStudy" };
    """
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "site.cedar").write_text(rule)
    world = World(tmp_path, f'{CONFIGURATION}\n[policies]\ndirectory = "rules"\n')
    world.lab.resources.append(observation("o1"))
    assert [each.reference for each in look(world, *TYPES).shown] == ["Observation/o1"]
    assert world.last()["asked"]["left_out"] == [{"type": "ImagingStudy", "rules": ["no-imaging"]}]


def test_what_a_page_shows_is_withheld_upward_across_its_types(tmp_path: Path) -> None:
    """A report on the same page as its withheld result is not shown."""
    world = strict_world(tmp_path)
    world.lab.resources += [labelled(observation("o1")), observation("o2"), report("r1", "o1"), report("r2", "o2")]
    shown = [each.reference for each in look(world, "Observation", "DiagnosticReport").shown]
    assert shown == ["Observation/o2", "DiagnosticReport/r2"]


def test_a_page_from_a_day_on_asks_for_it_where_the_type_has_a_day(world: World) -> None:
    """An allergy of ten years ago is one of today."""
    look(world, "Observation", "AllergyIntolerance", "ImagingStudy", since="2025-11-25")
    asked = {query[1]: query for query in world.lab.queries if query[0] == "search"}
    assert "date=ge2025-11-25" in asked["Observation"]
    assert "started=ge2025-11-25" in asked["ImagingStudy"]
    assert not [each for each in asked["AllergyIntolerance"] if "ge2025" in each]
    assert world.last()["asked"]["query"].endswith("&date=ge2025-11-25")
    look(world, "Observation", since="2025-11-25")
    assert world.last()["asked"]["query"] == "Observation?patient=p1&date=ge2025-11-25"


def test_more_than_one_look_may_hold_is_refused_not_cut(world: World) -> None:
    """Over all types together."""
    world.lab.resources += [observation(f"o{n}") for n in range(600)] + [report(f"r{n}") for n in range(600)]
    with pytest.raises(Refused) as refusal:
        look(world, *TYPES)
    assert refusal.value.reason == Reason.TOO_COSTLY


def test_one_search_that_fails_fails_the_page(world: World) -> None:
    """A feed is whole or missing: a page that lacks a type of results would look like one without any."""
    world.lab.resources.append(observation("o1"))
    whole = world.lab.search

    def search(resource_type: str, *rest: Any) -> Any:
        if resource_type == "DiagnosticReport":
            raise FeedUnavailable("gone")
        return whole(resource_type, *rest)

    world.lab.search = search  # type: ignore[method-assign]
    with pytest.raises(FeedFailed):
        look(world, *TYPES)
    assert world.last()["outcome"] == "8"
    assert world.last()["released"] == []


def test_a_source_that_names_the_patient_anew_in_every_answer_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes its Bundles up and has a fresh `urn:uuid` for what stands in each, the patient among them."""
    searched, made = world.lab.search, itertools.count()

    def search(resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        if resource_type == "Patient":
            return searched(resource_type, parameters, call)
        number = next(made)
        about = {"reference": f"urn:uuid:patient-{number}"}
        resource = report("r1") if resource_type == "DiagnosticReport" else observation("o1")
        return Page((Entry(lab_patient(), about["reference"]), Entry({**resource, "subject": about})), None)

    monkeypatch.setattr(world.lab, "search", search)
    shown = look(world, "Observation", "DiagnosticReport").shown
    assert [each.reference for each in shown] == ["Observation/o1", "DiagnosticReport/r1"]
    assert [each.resource["subject"] for each in shown] == [{"reference": "Patient/lab-1"}] * 2
