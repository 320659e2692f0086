"""What is withheld leaves no trace in any answer: not a byte of its id, code or value, and no gap where it was."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fhir_adapters.interface import Tree
from tests.consultation.site import labelled, shape, strict_world
from tests.world import LAB_BASE, Asked, World, lab_patient, observation

IGNORED = {"X-Request-Id", "Date", "Content-Length"}


@pytest.fixture
def strict(tmp_path: Any) -> World:
    """A site that withholds confidentiality R."""
    return strict_world(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One strict world for all examples of a property; each example sets the resources anew."""
    return strict_world(tmp_path_factory.mktemp("strict"))


def headers(answer: Asked) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in IGNORED}


def trace(answer: Asked) -> bytes:
    return answer.data + repr(list(answer.headers.items())).encode()


LINKS = ("hasMember", "derivedFrom", "result", "target", "basedOn", "partOf", "identifier", "contained")
REPORTING = LINKS[:4]
FORMS = ("Observation/{}", LAB_BASE + "/Observation/{}", "Observation/{}/_history/1")


@dataclass(frozen=True)
class Item:
    """One result of a generated answer: a number, whether its source restricts it, and what it names."""

    number: int
    secret: bool = False
    inner_secret: bool = False
    """Restricted by something contained, or by a component."""
    links: tuple[tuple[str, str, int], ...] = field(default=())

    @property
    def id(self) -> str:
        return f"idq{self.number}q"

    @property
    def marks(self) -> tuple[bytes, ...]:
        return (self.id.encode(), f"codeq{self.number}q".encode(), f"valueq{self.number}q".encode())

    def resource(self) -> Tree:
        elements: dict[str, Any] = {}
        for link, form, number in self.links:
            target = {"reference": form.format(f"idq{number}q")}
            if link == "identifier":
                elements.setdefault("focus", []).append(
                    {"identifier": {"system": "urn:lab", "value": f"valueq{number}q"}}
                )
            elif link == "contained":
                inside = {"resourceType": "Observation", "id": f"c{number}", "subject": {"reference": "Patient/lab-1"}}
                elements.setdefault("contained", []).append({**inside, "partOf": [target]})
            else:
                elements.setdefault(link, []).append(target)
        if self.inner_secret:
            elements["component"] = [{"code": {"coding": [{"system": "http://loinc.org", "code": "75622-1"}]}}]
        whole = observation(
            self.id,
            code={"coding": [{"system": "http://loinc.org", "code": f"codeq{self.number}q"}]},
            identifier=[{"system": "urn:lab", "value": f"valueq{self.number}q"}],
            valueString=f"valueq{self.number}q",
            **elements,
        )
        return labelled(whole) if self.secret else whole


def expected(items: list[Item]) -> set[int]:
    """Who must be withheld, worked out by plain repetition."""
    present = {item.number for item in items}
    withheld = {item.number for item in items if item.secret or item.inner_secret}
    withheld |= {
        item.number for item in items if any(link in REPORTING and to not in present for link, _, to in item.links)
    }
    while more := {i.number for i in items if any(to in withheld for _, _, to in i.links)} - withheld:
        withheld |= more
    return withheld


def looked_up_from(item: Item, items: list[Item]) -> list[Item]:
    """`item` with all that it names by its place, however far down."""
    by_number = {each.number: each for each in items}
    found, frontier = {item.number}, [item]
    while frontier:
        named = {to for each in frontier for link, _, to in each.links if link != "identifier" and to in by_number}
        frontier = [by_number[number] for number in named - found]
        found |= named
    return [each for each in items if each.number in found]


@st.composite
def graphs(draw: st.DrawFn, links: tuple[str, ...] = LINKS, most: int = 7) -> list[Item]:
    size = draw(st.integers(1, most))
    numbers = st.integers(0, size)  # one more than there are: outside the answer
    link = st.tuples(st.sampled_from(links), st.sampled_from(FORMS), numbers)
    flags = st.sampled_from([(False, False)] * 4 + [(True, False), (False, True)])
    return [
        Item(number, *draw(flags), tuple(draw(st.lists(link, max_size=3))))
        for number in draw(st.permutations(range(size)))
    ]


ROUNDS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
READERS = iter(range(1_000_000))


