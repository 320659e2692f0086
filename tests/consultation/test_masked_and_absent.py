"""Masked and absent look the same: over generated graphs of results, panels, reports, documents and lists.

Whatever a look holds back is then taken out of the source, and the same look is made again: whoever compares the two
answers must not be able to tell which is which, in status, headers, body, order or links.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from fhir_adapters.interface import Tree
from tests.consultation.site import labelled, shape, strict_world
from tests.faces.records_in_memory import Records, with_records_in_memory
from tests.world import LAB_BASE, Asked, World, lab_patient, observation

VARYING = {"X-Request-Id", "Date", "Content-Length"}
SUBJECT = {"reference": "Patient/lab-1"}
TYPES = ("Observation", "DiagnosticReport", "DocumentReference")
LINKS = {
    "Observation": ("hasMember", "derivedFrom", "focus", "contained"),
    "DiagnosticReport": ("result", "result", "basedOn", "contained-list"),
    "DocumentReference": ("relatesTo", "related", "contained-list"),
}
INCLUDES = {
    "Observation": ("", "&_include=Observation:has-member", "&_include=Observation:derived-from"),
    "DiagnosticReport": ("", "&_include=DiagnosticReport:result"),
    "DocumentReference": ("", "&_include=DocumentReference:relatesto"),
}
FORMS = ("{}", LAB_BASE + "/{}", "{}/_history/2")
READERS = count()


@dataclass(frozen=True)
class Node:
    """One resource of a generated source, and what it names: (element, form of the reference, number)."""

    number: int
    type: str
    secret: bool
    links: tuple[tuple[str, str, int], ...]

    @property
    def id(self) -> str:
        return f"node{self.number}q"

    @property
    def place(self) -> str:
        return f"{self.type}/{self.id}"

    @property
    def marks(self) -> tuple[bytes, ...]:
        return (self.id.encode(), f"code{self.number}q".encode(), f"text{self.number}q".encode())


@st.composite
def sources(draw: st.DrawFn) -> list[Node]:
    """A source of some resources in any order; some names lead to one that is not there."""
    types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=7))
    nodes = []
    for number, resource_type in enumerate(types):
        link = st.tuples(st.sampled_from(LINKS[resource_type]), st.sampled_from(FORMS), st.integers(0, len(types)))
        secret = draw(st.sampled_from([False, False, False, True]))
        nodes.append(Node(number, resource_type, secret, tuple(draw(st.lists(link, max_size=3)))))
    return draw(st.permutations(nodes))


def resource(node: Node, places: dict[int, str]) -> Tree:
    """As the laboratory has it."""
    more: dict[str, Any] = {}
    for element, form, number in node.links:
        target = {"reference": form.format(places.get(number, f"Observation/node{number}q"))}
        match element:
            case "relatesTo":
                more.setdefault("relatesTo", []).append({"code": "appends", "target": target})
            case "related":
                more.setdefault("context", {}).setdefault("related", []).append(target)
            case "contained":
                inside = {"resourceType": "Observation", "id": f"c{number}", "subject": SUBJECT, "partOf": [target]}
                more.setdefault("contained", []).append(inside)
            case "contained-list":
                inside = {"resourceType": "List", "id": f"c{number}", "subject": SUBJECT, "entry": [{"item": target}]}
                more.setdefault("contained", []).append(inside)
            case _:
                more.setdefault(element, []).append(target)
    code = {"coding": [{"system": "http://loinc.org", "code": f"code{node.number}q"}]}
    if node.type == "Observation":
        made = observation(node.id, code=code, valueString=f"text{node.number}q", **more)
    else:
        kind = {"type": code} if node.type == "DocumentReference" else {"code": code, "conclusion": "none"}
        made = {"resourceType": node.type, "id": node.id, "status": "current", "subject": SUBJECT, **kind, **more}
    return labelled(made, "R" if node.secret else "N")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Records]:
    """One strict world for all examples, recorded in memory; each example sets the resources anew."""
    world = strict_world(tmp_path_factory.mktemp("twins"))
    return world, with_records_in_memory(world)


def look(world: World, nodes: list[Node], question: str, page_size: int = 1000) -> Asked:
    """The question put to a laboratory with these resources, by somebody who has not looked yet."""
    return pages(world, nodes, question, page_size)[0]


def pages(world: World, nodes: list[Node], question: str, page_size: int = 1000) -> list[Asked]:
    """The same, with all pages that follow."""
    places = {node.number: node.place for node in nodes}
    world.lab.resources = [lab_patient(), *(resource(node, places) for node in nodes)]
    world.lab.page_size = page_size
    world.lab._pages.clear()
    token = world.token(sub=f"twin-{next(READERS)}")
    answers = [world.ask(f"/fhir/city-lab/{question}", token=token)]
    while answers[-1].status == 200 and "link" in answers[-1].json and (following := answers[-1].link("next")):
        answers.append(world.ask(following, token=token))
    return answers


def seen(answer: Asked) -> Any:
    """All that a caller can tell of an answer, but for what differs between any two."""
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    body = answer.json
    if body["resourceType"] == "OperationOutcome":
        return answer.status, headers, shape(body), body["issue"][0]["details"]
    links = sorted(each["relation"] for each in body["link"])
    rest = {name: value for name, value in body.items() if name not in ("id", "link", "timestamp", "meta")}
    return answer.status, headers, links, shape(body.get("meta")), rest


def twin(nodes: list[Node], record: dict[str, Any]) -> list[Node]:
    """The same source, without what the look held back."""
    hidden = {each["reference"] for each in record.get("withheld", [])}
    return [node for node in nodes if node.place not in hidden]


ROUNDS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@settings(max_examples=40, **ROUNDS)
@given(nodes=sources(), data=st.data())
def test_a_search_without_what_is_masked_answers_the_same(
    strict: tuple[World, Records], nodes: list[Node], data: st.DataObject
) -> None:
    """With and without `_include`: entries, modes, counts and links."""
    world, records = strict
    resource_type = data.draw(st.sampled_from(sorted({node.type for node in nodes})))
    question = f"{resource_type}?patient=p1{data.draw(st.sampled_from(INCLUDES[resource_type]))}"
    masked = look(world, nodes, question)
    without = twin(nodes, records.bodies[-1])
    assume(len(without) < len(nodes))
    absent = look(world, without, question)
    event("something is shown" if absent.references else "nothing is left")
    assert seen(masked) == seen(absent)
    kept = {node.number for node in without}
    for node in nodes:
        if node.number not in kept:
            assert not any(mark in masked.data for mark in node.marks)


@settings(max_examples=25, **ROUNDS)
@given(nodes=sources())
def test_a_read_of_what_is_masked_answers_as_of_what_is_not_there(
    strict: tuple[World, Records], nodes: list[Node]
) -> None:
    """Also where it is masked for what it reports, which the look-up found."""
    world, records = strict
    for node in nodes:
        masked = look(world, nodes, node.place)
        without = twin(nodes, records.bodies[-1])
        if masked.status == 200:
            assert node in without
            continue
        assert seen(masked) == seen(look(world, [each for each in without if each is not node], node.place))


@settings(max_examples=25, **ROUNDS)
@given(nodes=sources(), page_size=st.integers(1, 4), size=st.integers(1, 4), data=st.data())
def test_pages_without_what_is_masked_are_the_same(
    strict: tuple[World, Records], nodes: list[Node], page_size: int, size: int, data: st.DataObject
) -> None:
    """What each page holds and whether another follows, however the feed pages."""
    world, records = strict
    resource_type = data.draw(st.sampled_from(sorted({node.type for node in nodes})))
    question = f"{resource_type}?patient=p1&_count={size}"
    before = len(records.bodies)
    masked = pages(world, nodes, question, page_size)
    hidden = {each["reference"] for body in records.bodies[before:] for each in body.get("withheld", [])}
    assume(hidden)
    absent = pages(world, [node for node in nodes if node.place not in hidden], question, page_size)
    assert [seen(each) for each in masked] == [seen(each) for each in absent]


@settings(max_examples=15, **ROUNDS)
@given(nodes=sources(), size=st.integers(1, 4))
def test_a_result_has_one_fate_in_every_look(strict: tuple[World, Records], nodes: list[Node], size: int) -> None:
    """Read alone, searched, with what it names, or page by page: whoever compares looks learns nothing."""
    world, _ = strict
    for resource_type in sorted({node.type for node in nodes}):
        own = [node for node in nodes if node.type == resource_type]
        found = look(world, nodes, f"{resource_type}?patient=p1").references
        read = [node.place for node in own if look(world, nodes, node.place).status == 200]
        assert found == read
        for include in INCLUDES[resource_type]:
            shown = look(world, nodes, f"{resource_type}?patient=p1{include}").json.get("entry", [])
            matches = [each["resource"]["id"] for each in shown if each["search"]["mode"] == "match"]
            assert matches == [place.partition("/")[2] for place in found]
        paged = pages(world, nodes, f"{resource_type}?patient=p1&_count={size}", page_size=2)
        assert [place for each in paged for place in each.references] == found
