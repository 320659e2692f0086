"""Who and what is stopped at once: persons, clients, feeds. Every consultation asks here, so a restart is not needed.

What is kept: the kind and a keyed hash of the name, by which a consultation finds it, and, sealed, the name, the
reason and the time, since the operator must be able to list what stands. With the sealing keys the list can be read;
from the file alone nobody learns who is suspended. A name under a key that is no longer in `key_file` could no longer
be found, and the person would walk in again: so while one stands here, nothing can be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from plugin.errors import StateUnavailable
from plugin.sealing import SealBroken
from plugin.state.database import Database, Version
from plugin.state.private_names import PrivateNames

FILE = "suspensions.sqlite"
"""In `state_dir`."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS suspensions (
  kind TEXT NOT NULL, name BLOB NOT NULL, key_id BLOB NOT NULL, sealed TEXT NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
"""


class Kind(StrEnum):
    """What can be suspended."""

    PERSON = "person"
    CLIENT = "client"
    FEED = "feed"


@dataclass(frozen=True, slots=True)
class Suspension:
    """One that stands."""

    kind: Kind
    name: str
    """Of a person `Person.key`; of a client or feed its id."""
    reason: str
    since: str
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the file held at `version`."""

    version: Version
    hashed: frozenset[tuple[str, bytes]]
    unreadable: bool
    """One of them was made under a key that is gone."""


class Suspensions:
    """The suspensions that stand. Safe to call from several threads and processes; all see a change at once."""

    def __init__(self, folder: Path, keys: Sequence[bytes]) -> None:
        """Opens nothing yet. `folder` is `state_dir`, `keys` those of `key_file`."""
        self._names = PrivateNames(keys, "suspensions")
        self._database = Database(folder / FILE, _SCHEMA)
        self._known: _Known | None = None

    def any_of(self, *names: tuple[Kind, str]) -> bool:
        """Whether any of these is suspended. Raises StateUnavailable: it cannot be told."""
        known = self._standing()
        if known.hashed and any(
            (str(kind), hashed) in known.hashed for kind, name in names for hashed in self._names.all(name)
        ):
            return True
        if known.unreadable:
            raise StateUnavailable
        return False

    def _standing(self) -> "_Known":
        """All that stand now. They are few, and seldom change: every look asks the file whether they did."""
        with self._database.reading() as connection:
            version = self._database.version(connection)
            if self._known is None or self._known.version != version:
                rows: list[Any] = list(connection.execute("SELECT kind, name, key_id FROM suspensions"))
                unreadable = any(key_id not in self._names.key_ids for *_, key_id in rows)
                self._known = _Known(version, frozenset((kind, name) for kind, name, _ in rows), unreadable)
            return self._known

    def suspend(self, wanted: Suspension) -> bool:
        """Stop it; False if it was stopped already, which leaves reason and time as they were."""
        if self.any_of((wanted.kind, wanted.name)):
            return False
        sealed = self._names.close(orjson.dumps([wanted.name, wanted.reason, wanted.since]))
        row = (str(wanted.kind), self._names.current(wanted.name), self._names.key_ids[0], sealed)
        with self._database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO suspensions VALUES (?, ?, ?, ?)", row)
            return bool(connection.changes())

    def resume(self, kind: Kind, name: str) -> bool:
        """Let it go on; False if it was not stopped. Raises StateUnavailable."""
        gone = 0
        with self._database.writing() as connection:
            for hashed in self._names.all(name):
                connection.execute("DELETE FROM suspensions WHERE kind = ? AND name = ?", (str(kind), hashed))
                gone += connection.changes()
        return bool(gone)

    def standing(self) -> list[Suspension]:
        """All that stand, oldest first. Raises StateUnavailable, also where one was made under a key that is gone."""
        with self._database.reading() as connection:
            rows: list[Any] = list(connection.execute("SELECT kind, sealed FROM suspensions"))
        try:
            found = [Suspension(Kind(kind), *orjson.loads(self._names.open(sealed))) for kind, sealed in rows]
        except SealBroken as error:
            raise StateUnavailable from error
        return sorted(found, key=lambda each: each.since)
