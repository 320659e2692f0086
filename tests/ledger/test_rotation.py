"""A key follows another: each change is signed by both, and nothing else leads from one to the next."""

import os

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plugin.ledger import checkpoint, evidence, rotation, writer
from plugin.ledger.errors import CheckpointInvalid, LedgerBroken, LedgerUnavailable
from plugin.ledger.key import SigningKey, VerifierKey
from plugin.ledger.own import OWN_CLASS
from plugin.ledger.reader import Reader
from plugin.ledger.rotation import ROTATED, current_key, interrupted, prepare, rotation_note, swap
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.verify import verify
from tests.ledger.conftest import body_of


def facts(note: str) -> dict[str, object]:
    return {"action": ROTATED, "rotation": {"reason": "test", "note": note}}


def record(ledger: writer.Ledger, old: SigningKey, new: SigningKey) -> int:
    return ledger.rotate(facts(rotation_note(old, new)), new, tenant="gateway", retention_class=OWN_CLASS).position


def rotate(place, ledger: writer.Ledger) -> str:
    """As the command does; the new `vkey`."""
    chain = Reader(place.path).keys()
    old = current_key(place.key_path, chain)
    new = SigningKey(old.verifier.name, prepare(place.key_path))
    record(ledger, old, new)
    swap(place.key_path)
    return new.verifier.text


def other(place) -> SigningKey:
    return SigningKey(place.key().verifier.name, Ed25519PrivateKey.generate())


@pytest.fixture
def rotated(place):
    """Three records, two changes of key with a record after each; all three keys."""
    place.fill(3)
    vkeys = [place.vkey]
    for number in range(2):
        ledger = place.open()
        vkeys.append(rotate(place, ledger))
        ledger.append(body_of(number), tenant="hospital", retention_class="consultation")
        ledger.close()
    return vkeys


def test_verify_follows_from_any_of_the_keys(place, rotated):
    """Whoever kept one of them elsewhere needs no other."""
    assert len(set(rotated)) == 3
    for vkey in rotated:
        report = verify(place.path, vkey, processes=1)
        assert (report.problem, report.records) == (None, 7)
    assert [key.text for key in Reader(place.path).keys().keys] == rotated


def test_the_new_key_belongs_to_whom_the_old_one_belonged(place):
    """Root may rotate it: workers of another user could read it no more, and released nothing from then on."""
    place.fill(1)
    whose = (1234, 1234) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(place.key_path, *whose)
    place.key_path.chmod(0o640)
    ledger = place.open()
    rotate(place, ledger)
    ledger.close()
    now = place.key_path.stat()
    assert (now.st_uid, now.st_gid, now.st_mode & 0o777) == (*whose, 0o640)


def test_a_stranger_s_key_is_none_of_them(place, rotated):
    """Not even one of the same name."""
    assert "another key" in str(verify(place.path, other(place).verifier, processes=1).problem)


def test_the_ledger_goes_on_with_the_new_key_alone(place, rotated):
    """The file holds it, and the newest head is signed by no other."""
    ledger = place.open()
    ledger.check_start()
    ledger.append(body_of(9), tenant="hospital", retention_class="consultation")
    ledger.close()
    head = Reader(place.path).head().checkpoint
    checkpoint.verify(head, VerifierKey.parse(rotated[2]))
    for old in rotated[:2]:
        with pytest.raises(CheckpointInvalid):
            checkpoint.verify(head, VerifierKey.parse(old))
    assert place.key_path.stat().st_mode & 0o777 == 0o600


def test_the_head_that_hands_over_is_signed_by_both(place, ledger):
    """A witness that knows the old key alone can still follow to there."""
    new = VerifierKey.parse(rotate(place, ledger))
    head = Reader(place.path).head().checkpoint
    old = VerifierKey.parse(place.vkey)
    assert checkpoint.verify(head, old) == checkpoint.verify(head, new)


def test_checkpoints_of_every_key_are_accepted_from_elsewhere(place):
    """The old ones keep their worth."""
    kept, vkeys = [], [place.vkey]
    for number in range(3):
        ledger = place.open()
        ledger.append(body_of(number), tenant="hospital", retention_class="consultation")
        kept.append(Reader(place.path).head().checkpoint)
        vkeys.append(rotate(place, ledger))
        kept.append(Reader(place.path).head().checkpoint)
        ledger.close()
    for note in kept:
        for vkey in vkeys:
            report = verify(place.path, vkey, against=note, processes=1)
            assert report.problem is None
            assert report.held == int(note.split("\n")[1])
    with pytest.raises(CheckpointInvalid):
        verify(place.path, place.vkey, against=kept[0].replace("— ", "— x"), processes=1)


def test_a_process_with_the_old_key_appends_nothing_more(place, ledger):
    """At once, and also after the new key has signed further heads."""
    late = place.open()
    ledger.append(body_of(0), tenant="hospital", retention_class="consultation")
    late.append(body_of(1), tenant="hospital", retention_class="consultation")
    rotate(place, ledger)
    with pytest.raises(LedgerBroken, match="another key"):
        late.append(body_of(2), tenant="hospital", retention_class="consultation")
    late.close()
    ledger.append(body_of(3), tenant="hospital", retention_class="consultation")
    assert place.verify().problem is None
    assert place.verify().records == 4


