"""A clinician's application consults outside results: what it sees, and what stands in the ledger afterwards."""

from decimal import Decimal

from tests.world import LAB_BASE, PUBLIC_BASE, World, ehr_patient, lab_patient, observation


def test_a_search_shows_the_patients_results_and_leaves_one_record(world: World) -> None:
    """The main job."""
    world.lab.resources += [
        observation("o1", valueQuantity={"value": Decimal("1.50"), "unit": "g/L"}),
        observation("o2"),
    ]
    answer = world.ask("/fhir/city-lab/Observation?patient=p1&category=laboratory")
    assert answer.status == 200
    assert answer.references == ["Observation/o1", "Observation/o2"]
    assert b"1.50" in answer.data
    record = world.last()
    assert record["request"] == answer.headers["X-Request-Id"]
    assert record["action"] == "consultation:released"
    assert record["released"] == [
        {"reference": "Observation/o1", "category": "test-results"},
        {"reference": "Observation/o2", "category": "test-results"},
    ]
    assert record["person"]["subject"] == "dr-roy"
    assert record["client"]["id"] == "results-pane"
    assert record["purpose"] == {"codes": ["TREAT"], "source": "client-default"}
    assert record["asked"]["query"] == "Observation?patient=p1&category=laboratory"
    assert len(world.bodies()) == 1


def test_a_feed_that_returns_everybody_leaks_nothing_and_the_record_says_so(world: World) -> None:
    """Servers exist that ignore every search parameter."""
    world.lab.ignores_parameters = True
    world.lab.resources += [lab_patient("lab-2", ins="1"), observation("o1"), observation("x1", patient="lab-2")]
    answer = world.ask("/fhir/city-lab/Observation?patient=p1")
    assert answer.references == ["Observation/o1"]
    assert b"lab-2" not in answer.data
    assert world.last()["foreign"] == 3
    assert world.last()["asked"]["query"] == "Observation?patient=p1"


def test_a_read_shows_one_result_labelled_and_without_the_sources_addresses(world: World) -> None:
    """Labels tell; addresses of the source would lead around the gateway."""
    world.lab.resources.append(
        observation("o1", subject={"reference": f"{LAB_BASE}/Patient/lab-1"}, meta={"versionId": "3", "source": "x"})
    )
    answer = world.ask("/fhir/city-lab/Observation/o1")
    assert answer.status == 200
    assert answer.json["subject"] == {"reference": "Patient/lab-1"}
    assert "NOCOLLECT" in {label["code"] for label in answer.json["meta"]["security"]}
    assert answer.json["meta"].keys() == {"security"}
    assert b"lab.example" not in answer.data
    assert answer.headers["Cache-Control"] == "no-store"


def test_patient_in_context_is_the_feeds_patient(world: World) -> None:
    """Requests carry the EHR's ids; the feed's own patient is its match."""
    assert world.ask("/fhir/city-lab/Patient/p1").json["id"] == "lab-1"
    assert world.ask("/fhir/city-lab/Patient/lab-1").json["id"] == "lab-1"
    assert world.ask("/fhir/city-lab/Patient/lab-2").status == 404


def test_pages_follow_each_other_to_the_end(world: World) -> None:
    """A next link is given only when something follows, and each page is a look of its own."""
    world.lab.page_size = 3
    world.lab.resources += [observation(f"o{n}") for n in range(7)]
    seen: list[str] = []
    address: str | None = "/fhir/city-lab/Observation?patient=p1&_count=2"
    while address is not None:
        answer = world.ask(address)
        assert answer.status == 200
        seen += answer.references
        address = answer.link("next")
    assert seen == [f"Observation/o{n}" for n in range(7)]
    assert [len(body["released"]) for body in world.bodies()] == [2, 2, 2, 1]
    assert (
        f"{PUBLIC_BASE}/fhir/city-lab/Observation/o1".encode()
        in world.ask("/fhir/city-lab/Observation?patient=p1").data
    )


def test_no_match_looks_like_nothing_to_show(world: World) -> None:
    """No match, an empty answer and everything withheld are one to the reader, and apart in the record."""
    world.ehr.resources[:] = [ehr_patient(born="1980-01-13")]
    answer = world.ask("/fhir/city-lab/Observation?patient=p1")
    assert (answer.status, answer.references) == (200, [])
    assert world.last()["feed"]["match"] == "no-match"
    assert [query[0:2] for query in world.lab.queries] == [("search", "Patient")]


def test_a_patient_without_a_qualified_identifier_is_told_apart(world: World) -> None:
    """It concerns the EHR's own file, says nothing about the feed, and somebody can mend it."""
    world.ehr.resources[:] = [ehr_patient(extension=[])]
    answer = world.ask("/fhir/city-lab/Observation?patient=p1")
    assert answer.status == 200
    assert answer.json["entry"][0]["search"]["mode"] == "outcome"
    assert world.last()["feed"]["match"] == "no-qualified-identifier"
    assert world.lab.queries == []
