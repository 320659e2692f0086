"""What a patient opposes is not shown: by the Consents at the place that the EHR names, asked anew at every look."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_adapters.interface import FeedTimeout, FeedUnavailable, Tree
from plugin import sources
from plugin.app import create_app
from plugin.consultation.opposition import Oppositions
from tests.world import CONFIGURATION, EHR_BASE, World, lab_patient, observation

SEARCH = "/fhir/city-lab/Observation?patient=p1"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
TYPES = "http://hl7.org/fhir/resource-types"
SERVER = 'consents = { kind = "fhir-rest", base = "https://ehr.example/fhir" }\n'


def configured(consents: str) -> str:
    return CONFIGURATION.replace('id = "hospital"\n', f'id = "hospital"\n{consents}', 1)


@pytest.fixture
def asking(tmp_path: Path) -> World:
    """A hospital whose patients' consents are at its own server; the laboratory has two results."""
    made = World(tmp_path, configured(SERVER))
    made.lab.resources += [observation("plain"), labelled(observation("restricted"))]
    return made


def labelled(resource: Tree) -> Tree:
    return {**resource, "meta": {"security": [{"system": CONFIDENTIALITY, "code": "R"}]}}


def consent(patient: str = "p1", **provision: Any) -> Tree:
    about = {"patient": {"reference": f"Patient/{patient}"}, "provision": provision}
    return {"resourceType": "Consent", "id": "c1", "status": "active", **about}


def coded(system: str, code: str) -> dict[str, str]:
    return {"system": system, "code": code}


def test_a_deny_hides_everything_and_says_no_more_than_other_rules(asking: World) -> None:
    """The record has the rule; the feed is not asked; the next look after it was withdrawn shows all."""
    asking.consents.resources = [consent(type="deny")]
    refused = asking.ask(SEARCH)
    assert (refused.status, refused.reason) == (403, "access-denied")
    assert b"oppos" not in refused.data.lower()
    assert asking.last()["rules"] == ["patient-opposition"]
    assert asking.lab.queries == []
    asking.consents.resources = []
    assert asking.ask(SEARCH).references == ["Observation/plain", "Observation/restricted"]


@pytest.mark.parametrize(
    "provision",
    [
        {"type": "permit"},
        {"type": "deny", "period": {"start": "2020-01-01", "end": "2020-12-31"}},
        {"type": "deny", "purpose": [coded(REASON, "HRESCH")]},
        {"type": "deny", "purpose": [coded("urn:oid:2.16.840.1.113883.5.8", "HRESCH")]},
        {"type": "deny", "actor": [{"reference": {"reference": "Practitioner/somebody-else"}}]},
        {"type": "permit", "provision": [{"type": "deny", "purpose": [coded(REASON, "HMARKT")]}]},
    ],
)
def test_what_does_not_mean_this_look_does_not_oppose_it(asking: World, provision: dict[str, Any]) -> None:
    """A permit alone, another time, another purpose, somebody else."""
    asking.consents.resources = [consent(**provision)]
    assert asking.ask(SEARCH).status == 200


@pytest.mark.parametrize(
    "provision",
    [
        {"type": "permit", "provision": [{"type": "deny"}]},
        {"type": "deny", "period": {"start": "2020-01-01"}},
        {"type": "deny", "purpose": [coded(REASON, "TREAT")]},
        {"type": "deny", "purpose": [coded(REASON, "TREAT ")]},
        {"type": "deny", "purpose": [coded("urn:other", "x")]},
        {"type": "deny", "actor": [{"reference": {"reference": "Practitioner/dr-roy"}}]},
        {"type": "deny", "actor": [{"reference": {"reference": "Organization/hospital"}}]},
        {"type": "deny", "class": [coded("urn:other", "x")]},
        {"type": "maybe"},
        {"type": "permit", "modifierExtension": [{"url": "urn:x"}]},
        {"type": "permit", "provision": [{"type": "permit"}] * 10_001},
        {"type": "deny", "period": {"start": "yesterday"}},
    ],
)
def test_what_may_mean_this_look_opposes_it(asking: World, provision: dict[str, Any]) -> None:
    """And what cannot be understood does."""
    asking.consents.resources = [consent(**provision)]
    assert asking.ask(SEARCH).status == 403


