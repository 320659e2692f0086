"""The log as a FHIR base of its own (IHE ITI-81): `/fhir/AuditEvent` and `/fhir/metadata`. It only translates.

Who may read it is decided behind `Gateway.consult`, and what is wrong with a request travels with it as an objection.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
import orjson
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from plugin import __version__
from plugin.audit import content
from plugin.audit.audit_event import to_audit_event
from plugin.audit.search import SearchRefused, read_parameters
from plugin.audit.search_parameters import PARAMETERS
from plugin.faces.facade.address import Target
from plugin.faces.facade.page_link import LIFE_SECONDS, PARAMETER, LinkRefused
from plugin.faces.facade.parameters import Objectionable, Pairs, check_read
from plugin.ledger.record import StoredRecord
from plugin.sealing import Seal, SealBroken
from policies.vocabulary.consultation import Objection, Reason
from policies.vocabulary.interactions import CONSULTING, Interaction
from policies.vocabulary.log_search import LogMark, LogSearch

TYPE = "AuditEvent"
SINCE = "2026-11-25"
"""The day of the last change to what is offered."""
SCOPES = ("user/AuditEvent.rs",)
"""What a token must grant; `r` alone reads, `s` alone searches."""
_APPEARANCE = frozenset({"_format", "_pretty"})
_DOCUMENTS = frozenset({"/metadata", "/openapi.json"})
"""Open on GET; on another method they are refused as what they are, and not as feeds that do not exist."""


class _Content(msgspec.Struct, array_like=True, frozen=True):
    reader: str
    parameters: tuple[tuple[str, str], ...]
    newest_first: bool
    count: int
    size: int
    time: str
    position: int
    expires: int


class LogLinks:
    """Next links of the log: sealed, for one reader, for as long as it takes to read a page."""

    def __init__(self, seal: Seal) -> None:
        """`seal` is for this use alone: a link of a feed opens nothing here."""
        self._seal = seal

    def issue(self, wanted: LogSearch, mark: LogMark, reader: str) -> str:
        """The value of `_page` for what comes after `mark`. `wanted` has a count."""
        content = _Content(
            reader,
            wanted.parameters,
            wanted.newest_first,
            wanted.count or 0,
            mark.size,
            mark.time,
            mark.position,
            int(time.time()) + LIFE_SECONDS,
        )
        return self._seal.close(msgspec.msgpack.encode(content))

    def open(self, text: str) -> LogSearch:
        """The search that goes on. Raises LinkRefused."""
        try:
            content = msgspec.msgpack.decode(self._seal.open(text), type=_Content)
        except (SealBroken, msgspec.MsgspecError) as error:
            raise LinkRefused(Reason.PAGE_LINK_INVALID) from error
        if content.expires < time.time():
            raise LinkRefused(Reason.PAGE_LINK_EXPIRED)
        mark = LogMark(content.size, content.time, content.position)
        return LogSearch(content.parameters, content.newest_first, content.count, mark, content.reader)


@dataclass(frozen=True, slots=True)
class AskedOfLog:
    """What the parameters of a request to the log mean: a search, or what is wrong with them."""

    search: LogSearch | None = None
    """None where there is an objection, or the interaction is none that looks."""
    objection: Objection | None = None


def is_of_log(path: str) -> bool:
    """Whether what follows `/fhir` points at the log: no feed can have the name of a resource type."""
    return path in _DOCUMENTS or path.removeprefix("/").partition("/")[0] == TYPE


def asked_of_log(
    place: Target, pairs: Pairs, objection: Objection | None, links: LogLinks, ehr_bases: Sequence[str]
) -> AskedOfLog:
    """What a request at `place`, counted from `/fhir`, with these decoded parameters asks.

    `objection` is what was wrong with the request before its parameters were looked at; `ehr_bases` are of all EHRs.
    """
    objection = objection or _address_objection(place)
    if objection is not None or place.interaction not in CONSULTING:
        return AskedOfLog(objection=objection)
    try:
        return AskedOfLog(_search(place, pairs, links, ehr_bases))
    except (SearchRefused, Objectionable) as refusal:
        return AskedOfLog(objection=refusal.objection)
    except LinkRefused as refusal:
        return AskedOfLog(objection=Objection(refusal.reason))


def searchset(wanted: LogSearch, found: Iterable[StoredRecord], going_on: str | None, public_base: str) -> bytes:
    """The Bundle of a page; `going_on` is the value of `_page` for the next one. A total is never given."""
    base = f"{public_base}/fhir"
    links = [{"relation": "self", "url": f"{base}/{wanted.text}"}]
    if going_on is not None:
        links.append({"relation": "next", "url": f"{base}/{TYPE}?{urlencode({PARAMETER: going_on})}"})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    entries = [
        {"fullUrl": f"{base}/{TYPE}/{each.position}", "resource": event(each), "search": {"mode": "match"}}
        for each in found
    ]
    if entries:
        bundle["entry"] = entries
    return orjson.dumps(bundle)


def resource(found: StoredRecord) -> bytes:
    """The one AuditEvent of a read."""
    return orjson.dumps(event(found))


def event(record: StoredRecord) -> dict[str, Any]:
    """The AuditEvent of a record whose body is there, as every search gives it."""
    return to_audit_event(content.header(record), content.body(record))


def capability_statement(public_base: str, *, cors: bool) -> bytes:
    """CapabilityStatement JSON of the log's base, `/fhir`."""
    statement = {
        "status": "active",
        "date": SINCE,
        "kind": "instance",
        "software": {"name": "Vitrine", "version": __version__},
        "implementation": {"description": "The audit log, for auditors (IHE ITI-81)", "url": f"{public_base}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "The log is searched and read; nothing is added, changed or deleted through it.",
                "security": {
                    "cors": cors,
                    "service": [{"coding": [{"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}]}],
                    "description": f"{SCOPES[0]}, the role of an auditor, and a purpose of oversight; "
                    "every look is recorded.",
                },
                "resource": [_OFFERED],
            }
        ],
    }
    return CapabilityStatement.model_validate(statement).model_dump_json().encode()


def protected_resource(public_base: str, issuers: Sequence[str]) -> bytes:
    """RFC 9728 metadata of the log's base."""
    return orjson.dumps(
        {
            "resource": f"{public_base}/fhir",
            "authorization_servers": list(issuers),
            "scopes_supported": list(SCOPES),
            "bearer_methods_supported": ["header"],
            "resource_name": "Audit log",
        }
    )


def _address_objection(place: Target) -> Objection | None:
    """Of a feed the type would not be offered; here it is the one that is."""
    if place.objection is not None and place.objection.reason is Reason.UNKNOWN_TYPE and place.resource_type == TYPE:
        return None
    return place.objection


def _search(place: Target, pairs: Pairs, links: LogLinks, ehr_bases: Sequence[str]) -> LogSearch:
    """Raises SearchRefused, Objectionable or LinkRefused."""
    appearance = [pair for pair in pairs if pair[0] in _APPEARANCE]
    check_read(appearance)
    if place.interaction is Interaction.READ:
        check_read(pairs)
        return LogSearch((("_id", str(place.resource_id)),), count=1)
    tokens = [value for name, value in pairs if name == PARAMETER]
    if tokens:
        if len(tokens) > 1 or len(pairs) > len(appearance) + 1:
            raise LinkRefused(Reason.PAGE_LINK_INVALID)
        return links.open(tokens[0])
    return read_parameters(pairs, ehr_bases)


_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_OFFERED: Mapping[str, Any] = {
    "type": TYPE,
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "versioning": "no-version",
    "conditionalCreate": False,
    "conditionalUpdate": False,
    "conditionalDelete": "not-supported",
    "searchParam": [
        {"name": name, "type": kind.type, "documentation": kind.documentation} for name, kind in PARAMETERS.items()
    ],
}
