"""Medplum's FHIR router as a feed: no `link`, no `fullUrl`, and parameters that it does not know are ignored."""

import pytest

from tests.deployed.deployment import PATIENT
from tests.interop.conftest import OTHER
from tests.interop.site import Site, feed, ids, refused

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def site(tmp_path_factory, neighbours, card):
    """The gateway, with a feed that shares the patient ids of the EHR."""
    made = Site(
        tmp_path_factory.mktemp("site"),
        neighbours,
        ehr=f"{neighbours.url}/ehr",
        feeds=feed("card", card.base, same_id=True),
    )
    try:
        yield made.prepare().start()
    finally:
        made.end()


def test_its_habits_are_those_that_this_is_about(card):
    """If a later version mends them, these tests no longer show anything."""
    plain = card.ask("GET", f"/fhir/Observation?subject=Patient/{PATIENT}&_count=10").json
    assert "link" not in plain
    assert not any("fullUrl" in entry for entry in plain["entry"])
    odd = card.ask("GET", f"/fhir/Observation?subject=Patient/{PATIENT}&colour=red")
    assert odd.status == 200


def test_a_read_brings_the_result(site):
    answer = site.ask(f"/fhir/card/Observation/{PATIENT}-00", token=site.person())
    assert answer.status == 200, answer.body
    assert answer.json["valueQuantity"]["value"] == 37.5


def test_a_search_without_links_is_whole_and_paged_by_us(site):
    """The server gives no next link; what it holds beyond a page must not be lost without a word."""
    pages = list(site.pages(f"/fhir/card/Observation?patient={PATIENT}&_count=10", site.person()))
    seen = [each for page in pages for each in ids(page)]
    assert len(pages) > 1
    assert len(seen) == len(set(seen)) == 30


def test_every_entry_has_an_address_although_the_server_gives_none(site):
    answer = site.ask(f"/fhir/card/Observation?patient={PATIENT}", token=site.person())
    assert answer.json["entry"]
    assert all(
        entry["fullUrl"] == f"{site.fhir('card')}/Observation/{entry['resource']['id']}"
        for entry in answer.json["entry"]
    )


def test_a_restriction_narrows_or_is_refused(site):
    """The server would ignore what it does not know, and answer with more than was asked for."""
    token = site.person()
    late = site.ask(f"/fhir/card/Observation?patient={PATIENT}&date=ge2026-11-20", token=token).json
    assert late["entry"]
    assert all(entry["resource"]["effectiveDateTime"] >= "2026-11-20" for entry in late["entry"])
    unknown = site.ask(f"/fhir/card/Observation?patient={PATIENT}&colour=red", token=token)
    assert refused(unknown, 400) == "not-supported"


def test_another_patients_result_is_not_there(site, card):
    assert card.ask("GET", f"/fhir/Observation/{OTHER}-00").status == 200
    assert refused(site.ask(f"/fhir/card/Observation/{OTHER}-00", token=site.person()), 404) == "not-found"


def test_nothing_can_be_written_into_it(site, card):
    before = card.ask("GET", f"/fhir/Observation/{PATIENT}-00").json
    body = b'{"resourceType": "Observation", "id": "forged", "status": "final", "code": {"text": "x"}}'
    headers = {"Content-Type": "application/fhir+json"}
    token = site.person()
    for method, path in (
        ("POST", "Observation"),
        ("PUT", "Observation/forged"),
        ("DELETE", f"Observation/{PATIENT}-00"),
    ):
        refused(site.ask(f"/fhir/card/{path}", method=method, body=body, headers=headers, token=token), 405)
    assert card.ask("GET", "/fhir/Observation/forged").status == 404
    assert card.ask("GET", f"/fhir/Observation/{PATIENT}-00").json == before


def test_a_server_that_stops_is_a_refusal_and_no_empty_answer(site, card):
    """SIGSTOP: an empty answer would read as: this patient has no results."""
    token = site.person()
    path = f"/fhir/card/Observation?patient={PATIENT}"
    card.hold()
    try:
        assert refused(site.ask_once(path, token=token), 504) == "timeout"
    finally:
        card.go_on()
    assert site.ask(path, token=token).json["entry"]