def serve(world: World, items: list[Item], *, page_size: int = 1000) -> str:
    """Put `items` at the laboratory; a token of a reader who has not looked yet."""
    world.lab.resources = [lab_patient(), *(item.resource() for item in items)]
    world.lab.page_size = page_size
    world.lab.queries.clear()
    world.lab.calls.clear()
    world.lab._pages.clear()
    return world.token(sub=f"reader-{next(READERS)}")


@settings(max_examples=60, **ROUNDS)
@given(items=graphs())
def test_no_byte_of_what_is_withheld_is_in_any_answer(shared: World, items: list[Item]) -> None:
    """Over panels, contained resources, cycles, every form of reference; and all else is shown in its order."""
    token = serve(shared, items)
    withheld = expected(items)
    answer = shared.ask("/fhir/city-lab/Observation?patient=p1", token=token)
    assert answer.references == [f"Observation/{item.id}" for item in items if item.number not in withheld]
    for item in items:
        if item.number in withheld:
            assert not any(mark in trace(answer) for mark in item.marks)


@settings(max_examples=25, **ROUNDS)
@given(items=graphs(links=REPORTING), page_size=st.integers(1, 4), count=st.integers(1, 4))
@example(items=[Item(0), Item(1, links=(("hasMember", FORMS[0], 0),))], page_size=1, count=1)
def test_paging_reveals_no_gap(shared: World, items: list[Item], page_size: int, count: int) -> None:
    """However the feed pages: each page but the last is full, none is empty but a sole one, and no secret shows."""
    token = serve(shared, items, page_size=page_size)
    address: str | None = f"/fhir/city-lab/Observation?patient=p1&_count={count}"
    pages: list[Asked] = []
    while address is not None:
        pages.append(shared.ask(address, token=token))
        address = pages[-1].link("next")
    sizes = [len(page.references) for page in pages]
    assert all(size == count for size in sizes[:-1])
    assert sizes[-1] > 0 or len(sizes) == 1
    shown = [reference for page in pages for reference in page.references]
    assert len(shown) == len(set(shown))
    for item in items:
        if item.secret or item.inner_secret:
            assert not any(mark in trace(page) for page in pages for mark in item.marks)


@settings(max_examples=25, **ROUNDS)
@given(items=graphs(most=4))
def test_a_withheld_result_reads_like_an_absent_one(shared: World, items: list[Item]) -> None:
    """Status, headers and body are those of an id that never was."""
    token = serve(shared, items)
    absent = shared.ask("/fhir/city-lab/Observation/never-was", token=token)
    for item in items:
        answer = shared.ask(f"/fhir/city-lab/Observation/{item.id}", token=token)
        if item.number not in expected(looked_up_from(item, items)):
            assert answer.status == 200
            continue
        assert (answer.status, headers(answer), shape(answer.json)) == (404, headers(absent), shape(absent.json))
        assert answer.json["issue"][0]["details"] == absent.json["issue"][0]["details"]
        assert not any(mark in trace(answer) for mark in item.marks)


def test_a_search_that_finds_only_withheld_results_looks_empty(strict: World) -> None:
    """Also to one who asks for exactly that id or code; the record alone knows."""
    empty = strict.ask("/fhir/city-lab/Observation?patient=p1&_id=never-was")
    strict.lab.resources.append(labelled(observation("secret")))
    masked = strict.ask("/fhir/city-lab/Observation?patient=p1&_id=secret")
    assert masked.references == empty.references == []
    assert (masked.status, headers(masked), shape(masked.json)) == (empty.status, headers(empty), shape(empty.json))
    assert masked.link("next") is None
    assert strict.last()["withheld"] == [{"reference": "Observation/secret", "rule": "restricted-is-not-shown"}]
    assert strict.last()["outcome"] == "0"


def test_absent_and_masked_ask_the_feed_alike(strict: World) -> None:
    """The same steps: a look that stops early would be told by what the feed was asked."""
    strict.lab.resources.append(labelled(observation("secret")))
    strict.ask("/fhir/city-lab/Observation/never-was")
    first = [query[:2] for query in strict.lab.queries]
    strict.lab.queries.clear()
    strict.ask("/fhir/city-lab/Observation/secret")
    assert [query[:2] for query in strict.lab.queries] == first


