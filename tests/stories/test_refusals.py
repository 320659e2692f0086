"""Each address and trick of FHIR's REST API that is not a look at one patient: refused and recorded."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from policies.vocabulary.interactions import OPERATIONS
from policies.vocabulary.resource_types import CONSULTABLE
from tests.faces.records_in_memory import with_records_in_memory
from tests.world import CLIENT, Asked, World, lab_patient, observation

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW")
FEW = ("GET", "HEAD", "POST", "DELETE", "BREW")
"""One of each kind, where the method changes nothing but the name of the attempt."""
WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

VIEW_ONLY_BASE = (403, "not-supported", "view-only")
VIEW_ONLY = (405, "not-supported", "view-only")
GET_ONLY = (405, "not-supported", "method-not-allowed")
NO_TYPE = (404, "not-found", "unknown-type")
NO_HANDLE = (404, "not-found", "not-found")
"""Of a Binary: none is there but those that we named."""
NO_ADDRESS = (404, "not-found", "unknown-address")
NO_FEED = (404, "not-found", "unknown-feed")
KNOWN_OPERATION = (403, "forbidden", "operation-refused")
NO_OPERATION = (404, "not-supported", "unknown-operation")
METHOD_OVERRIDE = (400, "not-supported", "method-override")
REFUSED_PARAMETER = (400, "not-supported", "refused-parameter")
UNKNOWN_PARAMETER = (400, "not-supported", "unknown-parameter")
INVALID = (400, "value", "invalid-value")
REPEATED = (400, "value", "repeated-parameter")
AMBIGUOUS = (400, "value", "patient-ambiguous")
NOT_ACCEPTABLE = (406, "not-supported", "not-acceptable")
UNSUPPORTED = (415, "not-supported", "unsupported-media-type")
TOO_LARGE = (413, "too-long", "body-too-large")
DENIED = (403, "forbidden", "access-denied")
ABSENT = (404, "not-found", "not-found")


@dataclass(frozen=True)
class Row:
    """A request, and how it must be refused."""

    method: str
    path: str
    refusal: tuple[int, str, str]
    """Status, issue code, reason."""
    interaction: str
    allow: str = ""
    """Of a 405."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path} {dict(self.headers)}"


class Unread(io.BytesIO):
    """A body that nobody may read."""

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("the body of a refused request was read")

    read1 = readline = readinto = read  # type: ignore[assignment]


def meant(method: str, by_get: str = "unknown") -> str:
    return by_get if method == "GET" else WRITES.get(method, "unknown")


def meant_by_post(method: str, by_post: str) -> str:
    return by_post if method == "POST" else meant(method)


def on_bases() -> Iterator[Row]:
    """Transaction, batch, system search, system history: no look at one patient begins at a base."""
    for method in METHODS:
        interaction = "transaction" if method == "POST" else meant(method, "search-system")
        for path in ("", "/", "?_type=Observation", "?name=roy"):
            yield Row(method, f"/fhir/city-lab{path}", VIEW_ONLY_BASE, interaction)
        yield Row(method, "/fhir/city-lab/_history", VIEW_ONLY_BASE, meant(method, "history-system"))
        yield Row(method, "/fhir/city-lab/_search", VIEW_ONLY_BASE, meant_by_post(method, "search-system"))
        if method != "GET":
            for document in ("metadata", ".well-known/smart-configuration", "openapi.json"):
                yield Row(method, f"/fhir/city-lab/{document}", GET_ONLY, meant(method), allow="GET")


def on_types_and_instances() -> Iterator[Row]:
    for method in METHODS:
        for resource_type in CONSULTABLE if method in ("POST", "PUT") else ("Observation", "Patient"):
            if method != "GET":
                yield Row(method, f"/fhir/city-lab/{resource_type}", VIEW_ONLY, meant(method), allow="GET")
                yield Row(method, f"/fhir/city-lab/{resource_type}/x1", VIEW_ONLY, meant(method), allow="GET")
            if method != "POST":
                path = f"/fhir/city-lab/{resource_type}/_search"
                yield Row(method, path, VIEW_ONLY, meant(method), allow="POST")
        for path, interaction in (
            ("Observation/_history", "history-type"),
            ("Observation/_history?_since=2020", "history-type"),
            ("Observation/o1/_history", "history-instance"),
            ("Observation/o1/_history/1", "vread"),
            ("Patient/p1/_history", "history-instance"),
        ):
            yield Row(method, f"/fhir/city-lab/{path}", VIEW_ONLY, meant(method, interaction))


