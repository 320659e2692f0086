"""A ledger in PostgreSQL, which several machines share. See `place.LedgerPlace`.

What must be on this machine, the checkpoints that were delivered from here, lies in a folder that the caller names.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.postgres import PostgresStore, reading
from plugin.ledger.postgres_connection import GLANCE_SECONDS, Dsn
from plugin.ledger.postgres_lock import alone, locked
from plugin.ledger.store import Store, View


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """See `LedgerPlace`."""

    dsn: Dsn
    """Of the gateway's role: it appends and reads."""
    folder: Path

    @property
    def kept(self) -> Path:
        """See `LedgerPlace.kept`."""
        return self.folder / "ledger.checkpoints"

    @property
    def folders(self) -> Sequence[Path]:
        """None: the disk of the database is seen by whoever runs it."""
        return []

    def view(self) -> AbstractContextManager[View]:
        """See `LedgerPlace.view`."""
        return reading(self.dsn)

    def glance(self) -> AbstractContextManager[View]:
        """See `LedgerPlace.glance`."""
        return reading(self.dsn, GLANCE_SECONDS)

    def newest(self) -> AbstractContextManager[View]:
        """See `LedgerPlace.newest`."""
        return reading(self.dsn, lags=False)

    def store(self, *, upgrading: bool = False) -> Store:
        """See `LedgerPlace.store`."""
        if upgrading:
            raise LedgerUnavailable("there never was an older form of a ledger in PostgreSQL: nothing is upgraded")
        return PostgresStore(self.dsn)

    def alone(self) -> AbstractContextManager[None]:
        """See `LedgerPlace.alone`. By the gateway's role: to keep others out takes no right to remove anything."""
        return alone(self.dsn)

    def claimed(self, work: str) -> AbstractContextManager[bool]:
        """See `LedgerPlace.claimed`."""
        return locked(self.dsn, work)

    def __str__(self) -> str:
        return "the ledger in PostgreSQL"