@pytest.mark.parametrize("element", ["result", "imagingStudy", "basedOn"])
def test_a_report_does_not_carry_out_what_it_refers_to(strict: World, element: str) -> None:
    """A result is not in the answer to a search for reports: it is looked up, and judged."""
    strict.lab.ignores_parameters = True
    strict.lab.resources += [
        labelled(observation("secret")),
        {
            "resourceType": "DiagnosticReport",
            "id": "r1",
            "subject": {"reference": "Patient/lab-1"},
            element: [{"reference": "Observation/secret"}],
        },
    ]
    answer = strict.ask("/fhir/city-lab/DiagnosticReport?patient=p1")
    assert answer.references == []


def test_a_withheld_companion_withholds_its_referrers(strict: World) -> None:
    """A psychiatric ward's name tells as much as its result."""
    ward = labelled({"resourceType": "Organization", "id": "ward", "name": "Psychiatrie"})
    strict.lab.ignores_parameters = True
    strict.lab.resources += [ward, observation("o1", performer=[{"reference": "Organization/ward"}]), observation("o2")]
    answer = strict.ask("/fhir/city-lab/Observation?patient=p1")
    assert answer.references == ["Observation/o2"]
    assert b"ward" not in answer.data


def test_a_companion_of_a_withheld_result_alone_is_not_shown(strict: World) -> None:
    """Who took a sample that is not shown is not shown either."""
    strict.lab.ignores_parameters = True
    practitioner = {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Roy"}]}
    strict.lab.resources += [
        practitioner,
        labelled(observation("secret", performer=[{"reference": "Practitioner/dr"}])),
    ]
    assert strict.ask("/fhir/city-lab/Observation?patient=p1").references == []


def test_a_list_beside_the_answer_is_dropped(strict: World) -> None:
    """Not asked for, and its entries name what is withheld."""
    strict.lab.ignores_parameters = True
    strict.lab.resources += [
        labelled(observation("secret")),
        observation("o1"),
        {
            "resourceType": "List",
            "id": "l1",
            "subject": {"reference": "Patient/lab-1"},
            "entry": [{"item": {"reference": "Observation/secret"}}],
        },
    ]
    answer = strict.ask("/fhir/city-lab/Observation?patient=p1")
    assert answer.references == ["Observation/o1"]
    assert b"secret" not in trace(answer)


def document(resource_id: str, **more: Any) -> Tree:
    return {"resourceType": "DocumentReference", "id": resource_id, "subject": {"reference": "Patient/lab-1"}, **more}


def test_unlabelled_documents_are_withheld_by_default(strict: World) -> None:
    """No rule can look into one; what replaces a withheld document goes with it."""
    strict.lab.resources += [
        document("bare"),
        labelled(document("normal"), "N"),
        labelled(document("restricted"), "R"),
        labelled(
            document("later", relatesTo=[{"code": "replaces", "target": {"reference": "DocumentReference/bare"}}]), "N"
        ),
    ]
    answer = strict.ask("/fhir/city-lab/DocumentReference?patient=p1")
    assert answer.references == ["DocumentReference/normal"]
    assert b"bare" not in answer.data
    assert b"restricted" not in answer.data
    assert {each["rule"] for each in strict.last()["withheld"]} == {
        "unlabelled-document", "restricted-is-not-shown", "refers-to-withheld",
    }  # fmt: skip


def test_unlabelled_documents_are_shown_where_the_site_says_so(tmp_path: Any) -> None:
    """`unlabelled_documents = "show"` is a risk that the controller takes, and takes for these alone."""
    world = strict_world(tmp_path, 'unlabelled_documents = "show"')
    world.lab.resources += [document("bare"), labelled(document("restricted"), "R")]
    assert world.ask("/fhir/city-lab/DocumentReference?patient=p1").references == ["DocumentReference/bare"]


def test_the_records_of_masked_and_absent_differ_and_hold_no_label(strict: World) -> None:
    """The record names rule and reference; never the label, the code or the value of what was withheld."""
    strict.lab.resources.append(labelled(observation("secret", valueString="MARKER-VALUE")))
    token = strict.token(scope="patient/Observation.rs?category=laboratory")
    strict.ask("/fhir/city-lab/Observation?patient=p1&code=http://loinc.org|718-7&_id=secret", token=token)
    record = strict.last()
    assert record["withheld"]
    assert record["asked"]["query"] == "Observation?patient=p1&code=%28not+recorded%29&_id=secret"
    assert record["token"]["scopes"] == ["patient/Observation.rs?(not recorded)"]
    for text in ("718-7", "MARKER", "v3-Confidentiality", '"R"', "laboratory"):
        assert text not in str(record)
