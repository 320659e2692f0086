"""Reads a ledger's records and head, also while another process writes. Checks nothing: that is `verify`.

Who may read content, and what record that leaves, is for `plugin.audit`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plugin.ledger.record import StoredRecord
from plugin.ledger.rotation import KeyChain, key_chain_of
from plugin.ledger.sqlite_view import opening
from plugin.ledger.store import Head, Meta, Opening
from plugin.ledger.tree import Tree

CHUNK = 1_000
"""Records read at a time: no read transaction lasts longer, so a slow consumer never keeps SQLite's log growing."""


class Reader:
    """The reading end. Holds nothing open between calls.

    Every method may raise LedgerUnreadable, or LedgerBroken if the store is damaged or has no head.
    """

    def __init__(self, place: Path | Opening) -> None:
        """`place` is the file of an embedded ledger, or what opens a view of another one.

        Raises LedgerUnreadable if it cannot be opened, LedgerMissing if there is no file.
        """
        self._view = opening(place)
        with self._view():
            pass

    def meta(self) -> Meta:
        """What the ledger says of itself: its origin and `vkey`. Trust only a `vkey` that was kept elsewhere."""
        with self._view() as view:
            return view.meta()

    def keys(self) -> KeyChain:
        """The keys of its checkpoints, oldest first, as its own records say; trust them as `meta`."""
        with self._view() as view:
            return key_chain_of(view)

    def head(self) -> Head:
        """The newest head: `size`, `root`, `checkpoint`."""
        with self._view() as view:
            return view.head()

    def records(self, first: int = 0, last: int | None = None) -> Iterator[StoredRecord]:
        """Records `first` to `last`, both included, in order; None is the newest at the time of this call.

        Memory stays flat. A record that is missing from the store is left out; `verify` tells of it.
        """
        newest = self.head().size - 1
        return self._records(first, newest if last is None else min(last, newest))

    def find(self, name: str) -> list[StoredRecord]:
        """The records whose record id or request id is `name`, in order."""
        with self._view() as view:
            return view.find(name)

    def own(self, action: str) -> list[StoredRecord]:
        """The records of an action that explains the ledger (`own.PREFIX`), in order."""
        with self._view() as view:
            return view.own(action)

    @contextmanager
    def tree(self) -> Iterator[Tree]:
        """The tree as it is now, to prove things about it; close it soon."""
        with self._view() as view:
            view.freeze()
            yield Tree(view.head(), view.shelf())

    def _records(self, first: int, last: int) -> Iterator[StoredRecord]:
        with self._view() as view:
            while first <= last:
                records = view.records(first, last, CHUNK)
                if not records:
                    return
                yield from records
                first = records[-1].position + 1
