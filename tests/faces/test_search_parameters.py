"""What a search may ask for: each parameter in each form that its type has, and nothing in any other form."""

from urllib.parse import quote, urlencode

import pytest

from policies.vocabulary.resource_types import CONSULTABLE
from policies.vocabulary.search_parameters import naming_the_patient, offered, sortable
from tests.faces.records_in_memory import Records, with_records_in_memory
from tests.world import EHR_BASE, LAB_BASE, PUBLIC_BASE, World, lab_patient, observation

GOOD = {
    "token": (
        "final",
        "718-7",
        "http://loinc.org|718-7",
        "http://loinc.org|718-7,http://loinc.org|2345-7",
        "|local",
        "http://loinc.org|",
        r"a\,b",
        r"a\|b",
        r"a\\,b",
        "caf\u00e9 & <th\u00e9>=#?%2F+;",
        "urn:oid:1.2.250.1|$x",
    ),
    "date": (
        "2026",
        "2026-02",
        "2024-02-29",
        "ge2026-01-01",
        "lt2026-01-01T10:00",
        "2026-01-01T10:00:00Z",
        "ap2026-01-01T23:59:59.123+14:00",
        "2026-01-01,2026-02-01",
    ),
    "reference": ("e1", "Encounter/e1", "Encounter/e1,e2"),
}
BAD = {
    "token": ("", ",", "a,", "a,,b", "|", "a|b|c", "a\\", r"a\x", "a" * 513, "a\x00b", "a\nb", "\u202ea", "a\ufffd"),
    "date": (
        "",
        "yesterday",
        "26",
        "2026-1-1",
        "2026-13",
        "2026-00-10",
        "2026-02-30",
        "0000",
        "2026T10:00",
        "2026-01-01T10",
        "2026-01-01T24:00",
        "2026-01-01T10:00:61",
        "2026-01-01T10:00+25:00",
        "2026-01-01T10:00+14:01",
        "ge",
        "xx2026",
        "gegt2026",
        "2026-01-01T10:00:00.1234567890",
        "\u0662\u0660\u0662\u0666",
        "2026,",
        "$now",
    ),
    "reference": ("", "Patient/p1", "a/b", "https://elsewhere.example/Encounter/e1", "e1,", "e" * 65, "../e1"),
}
LEGIBLE = 8
"""Characters; a shorter value may stand in any text by chance."""
GOOD_IDS = ("o1", "a,b", "-.A9", "a" * 64, ",".join(["x"] * 50))
BAD_IDS = ("", "a b", "a/b", "a" * 65, "a,", "\u00e9", "a_b", ",".join(["x"] * 51))


@pytest.fixture(autouse=True)
def records(world: World) -> Records:
    return with_records_in_memory(world)


def question(resource_type: str, *pairs: tuple[str, str]) -> str:
    return f"/fhir/city-lab/{resource_type}?{urlencode(pairs, quote_via=quote)}"


