"""Ledgers with times that tests set, filled in one commit, and records of every kind to search among."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from plugin.event import Body
from plugin.ledger import checkpoint, origin
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.merkle import leaf_hash
from plugin.ledger.postgres import reading
from plugin.ledger.record import columns_of, encode_body, encode_header, encode_time
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.store import Batch, Head, Opening, Row, Store
from tests.postgres_server import DatabasePlace, new_place

BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)


def minute(number: float) -> datetime:
    """So many minutes after the beginning."""
    return BEGINNING + timedelta(minutes=number)


@dataclass(frozen=True)
class Recorded:
    """A record to be."""

    body: Body
    tenant: str = "hospital"
    at: datetime | None = None
    """None: as many minutes after the beginning as its position says."""


@dataclass(frozen=True)
class Kept:
    """A ledger, signed and whole, whose records have the times that a test gives them."""

    path: Path
    key: SigningKey
    vkey: str

    @property
    def where(self) -> Path | Opening:
        """For whoever reads."""
        return self.path

    def store(self) -> Store:
        return SqliteStore(self.path)

    def append(self, *records: Recorded) -> None:
        """All in one commit."""
        store = self.store()
        store.commit(lambda head: self._batch(head, records))
        store.close()

    def _batch(self, head: Head, records: Sequence[Recorded]) -> Batch:
        rows = []
        for position, each in enumerate(records, head.size):
            body = encode_body(each.body)
            header = encode_header(position, encode_time(each.at or minute(position)), each.tenant, "test", body)
            rows.append(Row(position, header, body, columns_of(header, body)))
        edge = head.edge.extend(leaf_hash(row.header) for row in rows)
        note = checkpoint.sign(Checkpoint(self.key.verifier.name, edge.size, edge.root()), self.key)
        return Batch(rows, Head(edge, note, encode_time(BEGINNING)))


@dataclass(frozen=True)
class KeptInDatabase(Kept):
    """The same in PostgreSQL, where there is no `path`."""

    database: DatabasePlace

    @property
    def where(self) -> Path | Opening:
        """See Kept."""
        return partial(reading, self.database.dsn())

    def store(self) -> Store:
        return self.database.store()


def make_in_database() -> KeptInDatabase:
    """A new, empty ledger in the database of this test run."""
    place = new_place()
    return KeptInDatabase(Path(), place.key(), place.key().verifier.text, place)


def make(folder: Path) -> Kept:
    """A new, empty ledger in `folder`."""
    path, key_path = folder / "audit" / "ledger.sqlite", folder / "secrets" / "checkpoint.key"
    name = origin.new_origin("vitrine.example")
    vkey = origin.create(path, key_path, name)
    return Kept(path, SigningKey(name, load_private_key(key_path)), vkey)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return make(tmp_path)
