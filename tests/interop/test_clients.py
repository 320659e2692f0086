"""Clients that are not ours, with a token in hand: each reads, searches, pages, tries to write, and is told no."""

import json

import pytest

from tests.interop.clients import run
from tests.interop.site import Site, folder_feed, ids

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]

ALMA = "ehr-1001"
THERE = "lab-20417"
HAEMOGLOBIN = "718-7"
NO = "This gateway gives view-only access; nothing can be stored or changed through it."
CLIENTS = (
    "fhir_kit_client.mjs",
    "fhirclient_node.mjs",
    "medplum_core.mjs",
    "pypi_fhirclient.py",
    "fhirpy_client.py",
    "fhir_pyrate_client.py",
)
WRITES = ("create", "update", "patch", "delete", "transaction")


@pytest.fixture(scope="module")
def site(tmp_path_factory, neighbours):
    """The gateway, with the sample laboratory."""
    made = Site(tmp_path_factory.mktemp("site"), neighbours, ehr=f"{neighbours.url}/ehr", feeds=folder_feed())
    try:
        yield made.prepare().start()
    finally:
        made.end()


@pytest.fixture(scope="module")
def told(site, tmp_path_factory):
    """What a client's program was given and told; each runs once, as a person of its own."""
    known = {}

    def ask(client):
        if client not in known:
            token = site.token(sub=f"dr-{client}")
            known[client] = run(client, tmp_path_factory.mktemp("client"), site.fhir("city-lab"), token)
        return known[client]

    return ask


@pytest.mark.parametrize("client", CLIENTS)
def test_it_reads_the_patient_in_context(told, client):
    """Under the EHR's id, which it knows; the answer has the laboratory's."""
    assert told(client)["read"] == {"gave": THERE}


@pytest.mark.parametrize("client", CLIENTS)
def test_it_searches_by_code(told, client):
    codes = told(client)["search"]["gave"]
    assert len(codes) > 1
    assert set(codes) == {HAEMOGLOBIN}


@pytest.mark.parametrize("client", CLIENTS)
def test_it_follows_our_links_to_the_last_page(site, told, client):
    """Every result once; a client that lost a page would show a patient as healthier than they are."""
    answer = site.ask(f"/fhir/city-lab/Observation?patient={ALMA}&_count=200", token=site.person())
    expected = [each.removeprefix("Observation/") for each in ids(answer.json)]
    assert len(expected) > 20
    assert told(client)["pages"] == {"gave": expected}


@pytest.mark.parametrize("client", [each for each in CLIENTS if each != "fhir_pyrate_client.py"])
def test_a_refused_write_reaches_its_user_in_our_words(told, client):
    """Whoever wrote a program that tries to file a result reads why, and not that something failed."""
    tried = {name: step for name, step in told(client).items() if name in WRITES}
    assert {"create", "update", "delete"} <= set(tried)
    for name, step in tried.items():
        assert "threw" in step, name
        said = json.dumps(step["told"])
        assert NO in said, name
        assert "view-only" in said, name


@pytest.mark.parametrize("client", [each for each in CLIENTS if each != "fhir_pyrate_client.py"])
def test_each_attempt_to_write_is_one_record_of_a_refusal(site, told, client):
    tried = [name for name in told(client) if name in WRITES]
    records = [each for each in site.bodies() if each.get("person", {}).get("subject") == f"dr-{client}"]
    refused = [each for each in records if each["reason"] == "view-only"]
    assert [each["asked"]["interaction"] for each in refused] == tried
    assert all((each["outcome"], each["rules"], each["released"]) == ("4", ["view-only"], []) for each in refused)


@pytest.mark.parametrize("client", ["fhir_kit_client.mjs", "pypi_fhirclient.py"])
def test_it_finds_where_to_sign_in(neighbours, told, client):
    """One looks in `.well-known/smart-configuration`, the other in the CapabilityStatement alone."""
    steps = told(client)
    assert steps["capabilities"] == {"gave": "4.0.1"}
    said = json.dumps(steps)
    assert f"{neighbours.url}/authorization" in said
    assert f"{neighbours.url}/token" in said


def test_fhir_kit_client_searches_in_every_way_that_it_has(told):
    steps = told("fhir_kit_client.mjs")
    assert steps["search by post"] == {"gave": 5}
    assert steps["compartment"] == {"gave": ["DiagnosticReport"] * 5}
    assert steps["reference"] == {"gave": "Patient"}
    assert steps["operation"]["told"]["issue"][0]["details"]["coding"][0]["code"] == "operation-refused"


def test_fhirclient_finds_in_our_capability_statement_what_ties_a_type_to_the_patient(told):
    """`client.patient.request(…)` asks for nothing where it finds no such parameter."""
    assert told("fhirclient_node.mjs")["in context"] == {"gave": ["DiagnosticReport"]}


def test_fhirpy_is_told_in_words_that_nothing_is_counted(told):
    """Its `count()` would tell how much there is, withheld results and all."""
    (issue,) = told("fhirpy_client.py")["count"]["told"]["issue"]
    assert issue["code"] == "not-supported"
    assert "not supported here" in issue["details"]["text"]


def test_fhir_pyrate_logs_a_refusal_and_gives_nothing(told):
    """It knows no writing. Of another patient it yields no results and no error: only its log tells."""
    others = told("fhir_pyrate_client.py")["others"]["gave"]
    assert others["gave"] == 0
    assert any("403" in line for line in others["logged"])
