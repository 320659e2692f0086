"""What a resource contains is judged by its own type and kind of data: a container carries nothing past a rule."""

from pathlib import Path
from typing import Any

import pytest

from fhir_adapters.interface import Tree
from tests.world import CONFIGURATION, World, observation

RULES = """
@id("no-test-results") @fr("F.") @en("E.")
forbid (principal, action == Action::"show", resource)
when { context.category == "test-results" };

@id("no-prescriptions") @fr("F.") @en("E.")
forbid (principal, action == Action::"show", resource)
when { context.type == "MedicationRequest" };

@id("nothing-from-a-directory") @fr("F.") @en("E.")
forbid (principal, action == Action::"show", resource)
when { context.type == "Organization" || context.type == "Patient" };
"""
OURS = {"reference": "Patient/lab-1"}
IMAGING = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}]}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A site that shows no test results and no prescriptions."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "site.cedar").write_text(RULES)
    return World(tmp_path, f'{CONFIGURATION}\n[policies]\ndirectory = "rules"\n')


def request(*inside: Tree, **more: Any) -> Tree:
    whole = {"resourceType": "ServiceRequest", "id": "asked", "status": "active", "intent": "order", "subject": OURS}
    return {**whole, "contained": list(inside), **more}


@pytest.mark.parametrize(
    ("inside", "rule"),
    [
        (observation("in"), "no-test-results"),
        ({"resourceType": "MedicationRequest", "id": "in", "subject": OURS}, "no-prescriptions"),
    ],
)
def test_a_container_is_withheld_for_what_it_contains(world: World, inside: Tree, rule: str) -> None:
    """By the rule that would withhold that one alone; a read of it says what an absence says."""
    world.lab.resources.append(request(inside, supportingInfo=[{"reference": "#in"}]))
    assert world.ask("/fhir/city-lab/ServiceRequest?patient=p1").references == []
    assert world.last()["withheld"] == [{"reference": "ServiceRequest/asked", "rule": rule}]
    assert world.ask("/fhir/city-lab/ServiceRequest/asked").status == 404


def test_what_a_container_is_itself_is_not_said_by_codes_inside_it(tmp_path: Path) -> None:
    """An image that holds the result that it explains is an image, for the rules and in the record."""
    world = World(tmp_path)
    world.lab.resources.append({**observation("image"), "category": [IMAGING], "contained": [observation("in")]})
    assert world.ask("/fhir/city-lab/Observation?patient=p1").references == ["Observation/image"]
    assert world.last()["released"] == [{"reference": "Observation/image", "category": "imaging"}]


def test_a_directory_inside_withholds_nothing(world: World) -> None:
    """Who did it and for whom, inside the result, is not what such rules are about."""
    who = {"resourceType": "Organization", "id": "who", "name": "Laboratory"}
    world.lab.resources.append(request(who, performer=[{"reference": "#who"}]))
    assert world.ask("/fhir/city-lab/ServiceRequest/asked").status == 200
