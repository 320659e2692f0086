"""`vitrine audit export` and `audit report`: through the gateway, recorded, and with exit codes that are promises."""

import csv
import errno
import fcntl
import io
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import apsw
import orjson
import pytest
from click.testing import CliRunner, Result

from plugin.audit import export
from plugin.audit.feed import LogRelease
from plugin.audit.selection import Selection
from plugin.cli import audit_export, main
from plugin.cli.failure import Failure
from plugin.cli.reading import read
from policies.vocabulary.consultation import AuditConsultation
from tests.world import ISSUER, World, observation

FOLLOWING = ("export", "--reason", "r", "--follow", "--format", "atna", "--state", "s")
WAIT = 60.0
"""Seconds for another process to get somewhere: only a failure takes them."""


BACKWARDS = ("--since", "2026-07-01", "--until", "2026-06-01")


def run(world: World, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(world.folder / "vitrine.toml"), "audit", *arguments])


def resources(stdout: str) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in stdout.splitlines()]


@pytest.fixture
def used(world: World) -> World:
    """Two looks at p1's results, and one refusal."""
    world.lab.resources.append(observation("o1"))
    world.ask("/fhir/city-lab/Observation?patient=p1")
    world.ask("/fhir/city-lab/Observation/o1")
    world.ask("/fhir/city-lab/Observation", method="POST")
    return world


def test_an_export_is_the_whole_log_and_leaves_a_record_of_itself(used: World) -> None:
    done = run(used, "export", "--reason", "yearly review")
    lines = resources(done.stdout)
    assert done.exit_code == 0, done.stderr
    assert [each["id"] for each in lines] == ["head", "0", "1", "2", "foot"]
    asked = used.last()["asked"]
    assert (used.last()["action"], asked["log_reason"]) == ("log:read", "yearly review")
    assert (asked["query"], asked["log_first"], asked["log_last"]) == ("AuditEvent", 0, 2)