@pytest.mark.parametrize(
    "narrowing",
    [
        {"securityLabel": [coded(CONFIDENTIALITY, "R")]},
        {"class": [coded(TYPES, "Observation")], "securityLabel": [coded(CONFIDENTIALITY, "R")]},
    ],
)
def test_a_deny_for_some_results_hides_those_without_trace(asking: World, narrowing: dict[str, Any]) -> None:
    """As every withheld result: it reads like one that is not there."""
    asking.consents.resources = [consent(type="deny", **narrowing)]
    assert asking.ask(SEARCH).references == ["Observation/plain"]
    assert asking.last()["withheld"] == [{"reference": "Observation/restricted", "rule": "patient-opposition-part"}]
    masked, absent = (asking.ask(f"/fhir/city-lab/Observation/{name}") for name in ("restricted", "never-was"))
    assert (masked.status, masked.reason) == (absent.status, absent.reason) == (404, "not-found")


def test_a_class_is_a_type_or_a_code(asking: World) -> None:
    """Of a result, or of anything in it."""
    for code in ("718-7", "718-7  "):  # no code has blanks around it, whoever pads it
        asking.consents.resources = [consent(type="deny", **{"class": [coded("http://loinc.org", code)]})]
        assert asking.ask(SEARCH).references == []
    asking.consents.resources = [consent(type="deny", **{"class": [coded(TYPES, "DiagnosticReport")]})]
    assert len(asking.ask(SEARCH).references) == 2


def test_other_peoples_consents_do_not_count_and_nobodys_do(asking: World) -> None:
    """A server that ignores parameters returns everybody's."""
    asking.consents.ignores_parameters = True
    asking.consents.resources = [consent("p2", type="deny")]
    assert asking.ask(SEARCH).status == 200
    asking.consents.resources = [{**consent(type="deny"), "patient": {"display": "?"}}]
    assert asking.ask(SEARCH).status == 403


@pytest.mark.parametrize("status", ["inactive", "rejected", "entered-in-error", "draft"])
def test_a_consent_that_is_not_active_opposes_nothing(asking: World, status: str) -> None:
    """It was withdrawn, or never given."""
    asking.consents.resources = [{**consent(type="deny"), "status": status}]
    assert asking.ask(SEARCH).status == 200


@pytest.mark.parametrize("failure", [FeedTimeout("slow"), FeedUnavailable("down")])
def test_no_answer_shows_nothing(asking: World, failure: Exception) -> None:
    """And when it answers again, everything."""
    asking.consents.failure = failure  # type: ignore[assignment]
    assert asking.ask(SEARCH).status == 403
    assert asking.last()["rules"] == ["patient-opposition"]
    asking.consents.failure = None
    assert asking.ask(SEARCH).status == 200


def test_more_consents_than_are_read_show_nothing(asking: World) -> None:
    """A deny may stand in those."""
    asking.consents.resources = [{**consent(type="permit"), "id": f"c{number}"} for number in range(201)]
    assert asking.ask(SEARCH).status == 403
    asking.consents.page_size = 1
    asking.consents.resources = asking.consents.resources[:12]
    assert asking.ask(SEARCH).status == 403


def test_without_a_source_the_fact_is_absent(world: World) -> None:
    """Nobody is asked, and rules that need to know refuse by themselves."""
    world.lab.resources.append(observation("plain"))
    assert world.ask(SEARCH).status == 200
    assert world.consents.queries == []


@pytest.fixture
def folder(tmp_path: Path) -> World:
    """A hospital whose patients' consents stand in a folder; the laboratory has a result."""
    (tmp_path / "consents").mkdir()
    world = World(tmp_path, configured('consents = { kind = "bundle-folder", path = "consents" }\n'))
    world.lab.resources.append(observation("plain"))
    gateway = world.assembled.gateway
    oppositions = Oppositions(sources.consent_sources(world.settings))
    world.client = create_app(replace(world.assembled, gateway=replace(gateway, oppositions=oppositions))).test_client()
    return world


