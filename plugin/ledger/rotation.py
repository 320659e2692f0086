"""The keys of a ledger, one after another: each change is a record that names the old key and the new, signed by both.

From the head that the record leads to, heads carry the new key's signature; that one carries the old key's too. So who
trusts one of the keys can follow to the newest. The first is in the ledger's meta, all others in these records.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plugin.ledger import checkpoint
from plugin.ledger.errors import CheckpointInvalid, KeyInvalid, KeyUnavailable, LedgerBroken, LedgerUnavailable
from plugin.ledger.filesystem import sync_folder
from plugin.ledger.key import SigningKey, VerifierKey, load_private_key, write_private_key
from plugin.ledger.own import Own, OwnInvalid, read
from plugin.ledger.record import StoredRecord
from plugin.ledger.store import Meta, View

ROTATED = "ledger:key-rotated"
"""The action of the record."""
_HEADING = "vitrine/key-rotation/v1"
"""The first line of what both keys sign. No checkpoint begins so: an origin has eight hex digits at its end."""


class _Said(msgspec.Struct):
    note: str


class _Rotation(msgspec.Struct):
    rotation: _Said


@dataclass(frozen=True, slots=True)
class KeyChain:
    """All keys, oldest first."""

    keys: tuple[VerifierKey, ...]

    @property
    def current(self) -> VerifierKey:
        """The one that signs now."""
        return self.keys[-1]

    def __contains__(self, key: VerifierKey) -> bool:
        return any(each.text == key.text for each in self.keys)


def rotation_note(old: SigningKey, new: SigningKey) -> str:
    """What a record of the change holds: both keys by name, signed by both (C2SP signed-note)."""
    return checkpoint.signed(f"{_HEADING}\n{old.verifier.text}\n{new.verifier.text}\n", old, new)


def key_chain(meta: Meta, records: Iterable[StoredRecord]) -> tuple[KeyChain, OwnInvalid | None]:
    """The keys that the records, in order, lead to, and what is wrong with the first bad one, if any.

    Raises KeyInvalid if the first key is none.
    """
    keys = [VerifierKey.parse(meta.vkey)]
    try:
        for record in records:
            (own,) = read((record,), _Rotation)
            keys.append(_next(own, keys[-1]))
    except OwnInvalid as error:
        return KeyChain(tuple(keys)), error
    return KeyChain(tuple(keys)), None


def key_chain_of(view: View) -> KeyChain:
    """`key_chain` of what is stored. Raises LedgerBroken if it is interrupted."""
    try:
        chain, misleading = key_chain(view.meta(), view.own(ROTATED))
    except KeyInvalid as error:
        raise LedgerBroken(f"the ledger's key: {error}") from error
    if misleading is not None:
        raise LedgerBroken(str(misleading))
    if chain.current.name != view.meta().origin:
        raise LedgerBroken("the ledger's key is not of its origin")
    return chain


def prepare(key_path: Path) -> Ed25519PrivateKey:
    """Make a new key, durable, beside that of `key_path`, for whoever may read that. Raises LedgerUnavailable.

    One that an earlier attempt left there, and that no record names, is replaced.
    """
    private = Ed25519PrivateKey.generate()
    try:
        _beside(key_path).unlink(missing_ok=True)
        write_private_key(_beside(key_path), private)
        _give(_beside(key_path), key_path.stat())
        sync_folder(key_path.parent)
    except OSError as error:  # a write that fails names no file
        raise LedgerUnavailable(f"{error.filename or _beside(key_path)}: {error.strerror}") from error
    return private


def _give(path: Path, old: os.stat_result) -> None:
    """Give the file the owner, group and mode of the old one: root may rotate the key of a gateway that is not root."""
    with suppress(PermissionError):  # who serves gives nothing away, and can read what it made
        os.chown(path, old.st_uid, old.st_gid)
        path.chmod(stat.S_IMODE(old.st_mode))


def swap(key_path: Path) -> None:
    """Put the prepared key into the place of the old one, which is gone then. Raises LedgerUnavailable."""
    try:
        _beside(key_path).replace(key_path)
        sync_folder(key_path.parent)
    except OSError as error:
        raise LedgerUnavailable(f"{error.filename or key_path}: {error.strerror}") from error


def current_key(key_path: Path, chain: KeyChain) -> SigningKey:
    """The private key that signs now. One that an interrupted rotation left beside `key_path` is put into its place.

    Raises KeyUnavailable (which names the file), LedgerUnavailable, or LedgerBroken if it is another key.
    """
    found = _signing(key_path, chain)
    if found is None and _beside(key_path).exists() and _signing(_beside(key_path), chain) is not None:
        swap(key_path)
        found = _signing(key_path, chain)
    if found is None:
        raise LedgerBroken(f"{key_path} is not the key that the ledger goes on with")
    return found


def interrupted(key_path: Path, chain: KeyChain) -> bool:
    """True if a record names a new key that is still beside `key_path`: `current_key` will finish that."""
    try:
        return _beside(key_path).exists() and _signing(_beside(key_path), chain) is not None
    except KeyUnavailable:
        return False


def _signing(path: Path, chain: KeyChain) -> SigningKey | None:
    """The key in a file, if it is the one that signs now."""
    key = SigningKey(chain.current.name, load_private_key(path))
    return key if key.verifier.text == chain.current.text else None


def _next(own: Own[_Rotation], old: VerifierKey) -> VerifierKey:
    """The key that follows `old`. Raises OwnInvalid."""
    name = f"the change of key at {own.position}"
    note = own.facts.rotation.note
    lines = note.split("\n")
    if len(lines) < 3 or lines[:2] != [_HEADING, old.text]:
        raise OwnInvalid(own.position, f"{name} does not begin with the key that was in use")
    try:
        new = VerifierKey.parse(lines[2])
        texts = {checkpoint.verify_note(note, key) for key in (old, new)}
    except (KeyInvalid, CheckpointInvalid) as error:
        raise OwnInvalid(own.position, f"{name} is not signed by both keys: {error}") from error
    if texts != {f"{_HEADING}\n{old.text}\n{new.text}\n"} or new.name != old.name:
        raise OwnInvalid(own.position, f"{name} says something else than two keys of this ledger")
    return new


def _beside(key_path: Path) -> Path:
    return key_path.with_name(f"{key_path.name}.next")