def test_each_process_reads_its_part_of_what_was_released(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the range there is more by then, the record of this very reading among it."""
    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr(export, "PARALLEL_FROM", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    done = run(used, "export", "--reason", "r")
    assert done.exit_code == 0, done.stderr
    assert [each["id"] for each in resources(done.stdout)] == ["head", "0", "1", "2", "foot"]


def test_an_export_goes_on_where_another_ended(used: World) -> None:
    done = run(used, "export", "--reason", "r", "--first", "2", "--last", "2")
    assert [each["id"] for each in resources(done.stdout)] == ["head", "2", "foot"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_export_that_is_interrupted_ends_after_whole_records_and_says_where_to_go_on(
    used: World, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """In the middle of a write, too: else a line may be torn, and those before it be written twice. Exit 1 would say
    that records are missing."""
    monkeypatch.setattr(export, "CHUNK", 1)
    hand_over, handler = export._hand_over, signal.getsignal(number)

    def interrupted(out: BinaryIO, text: bytes) -> None:
        hand_over(out, text[:9])
        if b'"id":"1"' in text:
            signal.raise_signal(number)
        hand_over(out, text[9:])

    monkeypatch.setattr(export, "_hand_over", interrupted)
    done = run(used, "export", "--reason", "review")
    assert (done.exit_code, done.stderr) == (2, "vitrine: interrupted; go on with --first 2\n")
    assert [each["id"] for each in resources(done.stdout)] == ["head", "0", "1"]
    assert signal.getsignal(number) is handler


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "the output cannot be written: No space left"), (errno.EPIPE, "nobody reads the output any more")],
)
def test_an_export_that_cannot_be_written_says_where_to_go_on(
    used: World, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    """A part of what follows may be out: it says that, too."""
    monkeypatch.setattr(export, "CHUNK", 1)

    class Full(io.BytesIO):
        def write(self, text: Any) -> int:
            if b'"id":"1"' in text:
                super().write(text[:9])
                raise OSError(number, os.strerror(number))
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Full()))
    with pytest.raises(Failure, match=told) as ended:
        audit_export._export(released(used), Selection(), "ndjson")
    assert ended.value.message.endswith("before position 1 is whole: go on with --first 1")
    assert ended.value.exit_code == 2


def released(world: World) -> LogRelease:
    return read(world.settings, AuditConsultation("r"))


def test_an_interruption_is_no_answer(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1 would say that the log is broken."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("plugin.cli.proof.verified", interrupted)
    done = run(used, "verify")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, "vitrine: interrupted")


def test_the_record_of_an_export_says_whose_traces_were_wanted(used: World) -> None:
    """All traces of chosen professionals for a period, in one command."""
    chosen = (
        "--person",
        ISSUER,
        "dr-roy",
        "--person",
        ISSUER,
        "nobody",
        "--since",
        "2020-01-01",
        "--until",
        "2099-12-31",
    )
    done = run(used, "export", "--reason", "r", "--format", "csv", *chosen)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["person_subject"] for row in rows] == ["", "dr-roy", "dr-roy", "dr-roy", ""]
    assert "dr-roy" in used.last()["asked"]["query"]
    none = run(used, "export", "--reason", "r", "--person", ISSUER, "nobody")
    assert [each["id"] for each in resources(none.stdout)] == ["head", "foot"]


def test_a_hole_in_the_log_is_exit_one(used: World) -> None:
    """The export is there as far as it goes, and nobody takes it for whole."""
    connection = apsw.Connection(str(used.settings.ledger.path))
    connection.execute("DROP TRIGGER records_are_never_deleted; DELETE FROM records WHERE position = 1")
    connection.close()
    done = run(used, "export", "--reason", "r")
    assert done.exit_code == 1
    assert "1 records are missing" in done.stderr
    assert run(used, "report", "--reason", "r", "--patient", "hospital/p1", "--lang", "en").exit_code == 1


@pytest.mark.parametrize(
    "command",
    [
        ("list", "--format", "text"),
        ("list", "--format", "fhir"),
        ("list", "--format", "ndjson"),
        ("show", "1", "--format", "text"),
        ("search", "--outcome", "done"),
        ("export", "--format", "ndjson"),
        ("export", "--format", "csv"),
        ("export", "--format", "atna"),
        ("report", "--patient", "hospital/p1", "--lang", "en"),
    ],
)
@pytest.mark.parametrize(
    "edit",
    [
        ("header", b"garbage"),
        ("header", b"{}"),
        ("body", b'["p1"]'),
        ("body", b'{"action":"consultation:released","ehr":{"id":"hospital"},"patient":"p1","person":"x"}'),
    ],
)
def test_a_record_that_was_edited_is_one_sentence(
    used: World, command: tuple[str, ...], edit: tuple[str, bytes]
) -> None:
    """It names the position; what is wrong there is for verify."""
    column, stored = edit
    connection = apsw.Connection(str(used.settings.ledger.path))
    connection.execute("DROP TRIGGER records_are_never_changed")
    connection.execute(f"UPDATE records SET {column} = ? WHERE position = 1", (stored,))
    connection.close()
    done = run(used, command[0], "--reason", "r", *command[1:])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "Record 1 cannot be read; `vitrine audit verify` says more." in done.stderr
    assert command[0] != "export" or "Go on with --first 0." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("export", "--reason", " "), 2, "--reason says nothing"),
        (("export", "--reason", "r", "--first", "99"), 1, "the log has 3 records"),
        (("export", "--reason", "r", "--since", "yesterday"), 2, "are dates"),
        (("export", "--reason", "r", "--until", "2026-W13"), 2, "are dates"),
        (("export", "--reason", "r", "--since", "2026-07-01", "--until", "2026-06-30"), 2, "no record can be between"),
        (("report", "--reason", "r", "--lang", "fr", "--patient", "hospital/p1", *BACKWARDS), 2, "no record can be"),
        (("export", "--reason", "r", "--until", "9999-12-31T23:59-23:59"), 2, "are dates"),
        (("export", "--reason", "r", "--state", "s"), 2, "belong to --follow"),
        (("export", "--reason", "r", "--follow", "--last", "3"), 2, "has no --last"),
        (("export", "--reason", "r", "--first", "2", "--last", "1"), 2, "no position is from --first 2 to --last 1"),
        (("export", "--reason", "r", "--ca-file", "ca.pem"), 2, "belong to --to"),
        (("list", "--reason", "r", "--first", "2", "--last", "1"), 2, "no position is from --first 2 to --last 1"),
        (("search", "--reason", "r", "--since", "yesterday"), 2, "--since is one FHIR date or time"),
        (("search", "--reason", "r", "--since", "2026", "--until", "2026,2027"), 2, "--until is one FHIR date or time"),
        (("export", "--reason", "r", "--follow", "--to", "siem"), 2, "needs --format atna and --state"),
        ((*FOLLOWING, "--to", "a..b:6514"), 2, "--to a..b:6514: no name of a host"),
        ((*FOLLOWING, "--to", f"{'x' * 64}.example"), 2, "no name of a host"),
        ((*FOLLOWING, "--to", ":6514"), 2, "no name of a host"),
        (("report", "--reason", "r", "--lang", "fr", "--patient", "p1"), 2, "EHR/ID"),
        (("report", "--reason", "r", "--lang", "fr", "--patient", "nowhere/p1"), 2, "EHR/ID"),
        (("report", "--reason", "r", "--lang", "fr", "--patient", "hospital/Patient/p1"), 2, "a FHIR id"),
        (("report", "--reason", "r", "--lang", "fr", "--patient", "hospital/ p1"), 2, "a FHIR id"),
        (("report", "--reason", "r", "--lang", "fr", "--patient", "hospital/p1", "--zone", "Mars/X"), 2, "time zone"),
    ],
)
def test_what_cannot_be_is_one_sentence(used: World, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    done = run(used, *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_report_of_one_day_is_a_period(used: World) -> None:
    """The last day is included."""
    day = ("--since", "2026-07-01", "--until", "2026-07-01")
    assert run(used, "report", "--reason", "r", "--lang", "fr", "--patient", "hospital/p1", *day).exit_code == 0


def test_a_report_tells_the_patient_and_is_recorded(used: World) -> None:
    done = run(used, "report", "--reason", "asked for", "--patient", "hospital/p1", "--lang", "fr", "--format", "json")
    assert done.exit_code == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert (len(told["looks"]), len(told["attempts"]), told["naming"]) == (2, 1, "role")
    assert told["looks"][0]["what"][0]["source"] == "Laboratoire de ville"
    assert used.last()["asked"]["query"] == "AuditEvent?site=hospital&patient=p1"


def test_a_report_of_another_patient_is_empty_and_a_page(used: World) -> None:
    done = run(used, "report", "--reason", "r", "--patient", "hospital/p2", "--lang", "en", "--zone", "Europe/Paris")
    assert done.exit_code == 0
    assert done.stdout.startswith("<!doctype html>")
    assert "Nobody looked at your outside results" in done.stdout


class Rotating:
    """Waits for nothing, rotates the key in the first wait, and stops after so many waits."""

    def __init__(self, world: World, waits: int, after: Callable[[], object] = lambda: None) -> None:
        self._world, self._waits, self._after = world, waits, after

    def __call__(self, seconds: float) -> bool:
        if not seconds:
            return False
        if self._after is not None:
            assert run(self._world, "rotate", "--reason", "yearly").exit_code == 0
            self._after()
            self._after = None
        self._waits -= 1
        return self._waits == 0


def test_following_goes_on_with_the_new_key_after_a_rotation(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What records the readings holds the old key: it is replaced, as a worker that serves would be."""
    monkeypatch.setattr(audit_export, "until_stopped", lambda: nullcontext(Rotating(used, waits=3)))
    done = run(used, "export", "--reason", "siem", "--follow")
    assert done.exit_code == 0, done.stderr
    sent = [each["id"] for each in resources(done.stdout)]
    assert sent == ["head", "0", "1", "2", "foot", "head", "3", "4", "foot"]
    assert used.last()["action"] == "log:read"


def test_following_ends_where_the_key_is_not_the_one_that_the_ledger_goes_on_with(
    used: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a second machine that has not been given the new key: saying the same for ever helps nobody."""
    key_file = used.settings.ledger.key_file
    old = key_file.read_bytes()
    rotating = Rotating(used, waits=9, after=lambda: key_file.write_bytes(old))
    monkeypatch.setattr(audit_export, "until_stopped", lambda: nullcontext(rotating))
    done = run(used, "export", "--reason", "siem", "--follow")
    assert done.exit_code == 2
    assert done.stderr.endswith(f"{key_file} is not the key that the ledger goes on with\n")


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--follow",)], ids=["whole", "following"])
def test_an_export_whose_reader_hangs_can_be_ended(used: World, options: tuple[str, ...]) -> None:
    """A program that neither reads nor closes: what is on its way is given up after a while, and that is said."""
    command = [sys.executable, "-m", "plugin.cli", "--config", str(used.folder / "vitrine.toml"), "audit", "export"]
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)  # less than three records
    exporting = subprocess.Popen([*command, "--reason", "r", *options], stdout=writing, stderr=subprocess.PIPE)
    try:
        waiting = time.monotonic() + WAIT
        while select.select([], [writing], [], 0)[1] and time.monotonic() < waiting:
            time.sleep(0.1)
        exporting.send_signal(signal.SIGTERM)
        _, said = exporting.communicate(timeout=WAIT)
    finally:
        exporting.kill()
        os.close(reading)
        os.close(writing)
    assert exporting.returncode == 2
    assert b"nobody reads the output any more" in said
    assert said.count(b"\n") == 1


@pytest.mark.slow
def test_following_goes_on_until_it_is_stopped_and_keeps_how_far_it_came(used: World, tmp_path: Path) -> None:
    """As a service manager runs it: SIGTERM ends it in order, and the state is what was written."""
    command = [sys.executable, "-m", "plugin.cli", "--config", str(used.folder / "vitrine.toml"), "audit", "export"]
    state, out = tmp_path / "sent.json", tmp_path / "out"
    with out.open("wb") as stdout:
        options = ["--reason", "siem", "--follow", "--state", str(state)]
        following = subprocess.Popen([*command, *options], stdout=stdout, stderr=subprocess.PIPE, env=os.environ)
        try:
            waiting = time.monotonic() + WAIT
            while not state.exists() and following.poll() is None and time.monotonic() < waiting:
                time.sleep(0.1)
            following.send_signal(signal.SIGTERM)
            _, said = following.communicate(timeout=WAIT)
        finally:
            following.kill()
    assert (following.returncode, said) == (0, b"")
    assert orjson.loads(state.read_bytes())["next"] == 3
    assert [each["id"] for each in resources(out.read_text())] == ["head", "0", "1", "2", "foot"]
