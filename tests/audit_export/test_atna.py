"""An ATNA message is well-formed, follows the schema of DICOM PS3.15 A.5.1, and is one syslog line."""

import re
from base64 import b64decode
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.audit import atna
from plugin.audit.audit_event import to_audit_event
from plugin.audit.export import Export
from plugin.audit.selection import Selection
from tests.audit import bodies
from tests.audit_export.logs import log_of

CODED = (("csd-code", "codeSystemName", "originalText"), (), ())
# element -> (mandatory attributes, optional attributes, children in order)
SCHEMA: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "AuditMessage": (
        (),
        (),
        (
            "EventIdentification",
            "ActiveParticipant",
            "AuditSourceIdentification",
            "ParticipantObjectIdentification",
        ),
    ),
    "EventIdentification": (
        ("EventActionCode", "EventDateTime", "EventOutcomeIndicator"),
        (),
        ("EventID", "EventTypeCode", "EventOutcomeDescription", "PurposeOfUse"),
    ),
    "ActiveParticipant": (
        ("UserID", "UserIsRequestor"),
        ("AlternativeUserID", "UserName", "NetworkAccessPointID", "NetworkAccessPointTypeCode"),
        ("RoleIDCode",),
    ),
    "AuditSourceIdentification": (("AuditSourceID",), ("AuditEnterpriseSiteID",), ("AuditSourceTypeCode",)),
    "ParticipantObjectIdentification": (
        ("ParticipantObjectID", "ParticipantObjectTypeCode"),
        ("ParticipantObjectTypeCodeRole",),
        (
            "ParticipantObjectIDTypeCode",
            "ParticipantObjectName",
            "ParticipantObjectQuery",
            "ParticipantObjectDetail",
        ),
    ),
    "ParticipantObjectDetail": (("type", "value"), (), ()),
    "EventID": CODED,
    "EventTypeCode": CODED,
    "PurposeOfUse": CODED,
    "RoleIDCode": CODED,
    "ParticipantObjectIDTypeCode": CODED,
    "AuditSourceTypeCode": (("csd-code",), (), ()),
    "EventOutcomeDescription": ((), (), ()),
    "ParticipantObjectName": ((), (), ()),
    "ParticipantObjectQuery": ((), (), ()),
}
SYSLOG = re.compile(rb"<85>1 (\S+) (\S{1,255}) vitrine - IHE\+RFC-3881 - (<AuditMessage>.*</AuditMessage>)", re.DOTALL)


def message_of(body: bodies.Body) -> ET.Element:
    """The XML of a record's message, as a parser that is not ours reads it."""
    found = SYSLOG.fullmatch(atna.message(to_audit_event(bodies.header(), body)))
    assert found is not None
    return ET.fromstring(found[3])


def flaws(element: ET.Element) -> list[str]:
    mandatory, optional, order = SCHEMA[element.tag]
    names = set(element.attrib)
    found = [f"{element.tag} lacks {name}" for name in mandatory if name not in names]
    found += [f"{element.tag} has {name}" for name in names - set(mandatory) - set(optional)]
    places = [order.index(child.tag) if child.tag in order else -1 for child in element]
    if -1 in places or places != sorted(places):
        found.append(f"{element.tag} has children {[child.tag for child in element]}")
    if element.tag == "ParticipantObjectIdentification":
        named = [child.tag for child in element if child.tag in {"ParticipantObjectName", "ParticipantObjectQuery"}]
        found += [] if len(named) == 1 else [f"an object has {named}"]
    return found + [flaw for child in element for flaw in flaws(child)]


@pytest.mark.parametrize("kind", bodies.ONE_OF_EACH)
def test_every_kind_of_record_follows_the_schema(kind: str) -> None:
    message = message_of(bodies.ONE_OF_EACH[kind])
    assert flaws(message) == []
    assert message.find("ActiveParticipant") is not None


