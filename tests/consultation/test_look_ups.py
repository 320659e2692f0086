"""What a result reports and the answer lacks is looked up at the same feed and judged, and shown to nobody."""

from typing import Any

import pytest

from fhir_adapters.interface import Call, FeedRefused, FeedTimeout, Page, Tree
from plugin.consultation.look_up import MAX_QUESTIONS
from tests.consultation.site import labelled, strict_world
from tests.consultation.test_attempt import rebuilt
from tests.world import LAB_BASE, World, observation

REPORTS = "/fhir/city-lab/DiagnosticReport?patient=p1"


@pytest.fixture
def strict(tmp_path: Any) -> World:
    """A site that withholds confidentiality R."""
    return strict_world(tmp_path)


def report(resource_id: str, *results: str, **more: Any) -> Tree:
    named = [{"reference": each if "/" in each else f"Observation/{each}"} for each in results]
    about = {"subject": {"reference": "Patient/lab-1"}, "result": named}
    return {"resourceType": "DiagnosticReport", "id": resource_id, "status": "final", **about, **more}


def asked(world: World) -> list[tuple[str, ...]]:
    """What the laboratory was asked after the search itself."""
    start = next(place for place, query in enumerate(world.lab.queries) if query[1] == "DiagnosticReport")
    return world.lab.queries[start + 1 :]


def test_a_report_is_shown_where_its_results_may_be(strict: World) -> None:
    """They are read and judged, and neither shown, nor counted, nor recorded as released."""
    strict.lab.resources += [observation("o1"), observation("o2"), report("r1", "o1", "o2")]
    answer = strict.ask(REPORTS)
    assert answer.references == ["DiagnosticReport/r1"]
    assert "total" not in answer.json
    assert asked(strict) == [("search", "Observation", "patient=Patient/lab-1", "_id=o1,o2", "_count=3")]
    record = strict.last()
    assert [each["reference"] for each in record["released"]] == ["DiagnosticReport/r1"]
    assert (record["withheld"], record["foreign"]) == ([], 0)


def test_a_report_of_a_withheld_result_is_withheld(strict: World) -> None:
    """And the record says why; the reader sees an answer as if neither were there."""
    strict.lab.resources += [labelled(observation("secret")), report("r1", "secret"), report("r2")]
    answer = strict.ask(REPORTS)
    assert answer.references == ["DiagnosticReport/r2"]
    assert b"secret" not in answer.data
    assert strict.last()["withheld"] == [
        {"reference": "DiagnosticReport/r1", "rule": "restricted-is-not-shown"},  # R by inheritance
        {"reference": "Observation/secret", "rule": "restricted-is-not-shown"},
    ]


def test_a_read_is_judged_with_what_it_reports(strict: World) -> None:
    """By its address too."""
    strict.lab.resources += [
        labelled(observation("secret")),
        observation("o1"),
        report("r1", "secret"),
        report("r2", "o1"),
    ]
    assert strict.ask("/fhir/city-lab/DiagnosticReport/r1").status == 404
    assert strict.ask("/fhir/city-lab/DiagnosticReport/r2").status == 200


def test_look_ups_follow_panels_down(strict: World) -> None:
    """A report of a panel of a panel of a secret."""
    panel = observation("p2", hasMember=[{"reference": f"{LAB_BASE}/Observation/secret"}])
    strict.lab.resources += [
        report("r1", "p1"),
        observation("p1", hasMember=[{"reference": "Observation/p2/_history/4"}]),
        panel,
        observation("secret"),
    ]
    assert strict.ask(REPORTS).references == ["DiagnosticReport/r1"]
    strict.lab.resources[-1] = labelled(observation("secret"))
    assert strict.ask(REPORTS).references == []


def test_a_chain_without_end_is_not_followed(strict: World) -> None:
    """What is not judged is not shown; a circle is."""
    strict.lab.resources += [
        report("r1", "o0"),
        report("r2", "x"),
        observation("x", derivedFrom=[{"reference": "DiagnosticReport/r2"}]),
    ]
    strict.lab.resources += [
        observation(f"o{n}", hasMember=[{"reference": f"Observation/o{n + 1}"}]) for n in range(40)
    ]
    strict.lab.resources.append(observation("o40"))
    assert strict.ask(REPORTS).references == ["DiagnosticReport/r2"]
    assert len(asked(strict)) < MAX_QUESTIONS


