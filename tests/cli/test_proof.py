"""`audit verify --against`, `checkpoint` and `prove`: what an outsider is given, and what it shows."""

import errno
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from plugin.cli import main
from plugin.ledger.key import VerifierKey
from plugin.ledger.proof import TlogProof
from tests.world import World, observation


@pytest.fixture
def recorded(tmp_path: Path) -> World:
    """A ledger with a few records."""
    world = World(tmp_path)
    world.lab.resources.append(observation("o1"))
    for _ in range(4):
        world.ask("/fhir/city-lab/Observation?patient=p1")
    return world


def audit(world: World, *arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["--config", str(world.folder / "vitrine.toml"), "audit", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.stderr
    return done


def test_verify_says_what_only_our_own_key_vouches_for(recorded: World) -> None:
    """Exit 0, one line; the window that no outsider has seen is told."""
    done = audit(recorded, "verify")
    assert done.stdout.startswith("4 records, unbroken since ")
    assert "our own key only: no checkpoint elsewhere was asked" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("verify", "--key", "x"), "--key"),
        (("checkpoint", "--key", "x+y+z"), "--key"),
        (("prove", "1", "--key", "x"), "--key"),
        (("verify", "--witness", "x"), "--witness"),
    ],
)
def test_a_key_that_is_none_is_told_by_its_option(recorded: World, arguments: tuple[str, ...], option: str) -> None:
    """Several may be on one line, each as long as the other."""
    assert audit(recorded, *arguments, code=2).stderr.startswith(f"vitrine: {option}: not a")


def test_a_proof_for_which_there_is_no_place_is_one_sentence(
    recorded: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where: a write that fails names no file by itself."""

    def fail(_: Path, __: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    done = audit(recorded, "prove", "1", "--output", str(tmp_path), code=2)
    assert done.stderr == f"vitrine: cannot write {tmp_path}: No space left on device\n"


def test_a_ledger_put_back_to_an_earlier_state_breaks_against_a_checkpoint_kept_elsewhere(recorded: World) -> None:
    """It is well signed: nothing but the checkpoint elsewhere can tell."""
    ledger = recorded.settings.ledger.path
    with apsw.Connection(str(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    older = ledger.read_bytes()
    recorded.ask("/fhir/city-lab/Observation?patient=p1")
    elsewhere = recorded.folder / "elsewhere"
    elsewhere.write_text(audit(recorded, "checkpoint").stdout)
    assert audit(recorded, "verify", "--against", str(elsewhere)).stdout.startswith("5 records")
    recorded.assembled.ledger.close()
    for file in ledger.parent.glob(f"{ledger.name}-*"):
        file.unlink()
    ledger.unlink()
    ledger.write_bytes(older)
    assert audit(recorded, "verify").stdout.startswith("4 records")
    assert "broken" in audit(recorded, "verify", "--against", str(elsewhere), code=1).stderr
    kept = ledger.with_name(f"{ledger.name}.checkpoints")
    elsewhere.rename(kept)
    said = audit(recorded, "verify", code=1).stderr
    assert (
        said
        == f"vitrine: broken: the ledger's 4 records do not continue the 5 of the checkpoint that file {kept} holds\n"
    )


def test_a_proof_stands_alone(recorded: World) -> None:
    """Two small files and the public key: no access to the ledger."""
    audit(recorded, "prove", "2", "--output", str(recorded.folder))
    proof = TlogProof.parse((recorded.folder / "2.tlog-proof").read_text())
    assert proof.verify((recorded.folder / "2.header").read_bytes(), VerifierKey.parse(recorded.vkey)).size == 4
    audit(recorded, "prove", "4", code=1)


def test_wrong_keys_and_files_are_told_apart(recorded: World) -> None:
    """Broken is 1; could not tell is 2."""
    other = World(recorded.folder / "other") if (recorded.folder / "other").mkdir() is None else None
    assert other is not None
    audit(recorded, "verify", "--key", other.vkey, code=1)
    audit(recorded, "verify", "--key", "no key", code=2)
    audit(recorded, "verify", "--against", str(recorded.folder / "absent"), code=2)
    audit(recorded, "verify", "--against", str(recorded.folder / "vitrine.toml"), code=2)
    audit(recorded, "verify", "--witness", other.vkey, code=2)
    assert recorded.named()
