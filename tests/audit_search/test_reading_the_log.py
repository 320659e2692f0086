"""An auditor reads the log by token, an operator at the machine: what they see, and what stands in the log of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from plugin.cli import main
from plugin.event import RetentionClass
from plugin.ledger import writer
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.reader import Reader
from plugin.ledger.sqlite import SqliteStore
from tests.audit.bodies import consultation, log_reading
from tests.ledger.retaining import purge
from tests.world import CONFIGURATION, PUBLIC_BASE, Asked, World, observation

AUDITORS = CONFIGURATION.replace(
    'fhir_base = "https://ehr.example/fhir"',
    'fhir_base = "https://ehr.example/fhir"\nauditors = { claim = "roles", values = ["auditor"] }',
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A hospital with auditors, in which two people looked at p1's results and one tried to write."""
    made = World(tmp_path, AUDITORS)
    made.lab.resources += [observation("o1")]
    made.ask("/fhir/city-lab/Observation?patient=p1")
    made.ask("/fhir/city-lab/Observation?patient=p1", token=made.token(sub="dr-lee", fhirUser="Practitioner/dr-lee"))
    made.ask("/fhir/city-lab/Observation", method="POST", json={})
    return made


def auditor(world: World, *, purpose: str | None = "HCOMPL", **claims: Any) -> str:
    iua = {} if purpose is None else {"extensions": {"ihe_iua": {"purpose_of_use": [purpose]}}}
    given = {"sub": "a-1", "roles": ["auditor"], "scope": "user/AuditEvent.rs", "fhirUser": "Practitioner/a-1"}
    return world.token(without=("patient",), **{**given, **iua, **claims})


def search(world: World, query: str = "", **claims: Any) -> Asked:
    return world.ask(f"/fhir/AuditEvent{query}", token=auditor(world, **claims))


def ids(answer: Asked) -> list[str]:
    return [each["resource"]["id"] for each in answer.json.get("entry", [])]


def test_an_auditor_finds_who_looked_at_a_patient_and_leaves_a_record(world: World) -> None:
    """The main job of a log."""
    answer = search(world, "?patient=p1&outcome=0")
    assert answer.status == 200
    assert ids(answer) == ["1", "0"]
    people = [each["resource"]["agent"][2]["who"]["identifier"]["value"] for each in answer.json["entry"]]
    assert people == ["dr-lee", "dr-roy"]
    record = world.last()
    assert record["action"] == "log:read"
    assert record["request"] == answer.headers["X-Request-Id"]
    assert record["person"]["subject"] == "a-1"
    assert record["purpose"] == {"codes": ["HCOMPL"], "source": "claim"}
    assert record["asked"] == {
        "interaction": "search-type",
        "query": "AuditEvent?patient=p1&outcome=0&_sort=-date&_count=50",
        "continued": False,
        "unrecorded_parameters": 0,
        "log_first": 0,
        "log_last": 1,
    }
    assert "patient" not in record


def test_a_search_by_form_is_the_same(world: World) -> None:
    answer = world.ask(
        "/fhir/AuditEvent/_search", method="POST", token=auditor(world), data={"outcome": "4", "type": "rest"}
    )
    assert ids(answer) == ["2"]
    assert world.last()["asked"]["query"] == "AuditEvent?outcome=4&type=rest&_sort=-date&_count=50"


def test_the_answer_and_its_record_are_found_by_the_request_id(world: World) -> None:
    """BALP's XrequestId joins them from outside."""
    looked = world.ask("/fhir/city-lab/Observation?patient=p1").headers["X-Request-Id"]
    assert ids(search(world, f"?entity.identifier={looked}")) == ["3"]


def test_one_event_is_read_by_its_position(world: World) -> None:
    answer = world.ask("/fhir/AuditEvent/1", token=auditor(world, scope="user/AuditEvent.r"))
    assert (answer.status, answer.json["resourceType"], answer.json["id"]) == (200, "AuditEvent", "1")
    assert world.last()["asked"]["interaction"] == "read"
    assert world.ask("/fhir/AuditEvent/99", token=auditor(world)).status == 404
    assert (world.last()["action"], world.last()["reason"]) == ("log:denied", "not-found")


def test_pages_go_on_for_their_reader_alone_and_do_not_grow(world: World) -> None:
    """The record of each page is younger than the search that it belongs to."""
    first = search(world, "?_count=2&_sort=date")
    going_on = first.link("next")
    assert ids(first) == ["0", "1"]
    assert going_on is not None
    other = world.ask(going_on, token=auditor(world, sub="a-2", fhirUser="Practitioner/a-2"))
    assert (other.status, other.reason) == (403, "page-link-foreign")
    second = world.ask(going_on, token=auditor(world))
    assert ids(second) == ["2"]
    assert second.link("next") is None
    assert world.last()["asked"]["continued"] is True
    assert world.ask(f"/fhir/city-lab/Observation{going_on[going_on.index('?') :]}").reason == "page-link-invalid"


