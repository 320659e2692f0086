"""`audit rotate`: a new key, vouched for by the old one, while everything that was signed keeps its worth."""

import errno
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from plugin import assembly
from plugin.alerts import Alerts
from plugin.cli import checkpoints, main
from plugin.cli.alarms import Alarms
from plugin.cli.watch import Watch
from plugin.ledger import rotation
from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.key import VerifierKey
from plugin.ledger.notes import NoteFile
from plugin.ledger.reader import Reader
from plugin.ledger.sqlite import SqliteStore
from plugin.settings.file import load
from tests.ledger.witness import Witness
from tests.world import World

WHY = ("--reason", "yearly")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A ledger with a few records and a file sink."""
    made = World(tmp_path)
    path = made.folder / "vitrine.toml"
    text = path.read_text()
    sinks = '[ledger]\nsinks = [{ kind = "file", path = "elsewhere" }]\n\n[[ehr]]'
    path.write_text(text if "sinks" in text else text.replace("[[ehr]]", sinks, 1))
    made.ask("/fhir/city-lab/Observation?patient=p1")
    return made


def audit(world: World, *arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["--config", str(world.folder / "vitrine.toml"), "audit", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done


def vkey(world: World) -> str:
    return Reader(world.settings.ledger.path).keys().current.text


def test_rotating_prints_the_new_key_and_leaves_a_record(world: World) -> None:
    """With reason and who; verify follows from the old key and from the new."""
    old = vkey(world)
    new = audit(world, "rotate", *WHY).stdout.strip()
    assert new == vkey(world) != old
    *_, last = Reader(world.settings.ledger.path).records()
    said = orjson.loads(last.body or b"")
    assert (said["action"], said["rotation"]["reason"]) == ("ledger:key-rotated", "yearly")
    assert said["person"]["kind"] == "operator"
    for key in (old, new):
        assert "unbroken" in audit(world, "verify", "--key", key).stdout
        assert audit(world, "checkpoint", "--key", key).stdout == audit(world, "checkpoint").stdout
    assert "unbroken" in audit(world, "verify").stdout


def test_sinks_hold_a_checkpoint_of_both_keys(world: World) -> None:
    """So that the next start finds one of the new key to compare with, and an outsider can follow."""
    old = VerifierKey.parse(vkey(world))
    new = VerifierKey.parse(audit(world, "rotate", *WHY).stdout.strip())
    sink = NoteFile(load(world.folder / "vitrine.toml").ledger.sinks[0].path)  # type: ignore[union-attr]
    assert sink.largest(old) is not None
    assert sink.largest(old) == sink.largest(new)
    done = audit(world, "verify", "--key", old.text)
    assert "own key only" not in done.stderr


def test_an_interrupted_rotation_is_finished_by_the_same_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a second one: one record, one new key."""
    old = vkey(world)
    with monkeypatch.context() as broken:

        def fail(_: Path) -> None:
            raise LedgerUnavailable("the disk is full")

        broken.setattr("plugin.cli.rotation.swap", fail)
        audit(world, "rotate", *WHY, code=2)
    size = Reader(world.settings.ledger.path).head().size
    new = audit(world, "rotate", *WHY).stdout.strip()
    assert new == vkey(world) != old
    assert Reader(world.settings.ledger.path).head().size == size
    assert "unbroken" in audit(world, "verify", "--key", old).stdout


