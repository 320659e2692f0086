"""Views: what each launch from an EHR opened, for one person and one patient. Shared by all processes of the machine.

Tokens and people are sealed; a view is found by a keyed hash of its id, and opens only for who has its secret, of which
a hash is kept. The file alone opens nothing, and cannot make a view longer. What cannot be read is no view.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from plugin.errors import ViewOver, ViewUnknown
from plugin.sealing import Seal, SealBroken
from plugin.state.database import Database
from plugin.state.private_names import PrivateNames
from policies.vocabulary.identity import Identity

FILE = "views.sqlite"
"""In `state_dir`."""

IDLE_SECONDS = 900.0
"""A view that nobody uses for so long has ended (design section 6)."""

NOTED_SECONDS = 15.0
"""That a view is used is written down at most so often: a page asks several feeds at once."""

MAX_SEALED = 64 * 1024
"""Characters: a token of 8 kB and what is known of a person, several times over."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS views (
  name BLOB NOT NULL PRIMARY KEY, until REAL NOT NULL, used REAL NOT NULL, sealed TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS purposes (
  name BLOB NOT NULL PRIMARY KEY, purpose TEXT NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answered (name BLOB NOT NULL PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
PRAGMA secure_delete = ON;
"""
# The pragma stands last: it answers with a row, and what follows a row waits until it is fetched.


@dataclass(frozen=True, slots=True)
class View:
    """One launch: one person, one patient, for at most an hour. It says nothing of who may see what."""

    id: str
    """In the path of its pages. Worth nothing without the secret in the cookie."""
    ehr: str
    """The id of the `[[ehr]]` that launched it."""
    patient: str
    """The EHR's id of the one patient whom it is about."""
    person: str | None
    """The name of who looks, as the EHR says it."""
    locale: str | None
    """The language of the EHR's user (BCP 47), where the EHR says it."""
    expires_at: float
    """POSIX seconds: it ends then, or earlier if nobody uses it."""
    purpose: str | None
    """Of v3-ActReason, as the person stated it; None: not stated yet, and so nothing is shown."""
    need_patient_banner: bool
    """False: the EHR shows already who the patient is."""
    style: Mapping[str, str]
    """The EHR's colours, `color_…` -> `#rrggbb`, where it has told them (SMART's `smart_style_url`)."""
    patient_readable: bool = False
    """The scopes that were granted reach the EHR's own word on who the patient is. Whether it is told, rules decide."""


@dataclass(frozen=True, slots=True)
class Session:
    """All that is kept of a launch."""

    view: View
    identity: Identity
    """Its purposes are those stated so far; it expires with the view."""
    token: str = field(repr=False)
    """The EHR's access token."""
    opened: float
    """POSIX seconds."""
    record: str
    """The id of the record of the opening."""


@dataclass(slots=True)
class Unsealed:
    """The row of a view as one request has unsealed it, of one id with one secret.

    Each look of the request reads the row anew, and unseals it only if it has changed: a view that was closed meanwhile
    is over at the next look.
    """

    kept: tuple[str, Session] | None = field(default=None, repr=False)
    """What was sealed, and what it says."""


@dataclass(frozen=True, slots=True)
class _Kept:
    secret: str
    """Hex of its SHA-256."""
    session: Session


class Views:
    """Safe to call from several threads and processes. Every method raises StateUnavailable."""

    def __init__(self, folder: Path, keys: Sequence[bytes]) -> None:
        """Opens nothing yet. `folder` is `state_dir`, `keys` those of `key_file`."""
        self._names = PrivateNames(keys, "views")
        self._seal = Seal(keys, "sessions")
        self._database = Database(folder / FILE, _SCHEMA)

    def open(self, session: Session, secret: str, now: float) -> None:
        """Let it begin."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO views (name, until, used, sealed) VALUES (?, ?, ?, ?)",
                (self._name(session.view.id), session.view.expires_at, now, self._closed(session, secret)),
            )

    def find(self, view: str, secret: str, now: float, unsealed: Unsealed | None = None) -> Session:
        """The session of `view`, which is thereby used. Raises ViewUnknown, ViewOver.

        `unsealed`: what this very `secret` has opened of this very `view` before, if anything.
        """
        names = self._names.all(view)
        places = ",".join("?" * len(names))
        question = f"SELECT name, until, used, sealed FROM views WHERE name IN ({places})"  # noqa: S608 - question marks only
        with self._database.reading() as connection:
            rows: list[Any] = list(connection.execute(question, names))
        for name, until, used, sealed in rows:
            known = None if unsealed is None else unsealed.kept
            session = known[1] if known is not None and known[0] == sealed else self._opened(sealed, view, secret)
            if unsealed is not None:
                unsealed.kept = sealed, session
            # A clock that was set back makes nothing longer: then it has not begun, and counts as over.
            if not session.opened <= now < min(until, session.view.expires_at) or now - used >= IDLE_SECONDS:
                raise ViewOver
            if now - used >= NOTED_SECONDS:
                with self._database.writing() as connection:
                    connection.execute("UPDATE views SET used = ? WHERE name = ?", (now, name))
            return session
        raise ViewUnknown

    def keep(self, session: Session, secret: str) -> None:
        """What changed of it. Nothing if it has been closed meanwhile."""
        names = self._names.all(session.view.id)
        places = ",".join("?" * len(names))
        with self._database.writing() as connection:
            connection.execute(
                f"UPDATE views SET sealed = ? WHERE name IN ({places})",  # noqa: S608 - question marks only
                (self._closed(session, secret), *names),
            )

    def first_purpose(self, view: View, purpose: str) -> str:
        """The purpose that was stated first for `view`, in whichever process; `purpose`, if none was before.

        It stands alone from then on, until the view ends. That it is recorded and kept is left to the caller.
        """
        names = self._names.all(view.id)
        places = ",".join("?" * len(names))
        with self._database.writing() as connection:
            question = f"SELECT purpose FROM purposes WHERE name IN ({places})"  # noqa: S608 - question marks only
            stated: list[Any] = list(connection.execute(question, names))
            if stated:
                return str(stated[0][0])
            connection.execute(
                "INSERT INTO purposes (name, purpose, until) VALUES (?, ?, ?)",
                (self._name(view.id), purpose, view.expires_at),
            )
            return purpose

    def forget(self, view: str) -> bool:
        """It is over; False if it was before."""
        names = self._names.all(view)
        places = ",".join("?" * len(names))
        with self._database.writing() as connection:
            connection.execute(f"DELETE FROM purposes WHERE name IN ({places})", names)  # noqa: S608 - question marks only
            connection.execute(f"DELETE FROM views WHERE name IN ({places})", names)  # noqa: S608 - question marks only
            return bool(connection.changes())

    def standing(self, views: Collection[str], now: float) -> frozenset[str]:
        """Those of `views` that have neither been closed nor ended by themselves."""
        question = "SELECT 1 FROM views WHERE name = ?1 AND until > ?2 AND used > ?2 - ?3"
        with self._database.reading() as connection:
            return frozenset(
                view
                for view in views
                for name in self._names.all(view)
                if list(connection.execute(question, (name, now, IDLE_SECONDS)))
            )

    def take_ended(self, now: float) -> list[Session]:
        """Forget those that have ended by themselves; those of them that can be read, once in all processes."""
        with self._database.writing() as connection:
            rows: list[Any] = list(
                connection.execute(
                    "DELETE FROM views WHERE until <= ?1 OR used <= ?1 - ?2 RETURNING sealed", (now, IDLE_SECONDS)
                )
            )
            connection.execute("DELETE FROM answered WHERE until <= ?", (now,))
            connection.execute("DELETE FROM purposes WHERE until <= ?", (now,))
        return [kept.session for (sealed,) in rows if (kept := self._read(sealed)) is not None]

    def answered(self, state: str, until: float) -> bool:
        """Note that the launch of this `state` has been answered; False if it had been before. Kept `until` then."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO answered (name, until) VALUES (?, ?)", (self._name(f"state {state}"), until)
            )
            return bool(connection.changes())

    def _name(self, text: str) -> bytes:
        return self._names.current(text)

    def _closed(self, session: Session, secret: str) -> str:
        return self._seal.close(msgspec.json.encode(_Kept(_digest(secret), session)))

    def _opened(self, sealed: str, view: str, secret: str) -> Session:
        """Raises ViewUnknown: the secret is another's, or the row, and so it is for one under a key that is gone."""
        kept = self._read(sealed)
        if kept is None or kept.session.view.id != view or not hmac.compare_digest(kept.secret, _digest(secret)):
            raise ViewUnknown
        return kept.session

    def _read(self, sealed: str) -> _Kept | None:
        try:
            return msgspec.json.decode(self._seal.open(sealed, most=MAX_SEALED), type=_Kept)
        except (SealBroken, msgspec.DecodeError):
            return None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
