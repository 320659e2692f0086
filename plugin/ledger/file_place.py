"""An embedded ledger: a file on a disk of this machine, and what lies beside it. See `place.LedgerPlace`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from plugin.ledger.claim import claimed
from plugin.ledger.errors import LedgerMissing
from plugin.ledger.filesystem import refuse_network
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.sqlite_eraser import SqliteEraser
from plugin.ledger.sqlite_view import viewing
from plugin.ledger.store import Store, View
from plugin.ledger.upgrade import UpgradingStore


@dataclass(frozen=True, slots=True)
class FilePlace:
    """See `LedgerPlace`."""

    path: Path

    @property
    def kept(self) -> Path:
        """See `LedgerPlace.kept`."""
        return self.path.with_name(f"{self.path.name}.checkpoints")

    @property
    def folders(self) -> Sequence[Path]:
        """See `LedgerPlace.folders`."""
        return [self.path.parent]

    def view(self) -> AbstractContextManager[View]:
        """See `LedgerPlace.view`."""
        return viewing(self.path)

    def glance(self) -> AbstractContextManager[View]:
        """See `LedgerPlace.glance`."""
        return viewing(self.path)

    def newest(self) -> AbstractContextManager[View]:
        """See `LedgerPlace.newest`."""
        return viewing(self.path)

    def store(self, *, upgrading: bool = False) -> Store:
        """See `LedgerPlace.store`."""
        if not self.path.is_file():
            raise LedgerMissing(f"{self.path}: there is no ledger; `vitrine audit init` makes one")
        refuse_network(self.path)
        return UpgradingStore(self.path) if upgrading else SqliteStore(self.path)

    def alone(self) -> AbstractContextManager[None]:
        """See `LedgerPlace.alone`. Raises LedgerMissing if there is no file."""
        return SqliteEraser(self.path).alone()

    def claimed(self, work: str) -> AbstractContextManager[bool]:
        """See `LedgerPlace.claimed`."""
        return claimed(self.path, work)

    def __str__(self) -> str:
        return str(self.path)
