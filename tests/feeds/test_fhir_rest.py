"""FhirRestFeed against servers that misbehave, one fault each, and the habits of servers that mean well."""

import gzip
import json
import socket
import struct
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapters.fhir_form import is_fhir
from fhir_adapters.fhir_rest import MAX_ENTRIES, UNLINKED_COUNT, FhirRestFeed
from fhir_adapters.interface import (
    Call,
    FeedAnswerInvalid,
    FeedError,
    FeedLinkExpired,
    FeedLinkRefused,
    FeedRefused,
    FeedTimeout,
    FeedTypeUnknown,
    FeedUnavailable,
)
from fhir_adapters.upstream import MAX_BODY_BYTES, MAX_HEADER_BYTES, HttpUpstream

READ = {"resourceType": "Observation", "id": "o1", "status": "final"}
Asking = Callable[..., tuple[FhirRestFeed, Any]]


def answer(body: Any, status: str = "200 OK", kind: str = "application/fhir+json", extra: str = "") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n{extra}\r\n"
    )
    return head.encode() + data


def bundle(*entries: Any, link: Any = None, kind: str = "searchset") -> bytes:
    tree = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return answer(tree if link is None else tree | {"link": link})


def next_link(url: Any) -> list[dict[str, Any]]:
    return [{"relation": "self", "url": "http://ignored.example/"}, {"relation": "next", "url": url}]


# What a question looks like


def test_a_question_is_fresh_encoded_and_carries_the_record(asking: Asking, call: Call) -> None:
    """HAPI truncates silently on `no-store`; a value must not become part of the address."""
    feed, server = asking(bundle())
    feed.search("Observation", (("patient", "p1&_include=x"), ("code", "http://loinc.org|1 +,2#é")), call)
    head = server.requests[0].decode().split("\r\n")
    assert head[0] == (
        "GET /fhir/Observation?patient=p1%26_include%3Dx&code=http%3A%2F%2Floinc.org%7C1%20%2B%2C2%23%C3%A9 HTTP/1.1"
    )
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
    assert headers["accept"] == "application/fhir+json"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-request-id"] == "req-1.1"
    assert not {"if-none-match", "if-modified-since", "cookie", "authorization", "referer"} & set(headers)


def test_a_proxy_in_the_environment_is_not_used(asking: Asking, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    feed, _ = asking(answer(READ))
    assert feed.read("Observation", "o1", call) == READ


def test_a_cookie_is_not_sent_back(asking: Asking, call: Call) -> None:
    feed, server = asking(answer(READ, extra="Set-Cookie: session=1; Path=/\r\n"))
    feed.read("Observation", "o1", call)
    feed.read("Observation", "o1", call)
    assert b"session" not in server.requests[1]


# Statuses


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400 Bad Request", FeedRefused),
        ("401 Unauthorized", FeedRefused),
        ("403 Forbidden", FeedRefused),
        ("422 Unprocessable", FeedRefused),
        ("429 Too Many", FeedUnavailable),
        ("500 Oops", FeedAnswerInvalid),
        ("501 Not Implemented", FeedAnswerInvalid),
        ("502 Bad Gateway", FeedUnavailable),
        ("503 Down", FeedUnavailable),
        ("504 Late", FeedUnavailable),
        ("204 Empty", FeedAnswerInvalid),
        ("206 Partial", FeedAnswerInvalid),
        ("301 Moved", FeedLinkRefused),
        ("302 Found", FeedLinkRefused),
        ("304 Unchanged", FeedLinkRefused),
        ("307 Elsewhere", FeedLinkRefused),
    ],
)
def test_a_status_becomes_one_error(asking: Asking, call: Call, status: str, error: type[FeedError]) -> None:
    body: Any = b"" if status[:3] in ("204", "304") else READ
    feed, server = asking(answer(body, status, extra="Location: http://127.0.0.1:1/\r\n"))
    with pytest.raises(FeedError) as caught:
        feed.read("Observation", "o1", call)
    assert type(caught.value) is error
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_absence_is_none_on_a_read_expiry_on_a_page_and_refusal_on_a_search(
    asking: Asking, call: Call, status: str
) -> None:
    feed, _ = asking(answer({}, status))
    assert feed.read("Observation", "o1", call) is None
    with pytest.raises(FeedLinkExpired):
        feed.page("?_getpages=1", call)
    with pytest.raises(FeedRefused):
        feed.search("Observation", (), call)


