"""Where the ledger of a configuration is, and by what it is made and emptied there. The one choice between its places.

Secrets are read when they are needed: the process that serves never reads the one that could purge.
"""

from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from plugin.ledger import origin
from plugin.ledger.database_place import DatabasePlace
from plugin.ledger.disposal import Eraser
from plugin.ledger.errors import LedgerUnreadable
from plugin.ledger.file_place import FilePlace
from plugin.ledger.place import LedgerPlace
from plugin.ledger.postgres import reading
from plugin.ledger.postgres_connection import Dsn
from plugin.ledger.postgres_eraser import PostgresEraser
from plugin.ledger.sqlite_eraser import SqliteEraser
from plugin.ledger.store import Opening
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.secret import read_secret

OWNER_OPTION = "--owner-dsn-file"


def place_of(settings: Settings) -> LedgerPlace:
    """Contacts nobody. Raises SettingsError: `dsn_file` cannot be read, or is no connection string."""
    ledger = settings.ledger
    if ledger.path is not None:
        return FilePlace(ledger.path)
    return DatabasePlace(_dsn(ledger.dsn_file, "ledger.dsn_file"), settings.state_dir)


def eraser_of(settings: Settings) -> Eraser:
    """What may empty records, for a purge that has been recorded.

    Raises SettingsError: `purge_dsn_file` is missing or unreadable; LedgerMissing: there is no file.
    """
    ledger = settings.ledger
    if ledger.path is not None:
        return SqliteEraser(ledger.path)
    if ledger.purge_dsn_file is None:
        raise SettingsError("ledger.purge_dsn_file: is needed to purge: in PostgreSQL the gateway's role may not")
    return PostgresEraser(_dsn(ledger.purge_dsn_file, "ledger.purge_dsn_file"))


def owner_view(owner_dsn_file: Path | None) -> Opening:
    """A ledger in PostgreSQL as the owner of its tables sees it. Raises SettingsError."""
    return partial(reading, _dsn(_owner(owner_dsn_file), OWNER_OPTION))


def create(
    settings: Settings, owner_dsn_file: Path | None, *, key_file: Path | None = None, aside: str | None = None
) -> str:
    """Make a new ledger and its key; returns the `vkey`. `owner_dsn_file`: who makes the tables in PostgreSQL.

    For a recovery there: `key_file` is the key's, instead of that of the settings, and `aside` the name under which
    the schema of a ledger that exists is kept. Raises SettingsError: a role is not named; or what `origin.create` and
    `origin.create_in_database` raise.
    """
    ledger = settings.ledger
    name = origin.new_origin(urlsplit(settings.public_base).hostname or "")
    if ledger.path is not None:
        if owner_dsn_file is not None:
            raise SettingsError(f"{OWNER_OPTION}: is of a ledger in PostgreSQL, and ledger.path names a file")
        return origin.create(ledger.path, ledger.key_file, name)
    owner = _owner(owner_dsn_file)
    if ledger.purge_dsn_file is None:
        raise SettingsError("ledger.purge_dsn_file: is needed to make a ledger: its role is given the right to purge")
    return origin.create_in_database(
        _dsn(owner, OWNER_OPTION),
        key_file or ledger.key_file,
        name,
        gateway=_dsn(ledger.dsn_file, "ledger.dsn_file"),
        purge=_dsn(ledger.purge_dsn_file, "ledger.purge_dsn_file"),
        aside=aside,
    )


def _owner(file: Path | None) -> Path:
    if file is None:
        raise SettingsError(f"{OWNER_OPTION}: is needed: the gateway's role may not be the one that owns the tables")
    return file


def _dsn(file: Path | None, key: str) -> Dsn:
    if file is None:
        raise SettingsError(f"{key}: is required")
    try:
        return Dsn(read_secret(file, key))
    except LedgerUnreadable as error:
        raise SettingsError(f"{key}: {file}: {error}") from error
