"""An AuditEvent as an ATNA message: RFC 5424 syslog that carries a DICOM PS3.15 A.5 AuditMessage (IHE ITI-20).

A pure mapping of what `audit_event` made. A record concerns at most one patient, so one message does too. What
AuditEvent holds and DICOM has no place for (contained resources, the extensions of a person) is left to the NDJSON
export. Framing and sockets are in `forward`.
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from plugin.audit import codes
from plugin.audit.characters import printable
from plugin.audit.codes import Element

PRIORITY: Final = 85
"""Facility 10 (security), severity 5 (notice): ITI-20."""
APP_NAME: Final = "vitrine"
MESSAGE_ID: Final = "IHE+RFC-3881"
"""Of DICOM audit messages too: ITI-20 kept the older name."""
NIL: Final = "-"
MAX_HOST: Final = 255
"""RFC 5424, section 6.2.4."""

_URI = codes.coding("RFC-3881", "12", "URI")
_SEARCH = codes.coding("RFC-3881", "10", "Search Criteria")
_PATIENT = codes.coding("RFC-3881", "2", "Patient Number")
_NODE = codes.coding(codes.DCM, "110182", "Node ID")
_POLICY = "authorization"
"""The name of the role that stands for the token: AuditEvent.agent.policy has no other place (FHIR R4, mapping)."""


def message(event: Element) -> bytes:
    """The syslog message of an AuditEvent, UTF-8 without byte order mark, in one line and without its end."""
    source = event["source"]["observer"].get("identifier", {}).get("value", "")
    head = f"<{PRIORITY}>1 {event['recorded']} {_host(source)} {APP_NAME} {NIL} {MESSAGE_ID} {NIL} "
    return (head + audit_message(event)).encode()


def audit_message(event: Element) -> str:
    """The AuditMessage as XML: event, active participants, source, participant objects, in the schema's order."""
    return _tag(
        "AuditMessage",
        {},
        _event_identification(event),
        *map(_active_participant, event["agent"]),
        _audit_source(event["source"]),
        # The OperationOutcome is contained in the AuditEvent; here EventOutcomeDescription says it.
        *(_participant_object(each) for each in event["entity"] if each["type"] is not codes.OPERATION_OUTCOME),
    )


@lru_cache(maxsize=64)  # a log has one gateway, or a few
def _host(base: str) -> str:
    try:
        host = urlsplit(base).hostname or ""
    except ValueError:  # it says so in the record too
        return NIL
    return host[:MAX_HOST] if host.isascii() and host.isprintable() and " " not in host and host else NIL


def _event_identification(event: Element) -> str:
    children = [_coded("EventID", event["type"]), *(_coded("EventTypeCode", each) for each in event.get("subtype", ()))]
    if reason := event.get("outcomeDesc"):
        children.append(_tag("EventOutcomeDescription", {}, escape(printable(reason))))
    for agent in event["agent"]:
        for purpose in agent.get("purposeOfUse", ()):
            children += [_coded("PurposeOfUse", coding) for coding in purpose["coding"]]
    attributes = {
        "EventActionCode": event.get("action"),
        "EventDateTime": event["recorded"],
        "EventOutcomeIndicator": event["outcome"],
    }
    return _tag("EventIdentification", attributes, *children)


def _active_participant(agent: Element) -> str:
    who = agent.get("who", {})
    identifier = who.get("identifier", {})
    network = agent.get("network", {})
    name = agent.get("name") or who.get("display")
    if agent.get("requestor") and identifier.get("system"):
        name = f"{name or ''}<{identifier['value']}@{identifier['system']}>"  # IUA: alias<user@issuer>
    attributes = {
        "UserID": identifier.get("value") or who.get("display") or network.get("address") or "",
        "AlternativeUserID": agent.get("altId"),
        "UserName": name,
        "UserIsRequestor": "true" if agent["requestor"] else "false",
        "NetworkAccessPointID": network.get("address"),
        "NetworkAccessPointTypeCode": network.get("type"),
    }
    kinds = (agent.get("type") or {}, *agent.get("role", ()))
    roles = [_coded("RoleIDCode", coding) for kind in kinds for coding in kind.get("coding", ())]
    roles += [_code("RoleIDCode", NIL, kind["text"], kind["text"]) for kind in kinds if "text" in kind]
    roles += [_code("RoleIDCode", codes.URI, policy, _POLICY) for policy in agent.get("policy", ())]
    return _tag("ActiveParticipant", attributes, *roles)


