"""An AuditEvent as an ATNA message: RFC 5424 syslog that carries a DICOM PS3.15 A.5 AuditMessage (IHE ITI-20).

A pure mapping of what `audit_event` made. A record concerns at most one patient, so one message does too. What
AuditEvent holds and DICOM has no place for (contained resources, the extensions of a person) is left to the NDJSON
export. Framing and sockets are in `forward`.
"""

from base64 import b64encode
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

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
    return head.encode() + ET.tostring(audit_message(event), encoding="unicode").encode()


def audit_message(event: Element) -> ET.Element:
    """The AuditMessage: event, active participants, source, participant objects, in the order of the schema."""
    root = ET.Element("AuditMessage")
    _event_identification(root, event)
    for agent in event["agent"]:
        _active_participant(root, agent)
    _audit_source(root, event["source"])
    for entity in event["entity"]:
        # The OperationOutcome is contained in the AuditEvent; here EventOutcomeDescription says it.
        if entity["type"] is not codes.OPERATION_OUTCOME:
            _participant_object(root, entity)
    return root


@lru_cache(maxsize=64)  # a log has one gateway, or a few
def _host(base: str) -> str:
    host = urlsplit(base).hostname or ""
    return host[:MAX_HOST] if host.isascii() and host.isprintable() and " " not in host and host else NIL


def _event_identification(root: ET.Element, event: Element) -> None:
    about = _add(
        root,
        "EventIdentification",
        EventActionCode=event.get("action"),
        EventDateTime=event["recorded"],
        EventOutcomeIndicator=event["outcome"],
    )
    _coded(about, "EventID", event["type"])
    for subtype in event.get("subtype", ()):
        _coded(about, "EventTypeCode", subtype)
    if reason := event.get("outcomeDesc"):
        _add(about, "EventOutcomeDescription").text = printable(reason)
    for agent in event["agent"]:
        for purpose in agent.get("purposeOfUse", ()):
            for coding in purpose["coding"]:
                _coded(about, "PurposeOfUse", coding)


def _active_participant(root: ET.Element, agent: Element) -> None:
    who = agent.get("who", {})
    identifier = who.get("identifier", {})
    network = agent.get("network", {})
    name = agent.get("name") or who.get("display")
    if agent.get("requestor") and identifier.get("system"):
        name = f"{name or ''}<{identifier['value']}@{identifier['system']}>"  # IUA: alias<user@issuer>
    participant = _add(
        root,
        "ActiveParticipant",
        UserID=identifier.get("value") or who.get("display") or network.get("address") or "",
        AlternativeUserID=agent.get("altId"),
        UserName=name,
        UserIsRequestor="true" if agent["requestor"] else "false",
        NetworkAccessPointID=network.get("address"),
        NetworkAccessPointTypeCode=network.get("type"),
    )
    for kind in (agent.get("type"), *agent.get("role", ())):
        for coding in (kind or {}).get("coding", ()):
            _coded(participant, "RoleIDCode", coding)
    for policy in agent.get("policy", ()):
        _coded(participant, "RoleIDCode", codes.coding(codes.URI, policy, _POLICY))


def _audit_source(root: ET.Element, source: Element) -> None:
    observer = source["observer"]
    name = observer.get("identifier", {}).get("value") or observer["display"]
    about = _add(root, "AuditSourceIdentification", AuditEnterpriseSiteID=source.get("site"), AuditSourceID=name)
    for kind in source.get("type", ()):
        _add(about, "AuditSourceTypeCode", **{"csd-code": kind["code"]})


def _participant_object(root: ET.Element, entity: Element) -> None:
    what = entity.get("what", {})
    reference = what.get("reference")
    identifier = reference or what.get("identifier", {}).get("value")
    name = entity.get("name") or what.get("display") or identifier
    if entity["type"] is codes.X_REQUEST_ID:
        name = codes.X_REQUEST_ID["code"]
    found = _add(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=identifier or entity.get("description") or name or NIL,
        ParticipantObjectTypeCode=_object_type(entity["type"]),
        ParticipantObjectTypeCodeRole=entity.get("role", {}).get("code"),
    )
    _coded(found, "ParticipantObjectIDTypeCode", _id_type(entity, is_uri=bool(reference)))
    if query := entity.get("query"):
        _add(found, "ParticipantObjectQuery").text = query
    else:
        _add(found, "ParticipantObjectName").text = printable(name or NIL)
    for detail in entity.get("detail", ()):
        value = b64encode(detail["valueString"].encode(errors="replace")).decode()
        _add(found, "ParticipantObjectDetail", type=detail["type"], value=value)


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
    return _URI if is_uri or role is codes.SECURITY_RESOURCE else _NODE


def _coded(parent: ET.Element, tag: str, coding: Element) -> None:
    """A CodedValueType; the name of the system and the original text are mandatory there."""
    system = coding.get("system", "")
    code = coding.get("code", "")
    _add(
        parent,
        tag,
        **{
            "csd-code": code,
            "codeSystemName": "DCM" if system == codes.DCM else system,
            "originalText": coding.get("display") or code,
        },
    )


def _add(parent: ET.Element, tag: str, **attributes: Any) -> ET.Element:
    """A child with the attributes that are known. XML has no form for most control characters, so none remain."""
    found = {name: printable(value) for name, value in attributes.items() if value is not None}
    return ET.SubElement(parent, tag, found)