def test_one_that_missed_it_is_refused_too(place, ledger):
    """It never saw the head that hands over."""
    late = writer.Ledger(SqliteStore(place.path), place.key())
    rotate(place, ledger)
    ledger.append(body_of(0), tenant="hospital", retention_class="consultation")
    with pytest.raises(LedgerBroken, match="not signed by this key"):
        late.append(body_of(1), tenant="hospital", retention_class="consultation")
    late.close()


def test_a_rotation_that_fails_leaves_the_old_key_in_use(place, ledger, monkeypatch):
    """Nothing was recorded, and the next record is as before."""
    new = SigningKey(place.key().verifier.name, prepare(place.key_path))
    with monkeypatch.context() as failing:

        def refuse(*_: object) -> None:
            raise LedgerUnavailable("full")

        failing.setattr(SqliteStore, "commit", refuse)
        with pytest.raises(LedgerUnavailable):
            record(ledger, place.key(), new)
    ledger.append(body_of(0), tenant="hospital", retention_class="consultation")
    assert place.verify().problem is None
    assert rotate(place, ledger) != new.verifier.text
    assert place.verify().problem is None


def test_after_a_crash_before_the_swap_the_next_start_finishes_it(place, ledger):
    """The record is durable, the new key lies beside the old one."""
    new = SigningKey(place.key().verifier.name, prepare(place.key_path))
    record(ledger, place.key(), new)
    assert interrupted(place.key_path, Reader(place.path).keys())
    again = place.open()
    again.check_start()
    again.append(body_of(0), tenant="hospital", retention_class="consultation")
    again.close()
    assert place.key().verifier.text == new.verifier.text
    assert not interrupted(place.key_path, Reader(place.path).keys())
    assert verify(place.path, place.vkey, processes=1).problem is None


def test_a_prepared_key_that_no_record_names_is_not_used(place):
    """A crash before the record: the old key is still the one."""
    prepare(place.key_path)
    assert not interrupted(place.key_path, Reader(place.path).keys())
    place.open().close()
    assert place.key().verifier.text == place.vkey


def test_with_any_other_key_the_ledger_does_not_open(place, rotated):
    """The old one too: it would sign a second history."""
    place.key_path.unlink()
    rotation.write_private_key(place.key_path, Ed25519PrivateKey.generate())
    with pytest.raises(LedgerBroken, match="not the key that the ledger goes on with"):
        place.open()


def test_proofs_follow(place, rotated):
    """A record from before the change is proven under the newest key."""
    key = VerifierKey.parse(rotated[2])
    found = evidence.prove(Reader(place.path), 1, key)
    assert found.proof.verify(found.header, key).size == 7


def problem(place, key=None):
    found = verify(place.path, key or place.vkey, processes=1).problem
    assert found is not None
    return found.position, found.sentence


@pytest.mark.parametrize("what", ["one signature", "forged", "other heading", "wrong old", "no note", "another name"])
def test_what_both_keys_did_not_sign_leads_nowhere(place, ledger, what):
    """Even where whoever wrote it has the key in use: the new one must agree, and the old one be the one in use."""
    old, new = place.key(), other(place)
    text = rotation_note(old, new)
    stranger = SigningKey("elsewhere.example/ledger/00000000", Ed25519PrivateKey.generate())
    notes = {
        "one signature": checkpoint.signed(text.rpartition("\n\n")[0] + "\n", old),
        "forged": text[:-8] + "AAAAAA\n",
        "other heading": checkpoint.signed(f"x\n{old.verifier.text}\n{new.verifier.text}\n", old, new),
        "wrong old": rotation_note(other(place), new),
        "no note": "",
        "another name": rotation_note(old, stranger),
    }
    at = ledger.append(facts(notes[what]), tenant="gateway", retention_class=OWN_CLASS).position
    assert problem(place)[0] == at
    with pytest.raises(LedgerBroken):
        Reader(place.path).keys()
    with pytest.raises(LedgerBroken):
        place.open()


def test_a_change_of_key_of_a_class_that_can_be_purged_is_none(place, ledger):
    """Older checkpoints would one day be of an unknown key."""
    note = rotation_note(place.key(), other(place))
    at = ledger.append(facts(note), tenant="gateway", retention_class="operation").position
    assert problem(place) == (at, f"record {at}, which explains the ledger, is of class operation")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE records SET action = 'x' WHERE position = 3",
        "UPDATE records SET body = NULL WHERE position = 3",
        "UPDATE records SET body = CAST(replace(body, 'test', 'tset') AS BLOB) WHERE position = 3",
        "DELETE FROM records WHERE position = 3",
    ],
)
def test_a_change_of_key_that_was_tampered_with_is_found(place, rotated, sql):
    """By whichever key one asks that still is one of the ledger's."""
    newest = str(Reader(place.path).keys().current.text)
    place.edit(sql)
    assert problem(place)[0] == 3
    assert verify(place.path, newest).problem.position == 3


def test_the_record_names_no_private_key(place, rotated):
    """Only what may be known."""
    said = orjson.loads(next(record.body for record in Reader(place.path).records(3, 3)))
    assert said["rotation"]["note"].split("\n")[:3] == ["vitrine/key-rotation/v1", rotated[0], rotated[1]]