def on_compartments() -> Iterator[Row]:
    for method in FEW:
        if method != "GET":
            yield Row(method, "/fhir/city-lab/Patient/p1/Observation", VIEW_ONLY, meant(method), allow="GET")
        if method != "POST":
            path = "/fhir/city-lab/Patient/p1/Observation/_search"
            yield Row(method, path, VIEW_ONLY, meant(method), allow="POST")
        for path in (
            "Patient/p1/*",
            "Patient/p1/Patient",
            "Patient/p1/Patient/_search",
            "Patient/p1/Observation/o1",
            "Patient/p1/Observation/_history",
            "Patient/p1/Observation/$lastn",
            "Encounter/e1/Observation",
            "Practitioner/d1/Observation",
            "Device/d1/Observation/_search",
            "RelatedPerson/r1/Observation",
        ):
            yield Row(method, f"/fhir/city-lab/{path}", NO_ADDRESS, meant(method))


ELSEWHERE = ("Account", "AuditEvent", "Binary", "Bundle", "Communication", "Composition", "Consent", "Encounter")
PUSHING = ("Group", "MessageHeader", "Organization", "Practitioner", "Subscription", "Task")


def on_types_that_are_not_consulted() -> Iterator[Row]:
    """Subscription, messages with side effects, raw Binary; and a type that this feed alone does not offer."""
    places = [("city-lab", each) for each in (*ELSEWHERE, *PUSHING)]
    for method in FEW:
        for feed, resource_type in places:
            base = f"/fhir/{feed}/{resource_type}"
            looks = method == "GET"
            yield Row(method, base, NO_TYPE if looks else VIEW_ONLY, meant(method, "search-type"))
            absent = NO_HANDLE if resource_type == "Binary" else NO_TYPE
            refusal = absent if looks else VIEW_ONLY
            yield Row(method, f"{base}/x1", refusal, meant(method, "read"), "GET" if resource_type == "Binary" else "")
            searched = NO_TYPE if method == "POST" else VIEW_ONLY
            yield Row(method, f"{base}/_search", searched, meant_by_post(method, "search-type"))
        yield (
            Row(method, "/fhir/city-lab/Patient/p1/Account", NO_TYPE, "search-type")
            if method == "GET"
            else Row(method, "/fhir/city-lab/Patient/p1/Account", VIEW_ONLY, meant(method))
        )


AT_LEVELS = ("", "/Patient", "/Patient/p1", "/Observation", "/Observation/o1", "/Composition/c1", "/Subscription/s1")


def on_operations() -> Iterator[Row]:
    """Each operation at each level, by GET and POST, whatever its parameters; unknown ones apart."""
    for operation in sorted(OPERATIONS):
        for level in ("", "/Observation", "/Patient/p1"):
            for method in ("GET", "POST"):
                yield Row(method, f"/fhir/city-lab{level}/${operation}", KNOWN_OPERATION, "operation")
    for operation in ("everything", "document", "meta-add", "status"):
        for level in AT_LEVELS:
            yield Row("POST", f"/fhir/city-lab{level}/${operation}", KNOWN_OPERATION, "operation")
    for method in METHODS:
        for path in ("$export?_outputFormat=ndjson", "Patient/$everything", "Patient/p1/$everything?_count=1000"):
            yield Row(method, f"/fhir/city-lab/{path}", KNOWN_OPERATION, "operation")
        for level in AT_LEVELS:
            yield Row(method, f"/fhir/city-lab{level}/$hand-over", NO_OPERATION, "operation")
            yield Row(method, f"/fhir/city-lab{level}/$Everything", NO_OPERATION, "operation")
        yield Row(method, "/fhir/city-lab/$", NO_OPERATION, "operation")
    for prefer in ("respond-async", "return=representation", "handling=lenient"):
        yield Row("GET", "/fhir/city-lab/$export", KNOWN_OPERATION, "operation", headers=(("Prefer", prefer),))
    persist = "/fhir/city-lab/Composition/c1/$document?persist=true"
    yield Row("GET", persist, KNOWN_OPERATION, "operation")
    pushing = "/fhir/city-lab/$process-message?async=true&response-url=https://elsewhere.example"
    yield Row("POST", pushing, KNOWN_OPERATION, "operation")


