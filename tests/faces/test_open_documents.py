"""What anybody may read: what is offered, and where to be authorised for it. No patient data, no record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from fhir_adapters.interface import FeedUnavailable
from policies.vocabulary.resource_types import CONSULTABLE
from policies.vocabulary.search_parameters import REFUSED, includes
from tests.faces.records_in_memory import with_records_in_memory
from tests.world import CONFIGURATION, ISSUER, PUBLIC_BASE, World

METADATA = "/fhir/city-lab/metadata"
SMART = "/fhir/city-lab/.well-known/smart-configuration"
PROTECTED = "/.well-known/oauth-protected-resource/fhir/city-lab"
VALUES = {"token": "x", "date": "2026", "reference": "p1"}
ORIGIN = "https://pane.example"


class SilentIssuer(World):
    """The authorization server cannot be reached."""

    def published(self, url: str) -> bytes:
        raise FeedUnavailable("no answer")


@pytest.fixture
def silent(tmp_path: Path) -> SilentIssuer:
    return SilentIssuer(tmp_path)


def statement(world: World, feed: str = "city-lab") -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(world.ask(f"/fhir/{feed}/metadata", token="").data)
    return document


def listed(world: World) -> Iterator[tuple[str, str, str]]:
    """Type, name and kind of every search parameter that the statement lists."""
    for resource in statement(world)["rest"][0]["resource"]:
        for parameter in resource.get("searchParam", ()):
            yield resource["type"], parameter["name"], parameter["type"]


def test_the_capability_statement_is_valid_fhir(world: World) -> None:
    """By fhir.resources' R4B model, which is R4's here."""
    answer = world.ask(METADATA, token="")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/fhir+json")
    CapabilityStatement.model_validate_json(answer.data)
    document = answer.json
    assert document["fhirVersion"] == "4.0.1"
    assert document["implementation"]["url"] == f"{PUBLIC_BASE}/fhir/city-lab"


def test_the_capability_statement_lists_reading_and_searching_and_nothing_else(world: World) -> None:
    """view_only.md section 7."""
    [rest] = statement(world)["rest"]
    *consulted, files = rest["resource"]
    assert [each["type"] for each in consulted] == list(CONSULTABLE)
    assert (files["type"], files["interaction"]) == ("Binary", [{"code": "read"}])
    for each in consulted:
        assert [interaction["code"] for interaction in each["interaction"]] == ["read", "search-type"]
        assert each.get("operation", each.get("searchRevInclude")) is None
        assert each.get("searchInclude", []) == list(includes(each["type"]))
    assert "interaction" not in rest
    assert "operation" not in rest
    offered = statement(world, "imaging")["rest"][0]["resource"]
    assert [each["type"] for each in offered] == ["DiagnosticReport", "DocumentReference", "ImagingStudy", "Binary"]


@pytest.mark.slow
def test_every_listed_search_parameter_is_accepted_and_no_other_is(world: World) -> None:
    """A client believes the statement: npm's fhirclient finds the patient's parameter in it."""
    with_records_in_memory(world)
    by_type: dict[str, set[str]] = {}
    for resource_type, name, kind in listed(world):
        by_type.setdefault(resource_type, set()).add(name)
        value = "p1" if (resource_type, name) == ("Patient", "_id") else VALUES[kind]
        token = world.token(sub=f"dr-{resource_type}")
        assert world.ask(f"/fhir/city-lab/{resource_type}?{name}={value}", token=token).status == 200, name
    names = {name for each in by_type.values() for name in each} | REFUSED | {"identifier", "performer"}
    asked = len(world.lab.queries)
    for resource_type, known in by_type.items():
        token = world.token(sub=f"dr2-{resource_type}")
        for name in names - known:
            assert world.ask(f"/fhir/city-lab/{resource_type}?{name}=p1", token=token).status == 400, name
    assert len(world.lab.queries) == asked
    assert all({"patient"} <= known for each, known in by_type.items() if each != "Patient")


def test_the_capability_statement_says_where_to_be_authorised(world: World) -> None:
    """PyPI's fhirclient finds the addresses nowhere else."""
    security = statement(world)["rest"][0]["security"]
    [uris] = security["extension"]
    assert {each["url"]: each["valueUri"] for each in uris["extension"]} == {
        "authorize": f"{ISSUER}/authorize",
        "token": f"{ISSUER}/token",
    }
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    assert security["cors"] is False


