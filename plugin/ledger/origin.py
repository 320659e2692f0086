"""Where a ledger begins: its name, its key, its empty tree. For `vitrine audit init`."""

import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plugin.ledger import checkpoint, sqlite
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import LedgerExists, LedgerUnavailable
from plugin.ledger.filesystem import refuse_network, sync_folder
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
    refuse_network(path)
    _refuse_existing(path, key_path)

    def make(meta: Meta, head: Head) -> None:
        with ExitStack() as undo:
            _make_folder(path.parent)
            _make_file(path)
            undo.callback(path.unlink)
            sqlite.make(path, meta, head)
            sync_folder(path.parent)
            undo.pop_all()

    return begin(make, key_path, origin)


def begin(make: Callable[[Meta, Head], None], key_path: Path, origin: str) -> str:
    """Make a key and, by `make`, the ledger that it begins; returns the `vkey`. Raises what `create` and `make` raise.

    The key first: a ledger whose key was lost in between could never be continued.
    """
    _refuse_existing(key_path)
    private = Ed25519PrivateKey.generate()
    key = SigningKey(origin, private)
    try:
        with ExitStack() as undo:
            _make_folder(key_path.parent)
            write_private_key(key_path, private)
            undo.callback(key_path.unlink)
            sync_folder(key_path.parent)
            make(Meta(FORMAT, origin, key.verifier.text), _empty_head(origin, key))
            undo.pop_all()
    except OSError as error:
        raise LedgerUnavailable(f"{error.filename or key_path}: {error.strerror}") from error
    return key.verifier.text


def _refuse_existing(*files: Path) -> None:
    for file in files:
        if file.exists() or file.is_symlink():
            raise LedgerExists(f"{file} exists already")


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
        sync_folder(folder.parent)
