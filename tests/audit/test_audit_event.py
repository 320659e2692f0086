"""Every record becomes one AuditEvent that R4 and each claimed BALP profile accept, and no more than it may say."""

import json
from base64 import b64decode
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from hypothesis import given

from plugin import errors
from plugin.audit.atna import audit_message
from plugin.audit.audit_event import to_audit_event
from plugin.audit.deleted import deleted_event
from plugin.audit.text import line
from plugin.event import AuditAction
from tests.audit import bodies
from tests.audit.balp_profile import claimed_problems, problems

Event = dict[str, Any]
R4_CODES = "IHE.BasicAudit.OAUTHaccessTokenUse.Minimal"
"""Its snapshot carries R4's own cardinalities and bindings; only the slice of the token's user is BALP's."""


def event_of(body: bodies.Body) -> Event:
    """The event as a reader of NDJSON gets it."""
    event: Event = json.loads(json.dumps(to_audit_event(bodies.header(), body)))
    return event


def claims(event: Event) -> list[str]:
    return [url.rpartition("/IHE.")[2] for url in event.get("meta", {}).get("profile", [])]


def kinds(element: Event) -> list[str]:
    return [coding["code"] for coding in element["type"].get("coding", [element["type"]])]


def agent(event: Event, code: str) -> Event:
    return next(one for one in event["agent"] if code in kinds(one))


def entities(event: Event, code: str) -> list[Event]:
    return [one for one in event.get("entity", []) if one["type"]["code"] == code]


def details(event: Event) -> dict[str, str]:
    """All details of the entity that carries the record's own facts."""
    return {detail["type"]: detail["valueString"] for one in entities(event, "4") for detail in one["detail"]}


def must_hold(event: Event) -> None:
    """What holds for every event whatever the record."""
    AuditEvent.model_validate(event)
    assert claimed_problems(event) == []
    assert [one for one in problems(event, R4_CODES) if "agent:oUser" not in one] == []
    assert len(entities(event, "2")) <= 1
    assert sum(one["requestor"] for one in event["agent"]) <= 1
    assert event["source"]["observer"]["display"] == "Vitrine"
    if event["outcome"] != "0":
        assert not {claim for claim in claims(event) if "OAUTH" not in claim}
        assert event["outcomeDesc"]


@pytest.mark.parametrize("kind", bodies.ONE_OF_EACH)
def test_every_kind_of_record_is_a_valid_event(kind: str) -> None:
    """An auditor's repository takes every line of the export."""
    must_hold(event_of(bodies.ONE_OF_EACH[kind]))


@given(bodies.any_body)
def test_no_missing_fact_makes_an_event_invalid_or_a_claim_false(body: bodies.Body) -> None:
    """One odd record must neither stop an export nor claim what it lacks."""
    event = event_of(body)
    must_hold(event)
    if not body.get("token", {}).get("reference"):
        assert not [one for one in event["agent"] if "UserOauthAgent" in kinds(one)]
        assert not [claim for claim in claims(event) if "OAUTH" in claim]
    if body["action"] != AuditAction.CONSULTATION_RELEASED:
        assert not [one for one in event["entity"] if "/fhir/" in _reference(one) and "Patient" not in _reference(one)]


def _reference(entity: Event) -> str:
    reference: str = entity.get("what", {}).get("reference", "")
    return reference


def test_every_action_has_a_sample_here() -> None:
    """A new kind of record must be thought of here too."""
    assert {body["action"] for body in bodies.ONE_OF_EACH.values()} >= {str(action) for action in AuditAction}


def test_a_search_claims_patient_query_and_the_use_of_its_token() -> None:
    """The claim is what an auditor's tools select by."""
    event = event_of(bodies.consultation())
    assert claims(event) == [
        "BasicAudit.PatientQuery",
        "BasicAudit.OAUTHaccessTokenUse.Comprehensive",
        "BasicAudit.OAUTHaccessTokenUse.Minimal",
    ]
    assert (event["type"]["code"], event["subtype"][0]["code"], event["action"]) == ("rest", "search-type", "E")
    assert (event["outcome"], event["recorded"], event["id"]) == ("0", "2026-03-02T08:15:03.120Z", "7")
    assert kinds(agent(event, "110153")) == ["110153", "110150"]


