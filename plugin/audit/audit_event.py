"""One ledger record as one FHIR R4 AuditEvent, after IHE Basic Audit Log Patterns (BALP) 1.1.4.

Pure: the same record is always the same event. Whether a reader may see it is decided before; searching, paging and
writing it out are left to the callers. An event claims a profile only where the record has all that the profile asks
for, and a REST profile only for a release: a refusal keeps the shape and claims no more than the use of its token.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from plugin.audit import codes, custody, entities
from plugin.audit.agents import agents, gateway
from plugin.audit.codes import Element, Roles
from plugin.event import AuditAction, Body, Outcome
from policies.vocabulary.interactions import CONSULTING, Interaction

# Plain strings: looking members up in their enum took a tenth of the time of an event, and exports are long.
_SUCCESS = str(Outcome.SUCCESS)
_RELEASED = str(AuditAction.CONSULTATION_RELEASED)
_CALLERS = str(AuditAction.CALLERS_REFUSED)
_READ = str(Interaction.READ)
_SEARCH = str(Interaction.SEARCH_TYPE)
_DELETE = str(Interaction.DELETE)
_LOOKING = frozenset(map(str, CONSULTING))
_CONSULTATIONS = frozenset(
    {
        _RELEASED,
        str(AuditAction.CONSULTATION_DENIED),
        str(AuditAction.CONSULTATION_FAILED),
        str(AuditAction.CONSULTATION_UNAVAILABLE),
    }
)
_LOG_READINGS = frozenset(map(str, (AuditAction.LOG_READ, AuditAction.LOG_DENIED, AuditAction.LOG_FAILED)))


class _Pattern(NamedTuple):
    """How one kind of record is told: what kind of event, who is what to whom, and about what."""

    type: Element
    subtype: Element | None
    action: str
    roles: Roles
    entities: list[Element]
    answered: bool
    """Somebody got an answer: a refusal holds what it said, and the use of a token may be claimed."""


def to_audit_event(header: Mapping[str, Any], body: Body) -> Element:
    """The AuditEvent of a record: a plain dict, ready for JSON, elements in FHIR's order.

    `header` has `position` (int), `time` (an RFC 3339 instant with offset) and `tenant`. Parts of the result are shared
    with other events: serialise it, do not change it. Never refuses a body that `plugin.event` describes.
    """
    pattern = _pattern(header, body)
    outcome = body.get("outcome") or _SUCCESS
    refused = pattern.answered and outcome != _SUCCESS
    event: Element = {"resourceType": "AuditEvent", "id": str(header["position"])}
    if pattern.answered and (profiles := _profiles(body, outcome)):
        event["meta"] = {"profile": profiles}
    if refused:
        event["contained"] = [_operation_outcome(body, outcome)]
    event["type"] = pattern.type
    if pattern.subtype is not None:
        event["subtype"] = [pattern.subtype]
    event["action"] = pattern.action
    event["recorded"] = header["time"]
    event["outcome"] = outcome
    if outcome != _SUCCESS:
        event["outcomeDesc"] = _reason(body)
    event["agent"] = agents(body, pattern.roles)
    event["source"] = _source(body.get("gateway", {}).get("base"), header.get("tenant"))
    found = [
        entities.patient(body),
        *pattern.entities,
        entities.transaction(body),
        entities.refusal() if refused else None,
    ]
    event["entity"] = [entity for entity in found if entity is not None]
    return event


@lru_cache(maxsize=64)  # a log has a few gateways and tenants
def _source(base: str | None, tenant: str | None) -> Element:
    source: Element = {"observer": gateway(base), "type": [codes.APPLICATION_SERVER]}
    return {"site": tenant, **source} if tenant else source


def _pattern(header: Mapping[str, Any], body: Body) -> _Pattern:
    action = body.get("action", "")
    if action in _CONSULTATIONS:
        return _consultation(header, body)
    if action in _LOG_READINGS:
        return _log_reading(header, body)
    if action == _CALLERS:
        about = [entities.callers(header, body)]
        return _Pattern(codes.USER_AUTHENTICATION, None, codes.EXECUTE, codes.SEND_ROLES, about, answered=True)
    if action in codes.EVENTS:
        type_, subtype = codes.EVENTS[action]
        about = [entities.event(header, body)]
        answered = "client" in body  # else it came about by itself
        return _Pattern(type_, subtype, codes.EXECUTE, codes.SEND_ROLES, about, answered=answered)
    kind, subtype_or_none = codes.OPERATIONS.get(action, codes.SECURITY_CONFIGURATION)
    about = [entities.operation(header, body), *custody.entities(body)]
    deed = codes.ACTIONS.get(action, codes.EXECUTE)
    return _Pattern(kind, subtype_or_none, deed, codes.OPERATION_ROLES, about, answered=False)


def _consultation(header: Mapping[str, Any], body: Body) -> _Pattern:
    question = body.get("asked", {})
    interaction = question.get("interaction", "")
    about: list[Element] = []
    # What a refused or failed consultation would have released is nobody's business, even if the record named it.
    released = body.get("action") == _RELEASED
    if interaction in codes.SEARCHES:
        about.append(entities.query(question.get("query") or question.get("type") or "?"))
        if released:
            about += entities.released(body, as_data=False)
    else:
        shown = entities.released(body, as_data=True) if released else []
        if shown:
            about += shown
        elif (asked := entities.asked(body)) is not None:
            about.append(asked)
    about.append(entities.feed(header, body))
    return _Pattern(
        codes.REST,
        codes.INTERACTIONS.get(interaction),
        codes.ACTIONS.get(interaction, codes.EXECUTE),
        _roles(interaction),
        about,
        answered=True,
    )


def _log_reading(header: Mapping[str, Any], body: Body) -> _Pattern:
    question, log = body.get("asked", {}), entities.log(header, body)
    interaction = question.get("interaction") or _SEARCH
    if interaction in _LOOKING:
        # "R" by DICOM PS3.15 A.5.3.2, which knows no other action for the use of an audit log.
        about = [entities.query(question.get("query") or "AuditEvent"), log]
        subtype = codes.RETRIEVE_AUDIT_EVENT
        return _Pattern(codes.LOG_USED, subtype, codes.READ_ACTION, codes.SEND_ROLES, about, answered=True)
    # Who tried to delete from the log, say, did not retrieve it.
    verb, subtype_or_none = codes.ACTIONS.get(interaction, codes.EXECUTE), codes.INTERACTIONS.get(interaction)
    return _Pattern(codes.REST, subtype_or_none, verb, _roles(interaction), [log], answered=True)


def _roles(interaction: str) -> Roles:
    action = codes.ACTIONS.get(interaction)
    if action == codes.READ_ACTION:
        return codes.READ_ROLES
    return codes.DELETE_ROLES if interaction == _DELETE else codes.SEND_ROLES


def _profiles(body: Body, outcome: str) -> list[str]:
    """The BALP profiles that this record can keep."""
    claimed = []
    client = body.get("client", {})
    if (
        outcome == _SUCCESS
        and body.get("action") == _RELEASED
        and body.get("patient")
        and client.get("id")
        and client.get("address")
        and body.get("gateway", {}).get("base")
    ):
        question = body.get("asked", {})
        interaction = question.get("interaction")
        if interaction == _READ and (body.get("released") or question.get("type")):
            claimed.append(codes.PATIENT_READ)
        elif interaction == _SEARCH:
            claimed.append(codes.PATIENT_QUERY)
    if body.get("token", {}).get("reference", "").startswith(codes.JTI_PREFIX):
        if client.get("id"):
            claimed.append(codes.OAUTH_COMPREHENSIVE)
        claimed.append(codes.OAUTH_MINIMAL)
    return claimed


def _reason(body: Body) -> str:
    """A stable key; the action's own name where the record has no other."""
    return body.get("reason") or body.get("callers", {}).get("reason") or body.get("action") or "unknown"


def _operation_outcome(body: Body, outcome: str) -> Element:
    """What the caller was told, again: a reason key and the request id, no word about the patient or the rules."""
    reason = _reason(body)
    code = codes.ISSUE_CODES.get(reason) or codes.OUTCOME_ISSUES.get(outcome, "exception")
    issue: Element = {"severity": "error", "code": code, "details": {"text": reason}}
    if request := body.get("request"):
        issue["diagnostics"] = request
    return {"resourceType": "OperationOutcome", "id": "oo", "issue": [issue]}