@pytest.mark.parametrize(
    ("reference", "status"), [("Patient/p1", 403), (f"{EHR_BASE}/Patient/p1", 403), ("Patient/p2", 200)]
)
def test_consents_may_stand_in_a_folder(folder: World, reference: str, status: int) -> None:
    """Read at every look, as a folder of results is, however the patient is written there."""
    assert folder.ask(SEARCH).status == 200
    stated = {**consent(type="deny"), "patient": {"reference": reference}}
    (folder.folder / "consents" / "c.json").write_bytes(orjson.dumps(stated))
    assert folder.ask(SEARCH).status == status


@pytest.mark.parametrize("user", ["Practitioner/dr-roy", f"{EHR_BASE}/Practitioner/dr-roy"])
@pytest.mark.parametrize("base", ["", f"{EHR_BASE}/"])
@pytest.mark.parametrize(("named", "status"), [("somebody-else", 200), ("dr-roy", 403)])
def test_people_in_a_folder_are_those_of_the_ehr(folder: World, user: str, base: str, named: str, status: int) -> None:
    """Tokens name a user by an address as a rule: a deny for one doctor would else refuse all of them."""
    stated = consent(type="deny", actor=[{"reference": {"reference": f"{base}Practitioner/{named}"}}])
    (folder.folder / "consents" / "c.json").write_bytes(orjson.dumps(stated))
    assert folder.ask(SEARCH, token=folder.token(fhirUser=user)).status == status


def test_a_class_is_the_type_of_what_a_result_contains_too(asking: World) -> None:
    """A report that holds the opposed results would show them."""
    held = {"contained": [observation("in")], "result": [{"reference": "#in"}]}
    asking.lab.resources.append({**observation("r1"), "resourceType": "DiagnosticReport", **held})
    asking.consents.resources = [consent(type="deny", **{"class": [coded(TYPES, "Observation")]})]
    assert asking.ask("/fhir/city-lab/DiagnosticReport?patient=p1").references == []
    assert asking.last()["withheld"] == [{"reference": "DiagnosticReport/r1", "rule": "patient-opposition-part"}]


@pytest.mark.parametrize(
    "narrowing",
    [
        {"class": [coded("http://loinc.org", "718-7")]},
        {"class": [coded("urn:oid:2.16.840.1.113883.6.1", "718-7")]},
        {"securityLabel": [coded("urn:oid:2.16.840.1.113883.5.25", "R")]},
    ],
)
def test_a_consent_and_a_result_may_name_one_system_in_two_ways(asking: World, narrowing: dict[str, Any]) -> None:
    """What is opposed by the address of LOINC is opposed where the laboratory writes its OID, and the reverse."""
    concept = {"coding": [coded("urn:oid:2.16.840.1.113883.6.1", "718-7")]}
    asking.lab.resources = [lab_patient(), labelled({**observation("by-oid"), "code": concept})]
    asking.consents.resources = [consent(type="deny", **narrowing)]
    assert asking.ask(SEARCH).references == []
    assert asking.last()["withheld"] == [{"reference": "Observation/by-oid", "rule": "patient-opposition-part"}]


@pytest.mark.parametrize("opposed", ["SPI", "SUD", "OPIOIDUD"])
def test_a_sensitivity_means_those_below_it_too(asking: World, opposed: str) -> None:
    """What a laboratory calls more narrowly than the patient did is what the patient meant; never the reverse."""
    security = {"meta": {"security": [coded(ACT_CODE, "OPIOIDUD")]}}
    wider = {"meta": {"security": [coded(ACT_CODE, "SPI")]}}
    asking.lab.resources = [lab_patient(), {**observation("narrow"), **security}, {**observation("wide"), **wider}]
    asking.consents.resources = [consent(type="deny", securityLabel=[coded(ACT_CODE, opposed)])]
    assert asking.ask(SEARCH).references == ([] if opposed == "SPI" else ["Observation/wide"])
