"""`audit recover`: a lost ledger is followed by one that says so, and what is left of it is kept."""

import shutil
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from plugin import assembly
from plugin.cli import main
from plugin.ledger import recovery
from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.reader import Reader
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.verify import verify
from plugin.settings.document import Settings
from plugin.settings.file import load
from tests.world import World

WHY = ("--reason", "disk replaced")
LOOK = "/fhir/city-lab/Observation?patient=p1"


def written_back(ledger: Path) -> None:
    """SQLite's log is in the file."""
    store = SqliteStore(ledger)
    store._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


class Site:
    """A configuration with a file sink, and a ledger of some records that were delivered to it."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.path = folder / "vitrine.toml"
        sinks = '[ledger]\nsinks = [{ kind = "file", path = "elsewhere" }]\n\n[[ehr]]'
        self.path.write_text(self.path.read_text().replace("[[ehr]]", sinks, 1))
        self.sink = folder / "elsewhere"
        for _ in range(3):
            self.world.ask(LOOK)
        self.ledger = self.settings.ledger.path
        self.kept = self.ledger.with_name(f"{self.ledger.name}.checkpoints")
        self.key_file = self.settings.ledger.key_file
        self.vkey = Reader(self.ledger).meta().vkey
        self.size = Reader(self.ledger).head().size
        self.deliver()

    @property
    def settings(self) -> Settings:
        return load(self.path)

    def deliver(self) -> None:
        assembly.deliveries(self.settings).deliver()

    def audit(self, *arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(main, ["--config", str(self.path), "audit", *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, done.output
        return done

    def damage(self) -> bytes:
        """The first page is gone; what the file holds then."""
        written_back(self.ledger)
        with self.ledger.open("r+b") as file:
            file.write(bytes(4096))
        return self.ledger.read_bytes()

    def lost(self) -> dict:
        """What the first record cites."""
        (record,) = Reader(self.ledger).records(0, 0)
        body = orjson.loads(record.body or b"")
        assert (body["action"], body["person"]["kind"]) == ("ledger:recovered", "operator")
        return dict(body["lost"])

    def aside(self) -> list[Path]:
        return sorted(file for file in self.ledger.parent.glob("*.lost-*") if file.name.endswith("Z"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_damaged_ledger_is_set_aside_untouched_and_followed(site: Site) -> None:
    """The new one is another origin, cites the sink's newest checkpoint, and can be served."""
    damaged, key = site.damage(), site.key_file.read_bytes()
    vkey = site.audit("recover", *WHY).stdout.strip()
    assert vkey == Reader(site.ledger).meta().vkey != site.vkey
    lost = site.lost()
    assert (lost["reason"], lost["size"], lost["vkey"]) == ("disk replaced", site.size, site.vkey)
    assert lost["origin"] == site.vkey.partition("+")[0]
    assert f"\n{site.size}\n" in lost["checkpoint"]
    (aside,) = site.aside()
    assert aside.name == lost["file"]
    assert aside.read_bytes() == damaged
    assert next(site.key_file.parent.glob("*.lost-*")).read_bytes() == key
    assert "unbroken" in site.audit("verify").stdout
    assembly.check_ledger(assembly.open_ledger(site.settings))
    assert assembly.check_sinks(site.settings) == []


def test_a_tampered_ledger_can_be_read_where_it_is_kept(site: Site) -> None:
    """It is evidence: verify still names the bad position."""
    store = SqliteStore(site.ledger)
    store._open().execute("DROP TRIGGER records_are_never_changed; UPDATE records SET person = 'x' WHERE position = 1")
    store.close()
    site.audit("recover", *WHY)
    problem = verify(site.aside()[0], site.vkey, processes=1).problem
    assert problem is not None
    assert problem.position == 1
    assert site.lost()["found_in"] == "file"


def test_what_sqlite_had_not_written_back_stays_with_the_file(site: Site) -> None:
    """The newest records are in its log: that goes along, as it is."""
    store = SqliteStore(site.ledger)
    holding = store._open()
    site.world.ask(LOOK)
    log = site.ledger.with_name(f"{site.ledger.name}-wal").read_bytes()
    assert log
    size = Reader(site.ledger).head().size
    site.key_file.unlink()
    site.audit("recover", *WHY)
    (aside,) = site.aside()
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == log
    assert site.lost()["size"] == size
    holding.close(True)


def test_a_ledger_that_is_gone_is_known_by_its_sink(site: Site) -> None:
    """Nothing is left to set aside but the key."""
    written_back(site.ledger)
    site.ledger.unlink()
    site.kept.unlink()
    done = site.audit("recover", *WHY)
    lost = site.lost()
    assert (lost["size"], "elsewhere" in lost["found_in"], "file" in lost) == (site.size, True, False)
    assert "nothing is left of it" in done.stderr


def test_a_lost_key_is_no_lost_head(site: Site) -> None:
    """The public half is in the file itself."""
    site.key_file.unlink()
    site.audit("recover", *WHY)
    assert site.lost()["size"] == site.size
    assert verify(site.aside()[0], site.vkey, processes=1).problem is None


