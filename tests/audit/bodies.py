"""Record bodies for the tests of what the log says to a reader: one of each kind, and a strategy for many."""

from typing import Any

from hypothesis import strategies as st

from plugin.event import AuditAction, Outcome
from policies.vocabulary.interactions import CONSULTING, Interaction

BASE = "https://vitrine.hospital.example"
JTI = "urn:ietf:params:oauth:jti:6a1f"
HASHED = "urn:vitrine:token-sha256:00112233445566778899aabbccddeeff"

Body = dict[str, Any]

CONSULTATION_OUTCOMES = {
    AuditAction.CONSULTATION_RELEASED: Outcome.SUCCESS,
    AuditAction.CONSULTATION_DENIED: Outcome.REFUSED,
    AuditAction.CONSULTATION_FAILED: Outcome.FAILED,
    AuditAction.CONSULTATION_UNAVAILABLE: Outcome.UNAVAILABLE,
}


def header(position: int = 7) -> dict[str, Any]:
    """A header with what the events need."""
    return {"version": 1, "position": position, "time": "2026-03-02T08:15:03.120Z", "tenant": "hospital"}


def consultation(
    action: str = AuditAction.CONSULTATION_RELEASED, interaction: str = "search-type", **more: Any
) -> Body:
    """A consultation of a verified clinician, complete."""
    outcome = CONSULTATION_OUTCOMES[AuditAction(action)]
    body: Body = {
        "nonce": "n",
        "action": str(action),
        "record": "req-77.1",
        "request": "req-77",
        "outcome": str(outcome),
        "reason": None if outcome == Outcome.SUCCESS else "access-denied",
        "rules": ["core-treatment", "launch-patient"],
        "gateway": {"base": BASE, "version": "0.1.0", "policies": "sha256:ab"},
        "ehr": {"id": "hospital", "fhir_base": "https://ehr.hospital.example/fhir"},
        "person": {
            "issuer": "https://login.hospital.example",
            "subject": "u-123",
            "kind": "professional",
            "name": "Dr Alma Roy",
            "fhir_user": "https://ehr.hospital.example/fhir/Practitioner/9",
            "national_identifier": "810002909371",
            "roles": [{"system": "urn:oid:1.2.250.1.213.1.1.5.5", "code": "10", "display": None}],
            "organisation": "Hôpital central",
            "organisation_id": "750000001",
            "assurance": "eidas2",
        },
        "client": {"id": "results-pane", "address": "192.0.2.10"},
        "token": {"reference": JTI, "scopes": ["launch", "patient/Observation.rs"]},
        "purpose": {"codes": ["TREAT"], "source": "claim"},
        "patient": "p1",
        "care_relation": "launch",
        "asked": {
            "interaction": interaction,
            "level": "type" if interaction == "search-type" else "instance",
            "type": "Observation",
            "id": None if interaction == "search-type" else "77",
            "query": "Observation?patient=p1&category=laboratory",
            "unrecorded_parameters": 0,
            "delivery": "structured",
            "scope": "patient/Observation.s",
        },
        "feed": {"id": "city-lab", "answer": "answered", "match": "identifier", "calls": 2},
        "released": [{"reference": "Observation/77", "category": "test-results"}],
        "withheld": [{"reference": "Observation/78", "rule": "site-restricted"}],
        "foreign": 3,
    }
    if interaction == "search-type":
        body["released"].append({"reference": "DiagnosticReport/5", "category": "test-results"})
    if action != AuditAction.CONSULTATION_RELEASED:
        body["released"] = []
    body.update(more)
    return body


def operator() -> Body:
    """The person of a reading at the command line."""
    return {"issuer": "local", "subject": "root", "kind": "operator", "name": "root"}


def log_reading(action: str = AuditAction.LOG_READ, **more: Any) -> Body:
    """An operator reads the log."""
    outcome = {AuditAction.LOG_READ: "0", AuditAction.LOG_DENIED: "4", AuditAction.LOG_FAILED: "8"}[AuditAction(action)]
    body: Body = {
        "nonce": "n",
        "action": str(action),
        "record": "req-9.1",
        "request": "req-9",
        "outcome": outcome,
        "reason": None if outcome == "0" else "access-denied",
        "rules": ["log-operator"],
        "gateway": {"base": BASE, "version": "0.1.0", "policies": "sha256:ab"},
        "person": operator(),
        "client": {"id": "vitrine-cli", "address": "local"},
        "purpose": {"codes": ["HCOMPL"], "source": "operator"},
        "asked": {
            "interaction": "search-type",
            "type": "AuditEvent",
            "query": "AuditEvent?_position=ge0",
            "log_reason": "yearly review",
            "log_first": 0,
            "log_last": 6,
        },
    }
    body.update(more)
    return body


