"""`audit init`: a new ledger with its key, or nothing."""

import re

import pytest

from plugin.ledger import checkpoint, origin, writer
from plugin.ledger.errors import (
    KeyInvalid,
    KeyUnavailable,
    LedgerBroken,
    LedgerExists,
    LedgerMissing,
    LedgerUnavailable,
    NetworkFileSystem,
)
from plugin.ledger.file_place import FilePlace
from plugin.ledger.key import VerifierKey
from plugin.ledger.reader import Reader


def test_a_new_ledger_has_a_signed_empty_head(place):
    """So that even the removal of the first record shows."""
    key = VerifierKey.parse(place.vkey)
    head = Reader(place.path).head()
    assert checkpoint.verify(head.checkpoint, key) == checkpoint.Checkpoint(key.name, 0, head.root)
    assert Reader(place.path).meta().vkey == place.vkey


def test_each_ledger_has_its_own_origin():
    """A new ledger on the same host is another log."""
    one, two = origin.new_origin("vitrine.example"), origin.new_origin("vitrine.example")
    assert re.fullmatch("vitrine.example/ledger/[0-9a-f]{8}", one)
    assert one != two


def test_files_and_new_folders_are_for_their_owner_only(place, append):
    """The records say who looked at whom."""
    append(1)
    folder = place.path.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert place.key_path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in [*folder.iterdir(), place.key_path]} == {0o600}
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("standing", ["path", "key_path"])
def test_nothing_that_exists_is_overwritten(place, tmp_path, standing):
    """Neither a history nor the key to one; and no half of a new ledger is left."""
    new = {"path": tmp_path / "new" / "ledger", "key_path": tmp_path / "new" / "key"}
    before = getattr(place, standing).read_bytes()
    with pytest.raises(LedgerExists, match=str(getattr(place, standing))):
        origin.create(**{**new, standing: getattr(place, standing)}, origin="vitrine.example/ledger/00000000")
    assert getattr(place, standing).read_bytes() == before
    assert not (tmp_path / "new").exists()


def test_one_path_for_both_files_leaves_neither(tmp_path):
    """A slip in the configuration must not overwrite the key with the ledger."""
    with pytest.raises(LedgerExists):
        origin.create(tmp_path / "same", tmp_path / "same", "vitrine.example/ledger/00000000")
    assert not (tmp_path / "same").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    """The operator must learn what is in the way."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnavailable, match="file"):
        origin.create(tmp_path / "file" / "ledger", tmp_path / "key", "vitrine.example/ledger/00000000")
    assert not (tmp_path / "key").exists()


def test_an_origin_that_is_no_key_name_is_refused(tmp_path):
    """It would make checkpoints that nobody can parse."""
    with pytest.raises(KeyInvalid):
        origin.create(tmp_path / "ledger", tmp_path / "key", "vitrine example")
    assert not list(tmp_path.iterdir())


def test_a_missing_ledger_is_never_made_by_the_way(place):
    """A mistyped path would otherwise start a second, empty history."""
    wrong = place.path.with_name("legder.sqlite")
    with pytest.raises(LedgerMissing, match=r"legder\.sqlite"):
        writer.open(FilePlace(wrong), place.key_path)
    with pytest.raises(LedgerMissing):
        Reader(wrong)
    assert not wrong.exists()


def test_a_missing_key_is_named(place):
    """It cannot be made anew: the history is signed with it."""
    with pytest.raises(KeyUnavailable, match=r"other\.key"):
        writer.open(FilePlace(place.path), place.key_path.with_name("other.key"))


def test_a_key_of_another_ledger_is_refused(place, tmp_path):
    """Its signatures would break the history."""
    origin.create(tmp_path / "l2", tmp_path / "k2", "vitrine.example/ledger/00000000")
    with pytest.raises(LedgerBroken, match="is not the key"):
        writer.open(FilePlace(place.path), tmp_path / "k2")


def test_a_ledger_of_another_form_is_refused(place):
    """A newer program may have given the tables another meaning."""
    place.edit("UPDATE meta SET format = 3")
    with pytest.raises(LedgerBroken, match=r"form 3.*knows no newer"):
        place.open()


def test_a_file_that_is_no_ledger_is_refused(place, tmp_path):
    """Whatever it is, it is not ours to write into."""
    (tmp_path / "other").write_bytes(b"no database" * 1000)
    with pytest.raises(LedgerBroken):
        writer.open(FilePlace(tmp_path / "other"), place.key_path)


def test_a_network_file_system_is_refused(place, tmp_path, monkeypatch):
    """Its locks and syncs are another machine's word."""
    (tmp_path / "mounts").write_text("1 1 0:1 / / rw - nfs4 server:/ rw\n")
    monkeypatch.setattr("plugin.ledger.filesystem.refuse_network.__defaults__", (tmp_path / "mounts",))
    with pytest.raises(NetworkFileSystem):
        place.open()
    with pytest.raises(NetworkFileSystem):
        origin.create(tmp_path / "l2", tmp_path / "k2", "vitrine.example/ledger/00000000")
