"""Bounds of one look and of one person, through HTTP: deadlines, sizes, quotas, and one hung feed among others."""

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from fhir_adapters.interface import Call, Page
from plugin.alerts import Alerts
from plugin.consultation import fetch
from plugin.consultation import gateway as gateway_module
from plugin.consultation.admission import Admission
from plugin.consultation.answer import MAX_STARTS, Answer
from plugin.consultation.feed_line import SLOTS
from plugin.settings.errors import SettingsError
from plugin.state.quotas import Quotas
from plugin.telemetry import QUOTA_REFUSALS
from tests.alerts.test_alerts import Listener
from tests.consultation.test_attempt import rebuilt
from tests.world import CLIENT, CONFIGURATION, World, observation

SEARCH = "/fhir/city-lab/Observation?patient=p1"


def test_every_call_has_the_feeds_deadline_within_the_consultations(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5 s for the feed, 8 s for the whole, and the record's id to close the gap of a killed process."""
    assert (gateway_module.FEED_SECONDS, gateway_module.CONSULTATION_SECONDS) == (5.0, 8.0)
    monkeypatch.setattr(gateway_module, "FEED_SECONDS", 500.0)
    monkeypatch.setattr(gateway_module, "CONSULTATION_SECONDS", 800.0)
    world.lab.resources.append(observation("o1"))
    before = time.monotonic()
    world.ask(SEARCH)
    after = time.monotonic()
    calls: list[Call] = [*world.ehr.calls, *world.lab.calls]
    assert len(calls) == 3
    assert all(before + 500 <= call.deadline.at <= after + 500 for call in calls)
    assert {call.record for call in calls} == {world.last()["record"]}
    monkeypatch.setattr(gateway_module, "CONSULTATION_SECONDS", 300.0)
    world.lab.calls.clear()
    before = time.monotonic()
    world.ask(SEARCH)
    assert all(before + 300 <= call.deadline.at <= time.monotonic() + 300 for call in world.lab.calls)


def test_a_slow_ehr_takes_none_of_the_feeds_time(world: World) -> None:
    """The feed was asked with what the EHR had left, and recorded as the one that did not answer in time."""
    world.ehr.delay = 0.2
    world.ask(SEARCH)
    (of_ehr,), of_lab = world.ehr.calls, world.lab.calls
    assert all(call.deadline.at >= of_ehr.deadline.at + 0.2 for call in of_lab)
    assert len(of_lab) == 2


def test_a_thousand_results_of_one_id_are_told_apart_in_no_time(world: World) -> None:
    """Compared by pairs, those of a hostile source would hold everybody's looks up for seconds."""
    alike = {f"member{number}": "as in all the others" for number in range(400)}
    world.lab.resources += [{**observation("o1"), **alike, "last": number} for number in range(990)]
    world.lab.resources.append(observation("o2"))
    before = time.process_time()
    assert world.ask(f"{SEARCH}&_count=1").status == 200
    assert time.process_time() - before < 4  # one, on an idle machine; by pairs, more than six


def test_a_source_of_many_small_pages_is_not_judged_anew_from_each_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a next link leads is tried from the last pages only; from the first all is found again, however far."""
    world.lab.page_size = 2
    first = [observation(f"o{n}") for n in range(60)]
    named = [{"reference": f"Observation/{each['id']}"} for each in first]  # more than the next look may look up
    world.lab.resources += [*first, observation("o60", hasMember=named), observation("o61")]
    judged: list[int] = []
    as_ever = Answer._judged
    monkeypatch.setattr(
        Answer, "_judged", lambda self, entries, find: judged.append(len(entries)) or as_ever(self, entries, find)
    )
    answer = world.ask(f"{SEARCH}&_count=60")
    assert len(answer.references) == 60
    assert len(judged) == 31 + MAX_STARTS
    assert world.ask(str(answer.link("next"))).references == ["Observation/o60", "Observation/o61"]


def test_all_pages_of_a_feed_share_one_deadline(world: World) -> None:
    """A slow drip of pages would otherwise never end."""
    world.lab.page_size = 1
    world.lab.resources += [observation(f"o{n}") for n in range(4)]
    world.ask(SEARCH)
    pages = [
        call.deadline.at
        for query, call in zip(world.lab.queries, world.lab.calls, strict=True)
        if query[1] != "Patient"
    ]
    assert len(pages) == 4
    assert len(set(pages)) == 1


@pytest.mark.parametrize("kind", ["shown", "withheld", "foreign"])
def test_more_than_a_look_may_hold_is_refused_whole(world: World, kind: str) -> None:
    """403 `too-costly`, never a silently short answer; what is not shown counts, else it could be fished for."""
    rebuilt(world, most_resources=5)
    patient = {"foreign": "lab-2"}.get(kind, "lab-1")
    more: dict[str, Any] = {"hasMember": [{"reference": "Observation/x"}]} if kind == "withheld" else {}
    world.lab.ignores_parameters = True
    world.lab.resources += [observation(f"o{n}", patient=patient, **more) for n in range(4)]
    assert world.ask(SEARCH).status == 200
    world.lab.resources.append(observation("one-more", patient=patient, **more))
    answer = world.ask(SEARCH)
    assert (answer.status, answer.issue, answer.reason) == (403, "too-costly", "too-costly")
    record = world.last()
    assert (record["outcome"], record["rules"], record["released"]) == ("4", ["cap"], [])
    assert record["feed"]["answer"] == "answered"


def test_a_feed_of_endless_pages_is_not_followed_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that hold nothing do not reach the cap of resources."""
    monkeypatch.setattr(fetch, "MAX_UPSTREAM_PAGES", 4)
    world.ask("/fhir/city-lab/Patient/p1")
    world.lab.search = lambda *_: Page((), "again")  # type: ignore[method-assign,assignment]
    world.lab.page = lambda *_: Page((), "again")  # type: ignore[method-assign,assignment]
    token = world.token()
    monkeypatch.setattr(world.assembled.gateway.matches, "match", _matched)
    assert world.ask(SEARCH, token=token).reason == "too-costly"


def _matched(*_: Any) -> Any:
    from plugin.consultation.findings import Match

    return Match("lab-1", (), "same-id")


def test_a_person_beyond_the_quota_gets_429_and_a_record(tmp_path: Any) -> None:
    """Limits are tightened by configuration; refused looks count; another person is not held up."""
    world = World(tmp_path, f"{CONFIGURATION}\n[limits]\nconsultations_per_person_hour = 3\n")
    world.lab.resources.append(observation("o1"))
    statuses = [
        world.ask(SEARCH).status,
        world.ask(SEARCH, token=world.token(scope="")).status,
        world.ask(SEARCH).status,
    ]
    assert statuses == [200, 403, 200]
    counted = QUOTA_REFUSALS._value.get()
    answer = world.ask(SEARCH)
    assert QUOTA_REFUSALS._value.get() == counted + 1
    assert (answer.status, answer.reason, answer.issue) == (429, "quota", "throttled")
    assert answer.headers["Retry-After"]
    assert (world.last()["outcome"], world.last()["rules"]) == ("4", ["quota"])
    assert world.ask(SEARCH, token=world.token(sub="dr-kim")).status == 200


def test_patients_beyond_the_quota_are_refused_and_those_seen_stay(tmp_path: Any) -> None:
    """Whose patients are counted is told by what the token has in context, named or not."""
    world = World(tmp_path, f"{CONFIGURATION}\n[limits]\npatients_per_person_hour = 2\n")
    statuses = [
        world.ask("/fhir/imaging/ImagingStudy", token=world.token(patient=f"p{n}")).status for n in (1, 2, 3, 1)
    ]
    assert statuses == [200, 200, 429, 200]


TIGHTER = f"""
[[limits.tighter]]
role = "urn:oid:1.2.250.1.213.1.1.5.4|nurse"
patients_per_person_hour = 1
[[limits.tighter]]
client = "{CLIENT}"
consultations_per_person_hour = 3
[[limits.tighter]]
client = "{CLIENT}"
role = "urn:oid:1.2.250.1.213.1.1.5.4|student"
consultations_per_person_hour = 1
"""


def test_limits_are_tightened_for_a_role_a_client_or_both(tmp_path: Any) -> None:
    """The tightest that hold count, and a role that a token does not show tightens nothing."""
    world = World(tmp_path, f"{CONFIGURATION}\n{TIGHTER}")

    def statuses(person: str, patients: str, role: str | None = None) -> list[int]:
        iua = {"subject_role": [{"system": "urn:oid:1.2.250.1.213.1.1.5.4", "code": role}]} if role else {}
        more = {"extensions": {"ihe_iua": iua}} if role else {}
        return [
            world.ask("/fhir/imaging/ImagingStudy", token=world.token(sub=person, patient=f"p{n}", **more)).status
            for n in patients
        ]

    assert statuses("dr-roy", "1234") == [200, 200, 200, 429]
    assert statuses("nurse-kim", "1211", "nurse") == [200, 429, 200, 429]
    assert statuses("student-li", "11", "student") == [200, 429]


def test_an_unlisted_client_in_a_limit_stops_the_start(tmp_path: Any) -> None:
    """It would tighten nobody's quota, unnoticed."""
    wrong = '[[limits.tighter]]\nclient = "results-pain"\npatients_per_person_hour = 5\n'
    with pytest.raises(SettingsError, match=r"limits\.tighter\.0\.client"):
        World(tmp_path, f"{CONFIGURATION}\n{wrong}")


def test_a_quota_that_is_reached_is_told_once_by_the_id_of_its_record(tmp_path: Any) -> None:
    """Whoever is alerted finds person and patient in the log, and only there."""
    listener = Listener()
    world = World(tmp_path, f"{CONFIGURATION}\n[limits]\nconsultations_per_person_hour = 1\n")
    alerts = Alerts([listener], "https://vitrine.example")
    rebuilt(world, alerts=alerts)
    assert [world.ask(SEARCH).status for _ in range(4)] == [200, 429, 429, 429]
    assert alerts.flush(60)
    (alert,) = listener.heard
    assert (alert["alert"], alert["reference"]) == ("quota-reached", world.bodies()[1]["record"])
    assert world.bodies()[1]["rules"] == ["quota"]
    assert set(alert) == {"alert", "reference", "gateway", "time"}
    told = str(alert)
    assert "dr-roy" not in told
    world.ask(SEARCH, token=world.token(sub="dr-kim"))
    world.ask(SEARCH, token=world.token(sub="dr-kim"))
    assert alerts.flush(60)
    assert len(listener.heard) == 2


def test_counters_that_fail_show_nothing(world: World, tmp_path: Any) -> None:
    """503, recorded as unavailable."""
    (tmp_path / "a-folder").mkdir()
    rebuilt(world, quotas=Quotas(tmp_path / "a-folder", b"k", consultations=1, patients=1))
    answer = world.ask(SEARCH)
    assert (answer.status, answer.reason) == (503, "state-unavailable")
    assert (world.last()["action"], world.last()["outcome"]) == ("consultation:unavailable", "12")


def test_one_hung_feed_leaves_the_other_answering(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that may wait for the laboratory do; imaging is looked at meanwhile, though one alone may be at work."""
    monkeypatch.setattr("fhir_adapters.breaker.PATIENCE_SECONDS", 0.01)
    inside, release = threading.Semaphore(0), threading.Event()

    class Hung:
        """A laboratory that does not answer until told to."""

        id, base = world.lab.id, world.lab.base

        def search(self, *_: Any) -> Page:
            inside.release()
            release.wait(60)
            return Page((), None)

    feeds = dict(world.assembled.gateway.feeds)
    feeds["city-lab"] = replace(feeds["city-lab"], line=type(feeds["city-lab"].line)(Hung()))  # type: ignore[arg-type]
    rebuilt(world, feeds=feeds, admission=Admission(1))
    tokens = [world.token() for _ in range(SLOTS)]
    clients = [world.client.application.test_client() for _ in tokens]
    threads = [
        threading.Thread(target=client.get, args=(SEARCH,), kwargs={"headers": {"Authorization": f"Bearer {token}"}})
        for client, token in zip(clients, tokens, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        assert all(inside.acquire(timeout=60) for _ in threads)
        assert world.ask(SEARCH).reason == "feed-busy"
        assert world.last()["feed"]["answer"] == "busy"
        assert world.ask("/fhir/imaging/ImagingStudy?patient=p1").status == 200
    finally:
        release.set()
        for thread in threads:
            thread.join()
    assert len(world.bodies()) == SLOTS + 2