def test_a_type_that_a_server_does_not_have_is_told_from_an_address_that_is_no_fhir(asking: Asking, call: Call) -> None:
    """Both are 404 on a search (R4 RESTful API); only a FHIR server says it with an OperationOutcome."""
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-supported"}]}
    feed, _ = asking(answer(outcome, "404 Not Found"))
    with pytest.raises(FeedTypeUnknown):
        feed.search("Claim", (), call)
    for body in ({}, READ, b"{", b""):
        feed, _ = asking(answer(body, "404 Not Found"))
        with pytest.raises(FeedRefused) as refused:
            feed.search("Claim", (), call)
        assert type(refused.value) is FeedRefused


# Answers that cannot be judged

GZIP_BOMB = gzip.compress(b"[" + b" " * (MAX_BODY_BYTES + 1_000_000) + b"]")
INVALID = {
    "truncated by length": answer(READ)[:-5],
    "chunks without an end": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "announced as huge": answer(b" " * (MAX_BODY_BYTES + 1)),
    "huge and unannounced": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (MAX_BODY_BYTES + 1),
    "a gzip bomb": answer(GZIP_BOMB, extra="Content-Encoding: gzip\r\n"),
    "not gzip": answer(b"hello", extra="Content-Encoding: gzip\r\n"),
    "gzip cut short": answer(gzip.compress(json.dumps(READ).encode())[:-9], extra="Content-Encoding: gzip\r\n"),
    "an encoding not asked for": answer(READ, extra="Content-Encoding: br\r\n"),
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "many headers": answer(READ, extra="X-A: b\r\n" * 500),
    "large headers": answer(READ, extra=f"X-A: {'b' * MAX_HEADER_BYTES}\r\n"),
    "HTML": answer(b"<html>log in</html>", kind="text/html"),
    "HTML that claims JSON": answer(b"<html>log in</html>"),
    "no media type": answer(READ).replace(b"Content-Type: application/fhir+json\r\n", b""),
    "another charset": answer(READ, kind="application/fhir+json; charset=iso-8859-1"),
    "XML": answer(b"<Observation/>", kind="application/fhir+xml"),
    "empty": answer(b""),
    "not UTF-8": answer(b'{"resourceType":"Observation","id":"o1","status":"\xff"}'),
    "a doubled key": answer(b'{"resourceType":"Observation","id":"o1","id":"o1"}'),
    "a doubled key, written differently": answer(b'{"resourceType":"Observation","id":"o1","\\u0069d":"o2"}'),
    "deep": answer(b'{"a":' * 10_000),
    "deep and closed": answer(b"[" * 10_000 + b"]" * 10_000),
    "NaN": answer(b'{"resourceType":"Observation","id":"o1","v":NaN}'),
    "half a surrogate pair": answer(b'{"resourceType":"Observation","id":"o1","v":"\\ud800"}'),
    "another type": answer({"resourceType": "Condition", "id": "o1"}),
    "another id": answer({"resourceType": "Observation", "id": "o2"}),
    "no id": answer({"resourceType": "Observation"}),
    "a list": answer([READ]),
    "two texts": answer(json.dumps(READ).encode() * 2),
}


@pytest.mark.parametrize("fault", INVALID)
def test_an_answer_that_cannot_be_judged_is_invalid(asking: Asking, call: Call, fault: str) -> None:
    """It is asked once: a source that garbles would garble again."""
    feed, server = asking(INVALID[fault])
    with pytest.raises(FeedAnswerInvalid) as caught:
        feed.read("Observation", "o1", call)
    assert "city-lab" in str(caught.value)
    assert len(server.requests) == 1


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "transient"}]}
INVALID_PAGES = {
    "a resource instead of a Bundle": answer(READ),
    "another kind of Bundle": bundle(kind="history"),
    "entries that are not a list": answer({"resourceType": "Bundle", "type": "searchset", "entry": {}}),
    "an entry that is text": bundle("Observation/o1"),
    "a resource that is a list": bundle({"resource": [READ]}),
    "a resource without an id": bundle({"resource": {"resourceType": "Observation"}}),
    "a resource without a type": bundle({"resource": {"id": "o1"}}),
    "an id with a slash": bundle({"resource": {"resourceType": "Observation", "id": "a/b"}}),
    "links that are not a list": bundle(link={"relation": "next"}),
    "two next links": bundle(link=[*next_link("?a=1"), *next_link("?a=2")]),
    "a next link without an address": bundle(link=[{"relation": "next"}]),
    "an empty next link": bundle(link=next_link("")),
    "a word that parts are missing": bundle({"resource": READ}, {"resource": OUTCOME, "search": {"mode": "outcome"}}),
    "too many entries": bundle(*[{"resource": READ}] * (MAX_ENTRIES + 1)),
}