def test_a_release_is_told_as_it_was_recorded() -> None:
    """Golden: the first participant, the person, and the objects."""
    line = atna.message(to_audit_event(bodies.header(), bodies.consultation(interaction="read")))
    text = line.decode()
    assert text.startswith(
        "<85>1 2026-03-02T08:15:03.120Z vitrine.hospital.example vitrine - IHE+RFC-3881 - <AuditMessage>"
        '<EventIdentification EventActionCode="R" EventDateTime="2026-03-02T08:15:03.120Z" EventOutcomeIndicator="0">'
        '<EventID csd-code="rest" codeSystemName="http://terminology.hl7.org/CodeSystem/audit-event-type"'
        ' originalText="RESTful Operation"/>'
        '<EventTypeCode csd-code="read" codeSystemName="http://hl7.org/fhir/restful-interaction" originalText="read"/>'
        '<PurposeOfUse csd-code="TREAT" codeSystemName="http://terminology.hl7.org/CodeSystem/v3-ActReason"'
        ' originalText="TREAT"/></EventIdentification>'
        '<ActiveParticipant UserID="results-pane" UserIsRequestor="false" NetworkAccessPointID="192.0.2.10"'
        ' NetworkAccessPointTypeCode="2">'
        '<RoleIDCode csd-code="110152" codeSystemName="DCM" originalText="Destination Role ID"/>'
    )
    assert 'UserName="Dr Alma Roy&lt;u-123@https://login.hospital.example&gt;" UserIsRequestor="true"' in text
    objects = [each.get("ParticipantObjectID") for each in ET.fromstring(text.partition(" - <")[2].join(("<", "")))][3:]
    assert [each for each in objects if each] == [
        "https://ehr.hospital.example/fhir/Patient/p1",
        "https://vitrine.hospital.example/fhir/city-lab/Observation/77",
        "city-lab",
        "req-77",
    ]


def test_one_message_concerns_one_patient() -> None:
    for body in bodies.ONE_OF_EACH.values():
        patients = [each for each in message_of(body) if each.get("ParticipantObjectTypeCodeRole") == "1"]
        assert len(patients) <= 1


def test_a_refusal_says_why() -> None:
    message = message_of(bodies.consultation("consultation:denied"))
    assert message.findtext("EventIdentification/EventOutcomeDescription") == "access-denied"
    assert message.find("EventIdentification").get("EventOutcomeIndicator") == "4"  # type: ignore[union-attr]


@given(body=bodies.any_body)
def test_no_text_from_outside_breaks_a_message(body: dict[str, Any]) -> None:
    """Names come from tokens: markup, control characters and line ends arrive as text or not at all."""
    message = message_of(body)
    assert flaws(message) == []


@given(name=st.text().filter(lambda text: text.isprintable() and text.strip()))
def test_what_can_be_printed_arrives_as_it_was(name: str) -> None:
    person = {"issuer": "https://login.example", "subject": "u", "name": name}
    user = message_of(bodies.consultation(person=person)).findall("ActiveParticipant")[2]
    assert user.get("UserName") == f"{name}<u@https://login.example>"


def test_head_and_foot_are_audit_log_used_messages_with_the_facts() -> None:
    """A SIEM needs no second parser for them."""
    lines = list(Export(log_of([bodies.consultation()]), Selection(), "atna").lines())
    for line, place in ((lines[0], "head"), (lines[-1], "foot")):
        found = SYSLOG.fullmatch(line)
        assert found is not None
        message = ET.fromstring(found[3])
        assert flaws(message) == []
        assert message.find("EventIdentification/EventID").get("csd-code") == "110101"  # type: ignore[union-attr]
        details = {
            each.get("type"): b64decode(each.get("value", "")).decode()
            for each in message.iter("ParticipantObjectDetail")
        }
        assert details["export"] == place
        assert details["checkpoint"].startswith("vitrine.example/log\n3\n")
        assert ("next" in details) is (place == "foot")
