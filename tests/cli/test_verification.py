"""The scheduled verification: when it is due, who does it, and what becomes of what it finds."""

import fcntl
import os
import sys
import threading
from datetime import UTC, datetime, timedelta

import apsw
import orjson
import pytest

from plugin.alerts import AlertKind, Alerts
from plugin.cli import verification
from plugin.cli.alarms import UNRECORDED, Alarms
from plugin.cli.verification import Verification
from plugin.ledger.file_place import FilePlace
from plugin.ledger.reader import Reader
from plugin.telemetry import VERIFIED_AT
from tests.alerts.test_alerts import Listener

DAY = timedelta(days=1)
PATIENCE = 60.0


class Site:
    """A world, its alarms with a listener, and a clock that is moved by hand."""

    def __init__(self, world):
        self.world = world
        self.listener = Listener()
        self.alerts = Alerts([self.listener], "https://vitrine.example")
        self.alarms = Alarms(world.settings, self.alerts)
        self.now = datetime.now(UTC)
        self.found = []
        world.assembled.recorder.operational("gateway:started", "x")

    def verification(self, command=None):
        path = self.world.folder / "vitrine.toml"
        place, line = FilePlace(self.world.settings.ledger.path), command or verification.command(path)
        return Verification(place, line, DAY, self.alarms, self.found.append, lambda: self.now)

    def actions(self):
        return [orjson.loads(each.body)["action"] for each in Reader(self.world.settings.ledger.path).records()]

    def heard(self):
        assert self.alerts.flush(PATIENCE)
        return [(alert["alert"], alert["reference"]) for alert in self.listener.heard]


def saying(code, out="", err=""):
    """A command that says this and ends so."""
    return [
        sys.executable,
        "-c",
        f"import sys; print({out!r}); print({err!r}, file=sys.stderr); sys.exit({code})",
    ]


@pytest.fixture
def site(world):
    return Site(world)


GO = threading.Event()
"""Never set: nobody stops the gateway."""


@pytest.mark.slow
def test_the_real_command_verifies_and_leaves_a_record_that_says_so(site):
    """With how many records and which head: the log itself shows that it is watched."""
    site.verification().look(GO)
    assert site.actions() == ["gateway:started", "ledger:verified"]
    note = site.world.last()["note"]
    assert note.startswith("1 records, unbroken since")
    assert site.heard() == []


@pytest.mark.slow
def test_the_real_command_on_a_broken_log_is_a_record_and_an_alert(site):
    """And the record names the position."""
    connection = apsw.Connection(str(site.world.settings.ledger.path))
    connection.execute("DROP TRIGGER records_are_never_changed; UPDATE records SET outcome = '4' WHERE position = 0")
    connection.close()
    site.verification().look(GO)
    assert site.actions()[-1] == "ledger:broken"
    record = list(Reader(site.world.settings.ledger.path).records())[-1]
    assert "position 0" in orjson.loads(record.body)["note"]
    assert site.heard() == [(AlertKind.LEDGER_BROKEN, "position-1")]


def test_one_that_cannot_tell_is_an_alarm_and_tried_again_after_an_hour(site):
    """Not to know is an alarm too."""
    checked = site.verification(saying(2, err="vitrine: the disk is gone"))
    for hours in (0, 0.5, 1.1):
        site.now = datetime.now(UTC) + timedelta(hours=hours)
        checked.look(GO)
    assert site.actions().count("ledger:unverified") == 2
    assert site.world.last()["note"] == "the disk is gone"
    assert {kind for kind, _ in site.heard()} == {AlertKind.LEDGER_UNVERIFIED}


def test_what_is_wrong_stands_until_a_verification_finds_nothing_wrong(site):
    """A warning of `/readyz` for as long as it lasts, as every alarm is (runbook)."""
    for days, command in enumerate([saying(1, err="vitrine: broken at position 3"), saying(0, "3 records")]):
        site.now = datetime.now(UTC) + timedelta(days=2 * days)
        site.verification(command).look(GO)
    assert site.found == ["the last verification of the log: broken at position 3", None]


def test_a_command_that_cannot_be_started_could_not_tell(site):
    """No memory, no such file."""
    site.verification(["/nonexistent/vitrine"]).look(GO)
    assert site.actions()[-1] == "ledger:unverified"


def test_it_is_due_when_the_last_record_of_one_is_old_enough_whoever_wrote_it(site):
    """Several machines share the log, and a restart does not begin anew."""
    first, second = (site.verification(saying(0, out="fine")) for _ in range(2))
    for checked in (first, second, first):
        checked.look(GO)
    assert site.actions().count("ledger:verified") == 1
    assert VERIFIED_AT._value.get() > 0
    site.now += DAY + timedelta(minutes=1)
    second.look(GO)
    assert site.actions().count("ledger:verified") == 2


def test_a_last_verification_in_the_future_does_not_put_it_off(site):
    """A clock that was wrong once must not switch the watch off for years."""
    site.verification(saying(0, out="fine")).look(GO)
    site.now -= timedelta(days=400)
    site.verification(saying(0, out="fine")).look(GO)
    assert site.actions().count("ledger:verified") == 2


def test_only_one_of_all_processes_verifies(site):
    """Reading a log of ten million records twice at once helps nobody."""
    path = site.world.settings.ledger.path
    descriptor = os.open(path.with_name(f"{path.name}.verifying"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    site.verification(saying(0, out="fine")).look(GO)
    assert site.actions() == ["gateway:started"]
    os.close(descriptor)
    site.verification(saying(0, out="fine")).look(GO)
    assert site.actions()[-1] == "ledger:verified"


def test_one_under_way_is_ended_at_the_stop_and_says_nothing(site):
    """A stop takes less than ten seconds, and half a verification is none."""
    stopped = threading.Event()
    stopped.set()
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    site.verification(sleeping).look(stopped)
    assert site.actions() == ["gateway:started"]
    assert site.heard() == []


def test_an_alarm_that_cannot_be_recorded_is_told_all_the_same(site):
    """The disk that broke the log may not take the record of it."""
    site.world.assembled.ledger.close()
    site.world.settings.ledger.path.rename(site.world.folder / "away")
    site.alarms.raise_(AlertKind.LEDGER_BROKEN, "ledger:broken", "x")
    assert site.heard() == [(AlertKind.LEDGER_BROKEN, UNRECORDED)]