@pytest.mark.parametrize("fault", INVALID_PAGES)
def test_a_page_that_cannot_be_judged_is_invalid(asking: Asking, call: Call, fault: str) -> None:
    feed, _ = asking(INVALID_PAGES[fault])
    with pytest.raises(FeedAnswerInvalid):
        feed.search("Observation", (), call)


def test_a_page_that_follows_itself_is_invalid(asking: Asking, call: Call) -> None:
    """Reading on would never end."""
    feed, _ = asking(bundle({"resource": READ}, link=next_link("?_getpages=1")))
    assert feed.search("Observation", (), call).next == "?_getpages=1"
    with pytest.raises(FeedAnswerInvalid):
        feed.page("?_getpages=1", call)


# Links


@pytest.mark.parametrize(
    "link",
    [
        "http://other.example/fhir?page=2",
        "//other.example/fhir?page=2",
        "//other",
        "https://127.0.0.1:{port}/fhir?page=2",
        "http://127.0.0.1:1/fhir?page=2",
        "http://127.0.0.1:{port}@other.example/fhir",
        "http://user:secret@127.0.0.1:{port}/fhir?page=2",
        "http://127.0.0.1:{port}\\@other.example/fhir",
        "\\\\other.example/fhir",
        "http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/fhirother?page=2",
        "http://127.0.0.1:{port}/fhir/../admin",
        "http://127.0.0.1:{port}/fhir/%2e%2e/admin",
        "http://127.0.0.1:{port}/fhir/..;/admin",
        "http://127.0.0.1:{port}/fhir/..%2fadmin",
        "/admin",
        "../admin",
        "?page=2#fragment",
        "?page=\r\nHost: other",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ],
)
def test_a_next_link_outside_the_base_is_refused_and_never_contacted(asking: Asking, call: Call, link: str) -> None:
    feed, server = asking(b"")
    sent = bundle(link=next_link(link.replace("{port}", str(server.port))))
    server._handlers[:] = [lambda connection, _: connection.sendall(sent)]
    with pytest.raises(FeedLinkRefused):
        feed.search("Observation", (), call)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("link", "asked"),
    [
        ("{base}?_getpages=1&_bundletype=searchset", "/fhir?_getpages=1&_bundletype=searchset"),
        ("HTTP://127.0.0.1:{port}/fhir?_getpages=1", "/fhir?_getpages=1"),
        ("{base}/Observation?patient=p1&page=2", "/fhir/Observation?patient=p1&page=2"),
        ("Observation?page=2", "/fhir/Observation?page=2"),
        ("/fhir/Observation?page=2", "/fhir/Observation?page=2"),
        ("?_getpages=1", "/fhir?_getpages=1"),
    ],
)
def test_a_next_link_within_the_base_is_followed(asking: Asking, call: Call, link: str, asked: str) -> None:
    feed, server = asking(b"")
    first = bundle(link=next_link(link.replace("{port}", str(server.port)).replace("{base}", server.base)))
    server._handlers[:] = [lambda c, _: c.sendall(first), lambda c, _: c.sendall(bundle({"resource": READ}))]
    page = feed.search("Observation", (), call)
    assert page.next is not None
    assert "127.0.0.1" not in page.next
    assert [entry.resource for entry in feed.page(page.next, call).entries] == [READ]
    assert server.requests[1].startswith(f"GET {asked} HTTP/1.1\r\n".encode())


# Habits to live with