def _audit_source(source: Element) -> str:
    observer = source["observer"]
    name = observer.get("identifier", {}).get("value") or observer["display"]
    kinds = [_tag("AuditSourceTypeCode", {"csd-code": kind["code"]}) for kind in source.get("type", ())]
    return _tag(
        "AuditSourceIdentification", {"AuditEnterpriseSiteID": source.get("site"), "AuditSourceID": name}, *kinds
    )


def _participant_object(entity: Element) -> str:
    what = entity.get("what", {})
    reference = what.get("reference")
    identifier = reference or what.get("identifier", {}).get("value")
    name = entity.get("name") or what.get("display") or identifier
    if entity["type"] is codes.X_REQUEST_ID:
        name = codes.X_REQUEST_ID["code"]
    attributes = {
        "ParticipantObjectID": identifier or entity.get("description") or name or NIL,
        "ParticipantObjectTypeCode": _object_type(entity["type"]),
        "ParticipantObjectTypeCodeRole": entity.get("role", {}).get("code"),
    }
    if query := entity.get("query"):  # base64
        told = _tag("ParticipantObjectQuery", {}, query)
    else:
        told = _tag("ParticipantObjectName", {}, escape(printable(name or NIL)))
    details = [_detail(detail["type"], detail["valueString"]) for detail in entity.get("detail", ())]
    kind = _coded("ParticipantObjectIDTypeCode", _id_type(entity, is_uri=bool(reference)))
    return _tag("ParticipantObjectIdentification", attributes, kind, told, *details)


def _object_type(kind: Element) -> str:
    """1 person, 2 system object, 4 other; a FHIR resource is an object of a system."""
    if kind.get("system") == codes.ENTITY_TYPE:
        return str(kind["code"])
    return "2" if kind.get("system") == codes.RESOURCE_TYPES else "4"


def _id_type(entity: Element, *, is_uri: bool) -> Element:
    kind: Element = entity["type"]
    if kind is codes.X_REQUEST_ID:
        return kind
    role = entity.get("role")
    if role is codes.PATIENT:
        return _PATIENT
    if role is codes.QUERY:
        return _SEARCH
    return _URI if is_uri else _NODE


def _coded(tag: str, coding: Element) -> str:
    return _code(tag, coding.get("system", ""), coding.get("code", ""), coding.get("display"))


@lru_cache(maxsize=1024)  # the codes of a log are few and come again in every record
def _code(tag: str, system: str, code: str, display: str | None) -> str:
    """A CodedValueType; the name of the system and the original text are mandatory there."""
    name = "DCM" if system == codes.DCM else system
    return _tag(tag, {"csd-code": code, "codeSystemName": name, "originalText": display or code})


@lru_cache(maxsize=1024)  # as with codes: only record id and position differ every time
def _detail(name: str, value: str) -> str:
    """The value as base64, as the schema wants all of them."""
    encoded = b64encode(value.encode(errors="replace")).decode()
    return _tag("ParticipantObjectDetail", {"type": name, "value": encoded})


def _tag(name: str, attributes: Mapping[str, str | None], *content: str) -> str:
    """An element with the attributes that are known and with escaped content.

    XML has no form for most control characters, so none remain in an attribute.
    """
    known = "".join(f" {key}={quoteattr(printable(value))}" for key, value in attributes.items() if value is not None)
    inner = "".join(content)
    return f"<{name}{known}>{inner}</{name}>" if inner else f"<{name}{known}/>"