def test_a_read_claims_patient_read_and_its_resource_is_the_data() -> None:
    """Client and server swap their roles between read and search, since the data flows the other way."""
    event = event_of(bodies.consultation(interaction="read"))
    assert claims(event)[0] == "BasicAudit.PatientRead"
    assert (event["subtype"][0]["code"], event["action"]) == ("read", "R")
    assert kinds(agent(event, "110152")) == ["110152", "110150"]
    (data,) = entities(event, "2")
    assert data["what"]["reference"] == f"{bodies.BASE}/fhir/city-lab/Observation/77"
    assert data["role"]["code"] == "4"
    assert data["detail"] == [{"type": "category", "valueString": "test-results"}]


def test_every_released_resource_stands_under_the_address_that_the_client_saw() -> None:
    """Answer and record are joined from outside by this address."""
    event = event_of(bodies.consultation())
    (observation,), (report,) = entities(event, "Observation"), entities(event, "DiagnosticReport")
    assert observation["what"]["reference"] == f"{bodies.BASE}/fhir/city-lab/Observation/77"
    assert (observation["role"]["code"], report["role"]["code"]) == ("4", "3")
    assert observation["type"]["system"] == "http://hl7.org/fhir/resource-types"


def test_the_query_is_our_own_words_and_nothing_else() -> None:
    """sev-1, and the Query profile: no name, no what, no detail."""
    (query,) = entities(event_of(bodies.consultation()), "2")
    assert b64decode(query["query"]) == b"GET Observation?patient=p1&category=laboratory"
    assert query.keys() == {"type", "role", "description", "query"}


def test_an_empty_answer_is_a_query_that_named_nothing() -> None:
    """Looking and finding nothing is a look."""
    event = event_of(bodies.ONE_OF_EACH["empty search"])
    assert claims(event)[0] == "BasicAudit.PatientQuery"
    assert details(event)["released-count"] == "0"
    assert not [one for one in event["entity"] if "/fhir/city-lab/" in _reference(one)]


def test_the_user_agent_is_the_person_of_the_token() -> None:
    """Who looked, under which token, and why: the questions that a security officer asks first."""
    event = event_of(bodies.consultation())
    user = agent(event, "IRCP")
    assert kinds(user) == ["IRCP", "UserOauthAgent"]
    assert user["who"]["identifier"] == {"system": "https://login.hospital.example", "value": "u-123"}
    assert user["who"]["display"] == user["name"] == "Dr Alma Roy"
    assert user["role"] == [{"coding": [{"system": "urn:oid:1.2.250.1.213.1.1.5.5", "code": "10"}]}]
    assert user["policy"] == [bodies.JTI]
    assert [one["coding"][0]["code"] for one in user["purposeOfUse"]] == ["TREAT"]
    assert {one["url"].rpartition("/")[2] for one in user["extension"]} == {"ihe-otherId", "ihe-assuranceLevel"}
    assert agent(event, "PROV")["who"] == {"identifier": {"value": "750000001"}, "display": "Hôpital central"}
    server = agent(event, "110152")
    assert server["network"] == {"address": f"{bodies.BASE}/fhir", "type": "5"}


@pytest.mark.parametrize(("system", "code"), [("ward roles", "nurse"), ("urn:roles", "ward  nurse")])
def test_a_role_in_words_that_no_coding_may_have_is_told_as_text(system: str, code: str) -> None:
    """Roles are the issuer's words; one that is no uri or code must not make the event of a look invalid."""
    person = {"issuer": "https://login.example", "subject": "u-1", "roles": [{"system": system, "code": code}]}
    event = event_of(bodies.consultation(person=person))
    assert agent(event, "IRCP")["role"] == [{"text": f"{system}|{code}"}]
    assert f'originalText="{system}|{code}"' in audit_message(event)


