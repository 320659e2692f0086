"""Whatever arrives: no data but for the consult-only set, no 500, and an answer in FHIR's form."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faces.records_in_memory import Records, with_records_in_memory
from tests.world import Asked, World, lab_patient, observation

SECRET = "marked-718"
WORDS = (
    *("city-lab", "imaging", "elsewhere", "Observation", "Patient", "Subscription", "Binary", "_search", "_history"),
    *(
        "metadata",
        ".well-known",
        "smart-configuration",
        "openapi.json",
        "$everything",
        "$export",
        "$",
        "o1",
        "x1",
        "p1",
        "p2",
    ),
    *("lab-1", "", ".", "..", "%2e", "%2F", "%00", "\u00e9", "a b", ";v=1", "*", "?", "\n"),
)
NAMES = (
    *("patient", "subject", "patient:Patient", "subject.name", "code", "category", "date", "_id", "_count", "_sort"),
    *("_include", "_revinclude", "_has:Observation:patient:code", "_summary", "_total", "_elements", "_filter"),
    *("_page", "_format", "_pretty", "_security", "_method", ""),
)
VALUES = (
    "p1",
    "p2",
    "Patient/p1",
    "p1,p2",
    "o1",
    "x1",
    "1",
    "0",
    "-1",
    "201",
    "2026",
    "date",
    "-date",
    "json",
    "*",
    "",
)
HEADERS = ("Accept", "Prefer", "If-None-Match", "Range", "Origin", "X-Forwarded-For", "Content-Type", "Cookie")
METHODS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "B\u00c9")

segments = st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=6)
pairs = st.lists(
    st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), st.sampled_from(VALUES) | st.text(max_size=12)), max_size=4
)
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


class Fuzzed:
    """One world for all examples, as a new person each time; the feed holds another patient's result, marked."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.records: Records = with_records_in_memory(self.world)
        marked = {"coding": [{"system": "http://loinc.org", "code": SECRET}]}
        self.world.lab.resources += [
            observation("o1"),
            lab_patient("lab-2", ins="1"),
            observation("x1", patient="lab-2", code=marked),
        ]
        self.world.lab.ignores_parameters = True
        self.people = 0

    def ask(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Asked:
        self.people += 1
        environ = {"PATH_INFO": path.encode("utf-8", "surrogatepass").decode("latin-1"), "QUERY_STRING": query}
        return self.world.ask(
            "/",
            method=method,
            token=self.world.token(sub=f"dr-{self.people}"),
            headers=headers,
            data=body or None,
            content_type="application/x-www-form-urlencoded",
            environ_overrides=environ,
        )


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Fuzzed:
    return Fuzzed(tmp_path_factory.mktemp("fuzzed"))


def is_one_of_ours(answer: Asked, method: str) -> None:
    assert answer.status not in (500, 502), answer.data
    assert SECRET.encode() not in answer.data
    assert len(answer.headers["X-Request-Id"]) == 32
    if method == "HEAD":
        assert answer.status != 200
        return
    if answer.headers["Content-Type"] == "application/json":
        assert answer.json.keys() & {"capabilities", "openapi"}  # the open documents that are not FHIR
        return
    assert answer.headers["Content-Type"] == "application/fhir+json"
    kind = answer.json["resourceType"]
    assert (
        kind in ("Bundle", "Observation", "Patient", "CapabilityStatement")
        if answer.status == 200
        else kind == ("OperationOutcome")
    )


quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@quick
@given(st.sampled_from(METHODS), segments, pairs, pairs)
def test_no_request_gets_another_patients_data_or_breaks(
    fuzzed: Fuzzed, method: str, path: list[str], query: list[tuple[str, str]], form: list[tuple[str, str]]
) -> None:
    """Every answer under `/fhir` is a resource, a Bundle or an OperationOutcome, and was recorded once."""
    before = len(fuzzed.records.bodies)
    text = "&".join(f"{quote(n, errors='replace')}={quote(v, errors='replace')}" for n, v in query)
    body = "&".join(f"{quote(n, errors='replace')}={quote(v, errors='replace')}" for n, v in form).encode()
    answer = fuzzed.ask(method, "/fhir/" + "/".join(path), text, {}, body)
    is_one_of_ours(answer, method)
    opened = answer.status == 200 and answer.headers.get("Access-Control-Allow-Origin") == "*"
    if answer.status == 200 and not opened:
        assert method == "GET" or (method == "POST" and "_search" in path)
    assert len(fuzzed.records.bodies) - before == (0 if opened else 1)


@quick
@given(st.text(max_size=60), st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=60))
def test_no_text_as_a_path_or_query_breaks(fuzzed: Fuzzed, path: str, query: str) -> None:
    """Of any characters at all, surrogates included."""
    is_one_of_ours(fuzzed.ask("GET", "/fhir/" + path, query, {}, b""), "GET")


@quick
@given(st.binary(max_size=200))
def test_no_bytes_as_a_form_break(fuzzed: Fuzzed, body: bytes) -> None:
    """Nor as the body of a search."""
    is_one_of_ours(fuzzed.ask("POST", "/fhir/city-lab/Observation/_search", "", {}, body), "POST")


@quick
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(HEADERS, header_text),
    )
)
def test_no_header_breaks(fuzzed: Fuzzed, headers: dict[str, str]) -> None:
    """Nor turns an answer into another kind of answer."""
    answer = fuzzed.ask("GET", "/fhir/city-lab/Observation", "patient=p1", headers, b"")
    is_one_of_ours(answer, "GET")
    assert answer.status in (200, 406)


@quick
@given(header_text)
def test_no_text_as_authorization_breaks_or_lets_in(fuzzed: Fuzzed, text: str) -> None:
    """What is not a token of ours is nobody."""
    answer = fuzzed.world.ask("/fhir/city-lab/Observation", token="", headers={"Authorization": text})
    is_one_of_ours(answer, "GET")
    assert answer.status in (400, 401, 429)