def test_a_cut_ledger_is_cited_by_what_the_sink_knows(site: Site) -> None:
    """The sink saw more than the file has now."""
    written_back(site.ledger)
    older = site.ledger.read_bytes()
    site.world.ask(LOOK)
    site.deliver()
    size = Reader(site.ledger).head().size
    written_back(site.ledger)
    for file in site.ledger.parent.glob(f"{site.ledger.name}-*"):
        file.unlink()
    site.ledger.write_bytes(older)
    site.audit("recover", *WHY)
    lost = site.lost()
    assert lost["size"] == size > site.size
    assert lost["found_in"] != "file"


def test_an_impostor_s_file_does_not_speak_for_the_lost_ledger(site: Site, tmp_path: Path) -> None:
    """It names its own key; what the configured one signed counts."""
    (tmp_path / "other").mkdir()
    impostor = World(tmp_path / "other")
    for _ in range(9):
        impostor.ask(LOOK)
    written_back(impostor.settings.ledger.path)
    written_back(site.ledger)
    shutil.copy(impostor.settings.ledger.path, site.ledger)
    site.audit("recover", *WHY)
    lost = site.lost()
    assert (lost["size"], lost["vkey"]) == (site.size, site.vkey)


def test_an_unbroken_ledger_is_not_recovered(site: Site) -> None:
    """Exit 1, and nothing is touched: a second origin would look like a loss."""
    before = site.ledger.read_bytes(), site.key_file.read_bytes()
    assert "nothing to recover" in site.audit("recover", *WHY, code=1).stderr
    assert (site.ledger.read_bytes(), site.key_file.read_bytes()) == before
    assert site.aside() == []


def test_nothing_is_recovered_from_nothing(site: Site) -> None:
    """That is what `audit init` is for."""
    written_back(site.ledger)
    for file in (site.ledger, site.key_file, site.kept, site.sink):
        file.unlink()
    assert "audit init" in site.audit("recover", *WHY, code=1).stderr
    site.audit("init")


def test_a_checkpoint_from_elsewhere_counts_too(site: Site, tmp_path: Path) -> None:
    """Sent as a file by whoever runs a web server or a witness for us."""
    shutil.move(site.sink, tmp_path / "sent")
    written_back(site.ledger)
    site.ledger.unlink()
    site.kept.unlink()
    site.audit("recover", "--checkpoint", str(tmp_path / "sent"), *WHY)
    assert "sent" in site.lost()["found_in"]


@pytest.mark.parametrize("step", range(8))
def test_an_interrupted_recovery_is_finished_by_the_same_command(
    site: Site, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Whichever rename it came to: one new ledger, one file aside, the key that fits."""
    damaged, key = site.damage(), site.key_file.read_bytes()
    done = 0
    rename = recovery._rename

    def interrupted(old: Path, new: Path) -> None:
        nonlocal done
        if done == step:
            raise LedgerUnavailable("interrupted")
        done += 1
        rename(old, new)

    with monkeypatch.context() as broken:
        broken.setattr(recovery, "_rename", interrupted)
        site.audit("recover", *WHY, code=2)
    site.audit("recover", *WHY)
    (aside,) = site.aside()
    assert aside.read_bytes() == damaged
    assert [file.read_bytes() for file in site.key_file.parent.glob("*.lost-*")] == [key]
    assert (site.lost()["file"], site.lost()["vkey"]) == (aside.name, site.vkey)
    assert "unbroken" in site.audit("verify").stdout
    assert not list(site.ledger.parent.glob("*.recovering*"))
    assert not list(site.key_file.parent.glob("*.recovering*"))


def test_a_recovery_whose_record_fails_leaves_everything_where_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lost one is moved only once the new one says so."""
    damaged = site.damage()
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise LedgerUnavailable("full")

        broken.setattr(SqliteStore, "commit", fail)
        site.audit("recover", *WHY, code=2)
    assert site.ledger.read_bytes() == damaged
    assert site.aside() == []
    site.audit("recover", *WHY)
    assert len(site.aside()) == 1


def test_a_second_loss_is_told_from_the_first(site: Site) -> None:
    """Each recovery keeps its own file, and cites the ledger before it."""
    site.damage()
    second = site.audit("recover", *WHY).stdout.strip()
    site.deliver()
    site.damage()
    site.audit("recover", *WHY)
    assert site.lost()["vkey"] == second
    assert len(site.aside()) == 2


def test_after_a_rotation_the_newest_key_speaks_for_the_lost_ledger(site: Site) -> None:
    """Its checkpoints are the newest."""
    new = site.audit("rotate", *WHY).stdout.strip()
    site.damage()
    site.audit("recover", *WHY)
    assert site.lost()["vkey"] == new


def test_a_key_that_others_may_read_does_not_make_a_ledger_lost(site: Site) -> None:
    """The operator mends that with chmod: nothing is set aside for it."""
    site.key_file.chmod(0o644)
    site.audit("recover", *WHY, code=2)
    assert site.aside() == []