def test_what_is_about_the_search_is_no_result(asking: Asking, call: Call) -> None:
    warning = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}
    feed, _ = asking(
        bundle(
            {"resource": READ, "fullUrl": "http://lab.example/fhir/Observation/o1"},
            {"resource": warning, "search": {"mode": "outcome"}},
            {"resource": warning},
            {"fullUrl": "http://lab.example/fhir/Observation/o2"},
        )
    )
    [entry] = feed.search("Observation", (), call).entries
    assert (entry.resource, entry.full_url) == (READ, "http://lab.example/fhir/Observation/o1")


def test_a_bundle_without_links_entries_and_total_is_empty(asking: Asking, call: Call) -> None:
    feed, _ = asking(answer({"resourceType": "Bundle", "type": "searchset"}))
    page = feed.search("Observation", (), call)
    assert (page.entries, page.next) == ((), None)


# A server that gives no links


def linkless(count: int, total: int | None = None) -> bytes:
    tree: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": READ}] * count}
    return answer(tree if total is None else tree | {"total": total})


def test_an_answer_without_links_that_is_full_is_asked_for_anew_and_longer(asking: Asking, call: Call) -> None:
    """Medplum's router gives as many as `_count` and does not say that it has more."""
    feed, server = asking(linkless(3), linkless(7))
    assert len(feed.search("Observation", (("_count", "3"), ("code", "1")), call).entries) == 7
    asked = [request.split(b" ")[1].decode() for request in server.requests]
    assert asked == ["/fhir/Observation?_count=3&code=1", f"/fhir/Observation?code=1&_count={UNLINKED_COUNT}"]


def test_an_answer_without_links_that_stays_full_is_invalid(asking: Asking, call: Call) -> None:
    """Never a silently short answer."""
    feed, _ = asking(linkless(3), linkless(UNLINKED_COUNT))
    with pytest.raises(FeedAnswerInvalid, match="whole"):
        feed.search("Observation", (("_count", "3"),), call)


@pytest.mark.parametrize(
    "whole",
    [linkless(2), linkless(3, total=3), bundle(*[{"resource": READ}] * 3, link=next_link("?a=1")[:1])],
    ids=["shorter", "total", "self link"],
)
def test_an_answer_that_shows_its_end_is_asked_for_once(asking: Asking, call: Call, whole: bytes) -> None:
    feed, server = asking(whole)
    page = feed.search("Observation", (("_count", "3"),), call)
    assert page.entries
    assert page.next is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["application/json", "application/fhir+json; charset=UTF-8; fhirVersion=4.0"])
def test_gzip_spaces_and_both_media_types_are_understood(asking: Asking, call: Call, kind: str) -> None:
    pretty = gzip.compress(json.dumps(READ, indent=2).encode())
    feed, _ = asking(answer(pretty, kind=kind, extra="Content-Encoding: gzip\r\n"))
    assert feed.read("Observation", "o1", call) == READ


@pytest.mark.parametrize(
    ("version", "accepted"), [("4.0.1", True), ("4.3.0", True), ("3.0.2", False), ("5.0.0", False)]
)
def test_only_r4_is_accepted(asking: Asking, call: Call, version: str, accepted: bool) -> None:
    feed, _ = asking(answer({"resourceType": "CapabilityStatement", "fhirVersion": version}))
    if accepted:
        assert feed.check(call).fhir_version == version
    else:
        with pytest.raises(FeedAnswerInvalid):
            feed.check(call)


# Time and connections


def test_silence_before_the_answer_is_a_timeout(raw_server: Any, soon: Call) -> None:
    server = raw_server(lambda _c, _r: server.pause(5))
    with pytest.raises(FeedTimeout):
        FhirRestFeed("city-lab", server.base).read("Observation", "o1", soon)
    assert len(server.requests) == 1


@pytest.mark.parametrize("head", [b"", answer(b"x" * 1000)[:100]])
def test_an_answer_that_drips_ends_at_the_deadline(raw_server: Any, soon: Call, head: bytes) -> None:
    """Each byte in time, the whole never: no read timeout would notice."""

    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)
        for byte in answer(b"x" * 1000)[len(head) :]:
            connection.sendall(bytes([byte]))
            if server.pause(0.05):
                return

    server = raw_server(drip)
    with pytest.raises(FeedTimeout):
        FhirRestFeed("city-lab", server.base).read("Observation", "o1", soon)