@pytest.mark.parametrize(
    "found",
    [
        None,
        observation("o1", patient="lab-2"),
        {"resourceType": "Observation", "id": "o1"},
        observation("o1", contained=[{"resourceType": "Patient", "id": "c", "identifier": [{"value": "2"}]}]),
    ],
    ids=["absent", "another's", "nobody's", "with another patient inside"],
)  # fmt: skip
def test_what_is_not_the_patients_withholds_its_report(strict: World, found: Tree | None) -> None:
    """Confined like the rest, and counted as foreign where it is not ours."""
    strict.lab.resources += [*([found] if found else []), report("r1", "o1"), report("r2")]
    assert strict.ask(REPORTS).references == ["DiagnosticReport/r2"]
    assert {each["reference"] for each in strict.last()["withheld"]} >= {"DiagnosticReport/r1"}
    assert strict.last()["foreign"] == (1 if found and "contained" not in found else 0)


def test_only_this_feed_and_its_types_are_asked(strict: World) -> None:
    """No address of another server is followed, nor a type that the feed is not configured for."""
    strict.lab.resources += [
        report("r1", "https://elsewhere.example/fhir/Observation/o1"),
        report("r2", "Encounter/e1"),
        report("r3", "urn:uuid:4fe8e4a0-0000-4000-8000-000000000001"),
        report("r4", "Observation/../Patient/x"),
    ]
    assert strict.ask(REPORTS).references == []
    assert asked(strict) == []


ALIASES = {"Patient/lab-1": "urn:uuid:0", "Observation/o1": "urn:uuid:1", "Observation/x1": "urn:uuid:2"}


def test_what_refers_by_a_full_url_follows_it_where_it_is_replaced(strict: World) -> None:
    """Else nothing in the answer would be what a result is of, nor what a report reports."""
    strict.lab.ignores_parameters, strict.lab.aliases = True, ALIASES
    subject = {"reference": "urn:uuid:0"}
    strict.lab.resources += [
        observation("o1", subject=subject),
        report("r1", subject=subject, result=[{"reference": "urn:uuid:1"}]),
        observation("x1", patient="lab-2"),
        report("r2", focus=[{"reference": "urn:uuid:2"}]),
    ]
    answer = strict.ask(f"{REPORTS}&_include=DiagnosticReport:result")
    assert answer.references == ["DiagnosticReport/r1", "DiagnosticReport/r2", "Observation/o1"]
    r1, r2, o1 = [each["resource"] for each in answer.json["entry"]]
    assert [each["subject"]["reference"] for each in (r1, r2, o1)] == ["Patient/lab-1"] * 3
    assert r1["result"] == [{"reference": "Observation/o1"}]
    assert r2["focus"] == [{"reference": "urn:uuid:2"}], "somebody else's"


def test_a_scope_is_a_ceiling_for_what_is_shown(strict: World) -> None:
    """A token for reports alone sees reports, and no result: their results are judged all the same."""
    strict.lab.resources += [
        observation("o1"),
        labelled(observation("secret")),
        report("r1", "o1"),
        report("r2", "secret"),
    ]
    token = strict.token(scope="patient/DiagnosticReport.rs")
    answer = strict.ask(f"{REPORTS}&_include=DiagnosticReport:result", token=token)
    assert answer.references == ["DiagnosticReport/r1"]


def test_many_results_cost_few_questions(strict: World) -> None:
    """Fifty ids in each."""
    names = [f"o{n}" for n in range(120)]
    strict.lab.resources += [*map(observation, names), report("r1", *names)]
    assert strict.ask(REPORTS).references == ["DiagnosticReport/r1"]
    assert [query[0] for query in asked(strict)] == ["search"] * 3


class Listless:
    """A laboratory that is asked for one thing at a time, or refuses."""

    def __init__(self, world: World, *, refuses: bool) -> None:
        self._search, self._refuses = world.lab.search, refuses

    def __call__(self, resource_type: str, parameters: tuple[tuple[str, str], ...], call: Call) -> Page:
        page = self._search(resource_type, parameters, call)
        if any(name == "_id" and "," in value for name, value in parameters):
            if self._refuses:
                raise FeedRefused("feed 'city-lab' refused")
            return Page((), None)
        return page