def callers(**more: Any) -> Body:
    """Unidentified callers, counted."""
    body: Body = {
        "nonce": "n",
        "action": str(AuditAction.CALLERS_REFUSED),
        "record": "req-5.1",
        "outcome": "4",
        "reason": "invalid-token",
        "gateway": {"base": BASE},
        "client": {"id": None, "address": "192.0.2.0/24"},
        "callers": {
            "reason": "invalid-token",
            "family": "facade",
            "count": 41,
            "since": "2026-03-02T08:14:00Z",
            "until": "2026-03-02T08:15:00Z",
        },
    }
    body.update(more)
    return body


def operation(action: str = AuditAction.GATEWAY_STARTED, **more: Any) -> Body:
    """Something that happened to the gateway itself."""
    body: Body = {
        "nonce": "n",
        "action": str(action),
        "record": "op-1.1",
        "outcome": "0",
        "gateway": {"base": BASE, "version": "0.1.0", "policies": "sha256:ab"},
        "note": "two workers",
    }
    body.update(more)
    return body


def event(action: str = AuditAction.PATIENT_INFORMED, **more: Any) -> Body:
    """Something that a clinician did about a patient beside looking."""
    body = consultation()
    for absent in ("released", "withheld", "foreign", "care_relation"):
        del body[absent]
    body |= {"action": str(action), "asked": {"delivery": "rendered"}, "feed": {"id": "city-lab"}}
    body["record"] = "req-77.1-informed"
    body.update(more)
    return body


OPENING = {"opening": "req-77.1", "reason": "other", "text": "unconscious", "until": "2026-03-02T08:45:03.120Z"}


def break_glass(action: str = AuditAction.BREAK_GLASS_OPENED, **more: Any) -> Body:
    """Emergency access, asked for in the viewer."""
    outcome = {AuditAction.BREAK_GLASS_DENIED: "4", AuditAction.BREAK_GLASS_FAILED: "12"}.get(AuditAction(action), "0")
    reason = {"4": "access-denied", "12": "state-unavailable"}.get(outcome)
    body = event(action, record="req-77.1", outcome=outcome, reason=reason, break_glass=OPENING)
    del body["feed"]
    body["purpose"] = {"codes": ["BTG"], "source": "declared"}
    body.update(more)
    return body


SESSION_OUTCOMES = {
    AuditAction.SESSION_OPENED: Outcome.SUCCESS,
    AuditAction.SESSION_REFUSED: Outcome.REFUSED,
    AuditAction.SESSION_CLOSED: Outcome.SUCCESS,
    AuditAction.SESSION_FAILED: Outcome.UNAVAILABLE,
    AuditAction.PURPOSE_STATED: Outcome.SUCCESS,
    AuditAction.PURPOSE_REFUSED: Outcome.REFUSED,
    AuditAction.PAGE_PRINTED: Outcome.SUCCESS,
    AuditAction.PAGE_COPIED: Outcome.SUCCESS,
    AuditAction.PAGE_REFUSED: Outcome.REFUSED,
}


def session(action: str = AuditAction.SESSION_OPENED, **more: Any) -> Body:
    """What a person does with the viewer beside looking."""
    outcome = SESSION_OUTCOMES[AuditAction(action)]
    reason = {Outcome.REFUSED: "access-denied", Outcome.UNAVAILABLE: "state-unavailable"}.get(outcome)
    body = event(action, record="req-77.1", outcome=str(outcome), reason=reason)
    del body["feed"]
    body["session"] = {"opened": "req-77.1", "until": "2026-03-02T09:15:03.120Z"}
    body["token"] = {"reference": HASHED, "scopes": ["launch", "patient/*.rs"]}
    body.update(more)
    return body


