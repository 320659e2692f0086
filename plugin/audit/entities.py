"""The entities of an AuditEvent: patient, data or query, what was released, request id, and the record's own facts.

BALP lets only one entity have the type "System Object" (data or query), so released resources of a search stand under
their resource type. What was withheld is named to auditors by reference and rule, as a detail, never as an entity.
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from plugin.audit import codes
from plugin.audit.characters import printable
from plugin.audit.codes import Element
from plugin.event import LOCAL_FEED, Body

LOG_NAME = "Security Audit Log"
"""DICOM PS3.15 A.5.3.2, the name of the object of "Audit Log Used"."""


def patient(body: Body) -> Element | None:
    """The patient at the EHR that the request came from."""
    identifier = body.get("patient")
    if not identifier:
        return None
    base = body.get("ehr", {}).get("fhir_base")
    reference = f"{base}/Patient/{identifier}" if base else f"Patient/{identifier}"
    return {"what": {"reference": reference}, "type": codes.PERSON, "role": codes.PATIENT}


def query(text: str) -> Element:
    """What was searched, in our own serialisation: the raw request is never kept."""
    return {
        "type": codes.SYSTEM_OBJECT,
        "role": codes.QUERY,
        "description": printable(text),
        "query": b64encode(f"GET {text}".encode()).decode(),
    }


def asked(body: Body) -> Element | None:
    """What a request that released nothing was about: an identifier, so that it cannot pass for something released."""
    question = body.get("asked", {})
    resource_type = question.get("type")
    if not resource_type:
        return None
    resource_id = question.get("id")
    value = f"{resource_type}/{resource_id}" if resource_id else resource_type
    return {
        "what": {"identifier": {"value": value}},
        "type": codes.SYSTEM_OBJECT,
        "role": _kind(resource_type)[1],
    }


def released(body: Body, *, as_data: bool) -> list[Element]:
    """The released resources, by the address that the client saw; `as_data` makes the first one the data entity."""
    resources = body.get("released")
    if not resources:
        return []
    name = body.get("feed", {}).get("id", "")
    ehr = body.get("ehr", {}).get("fhir_base", "")
    # What the EHR itself holds is known by its address there: no face of ours has one for it.
    base = f"{ehr}/" if name == LOCAL_FEED else f"{body.get('gateway', {}).get('base', '')}/fhir/{name}/"
    found: list[Element] = []
    for resource in resources:
        reference = resource["reference"]
        kind, role, detail = _common(reference.partition("/")[0], resource["category"])
        found.append({"what": {"reference": base + reference}, "type": kind, "role": role, "detail": detail})
    if as_data:
        found[0]["type"] = codes.SYSTEM_OBJECT
    return found


def transaction(body: Body) -> Element | None:
    """The `X-Request-Id` of the answer, by which answer and record are joined."""
    request = body.get("request")
    return {"what": {"identifier": {"value": request}}, "type": codes.X_REQUEST_ID} if request else None


def refusal() -> Element:
    """Points to the contained OperationOutcome."""
    return {"what": {"reference": "#oo"}, "type": codes.OPERATION_OUTCOME}


def feed(header: Mapping[str, Any], body: Body) -> Element:
    """The feed, with the facts of the record that AuditEvent has no element for."""
    entity: Element = {}
    source = body.get("feed", {})
    if name := source.get("id"):
        entity["what"] = {"identifier": {"value": name}, "display": name}
    entity["type"] = codes.OTHER
    question = body.get("asked", {})
    gone = body.get("withheld", ())
    details = _details(
        ("feed-answer", source.get("answer")),
        ("feed-match", source.get("match")),
        ("feed-calls", _count(source.get("calls"))),
        ("granted-scopes", " ".join(body.get("token", {}).get("scopes", ()))),
        ("required-scope", question.get("scope")),
        ("operation", question.get("operation")),
        ("unrecorded-parameters", _count(question.get("unrecorded_parameters"))),
        ("continued", "true" if question.get("continued") else None),
        ("file", _count(question.get("file"))),
        ("page", _count(question.get("page"))),
        ("released-count", str(len(body.get("released", ())))),
        ("withheld-count", str(len(gone))),
        ("foreign-count", str(body.get("foreign", 0))),
        ("delivery", question.get("delivery")),
        ("purpose-source", body.get("purpose", {}).get("source")),
        ("care-relation", body.get("care_relation")),
        ("care-reason", body.get("care_reason")),
        ("informed", body.get("informed")),
        ("break-glass", body.get("break_glass", {}).get("opening")),
        *_record(header, body),
    )
    for item in gone:
        details.append({"type": "withheld", "valueString": f"{item['reference']} {item['rule']}"})
    for left_out in question.get("left_out", ()):
        details.append({"type": "left-out", "valueString": " ".join((left_out["type"], *left_out["rules"]))})
    entity["detail"] = details
    return entity


def event(header: Mapping[str, Any], body: Body) -> Element:
    """What a person did about a patient beside looking, and of which feed."""
    entity: Element = {}
    if name := body.get("feed", {}).get("id"):
        entity["what"] = {"identifier": {"value": name}, "display": name}
    entity["type"] = codes.OTHER
    glass = body.get("break_glass", {})
    session = body.get("session", {})
    entity["detail"] = _details(
        ("session", session.get("opened")),
        ("session-until", session.get("until")),
        ("break-glass", glass.get("opening")),
        ("break-glass-reason", glass.get("reason")),
        ("break-glass-text", printable(glass.get("text", ""))),
        ("break-glass-until", glass.get("until")),
        ("break-glass-closed-by", glass.get("closed_by")),
        ("granted-scopes", " ".join(body.get("token", {}).get("scopes", ()))),
        ("delivery", body.get("asked", {}).get("delivery")),
        ("purpose-source", body.get("purpose", {}).get("source")),
        *_record(header, body),
    )
    return entity


def log(header: Mapping[str, Any], body: Body) -> Element:
    """The ledger as the thing that was read."""
    question = body.get("asked", {})
    details = _details(
        ("log-reason", printable(question.get("log_reason", ""))),
        ("log-first", _count(question.get("log_first"))),
        ("log-last", _count(question.get("log_last"))),
        ("operation", question.get("operation")),
        ("unrecorded-parameters", _count(question.get("unrecorded_parameters"))),
        ("continued", "true" if question.get("continued") else None),
        ("granted-scopes", " ".join(body.get("token", {}).get("scopes", ()))),
        ("required-scope", question.get("scope")),
        ("purpose-source", body.get("purpose", {}).get("source")),
        *_record(header, body),
    )
    return {"type": codes.OTHER, "role": codes.SECURITY_RESOURCE, "name": LOG_NAME, "detail": details}


def callers(header: Mapping[str, Any], body: Body) -> Element:
    """Refusals of unidentified callers, as a count."""
    counted = body.get("callers", {})
    details = _details(
        ("count", _count(counted.get("count"))),
        ("reason", counted.get("reason")),
        ("family", counted.get("family")),
        ("since", counted.get("since")),
        ("until", counted.get("until")),
        ("subject", printable(counted["subject"]) if "subject" in counted else None),
        *_record(header, body),
    )
    return {"type": codes.OTHER, "detail": details}


def operation(header: Mapping[str, Any], body: Body) -> Element:
    """What happened to the gateway itself, or who or what was suspended there."""
    suspension = body.get("suspension", {})
    details = _details(
        ("note", printable(body.get("note", ""))),
        ("suspension-kind", suspension.get("kind")),
        ("suspension-name", printable(suspension.get("name", ""))),
        ("suspension-reason", printable(suspension.get("reason", ""))),
        ("suspension-since", suspension.get("since")),
        ("version", body.get("gateway", {}).get("version")),
        ("feed", body.get("feed", {}).get("id")),
        *_record(header, body),
    )
    return {"type": codes.OTHER, "detail": details}


def _record(header: Mapping[str, Any], body: Body) -> tuple[tuple[str, str | None], ...]:
    return (
        ("action", body.get("action")),
        ("rules", " ".join(body.get("rules", ()))),
        ("policies", body.get("gateway", {}).get("policies")),
        ("record", body.get("record")),
        ("position", str(header["position"])),
    )


def _details(*pairs: tuple[str, str | None]) -> list[Element]:
    return [{"type": name, "valueString": value} for name, value in pairs if value]


def _count(number: int | None) -> str | None:
    return None if number is None else str(number)


@lru_cache(maxsize=1_024)  # of the types and categories that there are, few go together
def _common(resource_type: str, category: str) -> tuple[Element, Element, list[Element]]:
    """Entity type, object role and details of a resource."""
    return *_kind(resource_type), [{"type": "category", "valueString": category}]


@lru_cache(maxsize=256)  # more than FHIR R4 has resource types
def _kind(resource_type: str) -> tuple[Element, Element]:
    """Entity type and object role of a resource of this type."""
    role = codes.REPORT if resource_type in codes.REPORT_TYPES else codes.DOMAIN_RESOURCE
    return codes.coding(codes.RESOURCE_TYPES, resource_type), role