def on_addresses_that_mean_nothing() -> Iterator[Row]:
    """A path is judged as what it decodes to, and nothing is repaired but one slash at the end."""
    observations = "/fhir/city-lab/Observation"
    for method in FEW:
        for path in (
            "/fhir/city-lab//Observation",
            "/fhir/city-lab/Observation//",
            "/fhir/city-lab/Observation//o1",
            "/fhir/city-lab/./Observation",
            "/fhir/city-lab/Observation/..",
            "/fhir/city-lab/../city-lab/Observation/o1",
            "/fhir/city-lab/%2e%2e/Observation",
            "/fhir/city-lab/Observation/%2E%2E",
            "/fhir/city-lab/Observation/%2e",
            "/fhir/city-lab/Observation.",
            "/fhir/city-lab/Observation/o1.",
            "/fhir/city-lab/Observation/o1/.",
            "/fhir/city-lab/Observation%00",
            "/fhir/city-lab/Observation/o1%00",
            "/fhir/city-lab/Observation/o1%0A",
            "/fhir/city-lab/Observation/%0d%0aX:y",
            "/fhir/city-lab/Observation/%252e%252e",
            "/fhir/city-lab/Observation%252Fo1",
            "/fhir/city-lab/Observation/%25o1",
            "/fhir/city-lab/Observation/o%C3%A9",
            "/fhir/city-lab/Observation/%ff",
            "/fhir/city-lab/Observation/o1;v=2",
            "/fhir/city-lab/Observation;a=b",
            "/fhir/city-lab/Observation/" + "o" * 65,
            "/fhir/city-lab/Observation/o1/extra",
            "/fhir/city-lab/observation",
            "/fhir/city-lab/observation/o1",
            "/fhir/city-lab/metadata/extra",
            "/fhir/city-lab/_history/1",
            "/fhir/city-lab/.well-known/openid-configuration",
            "/fhir/city-lab/https:%2F%2Flab.example%2Ffhir%2FObservation",
            "/fhir//city-lab/Observation",
        ):
            yield Row(method, path, NO_ADDRESS, meant(method))
        for path in ("/fhir/city-lab/OBSERVATION", "/fhir/city-lab/Observations", "/fhir/city-lab/Unheard/o1"):
            yield Row(method, path, NO_TYPE, meant(method))
        for path in ("/fhir/elsewhere/Observation", "/fhir/City-Lab/Observation", "/fhir/https:/lab.example/fhir"):
            interaction = meant(method, "search-type") if path.endswith("Observation") else meant(method)
            yield Row(method, path, NO_FEED, interaction)
        for path in ("/fhir", "/fhir/"):
            yield Row(method, path, NO_ADDRESS, "transaction" if method == "POST" else meant(method, "search-system"))
    yield Row("GET", "/fhir/elsewhere/metadata", NO_FEED, "capabilities")
    # One address written in two ways is one address: what it decodes to is refused by the same row as itself.
    yield Row("DELETE", "/fhir/city-lab/Observation%2Fo1", VIEW_ONLY, "delete", allow="GET")
    yield Row("DELETE", "/fhir/city-lab/%4fbservation/%6f1", VIEW_ONLY, "delete", allow="GET")
    yield Row("DELETE", f"{observations}/", VIEW_ONLY, "delete", allow="GET")


def by_tricks_of_headers() -> Iterator[Row]:
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x-http-method-override"):
        for method, path in (
            ("GET", "Observation?patient=p1"),
            ("POST", "Observation/_search"),
            ("POST", "Observation"),
            ("POST", ""),
            ("GET", "Observation/o1"),
        ):
            interactions = {"Observation": "create", "": "transaction", "Observation/o1": "read"}
            interaction = interactions.get(path, "search-type")
            tricked = ((header, "DELETE"),)
            yield Row(method, f"/fhir/city-lab/{path}", METHOD_OVERRIDE, interaction, headers=tricked)
    create = "/fhir/city-lab/Observation"
    for header in (
        ("If-None-Exist", "identifier=x"),
        ("Prefer", "respond-async"),
        ("Prefer", "return=minimal"),
        ("If-Match", 'W/"1"'),
        ("X-Original-URL", "/fhir/city-lab/metadata"),
        ("Expect", "100-continue"),
    ):
        yield Row("POST", create, VIEW_ONLY, "create", allow="GET", headers=(header,))
    for path in ("Observation?patient=p1", "Observation/o1"):
        interaction = "read" if path.endswith("o1") else "search-type"
        for wanted in (
            "application/fhir+xml",
            "application/xml",
            "text/html",
            "application/pdf",
            "text/turtle",
            "application/fhir+ndjson",
            "image/*",
            "application/fhir+json;q=0",
            "application/fhir+json; fhirVersion=5.0",
        ):
            headers = (("Accept", wanted),)
            yield Row("GET", f"/fhir/city-lab/{path}", NOT_ACCEPTABLE, interaction, headers=headers)


