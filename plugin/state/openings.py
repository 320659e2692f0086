"""Broken glass that has not ended: for whom, for which patient, until when. Shared by all processes of the machine.

References only: found by a keyed hash of person and patient; the id of the opening's record in clear; who and whom,
sealed, since the record of the end names them. An opening that cannot be read is none: access ends.

An opening is reserved before its record is written, begins once that is durable, and is forgotten once the record of
its end is. What a crash leaves reserved never began, and ends like the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw
import orjson

from plugin.sealing import SealBroken
from plugin.state.database import Database
from plugin.state.private_names import PrivateNames

FILE = "openings.sqlite"
"""In `state_dir`."""

CLAIM_SECONDS = 60.0
"""How long one process has to write a record of an opening or its end before another one may think that it died."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS openings (
  name BLOB NOT NULL PRIMARY KEY, record TEXT NOT NULL, opened REAL NOT NULL, until REAL NOT NULL,
  claimed REAL NOT NULL, sealed TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """An emergency access of one person to one patient."""

    record: str
    """The id of the record of its opening."""
    issuer: str
    subject: str
    ehr: str
    patient: str
    reason: str
    opened: float
    until: float
    """POSIX seconds; at this moment it has ended."""

    @property
    def person(self) -> str:
        """`Person.key`"""
        return f"{self.issuer} {self.subject}"

    @property
    def began(self) -> bool:
        """False of one that was reserved only: its record, or what followed it, could not be written."""
        return self.until > self.opened

    def covers(self, now: float) -> bool:
        """A clock that was set back does not make it longer: then it has not begun, and counts as ended."""
        return self.opened <= now < self.until


@dataclass(frozen=True, slots=True)
class Ended:
    """One that ended by itself, and whose end this process has to record."""

    record: str
    until: float
    opening: Opening | None
    """None: sealed under a key that is gone."""


class Openings:
    """Safe to call from several threads and processes. Every method raises StateUnavailable."""

    def __init__(self, folder: Path, keys: Sequence[bytes]) -> None:
        """Opens nothing yet. `folder` is `state_dir`, `keys` those of `key_file`."""
        self._names = PrivateNames(keys, "openings")
        self._database = Database(folder / FILE, _SCHEMA)

    def find(self, person: str, ehr: str, patient: str) -> Opening | None:
        """What stands for this person and patient, ended or not."""
        names = self._names.all(_name(person, ehr, patient))
        places = ",".join("?" * len(names))
        question = f"SELECT until, sealed FROM openings WHERE name IN ({places})"  # noqa: S608 - question marks only
        with self._database.reading() as connection:
            rows: list[Any] = list(connection.execute(question, names))
        found = [opening for until, sealed in rows if (opening := self._opened(sealed, until)) is not None]
        return max(found, key=lambda each: each.until, default=None)

    def reserve(self, opening: Opening, now: float) -> bool:
        """Keep a place for it; False if one for this person and patient is there, which is left as it is."""
        name = self._names.current(_name(opening.person, opening.ehr, opening.patient))
        facts = [opening.record, opening.issuer, opening.subject, opening.ehr, opening.patient, opening.reason]
        sealed = self._names.close(orjson.dumps([*facts, opening.opened, opening.until]))
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO openings (name, record, opened, until, claimed, sealed)"
                " VALUES (?1, ?2, ?3, ?3, ?4, ?5)",
                (name, opening.record, opening.opened, now + CLAIM_SECONDS, sealed),
            )
            return bool(connection.changes())

    def begin(self, opening: Opening) -> bool:
        """Let the reserved one stand; False if it is no longer there."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE openings SET until = ?, claimed = 0 WHERE record = ?", (opening.until, opening.record)
            )
            return bool(connection.changes())

    def end(self, record: str, now: float) -> bool:
        """It stands no longer, and its end is for the caller to record; False if it had ended before."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE openings SET until = ?1, claimed = ?2 WHERE record = ?3 AND until > ?1",
                (now, now + CLAIM_SECONDS, record),
            )
            return bool(connection.changes())

    def forget(self, record: str) -> None:
        """All that there was to record of it is recorded."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM openings WHERE record = ?", (record,))

    def claim_ended(self, now: float) -> list[Ended]:
        """Those that ended by themselves and that no other process is recording; `forget` each when that is done."""
        found = []
        with self._database.writing() as connection:
            rows: list[Any] = list(
                connection.execute(
                    "SELECT name, record, until, sealed FROM openings"
                    " WHERE (until <= ?1 OR opened > ?1) AND (claimed <= ?1 OR claimed > ?1 + ?2)",
                    (now, CLAIM_SECONDS),
                )
            )
            for name, record, until, sealed in rows:
                _claim(connection, name, now)
                found.append(Ended(record, until, self._opened(sealed, until)))
        return found

    def _opened(self, sealed: str, until: float) -> Opening | None:
        """The file may end an opening before its time, and cannot make it longer."""
        try:
            opening = Opening(*orjson.loads(self._names.open(sealed)))
        except SealBroken:
            return None
        return replace(opening, until=min(opening.until, until))


def _claim(connection: apsw.Connection, name: bytes, now: float) -> None:
    connection.execute("UPDATE openings SET claimed = ? WHERE name = ?", (now + CLAIM_SECONDS, name))


def _name(person: str, ehr: str, patient: str) -> str:
    return f"{person}\n{ehr}\n{patient}"