def test_the_patient_and_the_request_id_are_named_as_promised() -> None:
    """surface.md: `<ehr fhir_base>/Patient/<id>`, and the value of X-Request-Id."""
    event = event_of(bodies.consultation())
    assert _reference(entities(event, "1")[0]) == "https://ehr.hospital.example/fhir/Patient/p1"
    assert entities(event, "XrequestId")[0]["what"]["identifier"]["value"] == "req-77"
    assert event["source"]["site"] == "hospital"


def test_the_feed_entity_carries_the_facts_that_audit_event_has_no_element_for() -> None:
    """Reports count by them."""
    event = event_of(bodies.consultation())
    (feed,) = entities(event, "4")
    assert feed["what"]["identifier"]["value"] == "city-lab"
    found = details(event)
    assert found["withheld"] == "Observation/78 site-restricted"
    assert {key: found[key] for key in ("released-count", "withheld-count", "foreign-count", "feed-match")} == {
        "released-count": "2",
        "withheld-count": "1",
        "foreign-count": "3",
        "feed-match": "identifier",
    }
    assert found["granted-scopes"] == "launch patient/Observation.rs"
    assert (found["position"], found["record"], found["policies"]) == ("7", "req-77.1", "sha256:ab")
    assert (found["purpose-source"], found["delivery"], found["care-relation"]) == ("claim", "structured", "launch")


def test_withheld_references_are_details_and_never_entities() -> None:
    """An entity says that something was shown."""
    event = event_of(bodies.consultation())
    assert not [one for one in event["entity"] if "Observation/78" in json.dumps(one.get("what", {}))]


def test_a_hash_of_an_opaque_token_claims_no_oauth_profile() -> None:
    """Both profiles want a jti as policy; the reference still stands there."""
    event = event_of(bodies.ONE_OF_EACH["opaque token"])
    assert claims(event) == ["BasicAudit.PatientQuery"]
    assert agent(event, "UserOauthAgent")["policy"] == [bodies.HASHED]


@pytest.mark.parametrize(
    ("interaction", "subtype", "action"),
    [
        ("create", "create", "C"),
        ("update", "update", "U"),
        ("patch", "patch", "U"),
        ("delete", "delete", "D"),
        ("read", "read", "R"),
        ("vread", "vread", "R"),
        ("history-type", "history-type", "R"),
        ("search-system", "search-system", "E"),
        ("operation", "operation", "E"),
        ("transaction", "transaction", "E"),
        ("unknown", None, "E"),
    ],
)
def test_a_refusal_keeps_the_shape_and_claims_only_its_token(
    interaction: str, subtype: str | None, action: str
) -> None:
    """BALP's REST profiles are for what succeeded."""
    event = event_of(bodies.consultation(AuditAction.CONSULTATION_DENIED, interaction, reason="view-only"))
    assert claims(event) == ["BasicAudit.OAUTHaccessTokenUse.Comprehensive", "BasicAudit.OAUTHaccessTokenUse.Minimal"]
    assert [one["code"] for one in event.get("subtype", [])] == ([subtype] if subtype else [])
    assert (event["action"], event["outcome"], event["outcomeDesc"]) == (action, "4", "view-only")
    (issue,) = event["contained"][0]["issue"]
    assert (event["contained"][0]["id"], issue["code"], issue["diagnostics"]) == ("oo", "not-supported", "req-77")
    assert _reference(entities(event, "OperationOutcome")[0]) == "#oo"


@pytest.mark.parametrize(
    "action",
    [AuditAction.CONSULTATION_DENIED, AuditAction.CONSULTATION_FAILED, AuditAction.CONSULTATION_UNAVAILABLE],
)
def test_what_was_not_released_is_not_named_as_released(action: AuditAction) -> None:
    """Even if the record had gathered it: nothing left the gateway."""
    event = event_of(bodies.consultation(action, "read", released=[{"reference": "Observation/77", "category": "x"}]))
    assert not [one for one in event["entity"] if "/fhir/city-lab/" in _reference(one)]
    (data,) = entities(event, "2")
    assert data["what"] == {"identifier": {"value": "Observation/77"}}