def good_and_bad(name: str, kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (GOOD_IDS, BAD_IDS) if name == "_id" else (GOOD[kind], BAD[kind])


@pytest.mark.parametrize("resource_type", [each for each in CONSULTABLE if each != "Patient"])
def test_each_parameter_of_a_type_reaches_the_feed_as_it_was_given(world: World, resource_type: str) -> None:
    """A value that changed on its way would answer another question than was asked."""
    for number, (name, kind) in enumerate(offered(resource_type).items()):
        token = world.token(sub=f"dr-{number}")
        for value in good_and_bad(name, kind)[0]:
            answer = world.ask(question(resource_type, ("patient", "p1"), (name, value)), token=token)
            assert answer.status == 200, (name, value)
            sent = ("search", resource_type, "patient=Patient/lab-1", f"{name}={value}", "_count=51")
            assert world.lab.queries[-1] == sent


@pytest.mark.parametrize("resource_type", CONSULTABLE)
def test_a_value_of_another_form_is_400_and_reaches_nobody(world: World, resource_type: str) -> None:
    """A feed might read into it what we did not; an empty one might not filter at all."""
    for number, (name, kind) in enumerate(offered(resource_type).items()):
        token = world.token(sub=f"dr-{number}")
        for value in good_and_bad(name, kind)[1]:
            answer = world.ask(question(resource_type, (name, value)), token=token)
            assert answer.status == 400, (name, value)
            assert answer.reason in {"invalid-value", "patient-ambiguous"}
            assert len(value) < LEGIBLE or value.encode() not in answer.data
    assert (world.lab.queries, world.ehr.queries) == ([], [])


def test_a_parameter_of_one_type_is_unknown_to_the_others(world: World) -> None:
    """The table is by type: a feed ignores what a type does not have, and so widens the answer."""
    names = {name for each in CONSULTABLE for name in (*offered(each), *naming_the_patient(each))}
    for number, resource_type in enumerate(CONSULTABLE):
        token = world.token(sub=f"dr-{number}")
        for name in names - offered(resource_type).keys() - set(naming_the_patient(resource_type)):
            answer = world.ask(question(resource_type, (name, "x")), token=token)
            assert (answer.status, answer.reason) == (400, "unknown-parameter"), (resource_type, name)
    assert world.lab.queries == []


def test_a_form_body_asks_as_an_address_does(world: World) -> None:
    """POST `_search` keeps parameters out of the logs of proxies; URL and body count together."""
    world.lab.resources.append(observation("o1"))
    for path, body in (
        ("Observation/_search", "patient=p1&code=http%3A%2F%2Floinc.org%7C718-7"),
        ("Observation/_search?code=http://loinc.org|718-7", "subject=Patient/p1"),
        ("Patient/p1/Observation/_search", "code=http://loinc.org|718-7"),
        ("Patient/p1/Observation/_search?patient=p1&code=http://loinc.org|718-7", ""),
    ):
        answer = world.ask(
            f"/fhir/city-lab/{path}", method="POST", data=body, content_type="application/x-www-form-urlencoded"
        )
        assert (answer.status, answer.references) == (200, ["Observation/o1"]), path
        sent = ("search", "Observation", "patient=Patient/lab-1", "code=http://loinc.org|718-7", "_count=51")
        assert world.lab.queries[-1] == sent


def test_repeated_tokens_and_dates_must_all_match(world: World) -> None:
    """R4 3.1.1.4.2: an interval is two dates."""
    world.ask("/fhir/city-lab/Observation?date=ge2026-01-01&date=lt2026-02-01&code=a&code=b")
    assert world.lab.queries[-1][3:-1] == ("date=ge2026-01-01", "date=lt2026-02-01", "code=a", "code=b")


def test_a_plus_that_was_not_encoded_is_a_time_zone(world: World) -> None:
    """Clients forget to encode it, and it arrives as a space."""
    world.ask("/fhir/city-lab/Observation?date=ge2026-01-01T10:00:00+01:00")
    assert world.lab.queries[-1][3] == "date=ge2026-01-01T10:00:00+01:00"


@pytest.mark.parametrize(("asked", "sent"), [("1", 2), ("200", 201), ("201", 201), ("999999999", 201), ("007", 8)])
def test_count_is_clamped_at_200(world: World, asked: str, sent: int) -> None:
    """R4 3.1.1.5.2 allows fewer than asked. One more is asked of the feed, to know whether something follows."""
    assert world.ask(f"/fhir/city-lab/Observation?_count={asked}").status == 200
    assert world.lab.queries[-1][-1] == f"_count={sent}"


@pytest.mark.parametrize("asked", ["0", "00", "-1", "1.5", "1e3", "+5", "", "ten", "1,2", "\u0661", "9" * 19])
def test_a_count_that_is_no_positive_number_is_400(world: World, asked: str) -> None:
    """`_count=0` counts without looking."""
    answer = world.ask(question("Observation", ("_count", asked)))
    assert (answer.status, answer.issue, answer.reason) == (400, "value", "invalid-value")
    assert world.lab.queries == []


@pytest.mark.parametrize("resource_type", CONSULTABLE)
def test_sorting_is_by_dates_only(world: World, resource_type: str) -> None:
    """The order by a hidden value tells the value."""
    for name in sortable(resource_type):
        for value in (name, f"-{name}"):
            assert world.ask(question(resource_type, ("_sort", value))).status == 200
            assert f"_sort={value}" in world.lab.queries[-1]
    asked = len(world.lab.queries)
    for value in ("code", "status", "_id", "", ",", "-", "--_lastUpdated", "_lastUpdated,-_lastUpdated", "_score"):
        assert world.ask(question(resource_type, ("_sort", value))).reason == "invalid-value", value
    assert len(world.lab.queries) == asked


@pytest.mark.parametrize(
    "pairs",
    [
        "patient=p1",
        "patient=Patient/p1",
        "subject=p1",
        "subject=Patient/p1",
        "patient=p1&subject=Patient/p1&patient=p1",
        f"patient={EHR_BASE}/Patient/p1",
        f"subject={PUBLIC_BASE}/fhir/city-lab/Patient/p1",
        "",
    ],
)
def test_the_patient_may_be_named_in_every_way_that_means_one(world: World, records: Records, pairs: str) -> None:
    """Clients write a reference as an id, relative, or absolute under the base of whoever gave it."""
    world.lab.resources += [observation("o1"), lab_patient("lab-2", ins="1"), observation("x1", patient="lab-2")]
    assert world.ask(f"/fhir/city-lab/Observation?{pairs}").references == ["Observation/o1"]
    assert records.bodies[-1]["patient"] == "p1"


@pytest.mark.parametrize(
    "value",
    [
        f"{LAB_BASE}/Patient/p1",
        f"{PUBLIC_BASE}/fhir/imaging/Patient/p1",
        f"{EHR_BASE}/p1",
        f"{EHR_BASE}/{EHR_BASE}/Patient/p1",
        "Patient/Patient/p1",
        "Practitioner/p1",
        "Group/p1",
        "Patient/p1/_history/1",
        "patient/p1",
        "urn:uuid:5d3f9a1e-0000-4000-8000-000000000000",
        "#p1",
        "",
        "*",
    ],
)
def test_a_reference_that_names_no_patient_of_ours_is_400(world: World, value: str) -> None:
    """What another base calls p1 is somebody else."""
    answer = world.ask(question("Observation", ("patient", value)))
    assert (answer.status, answer.reason) == (400, "invalid-value")
    assert world.lab.queries == []


def test_without_a_patient_in_context_one_must_be_named(world: World, records: Records) -> None:
    """There is no search over everybody."""
    for path in ("Observation", "Observation?code=1", "Observation/o1", "Patient", "Patient/p1"):
        answer = world.ask(f"/fhir/city-lab/{path}", token=world.token(without=("patient",), scope="user/*.rs"))
        assert (answer.status, answer.issue, answer.reason) == (400, "required", "patient-required"), path
        assert records.bodies[-1]["reason"] == "patient-required"
    assert world.lab.queries == []


def test_naming_a_patient_is_not_enough_without_one_in_context(world: World, records: Records) -> None:
    """The shipped rules permit launch patients only: a site that trusts `user/` scopes writes its own."""
    for path in ("Observation?patient=p1", "Patient/p1/Observation", "Patient?_id=p1"):
        answer = world.ask(f"/fhir/city-lab/{path}", token=world.token(without=("patient",), scope="user/*.rs"))
        assert (answer.status, answer.issue, answer.reason) == (403, "forbidden", "access-denied"), path
        assert records.bodies[-1]["patient"] == "p1"
    assert (world.lab.queries, world.ehr.queries) == ([], [])


@pytest.mark.parametrize(
    "appearance",
    [
        "_format=json",
        "_format=application/fhir%2Bjson",
        "_format=application/fhir+json",
        "_pretty=true",
        "_format=application/FHIR%2Bjson",
        "_format=application/fhir%2Bjson;fhirVersion=4.0",
    ],
)
def test_how_an_answer_should_look_changes_nothing(world: World, appearance: str) -> None:
    """There is one format. `_format` stands above `Accept` (R4 3.1.0.1.11)."""
    world.lab.resources.append(observation("o1"))
    headers = {"Accept": "text/html"} if "_format" in appearance else {}
    assert world.ask(f"/fhir/city-lab/Observation?{appearance}", headers=headers).references == ["Observation/o1"]
    assert world.ask(f"/fhir/city-lab/Observation/o1?{appearance}", headers=headers).json["id"] == "o1"


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+json",
        "application/fhir+json; fhirVersion=4.0",
        "application/json;charset=utf-8",
        "*/*",
        "application/*",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        "",
    ],
)
def test_whoever_takes_json_gets_it(world: World, accept: str) -> None:
    """Media type parameters say nothing against it."""
    answer = world.ask("/fhir/city-lab/Observation", headers={"Accept": accept})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/fhir+json")


def test_one_slash_at_the_end_is_forgiven(world: World) -> None:
    """A path may end in a slash before its query: some clients write it so."""
    world.lab.resources.append(observation("o1"))
    assert world.ask("/fhir/city-lab/Observation/?patient=p1").references == ["Observation/o1"]
    assert world.ask("/fhir/city-lab/%4fbservation%2Fo1/").json["id"] == "o1"
