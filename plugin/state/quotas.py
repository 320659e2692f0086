"""How often a person has looked, at how many patients, within the hour: shared by all workers, kept across a restart.

Persons and patients stand in the file as keyed hashes only. Refused attempts count too. Losing the last moments in a
power failure is acceptable here, so commits do not wait for the disk.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import apsw

from plugin.state.database import Database

HOUR = 3600.0
AHEAD = 60.0
"""Seconds by which a look may be dated after now: what is further ahead was dated by a clock that was set back since,
and would count for as much longer."""
HASH_BYTES = 16
FILE = "quotas.sqlite"
"""Of `state_dir`."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS looks (person BLOB NOT NULL, at REAL NOT NULL, patient BLOB);
CREATE TABLE IF NOT EXISTS told (person BLOB NOT NULL PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS looks_of_person ON looks (person, at, patient);
CREATE INDEX IF NOT EXISTS looks_by_age ON looks (at);
"""


class Charged(Enum):
    """What became of a look."""

    WITHIN = "within"
    BEYOND = "beyond"
    FIRST_BEYOND = "first-beyond"
    """The first one of this person beyond a quota within the hour: somebody should be told."""


class Quotas:
    """Counts looks against the limits. Safe to call from several threads and processes."""

    def __init__(
        self, path: Path, key: bytes, *, consultations: int, patients: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._database = Database(path, _SCHEMA, lasting=False)
        self._key = key
        self._consultations = consultations
        self._patients = patients
        self._swept = 0.0

    def charge(
        self, person: str, patient: str | None, *, consultations: int | None = None, patients: int | None = None
    ) -> Charged:
        """Count one look of `person` (at `patient`) against both quotas. Raises StateUnavailable.

        `consultations`, `patients`: tighter limits of this person; wider ones do not count. A patient beyond the quota
        is not counted among the person's patients: those seen before stay within it.
        """
        most = (
            min(self._consultations, consultations or self._consultations),
            min(self._patients, patients or self._patients),
        )
        now = self._clock()
        who, whom = self._hash(person), None if patient is None else self._hash(patient)
        with self._database.writing() as connection:
            return self._charge(connection, who, whom, now, *most)

    def _charge(
        self,
        connection: apsw.Connection,
        who: bytes,
        whom: bytes | None,
        now: float,
        most_looks: int,
        most_patients: int,
    ) -> Charged:
        since, latest = now - HOUR, now + AHEAD
        if abs(now - self._swept) > HOUR / 60:
            connection.execute("DELETE FROM looks WHERE at NOT BETWEEN ? AND ?", (since, latest))
            connection.execute("DELETE FROM told WHERE at < ?", (since,))
            self._swept = now
        counted: Any = connection.execute(
            "SELECT count(*), count(DISTINCT patient), coalesce(max(patient IS ?3), 0) FROM looks"
            " WHERE person = ?1 AND at BETWEEN ?2 AND ?4",
            (who, since, whom, latest),
        ).get
        looks, patients, known = counted
        affordable = whom is None or bool(known) or patients < most_patients
        if looks <= most_looks:  # beyond, the answer no longer depends on how far
            connection.execute("INSERT INTO looks VALUES (?, ?, ?)", (who, now, whom if affordable else None))
        within = looks < most_looks and affordable
        first = not within and _first_told(connection, who, now, since)
        return Charged.WITHIN if within else Charged.FIRST_BEYOND if first else Charged.BEYOND

    def _hash(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), hashlib.sha256)[:HASH_BYTES]


def _first_told(connection: apsw.Connection, who: bytes, now: float, since: float) -> bool:
    """Whether nobody was told of this person within the hour; from now on somebody was.

    What was told at a time to come was told before the clock was set back, nobody knows when.
    """
    connection.execute(
        "INSERT INTO told VALUES (?1, ?2) ON CONFLICT (person) DO UPDATE SET at = ?2 WHERE at < ?3 OR at > ?2",
        (who, now, since),
    )
    return bool(connection.changes())