@pytest.mark.parametrize("refuses", [True, False])
def test_a_feed_that_knows_no_lists_is_asked_one_by_one(
    strict: World, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    """At most fifty questions; what was not judged in time withholds its report."""
    names = [f"o{n}" for n in range(60)]
    strict.lab.resources += [*map(observation, names), report("r1", *names[:10]), report("r2", *names)]
    monkeypatch.setattr(strict.lab, "search", Listless(strict, refuses=refuses))
    assert strict.ask(REPORTS).references == ["DiagnosticReport/r1"]
    assert len(asked(strict)) == MAX_QUESTIONS


def test_what_is_looked_up_counts_to_the_cap(strict: World) -> None:
    """403 `too-costly`, never a silently short answer."""
    rebuilt(strict, most_resources=5)
    names = [f"o{n}" for n in range(5)]
    strict.lab.resources += [*map(observation, names), report("r1", *names[:4])]
    assert strict.ask(REPORTS).status == 200
    strict.lab.resources.append(report("r2", names[4]))
    assert strict.ask(REPORTS).reason == "too-costly"


def test_a_feed_that_fails_half_way_has_given_no_answer(strict: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole answer or 504; the record says that the feed failed."""
    strict.lab.resources += [observation("o1"), report("r1", "o1")]
    strict.ask(REPORTS)  # the patient is matched

    def slow(*_: Any) -> None:
        raise FeedTimeout("feed 'city-lab' did not answer in time")

    monkeypatch.setattr(strict.lab, "read", slow)
    answer = strict.ask(REPORTS)
    assert (answer.status, answer.reason) == (504, "feed-timeout")
    assert (strict.last()["outcome"], strict.last()["released"]) == ("8", [])


def test_look_ups_stay_within_the_deadline_of_the_feed(strict: World) -> None:
    """They are part of one answer."""
    strict.lab.resources += [observation("o1"), report("r1", "o1")]
    strict.ask(REPORTS)
    assert len({call.deadline.at for call in strict.lab.calls[-2:]}) == 1


def test_who_did_something_and_where_is_not_looked_up(strict: World) -> None:
    """It says nothing of a patient; nor does the patient, who is in context."""
    strict.lab.resources += [
        report("r1", performer=[{"reference": "Organization/o"}], encounter={"reference": "Encounter/e"})
    ]
    assert strict.ask(REPORTS).references == ["DiagnosticReport/r1"]
    assert asked(strict) == []


def test_an_order_that_is_withheld_withholds_what_came_of_it(strict: World) -> None:
    """Its id would stand in what is shown, and a look that includes it would show less than one that does not."""
    order = {"resourceType": "ServiceRequest", "subject": {"reference": "Patient/lab-1"}, "status": "active"}
    strict.lab.resources += [
        labelled({**order, "id": "secret"}),
        {**order, "id": "plain"},
        report("r1", basedOn=[{"reference": "ServiceRequest/secret"}]),
        report("r2", basedOn=[{"reference": "ServiceRequest/plain"}]),
        report("r3", basedOn=[{"reference": "ServiceRequest/never-was"}]),
    ]
    for question in (REPORTS, f"{REPORTS}&_include=DiagnosticReport:based-on"):
        answer = strict.ask(question)
        assert [each for each in answer.references if "Report" in each] == [
            "DiagnosticReport/r2",
            "DiagnosticReport/r3",
        ]
        assert b"secret" not in answer.data
    assert strict.ask("/fhir/city-lab/DiagnosticReport/r1").status == 404
    assert strict.ask("/fhir/city-lab/DiagnosticReport/r3").status == 200


def test_a_medicine_that_is_withheld_withholds_its_prescription(strict: World) -> None:
    """The prescription's own codes say nothing: the medicine's do."""
    order = {"resourceType": "MedicationRequest", "status": "active", "subject": {"reference": "Patient/lab-1"}}
    strict.lab.resources += [
        labelled({"resourceType": "Medication", "id": "secret"}),
        {"resourceType": "Medication", "id": "aspirin"},
        {**order, "id": "m1", "medicationReference": {"reference": "Medication/secret"}},
        {**order, "id": "m2", "medicationReference": {"reference": "Medication/aspirin"}},
    ]
    assert strict.ask("/fhir/city-lab/MedicationRequest?patient=p1").references == ["MedicationRequest/m2"]
    assert strict.ask("/fhir/city-lab/MedicationRequest/m1").status == 404
