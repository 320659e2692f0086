"""The real store, which fails when a test says so."""

from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.sqlite import SqliteStore


class FaultyStore(SqliteStore):
    """Fails once, `before` or `after` it commits."""

    fault: str | None = None

    def commit(self, make_batch):
        fault, self.fault = self.fault, None
        if fault == "before":
            raise LedgerUnavailable("refused")
        super().commit(make_batch)
        if fault == "after":
            raise LedgerUnavailable("refused, but happened")