PARAMETER_TRICKS: tuple[tuple[str, tuple[int, str, str]], ...] = (
    *(
        (trick, REFUSED_PARAMETER)
        for trick in (
            "_include=Observation:subject",
            "_include:iterate=Observation:subject",
            "_include=*",
            "_revinclude=Provenance:target",
            "_revinclude:iterate=Provenance:target",
            "_has:Observation:patient:code=1234-5",
            "_summary=count",
            "_summary=true",
            "_summary=data",
            "_total=accurate",
            "_elements=id",
            "_filter=status%20eq%20final",
            "_query=everything",
            "_security=http://terminology.hl7.org/CodeSystem/v3-ActCode|HIV",
            "_security:not=R",
            "_tag=x",
            "_profile=x",
            "_source=x",
            "_list=42",
            "_text=hiv",
            "_content=hiv",
            "_contained=true",
            "_containedType=contained",
            "_type=Observation,Condition",
            "_since=2020-01-01",
            "_outputFormat=ndjson",
            "_typeFilter=Observation",
            "_graph=x",
            "_method=DELETE",
        )
    ),
    *(
        (trick, UNKNOWN_PARAMETER)
        for trick in (
            "performer.name=roy",
            "code:in=http://vs",
            "code:not=1",
            "code:text=hiv",
            "status:missing=true",
            "date:exact=2020",
            "encounter.status=finished",
            "encounter:Encounter=1",
            "value-quantity=gt5",
            "identifier=x",
            "performer=Practitioner/1",
            "Patient=p1",
            "CODE=1",
            "cod%65%20=1",
            "_page_=1",
            "_getpages=1",
            "_getpagesoffset=50",
            "_offset=100",
            "page=2",
            "_id:not=o1",
            "%00=1",
            "=1",
            "<script>=1",
        )
    ),
    *(
        (f"_format={trick}", NOT_ACCEPTABLE)
        for trick in ("xml", "html", "text/html", "application/pdf", "application/fhir%2Bxml", "ttl", "ndjson")
    ),
    *(
        (trick, INVALID)
        for trick in ("_format=", "_pretty=perhaps", "_count=0", "_count=-1", "_sort=code", "_sort=_security", "code=")
    ),
    *(
        (trick, REPEATED)
        for trick in (
            "_count=1&_count=2",
            "_id=a&_id=b",
            "encounter=1&encounter=2",
            "_sort=date&_sort=date",
        )
    ),
    *(
        (trick, AMBIGUOUS)
        for trick in (
            "patient=p2&patient=p1",
            "subject=Patient/p2",
            "patient=p1,p2",
            "subject=p1,p1",
            "patient:Patient=p1",
            "subject:Patient=p1",
            "subject:identifier=x|1",
            "patient.identifier=x|1",
            "subject.name=roy",
            "patient:missing=true",
        )
    ),
)


def by_tricks_of_parameters() -> Iterator[Row]:
    """In the address, in the body of a `_search`, and in an address with the rest in the body."""
    form = {"content_type": "application/x-www-form-urlencoded"}
    for trick, refusal in PARAMETER_TRICKS:
        yield Row("GET", f"/fhir/city-lab/Observation?patient=p1&{trick}", refusal, "search-type")
        body = f"patient=p1&{trick}".encode()
        yield Row("POST", "/fhir/city-lab/Observation/_search", refusal, "search-type", body=body, **form)
        mixed = f"/fhir/city-lab/Observation/_search?{trick}"
        yield Row("POST", mixed, refusal, "search-type", body=b"patient=p1", **form)
        compartment = f"/fhir/city-lab/Patient/p1/Observation?{trick}"
        yield Row("GET", compartment, refusal, "search-type")
    for trick in ("patient=p1", "code=1", "_count=1", "_id=o1"):
        yield Row("GET", f"/fhir/city-lab/Observation/o1?{trick}", UNKNOWN_PARAMETER, "read")
    for trick in ("_elements=id", "_summary=text", "_method=DELETE"):
        yield Row("GET", f"/fhir/city-lab/Observation/o1?{trick}", REFUSED_PARAMETER, "read")
    yield Row("GET", "/fhir/city-lab/Patient?_id=p1,p2", AMBIGUOUS, "search-type")
    yield Row("GET", "/fhir/city-lab/Patient?identifier=x|1", UNKNOWN_PARAMETER, "search-type")
    yield Row("GET", "/fhir/city-lab/Patient?name=roy", UNKNOWN_PARAMETER, "search-type")
    yield Row("GET", "/fhir/city-lab/AllergyIntolerance?subject=p1", UNKNOWN_PARAMETER, "search-type")


