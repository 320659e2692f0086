"""A ledger in PostgreSQL that cannot be continued: how a new one takes its place, also where that was interrupted.

Its schema is renamed, as its owner, in the transaction that makes the new tables; nothing in it is changed. Until the
new ledger has its first record, which is the caller's, what that record must say is kept beside the key.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from plugin.ledger.errors import LedgerError, LedgerUnavailable
from plugin.ledger.filesystem import sync_folder
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.reader import Reader
from plugin.ledger.store import Opening


def aside_of(now: datetime) -> str:
    """The name under which a lost schema is kept."""
    return f"ledger_lost_{now.astimezone(UTC).strftime('%Y%m%dt%H%M%S%fz')}"


@dataclass(frozen=True, slots=True)
class Intent:
    """What a recovery has begun to do. Its files lie beside the key, whose name they bear."""

    key_path: Path

    @property
    def new_key_path(self) -> Path:
        """The key of the new ledger, until it takes the place of the old one."""
        return self.key_path.with_name(f"{self.key_path.name}.recovering")

    @property
    def _file(self) -> Path:
        return self.key_path.with_name(f"{self.key_path.name}.recovering.json")

    def write(self, lost: Mapping[str, object], opened: Opening) -> None:
        """Begin: keep what the first record will say, durable. An attempt that made no ledger is forgotten.

        Raises LedgerUnavailable.
        """
        intended = {"lost": lost, "lost_origin": _origin(opened)}
        try:
            self.new_key_path.unlink(missing_ok=True)
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(orjson.dumps(intended))
                file.flush()
                os.fsync(descriptor)
            sync_folder(self._file.parent)
        except OSError as error:
            raise LedgerUnavailable(f"{error.filename or self._file}: {error.strerror}") from error

    def pending(self, opened: Opening) -> dict[str, object] | None:
        """What the first record must say, if the new ledger was made and the rest was not done; else None."""
        try:
            intended = orjson.loads(self._file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        if _origin(opened) in {None, intended["lost_origin"]}:
            return None
        lost: dict[str, object] = intended["lost"]
        return lost if any(_is_of(key, opened) for key in (self.new_key_path, self.key_path)) else None

    def swap_keys(self, suffix: str) -> None:
        """The new key takes the place of the old one, which is kept with `suffix`. Raises LedgerUnavailable."""
        try:
            if self.new_key_path.exists():
                if self.key_path.exists():
                    self.key_path.rename(self.key_path.with_name(f"{self.key_path.name}.{suffix}"))
                self.new_key_path.rename(self.key_path)
                sync_folder(self.key_path.parent)
        except OSError as error:
            raise LedgerUnavailable(f"{error.filename}: {error.strerror}") from error

    def forget(self) -> None:
        """End: the record is there. Raises LedgerUnavailable."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            raise LedgerUnavailable(f"{error.filename}: {error.strerror}") from error


def _origin(opened: Opening) -> str | None:
    """Of the ledger that is there; None if there is none, or it cannot be told."""
    try:
        return Reader(opened).meta().origin
    except LedgerError:
        return None


def _is_of(key_path: Path, opened: Opening) -> bool:
    """True if the ledger was made with this key."""
    try:
        meta = Reader(opened).meta()
        return SigningKey(meta.origin, load_private_key(key_path)).verifier.text == meta.vkey
    except LedgerError:
        return False