def ended_by_itself() -> Body:
    """The end of an emergency access that nobody asked for."""
    body = break_glass(AuditAction.BREAK_GLASS_CLOSED, record="req-77.1-closed")
    for absent in ("client", "token", "asked"):
        del body[absent]
    body["person"] = {name: body["person"][name] for name in ("issuer", "subject", "kind")}
    body["break_glass"] = {"opening": "req-77.1", "reason": "other", "until": OPENING["until"], "closed_by": "time"}
    return body


OPERATIONS = (
    AuditAction.GATEWAY_STARTED,
    AuditAction.GATEWAY_STOPPED,
    AuditAction.LEDGER_OPENED,
    AuditAction.LEDGER_GAP,
    AuditAction.RELEASE_WITHDRAWN,
    AuditAction.LEDGER_VERIFIED,
    AuditAction.LEDGER_BROKEN,
    AuditAction.LEDGER_UNVERIFIED,
    AuditAction.SINK_FORKED,
    AuditAction.SPACE_LOW,
    AuditAction.CLOCK_DRIFTED,
    AuditAction.POLICY_LOADED,
)

SUSPENSION = {
    "kind": "person",
    "name": "https://login.hospital.example u-123",
    "reason": "case 7",
    "since": "2026-03-02T08:15:03.120000Z",
}
OF_ACCESS: dict[str, Body] = {
    str(action): operation(action, suspension=SUSPENSION)
    for action in (AuditAction.ACCESS_SUSPENDED, AuditAction.ACCESS_RESUMED)
}

HOLD = {"id": "h1", "reason": "case 7", "patient": "https://ehr.hospital.example/fhir/Patient/p1", "first": 3}
OF_THE_LEDGER: dict[str, Body] = {
    str(AuditAction.LEDGER_PURGED): operation(
        AuditAction.LEDGER_PURGED,
        purge={
            "reason": "yearly",
            "due": [
                {
                    "retention_class": "consultation",
                    "tenant": None,
                    "period": "1-year",
                    "before": "2025-01-01T00:00:00.000000Z",
                    "ranges": [[0, 4], [7, 7]],
                }
            ],
        },
    ),
    str(AuditAction.LEDGER_HELD): operation(AuditAction.LEDGER_HELD, hold=HOLD),
    str(AuditAction.LEDGER_HOLD_LIFTED): operation(
        AuditAction.LEDGER_HOLD_LIFTED, hold={"id": "h1", "reason": "settled"}
    ),
    str(AuditAction.LEDGER_KEY_ROTATED): operation(
        AuditAction.LEDGER_KEY_ROTATED, rotation={"reason": "yearly", "note": "two\nkeys\n"}
    ),
    str(AuditAction.LEDGER_RECOVERED): operation(
        AuditAction.LEDGER_RECOVERED, lost={"reason": "disk lost", "origin": "vitrine.example/ledger/1", "size": 7}
    ),
    str(AuditAction.LEDGER_UPGRADED): operation(
        AuditAction.LEDGER_UPGRADED, upgraded={"reason": "version 2", "before": 1, "after": 2}
    ),
}

ONE_OF_EACH: dict[str, Body] = {
    **OF_THE_LEDGER,
    **OF_ACCESS,
    **{
        f"{action} {interaction}": consultation(action, interaction)
        for action in CONSULTATION_OUTCOMES
        for interaction in Interaction
        if action != AuditAction.CONSULTATION_RELEASED or interaction in {"read", "search-type"}
    },
    "empty search": consultation(released=[], withheld=[], foreign=0),
    "opaque token": consultation(token={"reference": HASHED, "scopes": []}),
    **{
        str(action): log_reading(action)
        for action in (AuditAction.LOG_READ, AuditAction.LOG_DENIED, AuditAction.LOG_FAILED)
    },
    **{
        f"{action} {interaction}": log_reading(action, asked={"interaction": str(interaction)})
        for action in (AuditAction.LOG_DENIED, AuditAction.LOG_FAILED)
        for interaction in Interaction
        if interaction not in CONSULTING
    },
    "log by token": log_reading(
        person={"issuer": "https://login.hospital.example", "subject": "a-1", "kind": "professional"},
        client={"id": "console", "address": "2001:db8::7"},
        token={"reference": JTI, "scopes": ["user/AuditEvent.rs"]},
    ),
    "callers": callers(),
    **{str(action): operation(action) for action in OPERATIONS},
    str(AuditAction.PATIENT_INFORMED): event(),
    **{
        str(action): break_glass(action)
        for action in (
            AuditAction.BREAK_GLASS_OPENED,
            AuditAction.BREAK_GLASS_CLOSED,
            AuditAction.BREAK_GLASS_DENIED,
            AuditAction.BREAK_GLASS_FAILED,
        )
    },
    **{str(action): session(action) for action in SESSION_OUTCOMES},
    "break-glass that ended by itself": ended_by_itself(),
    "break-glass of nobody that is known": {
        name: value for name, value in ended_by_itself().items() if name not in {"person", "patient", "ehr"}
    },
    "look under break-glass": consultation(break_glass={"opening": "req-7.1"}, purpose={"codes": ["BTG"]}),
    "look that the patient was told of": consultation(informed="req-77.1-informed"),
}