def by_another_patient() -> Iterator[Row]:
    for path in (
        "Observation?patient=p2",
        "Observation?subject=Patient/p2",
        "Patient/p2/Observation",
        "Patient?_id=p2",
    ):
        yield Row("GET", f"/fhir/city-lab/{path}", DENIED, "search-type")
    for path in ("Observation?patient=lab-1", "Patient/lab-1/Observation", "Patient?_id=lab-1"):
        yield Row("GET", f"/fhir/city-lab/{path}", DENIED, "search-type")
    form = {"content_type": "application/x-www-form-urlencoded"}
    search = "/fhir/city-lab/Patient/p2/Observation/_search"
    yield Row("POST", search, DENIED, "search-type", body=b"_count=1", **form)
    search = "/fhir/city-lab/Observation/_search?patient=p1"
    yield Row("POST", search, AMBIGUOUS, "search-type", body=b"patient=p2", **form)
    search = "/fhir/city-lab/Patient/p1/Observation/_search"
    yield Row("POST", search, AMBIGUOUS, "search-type", body=b"subject=Patient/p2", **form)
    yield Row("GET", "/fhir/city-lab/Patient/p1/Observation?patient=p2", AMBIGUOUS, "search-type")


def by_bodies() -> Iterator[Row]:
    search = "/fhir/city-lab/Observation/_search"
    form = "application/x-www-form-urlencoded"
    for body, kind, refusal in (
        (b"{}", "application/json", UNSUPPORTED),
        (b"patient=p1", "multipart/form-data; boundary=x", UNSUPPORTED),
        (b"patient=p1", None, UNSUPPORTED),
        (b"patient=\xff", form, INVALID),
        (b"patient=p1&code=%ff", form, INVALID),
        (b"&".join([b"code=1"] * 31), form, INVALID),
        (b"&".join([b"code=1"] * 101), form, INVALID),
        (b"code=" + b"1" * 65_536, form, TOO_LARGE),
        (b"code=" + b"1" * (1 << 21), form, TOO_LARGE),
    ):
        yield Row("POST", search, refusal, "search-type", body=body, content_type=kind)


WALKS = {
    "bases": on_bases,
    "types and instances": on_types_and_instances,
    "compartments": on_compartments,
    "types not consulted": on_types_that_are_not_consulted,
    "operations": on_operations,
    "addresses": on_addresses_that_mean_nothing,
    "headers": by_tricks_of_headers,
    "parameters": by_tricks_of_parameters,
    "another patient": by_another_patient,
    "bodies": by_bodies,
}


class Walk:
    """Makes the requests of a table, each as a person who has not used up the hour."""

    def __init__(self, world: World) -> None:
        world.lab.resources += [observation("o1"), lab_patient("lab-2", ins="1"), observation("x1", patient="lab-2")]
        self.world = world
        self.tokens: dict[int, str] = {}

    def ask(self, number: int, row: Row, token: str | None = None, **claims: Any) -> Asked:
        if token is None:
            person = number // 500
            if person not in self.tokens:
                self.tokens[person] = self.world.token(**{"sub": f"dr-{person}", **claims})
            token = self.tokens[person]
        body: dict[str, Any] = {"input_stream": Unread(b'{"resourceType":"Observation"}')} if row.body is None else {}
        if row.body is not None:
            body = {"data": row.body, "content_type": row.content_type}
        # As a server hands it over: decoded, byte by byte.
        path = {"PATH_INFO": unquote_to_bytes(row.path.partition("?")[0]).decode("latin-1")}
        return self.world.ask(
            row.path, method=row.method, token=token, headers=dict(row.headers), environ_overrides=path, **body
        )

    def assert_nobody_was_asked(self) -> None:
        assert (self.world.lab.queries, self.world.imaging.queries, self.world.ehr.queries) == ([], [], [])


