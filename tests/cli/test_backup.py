"""An old backup put back is told apart from tampering, by what the runbook says to type."""

from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from plugin import assembly
from plugin.cli import main
from plugin.event import AuditAction
from plugin.ledger.reader import Reader
from plugin.settings.document import Settings
from plugin.settings.file import load
from tests.world import World


class Hospital:
    """A ledger with a file sink, its backups, and what is done to it."""

    def __init__(self, folder: Path) -> None:
        world = World(folder)
        world.assembled.ledger.close()
        self.path = world.folder / "vitrine.toml"
        sinks = '[ledger]\nsinks = [{ kind = "file", path = "elsewhere" }]\n\n[[ehr]]'
        self.path.write_text(self.path.read_text().replace("[[ehr]]", sinks, 1))
        self.settings: Settings = load(self.path)

    def grow(self, records: int, note: str = "x", *, delivered: bool = True) -> None:
        ledger = assembly.open_ledger(self.settings)
        recorder = assembly.recorder_of(self.settings, ledger)
        for _ in range(records):
            recorder.operational(AuditAction.GATEWAY_STARTED, note)
        ledger.close()
        if delivered:
            assembly.deliveries(self.settings).deliver()

    def backup(self) -> Path:
        """With SQLite's own means."""
        copy = self.path.with_name("backup")
        copy.unlink(missing_ok=True)
        source, target = apsw.Connection(str(self.settings.ledger.path)), apsw.Connection(str(copy))
        with target.backup("main", source, "main") as backup:
            backup.step()
        source.close()
        target.close()
        return copy

    def restore(self, copy: Path) -> None:
        for suffix in ("-wal", "-shm"):
            self.settings.ledger.path.with_name(self.settings.ledger.path.name + suffix).unlink(missing_ok=True)
        self.settings.ledger.path.write_bytes(copy.read_bytes())

    def type_(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(self.path), *arguments])


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def test_a_restored_backup_is_an_earlier_state_and_does_not_hide_what_is_missing(hospital: Hospital) -> None:
    """Broken it is: records are gone. But nothing that is there was touched."""
    hospital.grow(3)
    hospital.grow(1, delivered=False)
    copy = hospital.backup()
    hospital.grow(4)
    hospital.restore(copy)
    done = hospital.type_("audit", "verify")
    assert done.exit_code == 1
    assert "states 8 records" in done.stderr
    assert "the first 3 are proven by an earlier checkpoint: an earlier state of it" in done.stderr
    assert (
        hospital.type_("audit", "verify", "--against", str(hospital.path.with_name("elsewhere"))).stderr == done.stderr
    )


def test_a_rewritten_history_that_is_as_short_is_not_an_earlier_state(hospital: Hospital) -> None:
    """Whoever has the key can sign it; what the sink was given before contradicts it."""
    hospital.grow(1, delivered=False)
    copy = hospital.backup()
    hospital.grow(3)
    hospital.grow(4)
    hospital.restore(copy)
    hospital.grow(4, "another history", delivered=False)
    done = hospital.type_("audit", "verify")
    assert done.exit_code == 1
    assert "the first 4 are not those of an earlier checkpoint: not an earlier state of it" in done.stderr


def test_without_an_earlier_checkpoint_nothing_is_claimed(hospital: Hospital) -> None:
    """The first delivery came after the backup."""
    hospital.grow(1, delivered=False)
    copy = hospital.backup()
    hospital.grow(3)
    hospital.restore(copy)
    assert "cannot be told" in hospital.type_("audit", "verify").stderr


def test_a_restored_backup_is_recovered_from_by_a_new_ledger_that_cites_the_newest_head(hospital: Hospital) -> None:
    """As the runbook goes on."""
    hospital.grow(2)
    copy = hospital.backup()
    hospital.grow(3)
    hospital.restore(copy)
    done = hospital.type_("audit", "recover", "--reason", "the disk was lost; restored from the night before")
    assert done.exit_code == 0, done.stderr
    assert "5 records" in done.stderr
    assert Reader(hospital.settings.ledger.path).head().size == 1
