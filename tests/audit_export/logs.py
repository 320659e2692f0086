"""A log in memory, as the gateway would hand it over, with records made of any bodies."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from plugin.ledger.record import StoredRecord, encode_body, encode_header, encode_time

BEGINNING = datetime(2026, 3, 2, 8, 15, 3, 120000, tzinfo=UTC)
CHECKPOINT = "vitrine.example/log\n3\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n\n— vitrine.example/log AAAA\n"


def record(
    position: int, body: dict[str, Any], moment: datetime | None = None, tenant: str = "hospital"
) -> StoredRecord:
    """A stored record, a minute after the one before unless told when."""
    moment = moment or BEGINNING + timedelta(minutes=position)
    encoded = encode_body(body)
    return StoredRecord(
        position, encode_header(position, encode_time(moment), tenant, "consultation", encoded), encoded
    )


@dataclass
class Log:
    """A range with memory of how far it was read."""

    held: list[StoredRecord]
    first: int = 0
    last: int = -1
    checkpoint: str = CHECKPOINT
    handed_over: int = 0

    def records(self) -> Iterator[StoredRecord]:
        for each in self.held:
            if self.first <= each.position <= self.last:
                self.handed_over += 1
                yield each

    def part(self, first: int, last: int) -> "Log":
        return replace(self, first=first, last=last)


def log_of(bodies: Iterable[dict[str, Any]]) -> Log:
    """The bodies in order, from position 0."""
    held = [record(position, body) for position, body in enumerate(bodies)]
    return Log(held, 0, len(held) - 1)


def without_body(each: StoredRecord) -> StoredRecord:
    """As a purge leaves it."""
    return StoredRecord(each.position, each.header, None)


def facts(statement: bytes) -> dict[str, Any]:
    """The facts of an NDJSON head or foot."""
    return {
        each["name"]: each.get("valueString", each.get("valueDecimal")) for each in orjson.loads(statement)["parameter"]
    }
