"""Records by which a ledger explains itself: purges, holds, changes of key.

They alone are read by the ledger, all others are the caller's. Their class has no period: what explains a gap must not
become one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypedDict, TypeVar

import msgspec

from plugin.ledger.record import StoredRecord

OWN_CLASS = "ledger"
"""The retention class of these records, and of whatever else must outlive what it explains. It has no period."""
PREFIX, END = "ledger:", "ledger;"
"""Their actions are from the first to before the second: an index holds just these."""

Facts = TypeVar("Facts")

_Header = TypedDict("_Header", {"position": int, "time": str, "class": str, "body": str})
_HEADER = msgspec.json.Decoder(_Header)


class OwnInvalid(Exception):
    """A record that should explain the ledger and does not."""

    def __init__(self, position: int, sentence: str) -> None:
        super().__init__(sentence)
        self.position = position


@dataclass(frozen=True, slots=True)
class Own(Generic[Facts]):
    """What such a record says, and where."""

    position: int
    time: str
    facts: Facts


def read(records: Iterable[StoredRecord], facts: type[Facts]) -> list[Own[Facts]]:
    """What the records say, in the shape of `facts`, a TypedDict or msgspec.Struct. Raises OwnInvalid.

    A body counts only if its header names it; whether the header was signed, only the tree can tell.
    """
    decoder = msgspec.json.Decoder(facts)
    return [_read(record, decoder) for record in records]


def _read(record: StoredRecord, decoder: msgspec.json.Decoder[Facts]) -> Own[Facts]:
    name = f"record {record.position}, which explains the ledger,"
    if record.body is None:
        raise OwnInvalid(record.position, f"the body of record {record.position} is missing: it explains the ledger")
    try:
        header = _HEADER.decode(record.header)
        said = decoder.decode(record.body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OwnInvalid(record.position, f"{name} is not in its form") from error
    if header["position"] != record.position or header["body"] != sha256(record.body).hexdigest():
        raise OwnInvalid(record.position, f"{name} does not fit its header")
    if header["class"] != OWN_CLASS:
        raise OwnInvalid(record.position, f"{name} is of class {header['class']}")
    return Own(record.position, header["time"], said)
