"""Where the ledger of a configuration is, and by what it is made and emptied there. The one choice between its places.

Secrets are read when they are needed: the process that serves never reads the one that could purge.
"""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plugin.ledger import origin
from plugin.ledger.disposal import Eraser
from plugin.ledger.file_place import FilePlace
from plugin.ledger.place import LedgerPlace
from plugin.ledger.sqlite_eraser import SqliteEraser
from plugin.ledger.store import Opening
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.ledger import OWNER_OPTION

if TYPE_CHECKING:
    from plugin.database_places import DatabasePlaces


def place_of(settings: Settings) -> LedgerPlace:
    """Contacts nobody. Raises SettingsError: `dsn_file` cannot be read, or is no connection string."""
    path = settings.ledger.path
    return FilePlace(path) if path is not None else _in_database(settings).place()


def eraser_of(settings: Settings) -> Eraser:
    """What may empty records, for a purge that has been recorded.

    Raises SettingsError: `purge_dsn_file` is missing or unreadable; LedgerMissing: there is no file.
    """
    path = settings.ledger.path
    return SqliteEraser(path) if path is not None else _in_database(settings).eraser()


def owner_view(settings: Settings, owner_dsn_file: Path | None) -> Opening:
    """A ledger in PostgreSQL as the owner of its tables sees it. Raises SettingsError."""
    return _in_database(settings).owner_view(owner_dsn_file)


def create(
    settings: Settings, owner_dsn_file: Path | None, *, key_file: Path | None = None, aside: str | None = None
) -> str:
    """Make a new ledger and its key; returns the `vkey`. `owner_dsn_file`: who makes the tables in PostgreSQL.

    For a recovery there: `key_file` is the key's, instead of that of the settings, and `aside` the name under which
    the schema of a ledger that exists is kept. Raises SettingsError: a role is not named; or what `origin.create` and
    `database_origin.create` raise.
    """
    ledger = settings.ledger
    name = origin.new_origin(urlsplit(settings.public_base).hostname or "")
    if ledger.path is None:
        return _in_database(settings).create(owner_dsn_file, name, key_file, aside)
    if owner_dsn_file is not None:
        raise SettingsError(f"{OWNER_OPTION}: is of a ledger in PostgreSQL, and ledger.path names a file")
    return origin.create(ledger.path, ledger.key_file, name)


def _in_database(settings: Settings) -> "DatabasePlaces":
    """Loaded where a configuration asks for it: few do, and its driver takes time and memory in every process."""
    try:
        from plugin.database_places import DatabasePlaces  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"ledger.dsn_file: needs {error.name}, which is not installed: install fhir-vitrine[postgresql]"
        ) from error
    return DatabasePlaces(settings)