@pytest.mark.parametrize(
    "error", [errors.FeedFailed, errors.FeedUnreachable, errors.FileUnusable, errors.StateUnavailable]
)
def test_an_event_gives_the_issue_code_that_the_caller_was_given(error: type[errors.ConsultError]) -> None:
    """Whoever compares the log with what the EHR saw finds one code for one failure."""
    event = event_of(bodies.consultation(AuditAction.CONSULTATION_FAILED, reason=error.reason))
    (issue,) = event["contained"][0]["issue"]
    assert (issue["code"], issue["details"]["text"]) == (error.issue_code, error.reason)


def test_unidentified_callers_are_a_count_and_nobody() -> None:
    """No character of an unverified token, no client id that nobody verified."""
    event = event_of(bodies.callers())
    client = agent(event, "110150")
    assert (client["network"]["address"], client["requestor"], "who" in client) == ("192.0.2.0/24", True, False)
    assert claims(event) == []
    found = details(event)
    assert {key: found[key] for key in ("count", "reason", "family", "since", "until")} == {
        "count": "41",
        "reason": "invalid-token",
        "family": "facade",
        "since": "2026-03-02T08:14:00Z",
        "until": "2026-03-02T08:15:00Z",
    }
    assert (event["outcome"], event["contained"][0]["issue"][0]["code"]) == ("4", "unknown")


def test_reading_the_log_is_an_event_of_its_own_kind() -> None:
    """DICOM "Audit Log Used", transaction ITI-81, by the operator, with the reason that he gave."""
    event = event_of(bodies.log_reading())
    assert (event["type"]["code"], event["action"]) == ("110101", "R")
    assert event["subtype"][0]["code"] == "ITI-81"
    assert agent(event, "IRCP")["who"]["identifier"] == {"system": "local", "value": "root"}
    assert agent(event, "110150")["network"] == {"address": "local", "type": "1"}
    assert b64decode(entities(event, "2")[0]["query"]).startswith(b"GET AuditEvent")
    assert details(event)["log-reason"] == "yearly review"
    assert claims(event) == []


def test_a_further_page_of_the_log_is_told_as_one() -> None:
    """As of a feed: else two pages of one search are two searches, and a refused parameter was never there."""
    asked = {"interaction": "search-type", "query": "AuditEvent?_count=5", "continued": True}
    told = details(event_of(bodies.log_reading(asked={**asked, "unrecorded_parameters": 2})))
    assert (told["continued"], told["unrecorded-parameters"]) == ("true", "2")


def test_reading_the_log_by_token_claims_the_use_of_the_token() -> None:
    """The Query profile is for type `rest`, so it is not claimed."""
    event = event_of(bodies.ONE_OF_EACH["log by token"])
    assert claims(event) == ["BasicAudit.OAUTHaccessTokenUse.Comprehensive", "BasicAudit.OAUTHaccessTokenUse.Minimal"]


@pytest.mark.parametrize(
    ("action", "kind", "subtype"),
    [
        ("gateway:started", "110100", "110120"),
        ("gateway:stopped", "110100", "110121"),
        ("ledger:opened", "110113", "110134"),
        ("ledger:gap", "110113", "110133"),
        ("policy:loaded", "110113", "110129"),
    ],
)
def test_what_happens_to_the_gateway_is_told_by_the_gateway(action: str, kind: str, subtype: str) -> None:
    """ATNA asks for these triggers."""
    event = event_of(bodies.operation(action))
    assert (event["type"]["code"], event["subtype"][0]["code"]) == (kind, subtype)
    assert agent(event, "110150")["who"]["identifier"]["value"] == bodies.BASE
    assert details(event)["note"] == "two workers"


@pytest.mark.parametrize("action", bodies.OF_ACCESS)
def test_a_suspension_says_whom_and_why(action: str) -> None:
    """Who lost the file of suspensions suspends them again by the log (runbook)."""
    body = bodies.ONE_OF_EACH[action]
    (about,) = to_audit_event(bodies.header(), body)["entity"]
    facts = {each["type"]: each["valueString"] for each in about["detail"]}
    assert {name: facts[f"suspension-{name}"] for name in bodies.SUSPENSION} == bodies.SUSPENSION
    assert line(bodies.header(), body).endswith("https://login.hospital.example u-123  because: case 7")


