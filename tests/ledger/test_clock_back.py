"""Times in the log never go back silently."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from plugin.event import AuditAction
from plugin.ledger.reader import Reader
from plugin.ledger.record import encode_time, seconds_before
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.writer import Ledger
from plugin.recorder import BACK_SECONDS, Recorder

NOON = datetime(2100, 1, 1, 12, tzinfo=UTC)
"""After the head of a new ledger, whenever this runs."""


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(place, clock, told) -> Recorder:
    return Recorder(Ledger(SqliteStore(place.path), place.key(), clock), {}, on_clock_back=told.append)


def bodies(place):
    assert place.verify().problem is None
    return [orjson.loads(record.body) for record in Reader(place.path).records()]


def test_a_clock_that_was_set_back_is_told_once_by_a_record_and_an_alert(place, recorder, clock, told):
    """Who reads the log in order of time must know where that order breaks."""
    recorder.operational(AuditAction.GATEWAY_STARTED, "x")
    clock.now -= timedelta(seconds=90)
    for _ in range(3):
        recorder.operational(AuditAction.GATEWAY_STARTED, "x")
    actions = [body["action"] for body in bodies(place)]
    assert actions == ["gateway:started", "gateway:started", "clock:drifted", "gateway:started", "gateway:started"]
    assert "90.0 s" in bodies(place)[2]["note"]
    assert told == ["position-2"]


def test_what_machines_that_share_a_ledger_differ_by_is_no_news(place, recorder, clock, told):
    """Their clocks agree to some milliseconds."""
    recorder.operational(AuditAction.GATEWAY_STARTED, "x")
    clock.now -= timedelta(seconds=BACK_SECONDS / 2)
    recorder.operational(AuditAction.GATEWAY_STARTED, "x")
    assert (len(bodies(place)), told) == (2, [])


def test_times_that_are_none_are_not_before_anything():
    """The head's time is not signed: whatever stands there must not stop an append."""
    early, late = encode_time(NOON), encode_time(NOON + timedelta(seconds=2))
    assert (seconds_before(early, late), seconds_before(late, early), seconds_before(early, early)) == (2.0, 0.0, 0.0)
    assert seconds_before(early, "zzz") == 0.0
    assert seconds_before("", late) == 0.0
