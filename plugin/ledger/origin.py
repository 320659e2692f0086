"""Where a ledger begins: its name, its key, its empty tree. For `vitrine audit init`."""

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plugin.ledger import checkpoint, sqlite
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import LedgerExists, LedgerUnavailable
from plugin.ledger.filesystem import refuse_network
from plugin.ledger.key import SigningKey, write_private_key
from plugin.ledger.merkle import Edge
from plugin.ledger.record import encode_time
from plugin.ledger.store import FORMAT, Head, Meta


def new_origin(host: str) -> str:
    """`<host>/ledger/<8 hex digits>`: a new ledger on the same host is a new origin."""
    return f"{host}/ledger/{secrets.token_hex(4)}"


def create(path: Path, key_path: Path, origin: str) -> str:
    """Make a new ledger and its key, both for their owner only; returns the `vkey`, to be kept elsewhere.

    Missing folders are made. Raises LedgerExists if either file stands there already, KeyInvalid if the origin cannot
    be a key's name, NetworkFileSystem, or LedgerUnavailable; then neither file is left behind.
    """
    private = Ed25519PrivateKey.generate()
    key = SigningKey(origin, private)
    refuse_network(path)
    for file in (path, key_path):
        if file.exists() or file.is_symlink():
            raise LedgerExists(f"{file} exists already")
    made: list[Path] = []
    try:
        for file in (path, key_path):
            _make_folder(file.parent)
        write_private_key(key_path, private)
        made.append(key_path)
        _make_file(path)
        made.append(path)
        sqlite.make(path, Meta(FORMAT, origin, key.verifier.text), _empty_head(origin, key))
        for file in (path, key_path):
            _sync_folder(file.parent)
        made.clear()
    except OSError as error:
        raise LedgerUnavailable(f"{error.filename}: {error.strerror}") from error
    finally:
        for file in made:
            file.unlink()
    return key.verifier.text


def _empty_head(origin: str, key: SigningKey) -> Head:
    edge = Edge()
    note = checkpoint.sign(Checkpoint(origin, edge.size, edge.root()), key)
    return Head(edge, note, encode_time(datetime.now(UTC)))


def _make_file(path: Path) -> None:
    """An empty file for its owner only: SQLite gives the mode of it to its log and index files."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise LedgerExists(f"{path} exists already") from error


def _make_folder(folder: Path) -> None:
    """Like `mkdir -p`, but every new folder is for its owner only."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """A new name survives a power failure only once its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
