"""Feeds that misbehave, one by one, from outside: an error in FHIR's form, one record of it, and nothing leaked."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deployed.deployment import SAMPLES, Deployment, free_port, odd_feed
from tests.deployed.neighbours import Neighbours, http_answer, json_answer, searchset

MARKER = "leak-7f3a"
"""Stands in everything that a feed says here; none of it may come through."""
DEADLINE = 8.0
"""A consultation's, in seconds."""
SLACK = 10.0
"""What a loaded machine may take to say so; a dripping feed would go on for ever."""
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"text": MARKER},
    "subject": {"reference": "Patient/ehr-1001"},
}
GOOD = json.dumps(searchset(OBSERVATION)).encode()


pytestmark = pytest.mark.slow


def sends(data):
    return lambda connection: connection.sendall(data)


def drips(connection):
    """A byte now and then, for ever."""
    connection.sendall(http_answer(GOOD + b" " * 10_000)[:-10_000])
    while True:
        connection.sendall(b" ")
        time.sleep(0.2)


def hangs(connection):
    time.sleep(30)


def floods(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nConnection: close\r\n\r\n")
    for _ in range(40):
        connection.sendall(b" " * (1 << 20))


def resets(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


MANNERS = {
    "truncated": (sends(http_answer(GOOD)[:-40]), 502),
    "drip": (drips, 504),
    "hung": (hangs, 504),
    "huge": (floods, 502),
    "html": (sends(http_answer(f"<html>{MARKER}</html>".encode(), kind="text/html")), 502),
    "html-as-json": (sends(http_answer(f"<html>{MARKER}</html>".encode())), 502),
    "error": (sends(http_answer(GOOD, status="500 Internal Server Error")), 502),
    "unavailable": (sends(http_answer(GOOD, status="503 Service Unavailable")), 502),
    "unauthorised": (sends(http_answer(GOOD, status="401 Unauthorized")), 502),
    "redirect": (sends(http_answer(GOOD, status="302 Found", more=f"Location: http://127.0.0.1:1/{MARKER}\r\n")), 502),
    "doubled-keys": (sends(http_answer(GOOD.replace(b'"id"', b'"id": "other", "id"'))), 502),
    "deep": (sends(http_answer(b'{"resourceType":"Bundle","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}")), 502),
    "not-json": (sends(http_answer(GOOD[:-5])), 502),
    "not-http": (sends(MARKER.encode() * 100), 502),
    "reset": (resets, 502),
    "silent": (lambda connection: None, 502),
    "outcome": (sends(json_answer({"resourceType": "OperationOutcome", "issue": [{"diagnostics": MARKER}]})), 502),
    "not-a-searchset": (sends(json_answer({"resourceType": "Bundle", "type": "history", "entry": []})), 502),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    around = Neighbours(SAMPLES)
    feeds = [odd_feed(name, around.odd(name, manner)) for name, (manner, _) in MANNERS.items()]
    stranger = {**OBSERVATION, "id": "o2", "subject": {"reference": "Patient/another"}}
    feeds.append(odd_feed("wrong-patient", around.odd("wrong-patient", sends(json_answer(searchset(stranger))))))
    feeds.append(odd_feed("good", around.odd("good", sends(http_answer(GOOD)))))
    feeds.append(odd_feed("closed", f"http://127.0.0.1:{free_port()}/fhir"))
    made = Deployment(tmp_path_factory.mktemp("upstreams"), around, feeds="".join(feeds))
    try:
        yield made.prepare().start()
    finally:
        made.end()
        around.close()


def asked(gateway, feed):
    return gateway.ask(f"/fhir/{feed}/Observation?patient=ehr-1001")


def assert_told_and_recorded(gateway, answer, expected):
    assert answer.status == expected
    assert MARKER not in answer.body.decode() + str(answer.headers)
    assert answer.issue["severity"] == "error"
    record = next(body for body in gateway.bodies() if body.get("request") == answer.headers["x-request-id"])
    assert record["outcome"] == ("12" if expected == 503 else "8")
    assert record["released"] == []
    assert MARKER not in json.dumps(record)


@pytest.fixture(scope="module")
def answers(gateway):
    """What each manner came to, and after how many seconds; some at a time, since two of them take until a deadline."""

    def timed(manner):
        began = time.monotonic()
        return asked(gateway, manner), time.monotonic() - began

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(MANNERS, pool.map(timed, MANNERS), strict=True))


@pytest.mark.parametrize("manner", MANNERS)
def test_a_feed_that_misbehaves_is_an_error_and_a_record(gateway, answers, manner):
    answer, seconds = answers[manner]
    assert_told_and_recorded(gateway, answer, MANNERS[manner][1])
    assert seconds < DEADLINE + SLACK


def test_another_patients_results_are_left_out_and_counted(gateway):
    answer = asked(gateway, "wrong-patient")
    assert answer.status == 200
    assert not answer.json.get("entry")
    assert MARKER.encode() not in answer.body
    assert gateway.last()["foreign"] == 1


def test_a_feed_that_is_down_is_soon_not_asked_any_more(gateway):
    """502 while it is tried, then 503 by the breaker, which names when to ask again."""
    answers = [asked(gateway, "closed") for _ in range(6)]
    assert_told_and_recorded(gateway, answers[0], 502)
    assert_told_and_recorded(gateway, answers[-1], 503)
    assert int(answers[-1].headers["retry-after"]) > 0


def test_a_hung_feed_does_not_keep_the_others_waiting(gateway):
    """However many ask it: half of the threads stay free."""
    threads = [threading.Thread(target=asked, args=(gateway, "hung")) for _ in range(12)]
    for each in threads:
        each.start()
    try:
        quick = []
        while any(each.is_alive() for each in threads):
            quick.append(asked(gateway, "good").status)
            time.sleep(0.1)
        assert quick
        assert set(quick) == {200}
    finally:
        for each in threads:
            each.join()


def test_the_log_tells_nothing_that_a_feed_said(gateway):
    assert MARKER not in json.dumps(gateway.log_lines())