def is_refusal_in_fhirs_form(row: Row, answer: Asked) -> None:
    assert answer.headers["Content-Type"] == "application/fhir+json", row.name
    if row.method == "HEAD":
        assert answer.data == b"", row.name
        return
    outcome = answer.json
    assert outcome["resourceType"] == "OperationOutcome", row.name
    [issue] = outcome["issue"]
    assert issue["severity"] == "error"
    assert issue["code"] != "suppressed", row.name
    assert issue["diagnostics"] == f"request {answer.headers['X-Request-Id']}", row.name


@pytest.fixture(params=WALKS)
def rows(request: pytest.FixtureRequest) -> list[Row]:
    return list(WALKS[request.param]())


def walk_as_a_clinician(world: World, rows: list[Row]) -> list[Asked]:
    walk = Walk(world)
    answers = [walk.ask(number, row) for number, row in enumerate(rows)]
    for row, answer in zip(rows, answers, strict=True):
        is_refusal_in_fhirs_form(row, answer)
        assert answer.status == row.refusal[0], row.name
        if row.method != "HEAD":
            assert (answer.issue, answer.reason) == row.refusal[1:], row.name
        assert answer.headers.get("Allow") == (row.allow if answer.status == 405 else None), row.name
        assert "WWW-Authenticate" not in answer.headers
    walk.assert_nobody_was_asked()
    return answers


def each_has_its_record(rows: list[Row], answers: list[Asked], bodies: list[dict[str, Any]]) -> None:
    assert [body["request"] for body in bodies] == [answer.headers["X-Request-Id"] for answer in answers]
    for number, (row, body) in enumerate(zip(rows, bodies, strict=True)):
        assert (body["action"], body["outcome"]) == ("consultation:denied", "4"), row.name
        assert (body["reason"], body["asked"]["interaction"]) == (row.refusal[2], row.interaction), row.name
        assert (body["person"]["subject"], body["client"]["id"]) == (f"dr-{number // 500}", CLIENT)
        assert (body["released"], body["feed"]["answer"]) == ([], "not-asked")
        assert ("view-only" in body["rules"]) if body["reason"] == "view-only" else body["rules"]


def test_every_other_route_is_refused_as_the_design_says_and_recorded_once(world: World, rows: list[Row]) -> None:
    """The allow-list is the product: whatever is not on it reaches nobody, and leaves one record under a name."""
    records = with_records_in_memory(world)
    answers = walk_as_a_clinician(world, rows)
    each_has_its_record(rows, answers, records.bodies)


def test_one_of_each_kind_of_refusal_stands_in_the_real_ledger(world: World) -> None:
    """What the walks above record in memory is also what the ledger takes and verifies."""
    kinds = {(row.refusal, row.interaction): row for walk in WALKS.values() for row in walk()}
    rows = list(kinds.values())
    answers = walk_as_a_clinician(world, rows)
    each_has_its_record(rows, answers, world.bodies())


@pytest.mark.slow
def test_without_a_token_the_same_walk_is_401_and_counted(world: World, rows: list[Row]) -> None:
    """Authentication comes before routing: an address tells nothing to somebody unknown. Their bodies are not read."""
    walk = Walk(world)
    for number, row in enumerate(rows):
        answer = walk.ask(number, replace(row, body=None), token="")
        is_refusal_in_fhirs_form(row, answer)
        assert (answer.status, answer.headers.get("Allow")) == (401, None), row.name
    walk.assert_nobody_was_asked()
    world.assembled.strangers.summarise()
    first, rest = world.bodies()
    assert (first["action"], first["reason"]) == ("callers:refused", "no-credential")
    assert first["client"] == {"id": None, "address": "127.0.0.0/24"}
    assert first["callers"]["count"] + rest["callers"]["count"] == len(rows)


