"""The frozen form of a record: header bytes, body bytes, and the search columns derived from them.

The header is the entry of the Merkle tree and names its body by hash, so that a body can go while the proof stays.
Both are stored as they were first written and never written anew. What a body says is the caller's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_hex

import orjson

from plugin.ledger.errors import RecordInvalid

VERSION = 1
"""Of the header's form. A reader of a later form still reads this one."""
NONCE_BYTES = 16
"""Hides the body behind its hash once it is purged: without it, few enough facts would be left to guess."""
HEADER_KEYS = frozenset({"v", "position", "time", "tenant", "class", "body"})
SEARCH_COLUMNS = (
    "time", "tenant", "action", "outcome", "person", "patient", "client", "feed", "request", "record",
)  # fmt: skip
"""Names, in the order of `search_columns` and of the table."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands, and the time that its header states."""

    position: int
    """From 0, without gaps."""
    time: str
    """`2026-11-25T09:15:03.120456Z`"""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it is stored."""

    position: int
    header: bytes
    body: bytes | None
    """None: it is not there any more."""


def encode_time(moment: datetime) -> str:
    """UTC with microseconds and `Z`, 27 characters: text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def encode_body(body: Mapping[str, object]) -> bytes:
    """The body as sorted JSON with a fresh nonce (a `nonce` of the caller's is replaced).

    Raises RecordInvalid if it is not made of what JSON knows.
    """
    try:
        return orjson.dumps({**body, "nonce": token_hex(NONCE_BYTES)}, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # orjson's own error is one too
        raise RecordInvalid("the body of a record has no JSON form") from error


def encode_header(position: int, time: str, tenant: str, retention_class: str, body: bytes) -> bytes:
    """The header as sorted JSON. `body` is what `encode_body` made. Raises RecordInvalid on text without UTF-8."""
    header = {
        "v": VERSION,
        "position": position,
        "time": time,
        "tenant": tenant,
        "class": retention_class,
        "body": sha256(body).hexdigest(),
    }
    try:
        return orjson.dumps(header, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise RecordInvalid("the header of a record has no JSON form") from error


def search_columns(header: Mapping[str, object], body: Mapping[str, object]) -> dict[str, str | None]:
    """What a record is found by, from its parsed header and body; keys are SEARCH_COLUMNS in that order.

    A fact that is absent, or that is no text, is None. Pure: the writer stores it and `verify` computes it again.
    """
    person, ehr, client, feed = (_object(body.get(name)) for name in ("person", "ehr", "client", "feed"))
    issuer, subject = _text(person.get("issuer")), _text(person.get("subject"))
    patient, base = _text(body.get("patient")), _text(ehr.get("fhir_base"))
    return {
        "time": _text(header.get("time")),
        "tenant": _text(header.get("tenant")),
        "action": _text(body.get("action")),
        "outcome": _text(body.get("outcome")),
        "person": None if issuer is None or subject is None else f"{issuer} {subject}",
        "patient": None if patient is None or base is None else f"{base}/Patient/{patient}",
        "client": _text(client.get("id")),
        "feed": _text(feed.get("id")),
        "request": _text(body.get("request")),
        "record": _text(body.get("record")),
    }


def columns_of(header: bytes, body: bytes) -> tuple[str | None, ...]:
    """The search columns of a record that was just encoded: read from its bytes, as `verify` will."""
    return tuple(search_columns(orjson.loads(header), orjson.loads(body)).values())


def flaw(position: int, header: bytes, body: bytes | None, columns: tuple[str | None, ...]) -> str | None:
    """What is wrong with the record stored at `position`, in one sentence; None if nothing is.

    Whether the header is the one that was signed, only the tree can tell.
    """
    fields = _parsed(header)
    if fields is None:
        return f"the header of record {position} is not a JSON object"
    return _header_flaw(position, header, fields) or _body_flaw(position, fields, body, columns)


def _header_flaw(position: int, header: bytes, fields: Mapping[str, object]) -> str | None:
    if fields.keys() != HEADER_KEYS or orjson.dumps(fields, option=orjson.OPT_SORT_KEYS) != header:
        return f"the header of record {position} is not in the form of a header"
    if fields["v"] != VERSION:
        return f"the header of record {position} is of an unknown version"
    if fields["position"] != position:
        return f"the header of record {position} states another position"
    return None


def _body_flaw(
    position: int, fields: Mapping[str, object], body: bytes | None, columns: tuple[str | None, ...]
) -> str | None:
    if body is None:
        return f"the body of record {position} is missing"
    if sha256(body).hexdigest() != fields["body"]:
        return f"the body of record {position} is not the one that its header names"
    facts = _parsed(body)
    if facts is None:
        return f"the body of record {position} is not a JSON object"
    if tuple(search_columns(fields, facts).values()) != columns:
        return f"the search columns of record {position} do not say what its body says"
    return None


def _parsed(data: bytes) -> dict[str, object] | None:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
