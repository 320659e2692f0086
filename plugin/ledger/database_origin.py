"""Where a ledger in PostgreSQL begins: as `origin` for an embedded one."""

from pathlib import Path

from plugin.ledger import postgres_schema
from plugin.ledger.origin import begin
from plugin.ledger.postgres_connection import Dsn, role_of
from plugin.ledger.store import Head, Meta


def create(owner: Dsn, key_path: Path, origin: str, *, gateway: Dsn, purge: Dsn, aside: str | None = None) -> str:
    """Make a new ledger and its key; returns the `vkey`. Each of the three is another role.

    For `aside` see `postgres_schema.make`. Raises LedgerExists if the database holds a ledger or the key file exists,
    KeyInvalid, or LedgerUnavailable.
    """
    roles = {"gateway": role_of(gateway), "purge": role_of(purge)}

    def make(meta: Meta, head: Head) -> None:
        postgres_schema.make(owner, meta, head, **roles, aside=aside)

    return begin(make, key_path, origin)
