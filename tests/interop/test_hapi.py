"""HAPI FHIR as a feed, and as the EHR's FHIR server: its habits, seen through the gateway."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.interop.hapi import Hapi
from tests.interop.site import Site, feed, following, ids, refused

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

ALMA = "ehr-1001"
THERE = "lab-20417"
"""Alma at the laboratory: found by her identifier, which the EHR's server knows as well."""


def test_a_read_brings_the_resource_as_the_server_holds_it(site, lab):
    """Numbers above all: a result's decimals are part of what the laboratory says."""
    there = lab.ask("GET", "/fhir/Observation/obs-20417-241118-01").json
    answer = site.ask("/fhir/lab/Observation/obs-20417-241118-01", token=site.person())
    assert answer.status == 200
    assert answer.json["valueQuantity"] == there["valueQuantity"]
    assert answer.json["code"] == there["code"]
    assert answer.json["subject"]["reference"].endswith(f"Patient/{THERE}")


def test_a_search_is_paged_over_links_on_the_servers_root(site, lab):
    """HAPI's next links carry neither type nor patient; ours do, and every result comes exactly once."""
    fresh = {"Cache-Control": "no-cache"}
    expected = lab.ask("GET", f"/fhir/Observation?patient={THERE}&_summary=count", headers=fresh).json["total"]
    pages = list(site.pages(f"/fhir/lab/Observation?patient={ALMA}&_count=20", site.person()))
    seen = [each for page in pages for each in ids(page)]
    assert len(pages) > 1
    assert len(seen) == len(set(seen)) == expected
    assert all(str(lab.port) not in link["url"] for page in pages for link in page["link"])


def test_every_entry_stands_under_our_own_base(site, lab):
    """`fullUrl` of HAPI names its own host, which a client may not be able to reach, nor should."""
    answer = site.ask(f"/fhir/lab/Observation?patient={ALMA}&_count=20", token=site.person())
    base = site.fhir("lab")
    assert answer.json["entry"]
    assert all(entry["fullUrl"].startswith(f"{base}/Observation/") for entry in answer.json["entry"])
    assert lab.origin.encode() not in answer.body


def test_a_search_by_post_finds_what_a_search_by_get_finds(site):
    form = f"patient={ALMA}&code=http%3A%2F%2Floinc.org%7C2345-7".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    token = site.person()
    posted = site.ask("/fhir/lab/Observation/_search", method="POST", body=form, headers=headers, token=token)
    got = site.ask(f"/fhir/lab/Observation?{form.decode()}", token=token)
    assert posted.status == got.status == 200, posted.body
    assert ids(posted.json) == ids(got.json)


def test_a_result_is_seen_as_soon_as_it_is_there(site, lab):
    """HAPI answers a search that it knows from its cache, unless one asks otherwise."""
    path = f"/fhir/lab/Observation?patient={ALMA}&code=fresh-1"
    token = site.person()
    assert ids(site.ask(path, token=token).json) == []
    known = f"/fhir/Observation?patient={THERE}&code=fresh-1"
    assert "entry" not in lab.ask("GET", known).json
    lab.load(
        {
            "resourceType": "Observation",
            "id": "fresh-1",
            "status": "final",
            "code": {"coding": [{"code": "fresh-1"}]},
            "subject": {"reference": f"Patient/{THERE}"},
        }
    )
    assert "entry" not in lab.ask("GET", known).json, "its cache is what this test is about"
    assert ids(site.ask(path, token=token).json) == ["Observation/fresh-1"]


def test_a_clients_own_cache_control_does_not_truncate_its_answer(site, lab):
    """HAPI answers `no-store` with one page, `total` = page size and no next link."""
    cut = lab.ask("GET", f"/fhir/Observation?patient={THERE}&_count=20", headers={"Cache-Control": "no-store"})
    assert not [link for link in cut.json["link"] if link["relation"] == "next"]
    path = f"/fhir/lab/Observation?patient={ALMA}&_count=20"
    answer = site.ask(path, token=site.person(), headers={"Cache-Control": "no-store"})
    assert [link for link in answer.json["link"] if link["relation"] == "next"]


