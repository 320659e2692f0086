"""Where one ledger is kept: the only thing that whoever writes, reads, verifies or purges it must be handed.

Which place it is, a file of this machine or a database, is chosen once, by whoever reads the configuration.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from plugin.ledger.store import Store, View


class LedgerPlace(Protocol):
    """Contacts nothing until it is asked. Its text names it in sentences, and tells no secret."""

    @property
    def kept(self) -> Path:
        """The file, on this machine, in which delivered checkpoints are kept with their cosignatures."""

    @property
    def folders(self) -> Sequence[Path]:
        """The folders of this machine in which it grows."""

    def view(self) -> AbstractContextManager[View]:
        """See `store.Opening`."""

    def glance(self) -> AbstractContextManager[View]:
        """The same, for who asks how things stand: what cannot be told in a few seconds is LedgerUnreadable."""

    def newest(self) -> AbstractContextManager[View]:
        """The same, and never of a copy that lags behind: for who decides by it what is removed or signed."""

    def store(self, *, upgrading: bool = False) -> Store:
        """What appends to it. `upgrading`: its first commit makes an older form the present one.

        Raises LedgerMissing, NetworkFileSystem, or LedgerUnavailable where no older form is known.
        """

    def alone(self) -> AbstractContextManager[None]:
        """See `disposal.Eraser.alone`."""

    def claimed(self, work: str) -> AbstractContextManager[bool]:
        """For work that only one of all who share the ledger should do at a time: True if nobody else does it.

        Raises LedgerUnavailable.
        """
