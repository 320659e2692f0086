"""Makes an older embedded ledger one of the present form: in one transaction, with the record that says so.

Records, headers and signatures stay as they are; what changes is what makes the tables quick to search and hard to
change by mistake. What the record says is the caller's.
"""

from collections.abc import Callable
from pathlib import Path

import apsw

from plugin.ledger.sqlite import AIDS, SqliteStore, kept_aids, kind_and_name, read_meta
from plugin.ledger.store import FORMAT, OLDER_FORMATS, Batch, Head


class UpgradingStore(SqliteStore):
    """A store whose first commit brings the file to the present form, or leaves all as it was.

    Whoever else writes waits meanwhile; a million records take some seconds.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._done = False

    def commit(self, make_batch: Callable[[Head], Batch]) -> None:
        """See `Store.commit`."""

        def upgrade_and_make(head: Head) -> Batch:
            if not self._done:
                _upgrade(self._open())  # inside the transaction, under its lock
            return make_batch(head)

        super().commit(upgrade_and_make)
        self._done = True


def _upgrade(connection: apsw.Connection) -> None:
    """What is missing or otherwise is made anew; what an administrator added goes."""
    if read_meta(connection).format not in OLDER_FORMATS:
        return
    expected = {kind_and_name(sql)[1]: sql for sql in AIDS}
    found = kept_aids(connection)
    for name, sql in found.items():
        if expected.get(name) != sql:
            kind, _ = kind_and_name(sql)
            connection.execute(f'DROP {kind} "{name.replace(chr(34), chr(34) * 2)}"')
    for name, sql in expected.items():
        if found.get(name) != sql:
            connection.execute(sql)
    connection.execute("UPDATE meta SET format = ?", (FORMAT,))
