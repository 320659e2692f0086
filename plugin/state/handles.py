"""Handles of files: random ids that stand for one file of one document, for one reader and one patient, for minutes.

References only, sealed, under a keyed hash of the handle: the file of this store tells of nobody, and opens nothing.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from plugin.sealing import SealBroken
from plugin.state.database import Database
from plugin.state.private_names import PrivateNames

FILE = "handles.sqlite"
"""In `state_dir`."""

LIFE_SECONDS = 300.0
"""Long enough to look through the results of an answer and open a file; what is older is asked for anew."""

HANDLE_BYTES = 24
"""48 characters: a FHIR id has at most 64 (R4 2.24.0.1), and nobody guesses one."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS handles (name BLOB NOT NULL PRIMARY KEY, issued REAL NOT NULL, sealed TEXT NOT NULL)
WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handles_by_age ON handles (issued);
"""


@dataclass(frozen=True, slots=True)
class Handled:
    """What a handle stands for."""

    feed: str
    reader: str
    """`Person.key`"""
    ehr: str
    patient: str
    """The EHR's patient."""
    reference: str
    """`DocumentReference/9`, at the feed."""
    file: int
    """Which of its files, counted from 1."""


class Handles:
    """Safe to call from several threads and processes. Every method raises StateUnavailable.

    What is issued need not outlive a power failure: a client asks for the document again.
    """

    def __init__(self, folder: Path, keys: Sequence[bytes], clock: Callable[[], float] = time.time) -> None:
        """Opens nothing yet. `folder` is `state_dir`, `keys` those of `key_file`."""
        self._names = PrivateNames(keys, "handles")
        self._database = Database(folder / FILE, _SCHEMA, lasting=False)
        self._clock = clock

    def issue(self, files: Sequence[Handled]) -> list[str]:
        """A handle for each of `files`, in order. Those whose time is over are forgotten."""
        if not files:
            return []
        now = self._clock()
        handles = [secrets.token_hex(HANDLE_BYTES) for _ in files]
        rows = [
            (self._names.current(handle), now, self._names.close(_written(each)))
            for handle, each in zip(handles, files, strict=True)
        ]
        with self._database.writing() as connection:
            connection.execute("DELETE FROM handles WHERE issued <= ? OR issued > ?", (now - LIFE_SECONDS, now))
            connection.executemany("INSERT INTO handles VALUES (?, ?, ?)", rows)
        return handles

    def find(self, handle: str) -> Handled | None:
        """What it stands for, if it was issued within LIFE_SECONDS. A clock that was set back ends it."""
        names = self._names.all(handle)
        now = self._clock()
        places = ",".join("?" * len(names))
        question = f"SELECT sealed FROM handles WHERE name IN ({places}) AND issued > ? AND issued <= ?"  # noqa: S608 - question marks only
        with self._database.reading() as connection:
            rows: list[Any] = list(connection.execute(question, (*names, now - LIFE_SECONDS, now)))
        for (sealed,) in rows:
            try:
                return Handled(*orjson.loads(self._names.open(sealed)))
            except SealBroken:
                continue
        return None


def _written(each: Handled) -> bytes:
    return orjson.dumps([each.feed, each.reader, each.ehr, each.patient, each.reference, each.file])
