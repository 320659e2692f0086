"""Next links: good for the one reader, patient, feed and search that they were issued for, for ten minutes."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest

from fhir_adapters.interface import Call, Entry, Page
from plugin.faces.facade import page_link
from plugin.faces.http import MAX_TARGET
from tests.world import World, ehr_patient, lab_patient, observation

PATH = "/fhir/city-lab/Observation"


def next_link(world: World, path: str = f"{PATH}?patient=p1&_count=1&code=718-7") -> str:
    world.lab.resources[:] = [lab_patient(), *(observation(f"o{n}") for n in range(3))]
    link = world.ask(path).link("next")
    assert link is not None
    return link


def sealed(link: str) -> str:
    return parse_qs(urlsplit(link).query)["_page"][0]


def refusal(world: World, path: str, **more: object) -> tuple[int, str, str]:
    """How `path` is refused; nobody beyond the gateway may have been asked, and one record tells of it."""
    asked, records = len(world.lab.queries), len(world.bodies())
    answer = world.ask(path, **more)  # type: ignore[arg-type]
    assert len(world.lab.queries) == asked
    bodies = world.bodies()
    assert len(bodies) == records + 1
    assert bodies[-1]["reason"] == answer.reason
    return answer.status, answer.issue, answer.reason


def test_a_link_is_opaque_and_carries_the_question(world: World) -> None:
    """It holds a patient and codes, which stand in the logs of proxies otherwise."""
    link = next_link(world)
    assert link.startswith(f"{PATH}?_page=")
    assert "718-7" not in link
    assert "p1" not in link.replace(sealed(link), "")
    answer = world.ask(link)
    assert answer.references == ["Observation/o1"]
    assert world.last()["asked"]["query"] == "Observation?patient=p1&code=718-7&_count=1"
    assert world.last()["asked"]["continued"] is True


def test_a_link_of_a_compartment_search_goes_on(world: World) -> None:
    """It leads to the type's own address, with the patient inside."""
    assert world.ask(next_link(world, "/fhir/city-lab/Patient/p1/Observation?_count=1")).references == [
        "Observation/o1"
    ]


def test_the_longest_question_has_a_next_link_that_fits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that nobody may follow would be a silently short answer. Feeds repeat the question in theirs."""
    question = "&".join(f"code={'x' * 490}" for _ in range(4))
    following = f"/Observation?patient=Patient/lab-1&{question}&page=2"
    first = world.lab.search

    def search(resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        found = first(resource_type, parameters, call)
        return found if resource_type == "Patient" else Page(found.entries, following)

    monkeypatch.setattr(world.lab, "search", search)
    monkeypatch.setattr(
        world.lab, "page", lambda name, call: Page(tuple(Entry(observation(f"q{n}")) for n in range(3)), None)
    )
    link = next_link(world, f"{PATH}?_count=4&{question}")
    assert len(link) < MAX_TARGET
    assert world.ask(link).references == ["Observation/q1", "Observation/q2"]
    assert refusal(world, f"{PATH}?{question}&code=xxxxxxxxxxxxxxxxxx")[2] == "invalid-value"


def test_an_expired_link_is_410(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found ten minutes ago may no longer be what is there."""
    monkeypatch.setattr(page_link, "LIFE_SECONDS", -1)
    link = next_link(world)
    assert refusal(world, link) == (410, "deleted", "page-link-expired")


def test_a_link_to_a_page_that_the_feed_forgot_is_410(world: World) -> None:
    """HAPI drops searches; the reader is to search again, and must not take what was seen for everything."""
    world.lab.page_size = 1
    link = next_link(world)
    world.lab._pages.clear()
    answer = world.ask(link)
    assert (answer.status, answer.issue, answer.reason) == (410, "deleted", "page-link-expired")
    assert world.last()["reason"] == "page-link-expired"


def test_another_reader_cannot_follow_a_link(world: World) -> None:
    """A link that was passed on would be a look under the wrong name."""
    assert refusal(world, next_link(world), token=world.token(sub="dr-other")) == (
        403,
        "forbidden",
        "page-link-foreign",
    )


