"""`_include`: named pairs only, judged like the rest, shown beside the results and never counted as one."""

from typing import Any

import pytest

from fhir_adapters.interface import Tree
from policies.vocabulary.resource_types import CONSULTABLE
from policies.vocabulary.search_parameters import includes
from tests.consultation.site import labelled, strict_world
from tests.consultation.test_look_ups import report
from tests.world import Asked, World, observation

REPORTS = "/fhir/city-lab/DiagnosticReport?patient=p1&_include=DiagnosticReport:result"


@pytest.fixture
def strict(tmp_path: Any) -> World:
    """A site that withholds confidentiality R."""
    return strict_world(tmp_path)


def modes(answer: Asked) -> dict[str, str]:
    return {
        f"{each['resource']['resourceType']}/{each['resource']['id']}": each["search"]["mode"]
        for each in answer.json.get("entry", [])
    }


def test_what_is_included_stands_beside_the_results(strict: World) -> None:
    """Mode `include`, labelled and recorded like all that is shown; the feed is not asked to include."""
    strict.lab.resources += [observation("o1"), observation("o2"), report("r1", "o1"), report("r2", "o1")]
    answer = strict.ask(REPORTS)
    assert modes(answer) == {
        "DiagnosticReport/r1": "match",
        "DiagnosticReport/r2": "match",
        "Observation/o1": "include",
    }
    assert all(each["resource"]["meta"]["security"] for each in answer.json["entry"])
    assert [each["reference"] for each in strict.last()["released"]] == list(modes(answer))
    assert not any("_include" in part for query in strict.lab.queries for part in query)
    assert "_include=DiagnosticReport%3Aresult" in strict.last()["asked"]["query"]
    assert "_include=DiagnosticReport%3Aresult" in str(answer.link("self"))


def test_a_withheld_include_takes_its_referrer_with_it(strict: World) -> None:
    """Its id alone would tell: also where the reference is none that reports."""
    medicine = labelled({"resourceType": "Medication", "id": "secret"})
    order = {"resourceType": "MedicationRequest", "status": "active", "subject": {"reference": "Patient/lab-1"}}
    strict.lab.resources += [
        medicine,
        {"resourceType": "Medication", "id": "aspirin"},
        {**order, "id": "m1", "medicationReference": {"reference": "Medication/secret"}},
        {**order, "id": "m2", "medicationReference": {"reference": "Medication/aspirin"}},
    ]
    answer = strict.ask("/fhir/city-lab/MedicationRequest?patient=p1&_include=MedicationRequest:medication")
    assert modes(answer) == {"MedicationRequest/m2": "match", "Medication/aspirin": "include"}
    assert b"secret" not in answer.data


def test_what_is_absent_is_not_included(strict: World) -> None:
    """A reference that leads nowhere is the source's business; a report's is another matter."""
    strict.lab.resources += [observation("o1", specimen={"reference": "Specimen/gone"})]
    assert modes(strict.ask("/fhir/city-lab/Observation?patient=p1&_include=Observation:specimen")) == {
        "Observation/o1": "match"
    }


def specimen(patient: str | None) -> Tree:
    about = {"subject": {"reference": f"Patient/{patient}"}} if patient else {}
    return {"resourceType": "Specimen", "id": "s1", **about}


@pytest.mark.parametrize(("patient", "there"), [("lab-1", True), (None, True), ("lab-2", False)])
def test_what_is_included_is_confined(strict: World, patient: str | None, there: bool) -> None:
    """Of our patient, or of nobody where its type may be; another's is counted as foreign."""
    strict.lab.resources += [observation("o1", specimen={"reference": "Specimen/s1"}), specimen(patient)]
    answer = strict.ask("/fhir/city-lab/Observation?patient=p1&_include=Observation:specimen")
    assert ("Specimen/s1" in modes(answer)) == there
    assert strict.last()["foreign"] == (0 if there else 1)