def test_the_elements_stand_in_the_order_of_fhir() -> None:
    """People read these lines too."""
    event = to_audit_event(bodies.header(), bodies.consultation(AuditAction.CONSULTATION_DENIED))
    assert " ".join(event) == (
        "resourceType id meta contained type subtype action recorded outcome outcomeDesc agent source entity"
    )


def test_no_event_has_what_another_one_said() -> None:
    """What comes again is made once: of the same person at the same client, each look keeps its own."""
    apart = [
        bodies.consultation(),
        bodies.consultation(token={"reference": bodies.HASHED, "scopes": ["user/*.rs"]}, purpose={"codes": ["ETREAT"]}),
        bodies.consultation(token={}, purpose={}),
        bodies.consultation(interaction="read", gateway={"base": "https://other.example"}),
        bodies.consultation(person={"issuer": "https://login.hospital.example", "subject": "u-124"}, rules=["r"]),
        bodies.consultation(AuditAction.CONSULTATION_DENIED, interaction="read", client={"id": "other"}),
    ]
    first = [event_of(body) for body in apart]
    assert [event_of(body) for body in reversed(apart)] == first[::-1]
    assert [entry.get("policy") for event in first[:3] for entry in event["agent"] if "purposeOfUse" in entry] == [
        [bodies.JTI],
        [bodies.HASHED],
    ]


def test_the_word_that_a_patient_was_told_names_person_patient_and_feed() -> None:
    """And claims the use of the token; the record of the look refers to it."""
    event = event_of(bodies.event())
    assert (event["type"]["code"], event["subtype"][0]["code"], event["action"]) == ("110110", "attest", "E")
    assert claims(event) == ["BasicAudit.OAUTHaccessTokenUse.Comprehensive", "BasicAudit.OAUTHaccessTokenUse.Minimal"]
    assert "https://ehr.hospital.example/fhir/Patient/p1" in map(_reference, event["entity"])
    look = event_of(bodies.consultation(informed="req-77.1-informed"))
    details = [each for entity in look["entity"] for each in entity.get("detail", ())]
    assert {"type": "informed", "valueString": "req-77.1-informed"} in details


def test_broken_glass_is_an_emergency_override_with_person_patient_and_purpose() -> None:
    """What a SIEM alerts on: DICOM's own codes, who, for whom, and BTG."""
    event = event_of(bodies.break_glass())
    assert (event["type"]["code"], event["subtype"][0]["code"], event["outcome"]) == ("110113", "110127", "0")
    user = agent(event, "IRCP")
    assert user["who"]["identifier"]["value"] == "u-123"
    assert [each["coding"][0]["code"] for each in user["purposeOfUse"]] == ["BTG"]
    assert "https://ehr.hospital.example/fhir/Patient/p1" in map(_reference, event["entity"])
    told = {each["type"]: each["valueString"] for entity in event["entity"] for each in entity.get("detail", ())}
    assert told["break-glass"] == "req-77.1"
    assert told["break-glass-reason"] == "other"
    assert told["break-glass-text"] == "unconscious"
    closed = event_of(bodies.ended_by_itself())
    assert closed["subtype"][0]["code"] == "110138"
    assert agent(closed, "IRCP")["who"]["identifier"]["value"] == "u-123"
    assert "contained" not in closed
    denied = event_of(bodies.break_glass(AuditAction.BREAK_GLASS_DENIED))
    assert denied["outcomeDesc"] == "access-denied"
    assert denied["contained"]


def test_a_deleted_record_claims_neither_kind_nor_outcome_nor_who() -> None:
    """These went with its body: the event says where a record stood, when it was made, and that it was destroyed."""
    event = deleted_event(bodies.header())
    AuditEvent.model_validate(event)
    assert [one for one in problems(event, R4_CODES) if "agent:oUser" not in one] == []
    assert not {"meta", "action", "outcome", "subtype"} & event.keys()
    assert event["type"]["code"] == "destroy"
    assert event["agent"] == [{"who": {"display": "not known any more"}, "requestor": False}]
    (record,) = event["entity"]
    assert (record["what"]["identifier"]["value"], record["lifecycle"]["code"]) == (event["id"], "15")
