"""The checker of BALP profiles is checked itself: it accepts what IHE published and bites where an event is wrong."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.audit.balp_profile import claimed_problems, problems

Event = dict[str, Any]
EXAMPLES = {path.stem: path for path in sorted((Path(__file__).parent / "balp" / "examples").glob("*.json"))}
READ, QUERY = "AuditEvent-ex-auditBasicReadServer", "AuditEvent-ex-auditBasicQueryGetServer"
OAUTH, MINIMAL = "AuditEvent-ex-auditBasicReadOServer", "AuditEvent-ex-auditBasicReadOServerMin"
CONSENT = "AuditEvent-ex-auditAuthZconsent"


def example(name: str) -> Event:
    event: Event = json.loads(EXAMPLES[name].read_text())
    return event


def agent(event: Event, code: str) -> Event:
    return next(one for one in event["agent"] if any(c["code"] == code for c in one["type"]["coding"]))


def entity(event: Event, code: str) -> Event:
    return next(one for one in event["entity"] if one["type"]["code"] == code)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_ihe_published_is_accepted(name: str) -> None:
    """A checker that refuses good events would be bent until it refuses nothing."""
    event = example(name)
    assert event["meta"]["profile"]
    assert claimed_problems(event) == []


def _drop_agent(code: str) -> Callable[[Event], None]:
    return lambda event: event["agent"].remove(agent(event, code))


def _drop_entity(code: str) -> Callable[[Event], None]:
    return lambda event: event["entity"].remove(entity(event, code))


def _twice(code: str) -> Callable[[Event], None]:
    return lambda event: event["entity"].append(copy.deepcopy(entity(event, code)))


def _set(path: str, value: Any) -> Callable[[Event], None]:
    def mutate(event: Event) -> None:
        *parents, last = path.split(".")
        at: Any = event
        for part in parents:
            at = at[int(part)] if part.isdigit() else at[part]
        at[last] = value

    return mutate


def _in_agent(code: str, **values: Any) -> Callable[[Event], None]:
    return lambda event: agent(event, code).update(values)


def _in_entity(code: str, **values: Any) -> Callable[[Event], None]:
    return lambda event: entity(event, code).update(values)


def _agent_without(code: str, key: str) -> Callable[[Event], None]:
    return lambda event: agent(event, code).pop(key)


def _entity_without(code: str, key: str) -> Callable[[Event], None]:
    return lambda event: entity(event, code).pop(key)


NPI = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NPI"}]}
OTHER_ID = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/ihe-otherId"


def _other_id(**identifier: Any) -> Callable[[Event], None]:
    return _in_agent("IRCP", extension=[{"url": OTHER_ID, "valueIdentifier": identifier}])


MUTATIONS: dict[str, tuple[str, Callable[[Event], Any]]] = {
    "no client": (READ, _drop_agent("110152")),
    "no server": (READ, _drop_agent("110153")),
    "client without network": (READ, _agent_without("110152", "network")),
    "client without who": (READ, _agent_without("110152", "who")),
    "client with media": (READ, _in_agent("110152", media={"code": "110030"})),
    "network type unknown": (READ, _in_agent("110152", network={"address": "x", "type": "9"})),
    "roles of a query": (READ, _set("agent.0.type.coding.0.code", "110150")),
    "user not requestor": (READ, _in_agent("IRCP", requestor=False)),
    "user with network": (READ, _in_agent("IRCP", network={"address": "192.0.2.1", "type": "2"})),
    "requestor missing": (READ, _agent_without("110153", "requestor")),
    "requestor as text": (READ, _in_agent("110153", requestor="false")),
    "refused": (READ, _set("outcome", "4")),
    "outcome unknown": (OAUTH, _set("outcome", "99")),
    "no outcome": (READ, lambda event: event.pop("outcome")),
    "action unknown": (OAUTH, _set("action", "X")),
    "action of a query": (READ, _set("action", "E")),
    "type not rest": (READ, _set("type.code", "110101")),
    "type in another system": (READ, _set("type.system", "http://dicom.nema.org/resources/ontology/DCM")),
    "subtype of a search": (READ, _set("subtype.0.code", "search-type")),
    "two subtypes in one slice": (
        READ,
        lambda event: event["subtype"].append({**event["subtype"][0], "code": "vread"}),
    ),
    "date only": (READ, _set("recorded", "2026-03-02")),
    "no offset": (READ, _set("recorded", "2026-03-02T09:15:03")),
    "no observer": (READ, lambda event: event["source"].pop("observer")),
    "no patient": (READ, _drop_entity("1")),
    "patient that is a group": (READ, _in_entity("1", what={"reference": "Group/g"})),
    "patient without role": (READ, _entity_without("1", "role")),
    "two data entities": (READ, _twice("2")),
    "no data": (READ, _drop_entity("2")),
    "data of an odd role": (
        READ,
        _in_entity("2", role={"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "13"}),
    ),
    "request id without value": (READ, _in_entity("XrequestId", what={"identifier": {"system": "urn:x"}})),
    "detail without value": (READ, _in_entity("1", detail=[{"type": "x"}])),
    "detail of a number": (READ, _in_entity("1", detail=[{"type": "x", "valueInteger": 1}])),
    "an empty string": (READ, _in_entity("1", description="")),
    "an element that R4 lacks": (READ, _set("severity", "low")),
    "a list where one is meant": (READ, lambda event: event.update(type=[event["type"]])),
    "one where a list is meant": (READ, lambda event: event.update(agent=event["agent"][0])),
    "no query": (QUERY, _entity_without("2", "query")),
    "query not base64": (QUERY, _in_entity("2", query="GET x")),
    "query and name": (QUERY, _in_entity("2", name="x")),
    "query with what": (QUERY, _in_entity("2", what={"reference": "Observation/1"})),
    "query with detail": (QUERY, _in_entity("2", detail=[{"type": "x", "valueString": "y"}])),
    "name and query of the patient": (QUERY, _in_entity("1", name="x", query="eA==")),
    "oauth client twice": (OAUTH, lambda event: event["agent"].append(copy.deepcopy(agent(event, "110150")))),
    "oauth client without id": (OAUTH, _in_agent("110150", who={"display": "app"})),
    "oauth user without identifier": (OAUTH, _in_agent("IRCP", who={"display": "x"})),
    "oauth user without token": (OAUTH, _agent_without("IRCP", "policy")),
    "oauth user with two tokens": (OAUTH, _in_agent("IRCP", policy=["urn:a", "urn:b"])),
    "minimal without user": (MINIMAL, _drop_agent("UserOauthAgent")),
    "minimal user without token": (MINIMAL, _agent_without("UserOauthAgent", "policy")),
    "other id of no type": (OAUTH, _other_id(value="1")),
    "other id of a strange type": (OAUTH, _other_id(type={"coding": [{"code": "XX"}]}, value="1")),
    "other id without value": (OAUTH, _other_id(type=NPI)),
    "an entity in a closed slicing": (CONSENT, lambda event: event["entity"].append({"type": {"code": "4"}})),
    "authorizer that is not the source": (CONSENT, _in_agent("authserver", who={"display": "someone else"})),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_event_is_refused(name: str) -> None:
    """Each mutation breaks one rule of the profile that the example claims."""
    source, mutate = MUTATIONS[name]
    event = example(source)
    mutate(event)
    assert claimed_problems(event) != []


def test_what_an_open_slicing_lets_in_is_accepted() -> None:
    """Further agents and entities are how a gateway says more than the profile asks for."""
    event = example(READ)
    event["agent"].append({"type": {"coding": [{"system": "urn:x", "code": "y"}]}, "requestor": False})
    event["entity"].append({"type": {"system": "urn:x", "code": "y"}, "detail": [{"type": "a", "valueString": "b"}]})
    _other_id(type=NPI, value="1")(event)
    assert claimed_problems(event) == []


def test_a_claim_that_cannot_be_checked_is_an_error() -> None:
    """A misspelt profile must not pass as one without rules."""
    event = example(READ)
    event["meta"]["profile"] = ["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRaed"]
    with pytest.raises(FileNotFoundError):
        claimed_problems(event)


def test_an_event_that_is_no_audit_event_is_refused() -> None:
    """The resource type is no element of the snapshot, so nothing else would notice."""
    assert problems({"resourceType": "Patient"}, "IHE.BasicAudit.Read") != []
