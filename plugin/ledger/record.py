"""The frozen form of a record: header bytes, body bytes, and the search columns derived from them.

The header is the entry of the Merkle tree and names its body by hash, so that a body can go while the proof stays.
Both are stored as they were first written and never written anew. What a body says is the caller's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from secrets import token_hex
from typing import Any, TypedDict

import msgspec
import orjson

from plugin.ledger.errors import RecordInvalid

VERSION = 1
"""Of the header's form. A reader of a later form still reads this one."""
NONCE_BYTES = 16
"""Hides the body behind its hash once it is purged: without it, few enough facts would be left to guess."""
SEARCH_COLUMNS = (
    "time", "tenant", "action", "outcome", "person", "patient", "client", "feed", "request", "record",
)  # fmt: skip
"""Names, in the order of `search_columns` and of the table."""


_Header = TypedDict(
    "_Header", {"v": int, "position": int, "time": str, "tenant": str, "class": str, "body": str}
)  # `class` is no name for a field
_HEADER = msgspec.json.Decoder(_Header)
_Stated = TypedDict("_Stated", {"class": str, "tenant": str, "time": str})
STATED = msgspec.json.Decoder(_Stated)
"""Reads what of a header decides how long its body is kept."""


class _Searched(TypedDict, total=False):
    """The keys of a body that search columns come from. Not to build the rest makes verifying twice as fast."""

    action: object
    outcome: object
    person: object
    ehr: object
    patient: object
    client: object
    feed: object
    request: object
    record: object


_SEARCHED = msgspec.json.Decoder(_Searched)


class _Person(msgspec.Struct, gc=False):
    issuer: str | None = None
    subject: str | None = None


class _Ehr(msgspec.Struct, gc=False):
    fhir_base: str | None = None


class _Named(msgspec.Struct, gc=False):
    id: str | None = None


class _Plain(msgspec.Struct, gc=False):
    """The same keys, of the types and in the order that every body of ours has them: read in a third of the time."""

    action: str | None = None
    client: _Named | None = None
    ehr: _Ehr | None = None
    feed: _Named | None = None
    outcome: str | None = None
    patient: str | None = None
    person: _Person | None = None
    record: str | None = None
    request: str | None = None


_PLAIN = msgspec.json.Decoder(_Plain)
_TIMES = re.compile(r"(?:[0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z\n)*")
_CLASS_AT = len('{"body":"') + 64 + len('","class":"')
"""Where the class begins in a header of ours."""


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