def test_a_rotation_that_cannot_be_recorded_changes_no_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, and the old key goes on."""
    old = vkey(world)
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise LedgerUnavailable("full")

        broken.setattr(SqliteStore, "commit", fail)
        assert "may or may not" in audit(world, "rotate", *WHY, code=2).stderr
    assert vkey(world) == old
    assert "unbroken" in audit(world, "verify").stdout
    assert audit(world, "rotate", *WHY).stdout.strip() == vkey(world) != old


def test_a_full_disk_is_told_with_the_file_that_it_has_no_place_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails names no file by itself."""
    with monkeypatch.context() as broken:

        def fail(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        broken.setattr("plugin.ledger.key.os.fsync", fail)
        said = audit(world, "rotate", *WHY, code=2).stderr
    assert said == f"vitrine: {world.settings.ledger.key_file}.next: No space left on device\n"
    assert audit(world, "rotate", *WHY).stdout.strip() == vkey(world)


@pytest.mark.slow
def test_the_delivery_of_a_gateway_that_serves_goes_on_with_the_new_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It watches for the change; workers find out as they append."""
    settings = load(world.folder / "vitrine.toml")
    monkeypatch.setattr(checkpoints, "WATCH_SECONDS", 0.01)
    waited = checkpoints.threading.Event()
    alarms = Alarms(settings, Alerts([], settings.public_base))
    watch = Watch(alarms, assembly.free_space(settings), settings.ledger.path, lambda: iter(()))
    with checkpoints.delivered(settings, watch, lambda: 60.0):
        command = [sys.executable, "-m", "plugin.cli", "--config", str(world.folder / "vitrine.toml")]
        done = subprocess.run([*command, "audit", "rotate", *WHY], capture_output=True, text=True, check=True)
        again = subprocess.run([*command, "audit", "rotate", *WHY], capture_output=True, text=True, check=True)
        waited.wait(0.2)
    assert done.stdout != again.stdout
    newest = NoteFile(settings.ledger.sinks[0].path).largest(VerifierKey.parse(again.stdout))  # type: ignore[union-attr]
    assert newest is not None
    assert newest[0].size == Reader(settings.ledger.path).head().size


@pytest.mark.slow
def test_a_witness_that_was_not_told_of_the_new_key_is_an_alarm_and_ends_no_gateway_that_serves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses (403), as it would refuse a forged log; but it has followed this one since the start."""
    witness = Witness(VerifierKey.parse(vkey(world)))
    with served(witness) as (url, seen, refused):
        path = world.folder / "vitrine.toml"
        known = f'sinks = [{{ kind = "witness", url = "{url}", vkey = "{witness.key.text}" }}, '
        path.write_text(path.read_text().replace("sinks = [", known))
        settings = load(path)
        ended: list[object] = []
        monkeypatch.setattr(checkpoints.os, "kill", lambda *signal: ended.append(signal))
        monkeypatch.setattr(checkpoints, "WATCH_SECONDS", 0.05)
        alarms = Alarms(settings, Alerts([], settings.public_base))
        watch = Watch(alarms, assembly.free_space(settings), settings.ledger.path, lambda: iter(()))
        with checkpoints.delivered(settings, watch, lambda: 60.0):
            assert seen.wait(10)
            threading.Event().wait(0.3)  # the taken checkpoint is noticed
            witness.status = 403
            for _ in range(2):
                refused.clear()
                command = [sys.executable, "-m", "plugin.cli", "--config", str(path), "audit", "rotate", *WHY]
                subprocess.run(command, capture_output=True, check=True)
                assert refused.wait(10)
    assert ended == []
    actions = [orjson.loads(each.body or b"{}")["action"] for each in Reader(settings.ledger.path).records()]
    assert "sink:forked" in actions


@contextmanager
def served(witness: Witness) -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """The witness on loopback: its address, and what is set when it takes and when it refuses a checkpoint."""
    seen, refused = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = witness.post(f"{witness.url}/add-checkpoint", body, "text/plain")
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            if answer.status in (200, 403):
                (seen if answer.status == 200 else refused).set()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen, refused
    finally:
        server.shutdown()
        server.server_close()


def test_a_rotation_needs_a_reason(world: World) -> None:
    """It is recorded, and a blank one says nothing."""
    audit(world, "rotate", code=2)
    audit(world, "rotate", "--reason", " ", code=2)
    assert not rotation.interrupted(world.settings.ledger.key_file, Reader(world.settings.ledger.path).keys())