def test_what_is_absent_and_what_was_deleted_cannot_be_told_apart(site, lab):
    """HAPI says 404 and 410; that something was once there is nothing for the asker to learn."""
    lab.load(
        {
            "resourceType": "Observation",
            "id": "gone-1",
            "status": "final",
            "code": {"text": "gone"},
            "subject": {"reference": f"Patient/{THERE}"},
        }
    )
    assert lab.ask("DELETE", "/fhir/Observation/gone-1").status == 200
    assert lab.ask("GET", "/fhir/Observation/gone-1").status == 410
    token = site.person()
    for name in ("gone-1", "never-there"):
        assert refused(site.ask(f"/fhir/lab/Observation/{name}", token=token), 404) == "not-found"


def test_another_patients_result_is_not_there(site):
    """The server would give it to anybody who asks."""
    token = site.person()
    assert refused(site.ask("/fhir/lab/Observation/obs-20418-241202-01", token=token), 404) == "not-found"


def test_a_page_that_the_server_forgot_is_gone_for_the_client_too(site, ward):
    """The client starts over; it must not take what it has for everything."""
    token = site.person()
    # The second page begins within the server's first, which is asked anew; the third only its next link leads to.
    second = following(site, site.ask(f"/fhir/ward/Observation?patient={ALMA}&_count=10", token=token).json)
    third = following(site, site.ask(second, token=token).json)
    assert site.ask(third, token=token).status == 200
    ward.forget()
    assert refused(site.ask(third, token=token), 410)
    assert site.ask(second, token=token).status == 200


def test_the_gateway_asks_for_gzip_and_reads_it(site, lab):
    """An answer of 1.5 MB is why servers compress."""
    said = lab.ask("GET", "/fhir/metadata", headers={"Accept-Encoding": "gzip"})
    assert said.headers.get("content-encoding") == "gzip"
    until = time.monotonic() + 240
    while b"HAPI FHIR" not in (seen := _checked(site)):
        assert time.monotonic() < until, seen


def _checked(site):
    done = subprocess.run(
        site.command("feed", "check", "lab"), capture_output=True, check=False, cwd=site.folder, env=site.environment()
    )
    return done.stdout + done.stderr


def test_a_server_that_stands_still_delays_only_its_own_feed(site, ward, lab):
    """SIGSTOP: connections are accepted and nothing comes back."""
    token = site.person()
    assert site.ask(f"/fhir/lab/Patient/{ALMA}", token=token).status == 200
    lab.hold()
    try:
        with ThreadPoolExecutor() as pool:
            slow = pool.submit(site.ask_once, f"/fhir/lab/Observation?patient={ALMA}", token=token)
            assert site.ask(f"/fhir/ward/Observation?patient={ALMA}", token=token).status == 200
            answer = slow.result()
        assert refused(answer, 504) == "timeout"
    finally:
        lab.go_on()
    assert site.ask(f"/fhir/lab/Observation?patient={ALMA}", token=token).status == 200


def test_nothing_can_be_written_into_it(site, lab):
    """The server itself lets anybody write; the gateway has no way through."""
    body = b'{"resourceType": "Observation", "id": "forged", "status": "final", "code": {"text": "x"}}'
    headers = {"Content-Type": "application/fhir+json"}
    token = site.person()
    for method, path, status in (
        ("POST", "Observation", 405),
        ("PUT", "Observation/forged", 405),
        ("DELETE", "Observation/obs-20417-241118-01", 405),
        ("PATCH", "Observation/obs-20417-241118-01", 405),
        ("POST", "", 403),
    ):
        answer = site.ask(f"/fhir/lab/{path}", method=method, body=body, headers=headers, token=token)
        refused(answer, status)
    assert lab.ask("GET", "/fhir/Observation/forged").status == 404
    assert lab.ask("GET", "/fhir/Observation/obs-20417-241118-01").status == 200


def test_a_server_that_was_killed_is_a_refusal_and_no_half_answer(site, neighbours, tmp_path):
    """An empty answer would read as: this patient has no results."""
    gone = Hapi(tmp_path / "gone.log")
    base = gone.base
    gone.end()
    beside = Site(tmp_path, neighbours, ehr=base, feeds=feed("lab", base))
    try:
        beside.prepare().start()
        answer = beside.ask_once(f"/fhir/lab/Observation?patient={ALMA}", token=beside.person())
        assert answer.status in (502, 503)
        assert answer.issue["code"] == "transient"
    finally:
        beside.end()