def seconds_before(time: str, other: str) -> float:
    """By how many seconds an encoded time is before another; 0.0 if it is not, or if one of them is no such time."""
    if time >= other:
        return 0.0
    try:
        return (datetime.fromisoformat(other) - datetime.fromisoformat(time)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


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


@dataclass(frozen=True, slots=True)
class Draft:
    """A record but for its position and time, which it gets in the commit: little is left to do there."""

    body: bytes
    frame: tuple[str, str]
    """Its header, before the position, and between position and time."""
    facts: tuple[str | None, ...]
    """The search columns but for the time."""

    def header(self, position: int, time: str) -> bytes:
        """The same bytes as `encode_header` makes; `time` is one of `encode_time`."""
        return f'{self.frame[0]}{position}{self.frame[1]}{time}","v":{VERSION}}}'.encode()


def draft(body: Mapping[str, object], tenant: str, retention_class: str) -> Draft:
    """Encode what does not depend on the place of a record. Raises RecordInvalid."""
    encoded = encode_body(body)
    if not isinstance(tenant, str) or not isinstance(retention_class, str):
        raise RecordInvalid("the tenant and the class of a record are text")
    try:
        before, between = _frame(tenant, retention_class.encode())
    except (TypeError, UnicodeError) as error:
        raise RecordInvalid("the header of a record has no JSON form") from error
    frame = f'{{"body":"{sha256(encoded).hexdigest()}{before}', between
    try:
        facts = tenant, *_plain_facts(_PLAIN.decode(encoded))
    except msgspec.DecodeError:  # sound, but not of the types that a body of ours has
        facts = columns_of(encode_header(0, "", tenant, retention_class, encoded), encoded)[1:]
    return Draft(encoded, frame, facts)


def search_columns(header: Mapping[str, object], body: Mapping[str, object]) -> dict[str, str | None]:
    """What a record is found by, from its parsed header and body; keys are SEARCH_COLUMNS in that order.

    A fact that is absent, or that is no text, is None. Pure: the writer stores it and `verify` computes it again.
    """
    person, ehr, client, feed = body.get("person"), body.get("ehr"), body.get("client"), body.get("feed")
    issuer, subject = (person.get("issuer"), person.get("subject")) if isinstance(person, dict) else (None, None)
    patient, base = body.get("patient"), ehr.get("fhir_base") if isinstance(ehr, dict) else None
    facts = {
        "time": header.get("time"),
        "tenant": header.get("tenant"),
        "action": body.get("action"),
        "outcome": body.get("outcome"),
        "person": f"{issuer} {subject}" if isinstance(issuer, str) and isinstance(subject, str) else None,
        "patient": f"{base}/Patient/{patient}" if isinstance(base, str) and isinstance(patient, str) else None,
        "client": client.get("id") if isinstance(client, dict) else None,
        "feed": feed.get("id") if isinstance(feed, dict) else None,
        "request": body.get("request"),
        "record": body.get("record"),
    }
    return {name: fact if isinstance(fact, str) else None for name, fact in facts.items()}


def columns_of(header: bytes, body: bytes) -> tuple[str | None, ...]:
    """The search columns of a record that was just encoded: read from its bytes, as `verify` will.

    Raises RecordInvalid if the header's facts are not of their types.
    """
    try:
        return tuple(search_columns(_HEADER.decode(header), _SEARCHED.decode(body)).values())
    except msgspec.DecodeError as error:
        raise RecordInvalid("the tenant and the class of a record are text") from error


def flaw(position: int, header: bytes, body: bytes | None, columns: tuple[str | None, ...]) -> str | None:
    """What is wrong with the record stored at `position`, in one sentence; None if nothing is.

    Whether the header is the one that was signed, only the tree can tell.
    """
    try:
        fields = _HEADER.decode(header)
    except (msgspec.DecodeError, RecursionError):
        return f"the header of record {position} is not in the form of a header"
    return _header_flaw(position, header, fields) or _body_flaw(position, fields, body, columns)


def purged_flaw(position: int, header: bytes, columns: tuple[str | None, ...]) -> str | None:
    """What is wrong with the record at `position` whose body was purged; None if nothing is."""
    try:
        fields = _HEADER.decode(header)
    except (msgspec.DecodeError, RecursionError):
        return f"the header of record {position} is not in the form of a header"
    if any(column is not None for column in columns):
        return f"record {position} was purged, but not its search columns"
    return _header_flaw(position, header, fields)


def all_sound(first: int, rows: Sequence[tuple[Any, ...]]) -> bool:
    """True only if these rows stand at `first` and on, and `flaw` has nothing to say of any of them.

    A row is position, header, body and SEARCH_COLUMNS as they are stored. False of what takes a closer look, sound or
    not. Writes each row anew from its body, tenant, class and time, and compares: so the work is done by the many.
    """
    try:
        times = "".join([f"{row[3]}\n" for row in rows])
        if _TIMES.fullmatch(times) is None or times.count("\n") != len(rows) or not _are_texts(rows):
            return False
        return rows == [_written(position, row) for position, row in enumerate(rows, first)]
    except (msgspec.DecodeError, UnicodeError, RecursionError, TypeError, AttributeError):
        return False


def _are_texts(rows: Sequence[tuple[Any, ...]]) -> bool:
    """True if time and tenant of each row are text."""
    return {type(row[3]) for row in rows} | {type(row[4]) for row in rows} <= {str}


def _written(position: int, row: tuple[Any, ...]) -> tuple[Any, ...]:
    _, header, body, time, tenant = row[:5]
    before, between = _frame(tenant, header[_CLASS_AT : header.find(b'"', _CLASS_AT)])
    written = f'{{"body":"{sha256(body).hexdigest()}{before}{position}{between}{time}","v":{VERSION}}}'
    return (position, written.encode(), body, time, tenant, *_plain_facts(_PLAIN.decode(body)))


@lru_cache(maxsize=1_000)
def _frame(tenant: str, retention_class: bytes) -> tuple[str, str]:
    """What stands in a header between the digest of the body, the position and the time."""
    named, owned = (orjson.dumps(text).decode() for text in (retention_class.decode(), tenant))
    return f'","class":{named},"position":', f',"tenant":{owned},"time":"'


def _plain_facts(facts: _Plain) -> tuple[str | None, ...]:
    """`search_columns` of plain facts, without time and tenant."""
    person, ehr, client, feed = facts.person, facts.ehr, facts.client, facts.feed
    known = person is not None and person.issuer is not None and person.subject is not None
    placed = ehr is not None and ehr.fhir_base is not None and facts.patient is not None
    return (
        facts.action,
        facts.outcome,
        f"{person.issuer} {person.subject}" if person is not None and known else None,
        f"{ehr.fhir_base}/Patient/{facts.patient}" if ehr is not None and placed else None,
        None if client is None else client.id,
        None if feed is None else feed.id,
        facts.request,
        facts.record,
    )


def _header_flaw(position: int, header: bytes, fields: _Header) -> str | None:
    if orjson.dumps(fields, option=orjson.OPT_SORT_KEYS) != header:  # unknown or doubled keys, other order, spaces
        return f"the header of record {position} is not in the form of a header"
    if fields["v"] != VERSION:
        return f"the header of record {position} is of an unknown version"
    if fields["position"] != position:
        return f"the header of record {position} states another position"
    return None


def _body_flaw(position: int, fields: _Header, body: bytes | None, columns: tuple[str | None, ...]) -> str | None:
    if body is None:
        return f"the body of record {position} is missing"
    if sha256(body).hexdigest() != fields["body"]:
        return f"the body of record {position} is not the one that its header names"
    try:
        facts = _SEARCHED.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return f"the body of record {position} is not a JSON object"
    if tuple(search_columns(fields, facts).values()) != columns:
        return f"the search columns of record {position} do not say what its body says"
    return None
