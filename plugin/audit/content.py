"""What a stored record says, in the shape that `plugin.event` promises; or one sentence that it cannot be read.

The only way from stored bytes to a header or body that is shown. That the shape holds says nothing of what was signed:
that is for `verify`.
"""

from datetime import datetime
from typing import TypedDict, TypeVar

import msgspec
import orjson

from plugin.errors import LogUnreadable
from plugin.event import Body
from plugin.ledger.record import StoredRecord

FIRST_TIME, LAST_TIME = "0001-01-02", "9999-12-31"
"""From the first to before the last: a day within what a calendar of any zone can tell."""


class Header(TypedDict):
    """The facts of a header that are shown."""

    position: int
    time: str
    tenant: str


_HEADER = msgspec.json.Decoder(Header)
_BODY = msgspec.json.Decoder(Body)
Said = TypeVar("Said")


def header(record: StoredRecord) -> Header:
    """What the header says. Raises LogUnreadable if it is none, or that of another position."""
    said = _decoded(record, _HEADER, record.header)
    if said["position"] != record.position or not _is_time(said["time"]):
        raise _unreadable(record)
    return said


def body(record: StoredRecord) -> Body:
    """What the body says of what `Body` has a name for; empty if it is not there any more. Raises LogUnreadable."""
    return {} if record.body is None else _decoded(record, _BODY, record.body)


def as_stored(record: StoredRecord) -> dict[str, object]:
    """Position, header and body with all that stands in them, names that we do not know too. Raises LogUnreadable."""
    header(record)
    body(record)
    try:
        facts = orjson.loads(record.header), None if record.body is None else orjson.loads(record.body)
    except orjson.JSONDecodeError as error:
        raise _unreadable(record) from error
    return {"position": record.position, "header": facts[0], "body": facts[1] or None}


def _decoded(record: StoredRecord, decoder: msgspec.json.Decoder[Said], stored: bytes) -> Said:
    try:
        return decoder.decode(stored)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _unreadable(record) from error


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return FIRST_TIME <= text < LAST_TIME


def _unreadable(record: StoredRecord) -> LogUnreadable:
    return LogUnreadable(f"Record {record.position} cannot be read; `vitrine audit verify` says more.")