@pytest.mark.parametrize(
    ("claims", "status", "reason"),
    [
        ({"roles": []}, 403, "access-denied"),
        ({"roles": ["physician"]}, 403, "access-denied"),
        ({"purpose": None}, 403, "access-denied"),
        ({"purpose": "TREAT"}, 403, "access-denied"),
        ({"purpose": "HRESCH"}, 403, "access-denied"),
        ({"fhirUser": "Patient/p1"}, 403, "access-denied"),
        ({"scope": "patient/*.rs"}, 403, "insufficient-scope"),
        ({"scope": "patient/AuditEvent.rs", "patient": "p1"}, 403, "insufficient-scope"),
        ({"scope": "user/AuditEvent.r"}, 403, "insufficient-scope"),
        ({"scope": "system/AuditEvent.rs user/Observation.rs"}, 403, "insufficient-scope"),
        ({"scope": "user/AuditEvent.rs?category=x"}, 403, "insufficient-scope"),
    ],
    ids=str,
)
def test_whoever_is_no_auditor_with_a_purpose_and_a_scope_sees_nothing(
    world: World, claims: dict[str, Any], status: int, reason: str
) -> None:
    """And the attempt is recorded."""
    answer = search(world, "?patient=p1", **claims)
    assert (answer.status, answer.reason) == (status, reason)
    assert b"dr-lee" not in answer.data
    record = world.last()
    assert (record["action"], record["outcome"], record["reason"]) == ("log:denied", "4", reason)


@pytest.mark.parametrize("purpose", ["HCOMPL", "HSYSADMIN", "HLEGAL", "PATRQT"])
def test_purposes_of_oversight_open_the_log(world: World, purpose: str) -> None:
    assert search(world, "?outcome=4", purpose=purpose).status == 200


def test_a_missing_scope_is_named_in_the_challenge(world: World) -> None:
    challenge = search(world, scope="openid").headers["WWW-Authenticate"]
    assert 'scope="user/AuditEvent.s"' in challenge
    assert f'resource_metadata="{PUBLIC_BASE}/.well-known/oauth-protected-resource/fhir"' in challenge


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?_summary=count", "refused-parameter"),
        ("?colour=red", "unknown-parameter"),
        ("?patient:Patient=p1", "refused-parameter"),
        ("?date=yesterday", "invalid-value"),
        ("?patient.identifier=urn:oid:1.2|280015999090180", "invalid-value"),
    ],
)
def test_what_is_not_offered_is_refused_under_the_readers_name(world: World, query: str, reason: str) -> None:
    answer = search(world, query)
    assert (answer.status, answer.reason) == (400, reason)
    record = world.last()
    assert (record["action"], record["reason"], record["person"]["subject"]) == ("log:denied", reason, "a-1")
    assert "280015999090180" not in str(record)


def test_nobody_writes_to_the_log(world: World) -> None:
    """Not an auditor, not a clinician."""
    for token in (auditor(world), world.token()):
        for method, path, allow in (
            ("POST", "/fhir/AuditEvent", "GET"),
            ("PUT", "/fhir/AuditEvent/1", "GET"),
            ("DELETE", "/fhir/AuditEvent/1", "GET"),
        ):
            answer = world.ask(path, token=token, method=method)
            assert (answer.status, answer.reason, answer.headers["Allow"]) == (405, "view-only", allow)
            assert (world.last()["action"], world.last()["rules"]) == ("log:denied", ["view-only"])
    assert world.ask("/fhir/AuditEvent/$expunge", method="POST", token=auditor(world)).status == 403
    assert len(world.bodies()) == 3 + 6 + 1


@pytest.mark.parametrize(
    ("method", "path", "action", "verb"),
    [
        ("POST", "/fhir/AuditEvent", "C", "create"),
        ("DELETE", "/fhir/AuditEvent/1", "D", "delete"),
        ("GET", "/fhir/AuditEvent/1/_history", "R", "history-instance"),
    ],
)
def test_what_was_tried_at_the_log_is_told_as_what_it_was(
    world: World, method: str, path: str, action: str, verb: str
) -> None:
    """Whoever tried to delete from the log did not retrieve it, and read nothing from position 0 on."""
    world.ask(path, token=auditor(world), method=method)
    found, *_ = search(world, f"?subtype={verb}").json["entry"]
    event = found["resource"]
    assert (event["type"]["code"], event["action"], event["outcome"]) == ("rest", action, "4")
    details = {each["type"]: each["valueString"] for each in event["entity"][0]["detail"]}
    assert (event["entity"][0]["name"], details["action"]) == ("Security Audit Log", "log:denied")
    assert "log-first" not in details


def test_without_a_token_there_is_a_challenge_and_no_record(world: World) -> None:
    before = len(world.named())
    assert world.ask("/fhir/AuditEvent?patient=p1", token="").status == 401
    assert len(world.named()) == before