def test_nobody_there_is_unavailable(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(FeedUnavailable):
        FhirRestFeed("city-lab", f"http://127.0.0.1:{port}/fhir").read("Observation", "o1", call)


def test_a_connection_that_drops_before_the_answer_is_asked_once_more(raw_server: Any, call: Call) -> None:
    """A kept connection may have died; the answer of the second one counts."""
    server = raw_server(lambda _c, _r: None, lambda connection, _: connection.sendall(answer(READ)))
    assert FhirRestFeed("city-lab", server.base).read("Observation", "o1", call) == READ
    assert len(server.requests) == 2


def test_a_connection_reset_before_the_answer_is_asked_once_more(raw_server: Any, call: Call) -> None:
    """SO_LINGER 0 makes the close a reset."""

    def reset(connection: socket.socket, _: bytes) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server = raw_server(reset, lambda connection, _: connection.sendall(answer(READ)))
    assert FhirRestFeed("city-lab", server.base).read("Observation", "o1", call) == READ


def test_a_connection_that_keeps_dropping_is_unavailable(raw_server: Any, call: Call) -> None:
    server = raw_server(lambda _c, _r: None)
    with pytest.raises(FeedUnavailable):
        FhirRestFeed("city-lab", server.base).read("Observation", "o1", call)
    assert len(server.requests) == 2


def test_an_address_outside_the_reach_is_not_asked(call: Call) -> None:
    """The socket itself holds the allow-list, whatever its callers believe."""
    feed = FhirRestFeed("city-lab", "http://127.0.0.1:1/fhir", upstream=HttpUpstream("feed 'city-lab'"))
    with pytest.raises(FeedLinkRefused):
        feed.read("Observation", "o1", call)


def test_no_error_shows_the_question(raw_server: Any, call: Call) -> None:
    """An address holds the patient; neither a message nor a traceback may."""
    server = raw_server(lambda _c, _r: None)
    patient = "marker-" + str(server.port)
    with pytest.raises(FeedUnavailable) as caught:
        FhirRestFeed("city-lab", server.base).search("Observation", (("patient", patient),), call)
    assert patient not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


# Files


@pytest.mark.parametrize("kind", ["application/pdf", "text/plain; charset=utf-8", ""])
def test_a_file_may_come_by_itself(asking: Asking, call: Call, kind: str) -> None:
    """Servers differ in what they do with `Accept` (Medplum gives the file, HAPI the Binary)."""
    feed, server = asking(answer(b"%PDF-1.4", kind=kind))
    file = feed.file("Binary/b1", call)
    assert file is not None
    assert (file.content_type, file.data, file.binary) == (kind, b"%PDF-1.4", None)
    assert b"accept: application/fhir+json, */*;q=0.5" in server.requests[0].lower()


@pytest.mark.parametrize("place", ["Binary/b1/x", "files/b1", "Observation?patient=p2", "Binary"])
def test_json_that_is_no_binary_is_no_file(asking: Asking, call: Call, place: str) -> None:
    """An address in a document would else be a search with the gateway's own credential."""
    feed, _ = asking(answer({"resourceType": "Bundle", "type": "searchset"}))
    with pytest.raises(FeedAnswerInvalid):
        feed.file(place, call)


@pytest.mark.parametrize(
    "kind",
    [
        "application/fhir+xml",
        "application/fhir+xml;charset=UTF-8",
        "application/xml+fhir",
        "application/fhir+turtle",
        "application/fhir+ndjson",
        "application/json+fhir",
        "application/fhir+json; charset=iso-8859-1",
    ],
)
@pytest.mark.parametrize("place", ["Observation?patient=p2&_format=xml", "Patient/p2?_format=xml", "Binary/b1"])
def test_fhir_in_another_format_is_no_file(asking: Asking, call: Call, place: str, kind: str) -> None:
    """`_format` in a document's address would else bring results, unjudged, that JSON does not."""
    feed, _ = asking(answer(b"<Bundle xmlns='http://hl7.org/fhir'/>", kind=kind))
    with pytest.raises(FeedAnswerInvalid):
        feed.file(place, call)


BUNDLE = '<Bundle xmlns="http://hl7.org/fhir"><entry/></Bundle>'
CDA = b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>'


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("application/xml", BUNDLE.encode()),
        ("text/xml; charset=utf-8", f'<?xml version="1.0"?>\n<!-- {"-. " * 9_000} -->\n{BUNDLE}'.encode()),
        ("text/xml", b"\xef\xbb\xbf \n" + BUNDLE.encode()),
        ("application/xml;charset=utf-16", f'<?xml version="1.0" encoding="UTF-16"?>{BUNDLE}'.encode("utf-16")),
        ("application/octet-stream", BUNDLE.encode()),
        ("", b'<f:Patient xmlns:f="http://hl7.org/fhir">'),
        ("application/pdf", b'  {"id": "b", "resourceType": "Bundle"}'),
        ("text/plain", b'{"resourceType":"Patient"}\n{"resourceType":"Patient"}\n'),
        ("text/turtle", b"PREFIX fhir: <http://hl7.org/fhir/>\n[] a fhir:Patient ."),
        ("text/plain", b"@prefix fhir: <http://hl7.org/fhir/> ."),
        ("text/html", b"<!doctype html><pre>{&quot;resourceType&quot;: &quot;Bundle&quot;}</pre>"),
    ],
)
@pytest.mark.parametrize("place", ["Observation?patient=p2&_format=xml", "Binary/b1"])
def test_fhir_under_another_name_is_no_file(asking: Asking, call: Call, place: str, kind: str, data: bytes) -> None:
    """Servers answer a search in XML as `application/xml` too: what it is shows in its root, not in its label."""
    feed, _ = asking(answer(data, kind=kind))
    with pytest.raises(FeedAnswerInvalid, match="is no file"):
        feed.file(place, call)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("application/xml", CDA),
        ("text/xml", b'<!DOCTYPE a [<!ENTITY b "bb">]><a x="&b;" xmlns="http://hl7.org/fhir"/>'),
        ("text/xml", b"<unfinished"),
        ("text/xml", b""),
        ("text/plain", b"{ not JSON"),
        ("text/plain", "[résultat] à revoir".encode("latin-1")),
        ("text/html", b"<html xmlns='http://www.w3.org/1999/xhtml'><p>A letter that names http://hl7.org/fhir</p>"),
        ("application/octet-stream", b"\xff\xfe\x00\x01"),
    ],
)
@pytest.mark.parametrize("place", ["documents?oid=1.2.3", "Binary/b1"])
def test_a_file_that_only_resembles_fhir_stays_one(
    asking: Asking, call: Call, place: str, kind: str, data: bytes
) -> None:
    """A clinical document in XML is what documents are; registries name theirs by a query."""
    feed, _ = asking(answer(data, kind=kind))
    file = feed.file(place, call)
    assert file is not None
    assert file.data == data


@given(st.binary(max_size=200), st.sampled_from(["text/xml", "text/html", "text/plain", "application/pdf", ""]))
def test_whatever_comes_is_told_apart_without_an_error(data: bytes, kind: str) -> None:
    for each in (data, b"<" + data, b"<?xml " + data, data + BUNDLE.encode()):
        assert is_fhir(kind, each) in (True, False)


@pytest.mark.parametrize(
    ("status", "error"),
    [("302 Found", FeedLinkRefused), ("403 Forbidden", FeedRefused), ("503 Busy", FeedUnavailable),
     ("500 Broken", FeedAnswerInvalid)],
)  # fmt: skip
def test_a_file_that_is_not_given_is_an_error_of_the_family(
    asking: Asking, call: Call, status: str, error: type[FeedError]
) -> None:
    feed, _ = asking(answer(b"<html>", status=status, kind="text/html"))
    with pytest.raises(error):
        feed.file("Binary/b1", call)


def test_a_file_larger_than_any_answer_is_refused(asking: Asking, call: Call) -> None:
    feed, _ = asking(answer(b"x" * (MAX_BODY_BYTES + 1), kind="application/pdf"))
    with pytest.raises(FeedAnswerInvalid):
        feed.file("Binary/b1", call)