@pytest.mark.parametrize(
    ("scope", "there"),
    [
        ("patient/DiagnosticReport.rs patient/Observation.rs", True),
        ("patient/DiagnosticReport.rs", False),
        ("patient/DiagnosticReport.rs patient/Observation.rs?category=laboratory", True),
        ("patient/DiagnosticReport.rs patient/Observation.rs?category=imaging", False),
        ("patient/DiagnosticReport.rs patient/Observation.c", False),
    ],
)
def test_the_scopes_ceiling_holds_for_what_is_included(strict: World, scope: str, there: bool) -> None:
    """For its type and its restrictions, as in a search of its own."""
    strict.lab.resources += [observation("o1"), report("r1", "o1")]
    answer = strict.ask(REPORTS, token=strict.token(scope=scope))
    assert modes(answer).pop("DiagnosticReport/r1") == "match"
    assert ("Observation/o1" in modes(answer)) == there


def test_includes_do_not_count_and_paging_goes_on(strict: World) -> None:
    """Each page is full of results, brings what they name, and the next link asks for the same."""
    for n in range(5):
        strict.lab.resources += [observation(f"o{n}"), report(f"r{n}", f"o{n}", "shared")]
    strict.lab.resources += [observation("shared"), labelled(observation("secret")), report("rx", "secret")]
    strict.lab.page_size = 2
    address: str | None = f"{REPORTS}&_count=2"
    pages = []
    token = strict.token()
    while address is not None:
        answer = strict.ask(address, token=token)
        pages.append(modes(answer))
        address = answer.link("next")
    assert [[mode for mode in page.values() if mode == "match"] for page in pages] == [["match"] * n for n in (2, 2, 1)]
    for page in pages:
        named = {f"Observation/o{each[-1]}" for each in page if each.startswith("DiagnosticReport/")}
        assert {each for each, mode in page.items() if mode == "include"} == {*named, "Observation/shared"}


def test_an_included_result_of_the_same_type_may_be_a_match_elsewhere(strict: World) -> None:
    """On one page it stands once."""
    member = [{"reference": "Observation/o2"}]
    strict.lab.resources += [observation("o1", hasMember=member), observation("o2")]
    address = "/fhir/city-lab/Observation?patient=p1&_include=Observation:has-member"
    assert modes(strict.ask(address)) == {"Observation/o1": "match", "Observation/o2": "match"}
    first = strict.ask(f"{address}&_count=1")
    assert modes(first) == {"Observation/o1": "match", "Observation/o2": "include"}
    assert modes(strict.ask(str(first.link("next")))) == {"Observation/o2": "match"}


@pytest.mark.parametrize("resource_type", CONSULTABLE)
def test_every_listed_pair_is_accepted(strict: World, resource_type: str) -> None:
    """By the same table as the CapabilityStatement; several add up."""
    pairs = "".join(f"&_include={pair}" for pair in includes(resource_type))
    assert strict.ask(f"/fhir/city-lab/{resource_type}?patient=p1{pairs}").status == 200 or resource_type == "Patient"


@pytest.mark.parametrize(
    "given",
    [
        "_include=*",
        "_include=",
        "_include=DiagnosticReport:*",
        "_include=DiagnosticReport:subject",
        "_include=DiagnosticReport:result:Observation",
        "_include=Observation:specimen",
        "_include=diagnosticreport:result",
        "_include:iterate=DiagnosticReport:result",
        "_include:recurse=DiagnosticReport:result",
        "_include=DiagnosticReport:result,DiagnosticReport:specimen",
        "_revinclude=Observation:derived-from",
    ],
)
def test_any_other_pair_is_refused(strict: World, given: str) -> None:
    """400, recorded, and the feed is not asked."""
    answer = strict.ask(f"/fhir/city-lab/DiagnosticReport?patient=p1&{given}")
    assert (answer.status, answer.reason) == (400, "invalid-value" if given.endswith("=") else "refused-parameter")
    assert strict.lab.queries == []
    assert strict.last()["outcome"] == "4"


def test_a_read_takes_no_include(strict: World) -> None:
    """One thing by its address."""
    answer = strict.ask("/fhir/city-lab/DiagnosticReport/r1?_include=DiagnosticReport:result")
    assert (answer.status, answer.reason) == (400, "refused-parameter")
