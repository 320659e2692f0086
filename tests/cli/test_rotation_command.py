"""`audit rotate`: a new key, vouched for by the old one, while everything that was signed keeps its worth."""

import errno
import subprocess
import sys
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


def test_a_rotation_needs_a_reason(world: World) -> None:
    """It is recorded, and a blank one says nothing."""
    audit(world, "rotate", code=2)
    audit(world, "rotate", "--reason", " ", code=2)
    assert not rotation.interrupted(world.settings.ledger.key_file, Reader(world.settings.ledger.path).keys())
