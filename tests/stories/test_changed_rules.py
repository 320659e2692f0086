"""A set of rules that changes while people look: each request is judged and recorded by one set, whole."""

from collections.abc import Callable
from pathlib import Path

import pytest

from policies import rulebook
from policies.rulebook import Rulebook
from tests.world import World, observation

SEARCH = "/fhir/city-lab/Observation"
CLOSED = '@id("closed") @en("E.") @fr("F.") forbid (principal, action in Action::"consult", resource);'
HIDDEN = '@id("hidden") @en("E.") @fr("F.") forbid (principal, action == Action::"show", resource);'


def rules(folder: Path, text: str = "") -> Rulebook:
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "a.cedar").write_text(text)
    return rulebook.load(site, unlabelled_documents="withhold")


def during_the_look(world: World, act: Callable[[], None]) -> None:
    """Have `act` done while the laboratory is asked."""
    search = world.lab.search

    def asked(*arguments):
        act()
        return search(*arguments)

    world.lab.search = asked  # type: ignore[method-assign]


@pytest.mark.parametrize("text", [CLOSED, HIDDEN], ids=["the look", "the result"])
def test_a_look_under_way_ends_under_the_set_that_it_began_with(world: World, text: str) -> None:
    """Half of one set and half of another would be a third, which nobody has approved."""
    world.lab.resources.append(observation("o1"))
    in_force = world.assembled.gateway.rules
    old, new = in_force.now(), rules(world.folder, text)
    during_the_look(world, lambda: in_force.replace(new))
    assert world.ask(SEARCH).references == ["Observation/o1"]
    assert world.last()["gateway"]["policies"] == old.digest
    after = world.ask(SEARCH)
    assert after.status == 403 or after.references == []
    assert world.last()["gateway"]["policies"] == new.digest


def test_no_verdict_of_the_set_before_is_remembered(world: World) -> None:
    """A permission that was remembered is none under other rules, nor is a refusal."""
    token = world.token()
    in_force = world.assembled.gateway.rules
    open_set, closed = in_force.now(), rules(world.folder, CLOSED)
    seen = []
    for each in (open_set, closed, open_set, closed):
        in_force.replace(each)
        seen.append((world.ask(SEARCH, token=token).status, world.last()["rules"]))
    assert [status for status, _ in seen] == [200, 403, 200, 403]
    assert seen[1][1] == ["closed"]
