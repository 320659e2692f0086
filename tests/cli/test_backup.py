"""An old backup put back is told apart from tampering, by what the runbook says to type."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest
from click.testing import CliRunner, Result

from plugin import assembly
from plugin.cli import main
from plugin.event import AuditAction
from plugin.ledger import writer
from plugin.ledger.file_place import FilePlace
from plugin.ledger.reader import Reader
from plugin.places import place_of
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
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
        """Also where it must not be: whoever has the key needs no program of ours."""
        ledger = writer.open(place_of(self.settings), self.settings.ledger.key_file)
        recorder = assembly.recorder_of(self.settings, ledger)
        for _ in range(records):
            recorder.operational(AuditAction.GATEWAY_STARTED, note)
        ledger.close()
        if delivered:
            assembly.deliveries(self.settings).deliver()

    def size(self) -> int:
        return Reader(self.settings.ledger.path).head().size

    def first(self) -> Any:
        """The body of the first record."""
        (record,) = Reader(self.settings.ledger.path).records(0, 0)
        return orjson.loads(record.body)

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

    def go_back(self) -> None:
        """Of five records the first two are left; the sink and the file that is kept here tell of all."""
        self.grow(2)
        copy = self.backup()
        self.grow(3)
        self.restore(copy)

    def sink(self) -> Path:
        return self.path.with_name("elsewhere")

    def refused(self, *arguments: str) -> str:
        done = self.type_(*arguments)
        assert done.exit_code == 1, done.output
        return done.stderr

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
    hospital.go_back()
    done = hospital.type_("audit", "recover", "--reason", "the disk was lost; restored from the night before")
    assert done.exit_code == 0, done.stderr
    assert "5 records" in done.stderr
    assert Reader(hospital.settings.ledger.path).head().size == 1


def test_a_cut_is_not_hidden_by_an_old_checkpoint_that_is_appended_again(hospital: Hospital) -> None:
    """Nobody needs a key for that: verify, the start and a recovery go by the largest one."""
    hospital.grow(2)
    copy, old = hospital.backup(), hospital.sink().read_text()
    hospital.grow(3)
    hospital.restore(copy)
    hospital.settings.ledger.path.with_name(f"{hospital.settings.ledger.path.name}.checkpoints").unlink()
    with hospital.sink().open("a") as sink:
        sink.write(old)
    assert "record 2 is missing" in hospital.refused("audit", "verify")
    with pytest.raises(SettingsError, match="do not continue the 5"):
        assembly.check_sinks(hospital.settings)
    done = hospital.type_("audit", "recover", "--reason", "the disk was lost")
    assert "5 records" in done.stderr


def test_another_history_is_refuted_by_each_checkpoint_of_the_true_one(hospital: Hospital) -> None:
    """Whoever has the key can have a sink keep the checkpoints of another history; those before stand there still."""
    hospital.go_back()
    hospital.grow(7, "another history", delivered=False)
    forked = Reader(hospital.settings.ledger.path).head().checkpoint
    with hospital.sink().open("a") as sink:
        sink.write(f"\n{forked}")
    told = hospital.refused("audit", "verify")
    assert f"the first 5 records are not those of a checkpoint that {hospital.sink()} holds" in told
    assert told == hospital.refused("audit", "verify", "--against", str(hospital.sink()))


@pytest.mark.parametrize("kept_here", [True, False], ids=["kept here", "in a sink"])
@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("show", "0"),
        ("search",),
        ("export",),
        ("report", "--patient", "hospital/ehr-1001", "--lang", "en"),
        ("hold", "add", "--tenant", "hospital"),
        ("hold", "list"),
        ("rotate",),
    ],
    ids=" ".join,
)
def test_no_command_appends_to_a_log_that_went_back(
    hospital: Hospital, command: tuple[str, ...], kept_here: bool
) -> None:
    """A restored backup would become another history, signed by its own operator, for having been looked at."""
    hospital.go_back()
    if not kept_here:
        FilePlace(hospital.settings.ledger.path).kept.unlink()
    done = hospital.type_("audit", *command, "--reason", "an alert")
    assert done.exit_code == 2
    assert "2 records do not continue the 5" in done.stderr
    assert done.stdout == ""
    assert hospital.size() == 2


def test_a_recovery_cites_what_was_kept_where_the_file_is_another_history(hospital: Hospital) -> None:
    """However long that is."""
    hospital.go_back()
    hospital.grow(7, "another history", delivered=False)
    assert hospital.type_("audit", "recover", "--reason", "somebody had the key").exit_code == 0
    lost = hospital.first()["lost"]
    assert (lost["size"], lost["found_in"].startswith("file /")) == (5, True)


def test_of_two_sinks_each_has_a_say(hospital: Hospital) -> None:
    hospital.go_back()
    hospital.grow(7, "another history", delivered=False)
    other = hospital.path.with_name("other")
    other.write_text(f"\n{Reader(hospital.settings.ledger.path).head().checkpoint}")
    text = hospital.path.read_text()
    hospital.path.write_text(text.replace('"elsewhere" }', '"elsewhere" }, { kind = "file", path = "other" }'))
    assert f"a checkpoint that {hospital.sink()} holds" in hospital.refused("audit", "verify")


def test_what_nobody_signed_refutes_nothing(hospital: Hospital) -> None:
    hospital.grow(2)
    note = hospital.sink().read_text()
    hospital.grow(3)
    with hospital.sink().open("a") as sink:
        sink.write(note.replace("\n2\n", "\n4\n") + note.replace("\n2\n", "\n4000\n"))
    assert hospital.type_("audit", "verify").exit_code == 0


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda sink: sink.unlink(), "is not there"),
        (lambda sink: sink.write_text("garbage\n"), "holds no checkpoint of this log"),
        (lambda sink: (sink.unlink(), sink.mkdir()), "cannot be read: Is a directory"),
    ],
)
def test_a_sink_that_says_nothing_is_named(hospital: Hospital, spoil: Callable[[Path], object], told: str) -> None:
    """What is there is sound, and no outsider vouches for it."""
    hospital.grow(2)
    spoil(hospital.sink())
    done = hospital.type_("audit", "verify")
    assert done.exit_code == 0
    assert f"the sink {hospital.sink()} {told}" in done.stderr
    assert "no checkpoint elsewhere says anything of it" in done.stderr


def test_a_file_to_compare_with_has_to_be_there(hospital: Hospital) -> None:
    done = hospital.type_("audit", "verify", "--against", "nowhere")
    assert (done.exit_code, done.stderr) == (2, "vitrine: cannot read nowhere: No such file or directory\n")