def test_the_smart_configuration_passes_on_the_issuers_addresses(world: World) -> None:
    """App Launch 2.2: what a client needs, and what this resource server does itself."""
    answer = world.ask(SMART, token="")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    document = orjson.loads(answer.data)
    assert document == {
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["patient/*.rs", "user/*.rs", *(f"patient/{each}.rs" for each in CONSULTABLE)],
        "capabilities": ["permission-patient", "permission-user", "permission-v1", "permission-v2"],
    }


def test_the_protected_resource_metadata_is_that_of_the_base(world: World) -> None:
    """RFC 9728: `resource` equals the base that the document was derived from."""
    answer = world.ask(PROTECTED, token="")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    document = orjson.loads(answer.data)
    assert document["resource"] == f"{PUBLIC_BASE}/fhir/city-lab"
    assert document["authorization_servers"] == [ISSUER]
    assert document["bearer_methods_supported"] == ["header"]
    assert document["resource_name"] == "City laboratory"
    assert all(scope.endswith(".rs") for scope in document["scopes_supported"])


def test_every_scope_that_is_announced_means_something(world: World) -> None:
    """Each opens the search of its type."""
    with_records_in_memory(world)
    for number, scope in enumerate(orjson.loads(world.ask(PROTECTED, token="").data)["scopes_supported"]):
        resource_type = scope.partition("/")[2].partition(".")[0].replace("*", "Observation")
        token = world.token(sub=f"dr-{number}", scope=scope)
        assert world.ask(f"/fhir/city-lab/{resource_type}", token=token).status == 200, scope


