"""Signed notes and checkpoints: what we sign verifies, and nothing else does."""

import base64
import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import CheckpointInvalid, KeyInvalid, KeyUnavailable, LedgerExists
from plugin.ledger.key import SigningKey, VerifierKey, load_private_key, write_private_key

ORIGIN = "vitrine.example/ledger/0a1b2c3d"
KEY = SigningKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = SigningKey("other.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)))

# The example key and note of the Go package golang.org/x/mod/sumdb/note, which signed-note was written from.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_of_another_program_verifies():
    """The format is shared with tools that we did not write."""
    text = checkpoint.verify_note(GO_NOTE, VerifierKey.parse(GO_VKEY))
    assert text.startswith("If you think cryptography")
    assert VerifierKey.parse(GO_VKEY).text == GO_VKEY


def test_a_checkpoint_has_origin_size_and_root_on_three_lines():
    """c2sp.org/tlog-checkpoint; the empty tree's root is the one that standards/tlog.md names."""
    empty = Checkpoint(ORIGIN, 0, bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
    assert empty.text() == f"{ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


@given(st.integers(0, 2**60), st.binary(min_size=32, max_size=32))
def test_what_is_signed_verifies_as_it_was(size, root):
    """Sign and verify are one another's inverse."""
    stated = Checkpoint(ORIGIN, size, root)
    assert checkpoint.verify(checkpoint.sign(stated, KEY), KEY.verifier) == stated


@given(st.data())
def test_a_note_with_one_character_changed_says_the_same_or_is_refused(data):
    """No change can make our key state another size or root."""
    note = checkpoint.sign(HEAD, KEY)
    at = data.draw(st.integers(0, len(note) - 1))
    changed = note[:at] + data.draw(st.characters(exclude_characters=note[at])) + note[at + 1 :]
    with contextlib.suppress(CheckpointInvalid):
        assert checkpoint.verify(changed, KEY.verifier) == HEAD


def test_text_that_has_no_utf8_is_refused_as_a_note():
    """Half of a surrogate pair, as JSON can write one."""
    with pytest.raises(CheckpointInvalid, match="UTF-8"):
        checkpoint.verify("\ud800" + checkpoint.sign(HEAD, KEY)[1:], KEY.verifier)


@given(st.text())
def test_arbitrary_text_is_refused_as_a_note(text):
    """A note comes from a file or a network: any text may."""
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify(text, KEY.verifier)


def test_lines_of_unknown_keys_are_ignored():
    """Witnesses cosign below our own line, and a rotation signs twice."""
    note = checkpoint.sign(HEAD, KEY)
    foreign = base64.b64encode(OTHER.verifier.id + OTHER.sign(b"anything")).decode()
    assert checkpoint.verify(f"{note}— {OTHER.verifier.name} {foreign}\n", KEY.verifier) == HEAD


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n07\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n-1\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n٧\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n7\n{base64.b64encode(bytes(31)).decode()}\n",
        f"{ORIGIN}\n7\n{base64.b64encode(bytes(32)).decode()}\nextension\n",
        f"other.example\n7\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n7\n",
        "\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text):
    """Even our key's signature makes no checkpoint of something else."""
    signature = base64.b64encode(KEY.verifier.id + KEY.sign(text.encode())).decode()
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify(f"{text}\n— {ORIGIN} {signature}\n", KEY.verifier)


@pytest.mark.parametrize(
    "damage",
    [
        lambda note: note.removesuffix("\n"),
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note + "no signature line\n",
        lambda note: note + "— x.example AAAA=A\n",
        lambda note: note.replace("—", "-"),
        lambda note: note.replace("\n7\n", "\n8\n"),
        lambda note: "\t" + note,
        lambda note: note + f"— {OTHER.verifier.name} AAAAAAAA\n" * 100,
        lambda note: note + "— x.example " + "A" * (1 << 16) + "\n",
    ],
)
def test_a_malformed_note_is_refused(damage):
    """c2sp.org/signed-note, and our bounds on what it costs to read one."""
    with pytest.raises(CheckpointInvalid):
        checkpoint.verify(damage(checkpoint.sign(HEAD, KEY)), KEY.verifier)


@given(st.text())
def test_arbitrary_text_is_refused_as_a_verifier_key(text):
    """An operator pastes it."""
    with pytest.raises(KeyInvalid):
        VerifierKey.parse(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb"])
def test_a_name_that_would_break_the_format_is_refused(name):
    """Names are split at spaces and pluses."""
    with pytest.raises(KeyInvalid):
        VerifierKey(name, bytes(32))


def test_a_verifier_key_whose_id_is_of_another_name_is_refused():
    """A mistyped vkey must not verify nothing in silence."""
    with pytest.raises(KeyInvalid):
        VerifierKey.parse(GO_VKEY.replace("Peter", "Petra"))


def test_a_private_key_is_for_its_owner_only_and_reads_back(tmp_path):
    """Whoever holds it can write history."""
    private = Ed25519PrivateKey.generate()
    write_private_key(tmp_path / "key", private)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert load_private_key(tmp_path / "key").private_bytes_raw() == private.private_bytes_raw()
    with pytest.raises(LedgerExists):
        write_private_key(tmp_path / "key", private)


def test_a_private_key_that_others_may_read_is_refused(tmp_path):
    """It is no secret then."""
    write_private_key(tmp_path / "key", Ed25519PrivateKey.generate())
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(KeyUnavailable, match=r"key: others may read"):
        load_private_key(tmp_path / "key")


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_without_a_key_is_named(tmp_path, content):
    """The operator must learn which file."""
    (tmp_path / "key").write_bytes(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(KeyUnavailable, match=str(tmp_path / "key")):
        load_private_key(tmp_path / "key")