_text = st.text(min_size=1, max_size=12)
_maybe_text = st.none() | st.text(max_size=12)
_id = st.from_regex(r"[A-Za-z0-9\-.]{1,20}", fullmatch=True)
_url = st.sampled_from([BASE, "https://login.example", "http://[::1]:8080/x"])
_type = st.sampled_from(["Observation", "DiagnosticReport", "DocumentReference", "Patient", "Binary"])
_reference = st.builds("{}/{}".format, _type, _id)
_rule = st.from_regex(r"[a-z\-]{1,12}", fullmatch=True)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries({}, optional=fields)


any_body: st.SearchStrategy[Body] = _some(
    record=_id,
    request=_id,
    outcome=st.sampled_from(list(Outcome)).map(str),
    reason=st.none() | _rule,
    rules=st.lists(_rule, max_size=3),
    gateway=_some(base=_url, version=_id, policies=_id),
    ehr=_some(id=_id, fhir_base=_url),
    person=_some(
        issuer=_url,
        subject=_text,
        kind=st.sampled_from(["professional", "patient", "machine", "operator"]),
        name=_maybe_text,
        fhir_user=st.none() | _url,
        national_identifier=_maybe_text,
        roles=st.lists(st.fixed_dictionaries({"system": _url, "code": _id, "display": _maybe_text}), max_size=2),
        organisation=_maybe_text,
        organisation_id=_maybe_text,
        assurance=_maybe_text,
    ),
    client=_some(id=st.none() | _text, address=st.sampled_from(["local", "other", "192.0.2.10", "2001:db8::1", ""])),
    token=_some(reference=st.sampled_from([JTI, HASHED]), scopes=st.lists(_rule, max_size=3)),
    purpose=_some(codes=st.lists(st.sampled_from(["TREAT", "COC", "HCOMPL"]), max_size=2), source=_rule),
    patient=st.none() | _id,
    care_relation=_rule,
    asked=_some(
        interaction=st.sampled_from(list(Interaction)).map(str),
        level=st.sampled_from(["base", "type", "instance"]),
        type=st.none() | _type,
        id=st.none() | _id,
        operation=st.none() | _rule,
        query=st.text(max_size=20),
        unrecorded_parameters=st.integers(0, 9),
        delivery=st.sampled_from(["rendered", "structured"]),
        scope=_rule,
        continued=st.booleans(),
        file=st.integers(1, 9),
        page=st.integers(1, 9),
        log_reason=st.text(max_size=20),
        log_first=st.integers(0, 9),
        log_last=st.integers(0, 9),
    ),
    feed=_some(id=_rule, answer=_rule, match=_rule, calls=st.integers(0, 9)),
    released=st.lists(st.fixed_dictionaries({"reference": _reference, "category": _rule}), max_size=4),
    withheld=st.lists(st.fixed_dictionaries({"reference": _reference, "rule": _rule}), max_size=4),
    foreign=st.integers(0, 9),
    informed=_id,
    break_glass=_some(opening=_id, reason=_rule, text=st.text(max_size=20), until=_id, closed_by=_rule),
    callers=_some(reason=_rule, family=_rule, count=st.integers(1, 99), since=_id, until=_id),
    note=st.text(max_size=20),
).flatmap(lambda body: st.sampled_from([*map(str, AuditAction)]).map(lambda action: {**body, "action": action}))
"""Bodies of every kind in which any key may be missing."""