@pytest.mark.parametrize(
    ("claims", "rule"),
    [({"fhirUser": None, "scope": "system/*.rs"}, "natural-person"), ({"client_id": "importer"}, "renders-only")],
    ids=["a program", "a client that may store"],
)
def test_whoever_may_not_look_at_all_gets_403_everywhere(
    world: World, rows: list[Row], claims: dict[str, Any], rule: str
) -> None:
    """A program learns that it is one before anything about addresses; each attempt is recorded under its name."""
    rows = list({(row.method, row.refusal, row.interaction): row for row in rows}.values())
    records = with_records_in_memory(world)
    walk = Walk(world)
    answers = [walk.ask(number, row, **claims) for number, row in enumerate(rows)]
    for row, answer in zip(rows, answers, strict=True):
        is_refusal_in_fhirs_form(row, answer)
        assert answer.status == 403, row.name
        if row.method != "HEAD":
            assert (answer.issue, answer.reason) == ("forbidden", "access-denied"), row.name
        assert "Allow" not in answer.headers
    walk.assert_nobody_was_asked()
    bodies = records.bodies
    assert [body["request"] for body in bodies] == [answer.headers["X-Request-Id"] for answer in answers]
    for number, (row, body) in enumerate(zip(rows, bodies, strict=True)):
        assert (body["action"], body["reason"]) == ("consultation:denied", "access-denied"), row.name
        assert rule in body["rules"], row.name
        assert body["asked"]["interaction"] == row.interaction, row.name
        assert body["person"]["subject"] == f"dr-{number // 500}"


def test_asking_for_an_asynchronous_answer_gets_the_ordinary_one(world: World) -> None:
    """`Prefer: respond-async` would turn a look into a file."""
    world.lab.resources.append(observation("o1"))
    answer = world.ask("/fhir/city-lab/Observation?patient=p1", headers={"Prefer": "respond-async"})
    assert (answer.status, answer.references) == (200, ["Observation/o1"])
    assert "Content-Location" not in answer.headers
    assert len(world.bodies()) == 1


def test_a_lenient_client_is_not_given_more_than_it_asked_for(world: World) -> None:
    """FHIR's lenient handling ignores what it does not know, and so widens the answer."""
    answer = world.ask("/fhir/city-lab/Observation?patient=p1&colour=red", headers={"Prefer": "handling=lenient"})
    assert (answer.status, answer.reason) == (400, "unknown-parameter")


def test_the_address_of_another_patient_is_as_absent_as_one_that_never_was(world: World) -> None:
    """The feed is asked for the patient in context only; a read of somebody else's address tells no more."""
    world.lab.resources += [lab_patient("lab-2", ins="1"), observation("x1", patient="lab-2")]
    answers = [
        world.ask(f"/fhir/city-lab/{path}")
        for path in ("Patient/p2", "Patient/lab-2", "Observation/x1", "Observation/no")
    ]
    assert {(each.status, each.issue, each.reason) for each in answers} == {ABSENT}
    assert {re.sub(rb"request [0-9a-f]+", b"", each.data) for each in answers} == {
        re.sub(rb"request [0-9a-f]+", b"", answers[0].data)
    }
    assert ("read", "Patient", "lab-2") not in world.lab.queries
    assert [body["outcome"] for body in world.bodies()] == ["4"] * 4
    assert [body["patient"] for body in world.bodies()] == ["p2", "lab-2", "p1", "p1"]


def test_no_refusal_ever_says_suppressed() -> None:
    """The code would tell that there was something to suppress."""
    package = Path(__file__).parents[2] / "plugin"
    assert not [path for path in package.rglob("*.py") if "suppressed" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fhir/city-lab/Patient/p2/$everything"),
        ("GET", "/fhir/city-lab/Observation?patient=p2&bogus=1"),
        ("GET", "/fhir/city-lab/Observation?subject=Patient/p2&_format=xml"),
        ("GET", "/fhir/city-lab/Observation?subject:Patient=p2"),
        ("GET", "/fhir/city-lab/Patient/p2/Observation?bogus=1"),
        ("POST", "/fhir/city-lab/Patient/p2/Observation"),
        ("PUT", "/fhir/city-lab/Patient/p2"),
    ],
)
def test_an_attempt_at_another_patient_is_recorded_as_that(world: World, method: str, path: str) -> None:
    """Who tried to look at p2 must be found in the log, whatever else was wrong with the request."""
    assert world.ask(path, method=method).status >= 400
    assert world.last()["patient"] == "p2"
    assert "query" not in world.last()["asked"]


@pytest.mark.parametrize(
    "parameter", ["patient.name", "subject:Patient.family", "patient:identifier", "patient:missing"]
)
def test_what_describes_a_patient_is_not_recorded_as_an_id(world: World, parameter: str) -> None:
    """`patient.name=Martin` would put a name into the log, and name somebody who is not there."""
    assert world.ask(f"/fhir/city-lab/Observation?{parameter}=Martin").status == 400
    assert "Martin" not in str(world.bodies())
