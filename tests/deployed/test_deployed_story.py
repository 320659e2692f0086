"""The story of the product, with the program as it is deployed: a look, its record, and what is left of it anywhere."""

import json

import pytest

from tests.audit.balp_profile import claimed_problems

pytestmark = pytest.mark.slow
SEARCH = "/fhir/city-lab/Observation?patient=ehr-1001&category=laboratory&_count=20"


def test_a_look_over_http_is_one_audit_event_that_names_what_was_seen(gateway):
    """The main job: the clinician sees results, and the log says which, under the addresses that she saw."""
    answer = gateway.ask(SEARCH)
    assert answer.status == 200
    seen = {entry["fullUrl"] for entry in answer.json["entry"]}
    assert len(seen) >= 20
    listed = gateway.run("audit", "list", "--reason", "a test", "--format", "fhir").stdout.decode().splitlines()
    events = [json.loads(line) for line in listed]
    event = next(each for each in events if f'"{answer.headers["x-request-id"]}"' in json.dumps(each))
    named = {entity.get("what", {}).get("reference", "") for entity in event["entity"]}
    assert seen <= named
    assert f"{gateway.neighbours.url}/ehr/Patient/ehr-1001" in named
    assert event["outcome"] == "0"
    assert [claimed_problems(each) for each in events] == [[]] * len(events)


def test_numbers_arrive_as_the_laboratory_wrote_them(gateway):
    """`1.50` is a precision, not a number."""
    answer = gateway.ask("/fhir/city-lab/Observation/obs-20417-261116-01")
    assert answer.status == 200
    assert b'"value":1.50,' in answer.body.replace(b": ", b":")