def test_an_auditor_sees_the_own_tenant_only(world: World) -> None:
    """Another EHR's records, and what an operator asked, are not theirs to read."""
    recorder = world.assembled.recorder
    for tenant, body in (("clinic", consultation()), ("gateway", log_reading())):
        recorder.append(body, tenant=tenant, retention_class=RetentionClass.CONSULTATION)
    assert ids(search(world)) == ["2", "1", "0"]
    assert world.ask("/fhir/AuditEvent/3", token=auditor(world)).status == 404


def test_a_purged_record_was_there_once(world: World) -> None:
    """A position that the log never had is not found; what the header tells of another tenant's is not given away."""
    recorder, settings = world.assembled.recorder, world.settings.ledger
    recorder.append(consultation(), tenant="clinic", retention_class=RetentionClass.CONSULTATION)
    key = SigningKey(Reader(settings.path).meta().origin, load_private_key(settings.key_file))
    ledger = writer.Ledger(SqliteStore(settings.path), key)
    assert purge(ledger, settings.path, {"consultation": "1 days"}, datetime.now(UTC) + timedelta(days=2)) == 3
    ledger.close()
    for position, told in ((0, (410, "purged")), (3, (404, "not-found")), (99, (404, "not-found"))):
        answer = world.ask(f"/fhir/AuditEvent/{position}", token=auditor(world))
        assert (answer.status, answer.reason) == told
        assert world.last()["reason"] == told[1]


def test_a_ledger_that_cannot_be_written_shows_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No look without its record."""
    from plugin.errors import RecordUnavailable

    def refuse(*_: object, **__: object) -> None:
        raise RecordUnavailable

    monkeypatch.setattr(type(world.assembled.recorder), "append", refuse)
    answer = search(world, "?patient=p1")
    assert (answer.status, answer.reason) == (503, "no-store")
    assert b"dr-lee" not in answer.data


def test_the_open_documents_of_the_log_name_the_log(world: World) -> None:
    statement = world.ask("/fhir/metadata", token="").json
    assert statement["rest"][0]["resource"][0]["type"] == "AuditEvent"
    about = world.ask("/.well-known/oauth-protected-resource/fhir", token="").json
    assert about["resource"] == f"{PUBLIC_BASE}/fhir"
    assert about["scopes_supported"] == ["user/AuditEvent.rs"]


@pytest.mark.parametrize("document", ["metadata", "openapi.json"])
def test_the_open_documents_of_the_log_answer_get_alone(world: World, document: str) -> None:
    """They are no feeds of that name, which is what another method was told."""
    for method in ("HEAD", "POST", "PUT", "DELETE", "TRACE"):
        answer = world.ask(f"/fhir/{document}", method=method, token=auditor(world))
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
        assert (world.last()["action"], world.last()["reason"]) == ("log:denied", "method-not-allowed")


def command(world: World, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["--config", str(world.folder / "vitrine.toml"), "audit", "search", *arguments])


def test_an_operator_searches_at_the_machine_and_says_why(world: World) -> None:
    """All records, oldest first, in one recorded look."""
    asked = ("--reason", "patient's request", "--patient", "p1", "--outcome", "done", "--format", "fhir")
    result = command(world, *asked, "--person", "https://login.example|dr-lee", "--since", "2026", "--until", "2099")
    assert result.exit_code == 0
    assert [orjson.loads(each)["id"] for each in result.stdout.splitlines()] == ["1"]
    record = world.last()
    assert (record["action"], record["asked"]["log_reason"]) == ("log:read", "patient's request")
    assert record["asked"]["query"].startswith("AuditEvent?patient=p1&agent.identifier=https%3A")
    assert record["asked"]["query"].endswith("&outcome=0&date=ge2026&date=le2099&_sort=date")


def test_a_patient_is_named_at_the_machine_as_lists_show_them(world: World) -> None:
    """Two EHRs may have a patient p1 each, who are two people."""
    assert "patient hospital/p1" in command(world, "--reason", "r", "--patient", "hospital/p1").stdout
    assert "patient=https%3A%2F%2Fehr.example%2Ffhir%2FPatient%2Fp1&" in world.last()["asked"]["query"]
    assert "0 records" in command(world, "--reason", "r", "--patient", "hospital/p2").stderr
    assert command(world, "--reason", "r", "--patient", "elsewhere/p1").exit_code == 2


def test_an_operators_other_conditions_are_those_of_the_log(world: World) -> None:
    assert "2 records" in command(world, "--reason", "r", "--where", "entity=Observation/o1").stderr
    assert "0 records" in command(world, "--reason", "r", "--where", "policy=urn:none").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--reason", " "),
        ("--reason", "r", "--where", "colour=red"),
        ("--reason", "r", "--since", "yesterday"),
        ("--reason", "r", "--since", "2026-07", "--until", "2026-06"),
        ("--reason", "r", "--since", "2026-07,2027", "--until", "2028"),
        ("--reason", "r", "--where", "_count=1"),
    ],
)
def test_an_operator_is_told_in_one_sentence_what_cannot_be(world: World, arguments: tuple[str, ...]) -> None:
    before = len(world.bodies())
    result = command(world, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(world.bodies()) == before