def test_open_documents_leave_no_record_and_ask_no_feed(world: World) -> None:
    """They concern nobody."""
    for path in (METADATA, SMART, PROTECTED, f"{METADATA}?_format=json", f"{METADATA}/"):
        assert world.ask(path, token="").status == 200, path
    assert (world.named(), world.lab.queries) == ([], [])


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_open_documents_answer_get_only(world: World, method: str) -> None:
    """Under `/fhir` like every other address: first who, then what."""
    for path in (METADATA, SMART):
        assert world.ask(path, method=method, token="").status == 401
        answer = world.ask(path, method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert [body["reason"] for body in world.named()] == ["method-not-allowed"] * 2
    answer = world.ask(PROTECTED, method=method, token="")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


def test_documents_of_unknown_feeds_are_404(world: World) -> None:
    """And under `/fhir` for identified callers only."""
    for path in ("/fhir/elsewhere/metadata", "/fhir/elsewhere/.well-known/smart-configuration"):
        assert world.ask(path, token="").status == 401
        assert (world.ask(path).status, world.last()["reason"]) == (404, "unknown-feed")
    answer = world.ask("/.well-known/oauth-protected-resource/fhir/elsewhere", token="")
    assert (answer.status, answer.reason) == (404, "unknown-feed")


def test_a_silent_issuer_takes_discovery_down_and_not_the_capability_statement(silent: SilentIssuer) -> None:
    """The statement leaves the addresses out; a smart-configuration without them would be none."""
    assert "extension" not in statement(silent)["rest"][0]["security"]
    answer = silent.ask(SMART, token="")
    assert (answer.status, answer.issue, answer.reason) == (503, "transient", "issuer-unreachable")
    assert int(answer.headers["Retry-After"]) > 0
    assert silent.ask(PROTECTED, token="").status == 200


def test_a_silent_issuer_lets_nobody_in(silent: SilentIssuer) -> None:
    """Without its keys nobody can be identified: a reason to try again, not to fetch another token."""
    answer = silent.ask("/fhir/city-lab/Observation")
    assert (answer.status, answer.issue, answer.reason) == (503, "transient", "issuer-unreachable")
    assert "WWW-Authenticate" not in answer.headers
    assert silent.lab.queries == []


@pytest.fixture
def shared(tmp_path: Path) -> World:
    """A gateway that pages of one other origin may ask."""
    (tmp_path / "shared").mkdir()
    return World(tmp_path / "shared", CONFIGURATION.replace("demo = true", f'demo = true\ncors_origins = ["{ORIGIN}"]'))


def test_open_documents_are_for_pages_of_every_origin(world: World, shared: World) -> None:
    """App Launch 2.2 section 2: discovery happens before anybody is known."""
    for path in (METADATA, SMART, PROTECTED):
        answer = world.ask(path, token="", headers={"Origin": "https://elsewhere.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        answer = shared.ask(path, token="", headers={"Origin": ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_data_is_for_pages_of_configured_origins_only(world: World, shared: World) -> None:
    """Errors too: a page has to see why it was refused."""
    for path in ("/fhir/city-lab/Observation", "/fhir/city-lab/Observation/none", "/fhir/city-lab/$export"):
        answer = shared.ask(path, headers={"Origin": ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Origin" in answer.headers["Vary"]
        for origin in ("https://elsewhere.example", "null", ORIGIN + ".evil.example", ORIGIN.upper(), "*", ""):
            assert "Access-Control-Allow-Origin" not in shared.ask(path, headers={"Origin": origin}).headers
        assert "Access-Control-Allow-Origin" not in world.ask(path, headers={"Origin": ORIGIN}).headers
    refused = shared.ask("/fhir/city-lab/Observation", token="", headers={"Origin": ORIGIN})
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "WWW-Authenticate" in refused.headers["Access-Control-Expose-Headers"]
    assert statement(shared)["rest"][0]["security"]["cors"] is True


def test_preflights_of_configured_origins_are_answered_unrecorded(world: World, shared: World) -> None:
    """A browser asks before it sends a token; nothing happens, nobody is there yet."""
    wants = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    path = "/fhir/city-lab/Observation?patient=p1"
    answer = shared.ask(path, method="OPTIONS", token="", headers={"Origin": ORIGIN, **wants})
    assert (answer.status, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    before = shared.bodies()
    assert shared.assembled.strangers.summarise()
    assert shared.bodies() == before == []
    for asked, headers in (
        (shared, {"Origin": "https://elsewhere.example", **wants}),
        (shared, {"Origin": ORIGIN, "Access-Control-Request-Method": "DELETE"}),
        (shared, {"Origin": ORIGIN}),
        (shared, wants),
        (world, {"Origin": ORIGIN, **wants}),
    ):
        refused = asked.ask(path, method="OPTIONS", token="", headers=headers)
        assert refused.status == 401
        assert "Access-Control-Allow-Methods" not in refused.headers


def test_what_is_no_part_of_the_facade_is_for_no_other_origin(shared: World) -> None:
    """The log's hashes, the viewer's pages, and what does not exist: a configured origin is for FHIR."""
    wants = {"Access-Control-Request-Method": "GET"}
    for path in ("/", "/fhirx", "/ledger/checkpoint", "/view/1/", "/launch/hospital", "/.well-known/other"):
        for method in ("GET", "OPTIONS"):
            answer = shared.ask(path, method=method, headers={"Origin": ORIGIN, **wants})
            assert answer.status in (404, 405)
            assert "Access-Control-Allow-Origin" not in answer.headers


def test_no_answer_lets_a_page_use_the_browsers_own_credentials(shared: World) -> None:
    """A token is shown by the page that has it; cookies are none of its business."""
    wants = {"Access-Control-Request-Method": "GET"}
    for path in (METADATA, SMART, PROTECTED, "/fhir/city-lab/Observation"):
        for method in ("GET", "OPTIONS"):
            answer = shared.ask(path, method=method, headers={"Origin": ORIGIN, **wants})
            assert "Access-Control-Allow-Credentials" not in answer.headers
