"""A ledger in PostgreSQL as the settings name it. Apart from `places`, since its driver need not be installed."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plugin.ledger import database_origin
from plugin.ledger.database_place import DatabasePlace
from plugin.ledger.disposal import Eraser
from plugin.ledger.errors import LedgerUnreadable
from plugin.ledger.place import LedgerPlace
from plugin.ledger.postgres import reading
from plugin.ledger.postgres_connection import Dsn
from plugin.ledger.postgres_eraser import PostgresEraser
from plugin.ledger.store import Opening
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.ledger import OWNER_OPTION
from plugin.settings.secret import read_secret


@dataclass(frozen=True, slots=True)
class DatabasePlaces:
    """Secrets are read when they are needed. Every method may raise SettingsError."""

    settings: Settings

    def place(self) -> LedgerPlace:
        """Contacts nobody."""
        return DatabasePlace(_dsn(self.settings.ledger.dsn_file, "ledger.dsn_file"), self.settings.state_dir)

    def eraser(self) -> Eraser:
        """What may empty records."""
        if self.settings.ledger.purge_dsn_file is None:
            raise SettingsError("ledger.purge_dsn_file: is needed to purge: in PostgreSQL the gateway's role may not")
        return PostgresEraser(_dsn(self.settings.ledger.purge_dsn_file, "ledger.purge_dsn_file"))

    def owner_view(self, owner_dsn_file: Path | None) -> Opening:
        """The ledger as the owner of its tables sees it."""
        return partial(reading, _dsn(_owner(owner_dsn_file), OWNER_OPTION))

    def create(self, owner_dsn_file: Path | None, name: str, key_file: Path | None, aside: str | None) -> str:
        """See `places.create`. Raises what `database_origin.create` raises, too."""
        ledger, owner = self.settings.ledger, _owner(owner_dsn_file)
        if ledger.purge_dsn_file is None:
            raise SettingsError(
                "ledger.purge_dsn_file: is needed to make a ledger: its role is given the right to purge"
            )
        return database_origin.create(
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