def test_a_link_ends_with_the_patient_in_context(world: World) -> None:
    """The same person with another patient open."""
    world.ehr.resources.append(ehr_patient("p2", ins="1"))
    link = next_link(world)
    assert refusal(world, link, token=world.token(patient="p2")) == (403, "forbidden", "page-link-foreign")


@pytest.mark.parametrize("place", ["city-lab/DiagnosticReport", "imaging/DiagnosticReport", "city-lab/Patient"])
def test_a_link_works_at_its_own_address_only(world: World, place: str) -> None:
    """The cursor of one feed is nothing to another."""
    link = next_link(world)
    assert refusal(world, f"/fhir/{place}?_page={sealed(link)}") == (403, "forbidden", "page-link-foreign")


def test_a_changed_link_is_400(world: World) -> None:
    """Sealed: not one character may change, none may be missing, none may be added."""
    whole = sealed(next_link(world))
    changed = [whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :] for place in range(0, 90, 9)]
    cut = [whole[:-1], whole[:-20], whole[:16], whole[:1], "", whole[1:]]
    other = [whole + "A", "x" * 8000, "\u00e9", "../..", whole.swapcase()]
    for text in (*changed, *cut, *other):
        assert refusal(world, f"{PATH}?_page={quote(text)}") == (400, "value", "page-link-invalid"), text


def test_a_link_of_other_keys_is_400(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another installation's links mean nothing here."""
    elsewhere = World(tmp_path_factory.mktemp("elsewhere"))
    assert refusal(world, next_link(elsewhere))[2] == "page-link-invalid"


@pytest.mark.parametrize(
    ("further", "reason"),
    [
        ("patient=p1", "unknown-parameter"),
        ("patient=p2", "unknown-parameter"),
        ("code=1", "unknown-parameter"),
        ("_count=0", "invalid-value"),
        ("_count=2&_count=2", "repeated-parameter"),
        ("_elements=id", "refused-parameter"),
        ("_format=xml", "not-acceptable"),
        ("_page=x", "page-link-invalid"),
    ],
)
def test_a_link_takes_no_further_parameters(world: World, further: str, reason: str) -> None:
    """It says everything itself; what is beside it would change a question that was already judged."""
    assert refusal(world, f"{next_link(world)}&{further}")[2] == reason


def test_a_link_may_ask_for_less(world: World) -> None:
    """Some clients add their size of page to every address; more than the link says is what the link says."""
    world.lab.resources[:] = [lab_patient(), *(observation(f"o{n}") for n in range(6))]
    link = world.ask(f"{PATH}?patient=p1&_count=2").link("next")
    assert "&_count=2" in str(world.ask(f"{PATH}?patient=p1&_count=2").link("self"))
    sizes = [len(world.ask(f"{link}{more}").references) for more in ("", "&_count=1000", "&_count=1")]
    assert sizes == [2, 2, 1]


def test_a_link_may_ask_for_json(world: World) -> None:
    """Clients add their format to every address."""
    assert world.ask(f"{next_link(world)}&_format=json").status == 200


def test_a_link_is_followed_by_get_at_the_type(world: World) -> None:
    """As it was issued."""
    page = sealed(next_link(world))
    form = {"method": "POST", "data": f"_page={page}", "content_type": "application/x-www-form-urlencoded"}
    assert refusal(world, f"{PATH}/_search", **form)[2] == "unknown-parameter"
    assert refusal(world, f"{PATH}?_page={page}", method="POST")[2] == "view-only"
    assert refusal(world, f"{PATH}/o1?_page={page}")[2] == "unknown-parameter"
    assert refusal(world, f"/fhir/city-lab/Patient/p1/Observation?_page={page}")[2] == "page-link-invalid"


@pytest.mark.slow
def test_a_link_is_as_long_wherever_it_leads(world: World) -> None:
    """Its length would else tell how far a page reached, and so that something before it is not shown."""
    world.lab.resources += [observation(f"o{n}") for n in range(300)]
    lengths = set()
    for page_size in (3, 50, 1000):
        world.lab.page_size = page_size
        for count in (2, 5):
            link: str | None = f"/fhir/city-lab/Observation?patient=p1&_count={count}"
            for _ in range(4):
                link = world.ask(str(link)).link("next")
                lengths.add(len(str(link)))
    assert len(lengths) == 1
