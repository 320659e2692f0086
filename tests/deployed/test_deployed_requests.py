"""Bad input at the socket, one by one: a clear answer or a closed connection, the process alive, its memory bounded."""

import socket

import pytest

HOST = b"Host: 127.0.0.1\r\n"
CLOSE = b"Connection: close\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
OBSERVATION = "/fhir/city-lab/Observation/obs-20417-261116-01"
TWO_MEGABYTES = 2_000_000
ROOM = 64 << 20
"""Bytes that all of this may add to a process; one body that was read by mistake and kept would be seen."""

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def still_serving(gateway):
    """Whatever was sent: the same process answers the next request, and has not grown."""
    workers, before = gateway.workers(), gateway.memory()
    yield
    assert gateway.ask(OBSERVATION).status == 200
    assert gateway.workers() == workers
    assert gateway.memory() < before + ROOM


def request(gateway, line, *headers, host=HOST):
    """The bytes of a request with a clinician's token."""
    token = f"Authorization: Bearer {gateway.token()}\r\n".encode()
    return line + b" HTTP/1.1\r\n" + host + token + CLOSE + b"".join(headers) + b"\r\n"


DROPPED = 0
"""The server hung up on more than it reads, and its answer was lost with the connection."""


def status(answer):
    return int(answer.split(b" ")[1]) if answer else DROPPED


SEARCH = b"GET /fhir/city-lab/Observation?patient=ehr-1001"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (b"X-Large: " + b"a" * TWO_MEGABYTES + b"\r\n", 431),
        (b"X-Large: " + b"a" * 40_000 + b"\r\n", 431),
        (b"".join(b"X-%d: a\r\n" % number for number in range(2_000)), 431),
        (HOST, 400),
        (b"Authorization: Bearer another\r\n", 400),
        (b"Content-Length: -5\r\n", 400),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"No colon here\r\n", 400),
    ],
    ids=[
        "2 MB header",
        "40 kB header",
        "2,000 headers",
        "two hosts",
        "two tokens",
        "negative length",
        "two lengths",
        "no header",
    ],
)
def test_headers_that_cannot_be_meant_are_refused(gateway, more, expected):
    answer = status(gateway.say(request(gateway, SEARCH, more)))
    assert answer == expected or (answer == DROPPED and len(more) > TWO_MEGABYTES)


@pytest.mark.parametrize("host", [b"", b"Host: a b\r\n", b"Host: x/../y\r\n"], ids=["none", "two words", "a path"])
def test_a_host_that_is_missing_or_malformed_is_refused(gateway, host):
    assert status(gateway.say(request(gateway, SEARCH, host=host))) == 400


def test_a_long_address_is_refused(gateway):
    assert status(gateway.say(request(gateway, SEARCH + b"a" * 20_000))) == 414
    assert status(gateway.say(request(gateway, SEARCH + b"a" * TWO_MEGABYTES))) in {431, DROPPED}


@pytest.mark.parametrize("sent", [b"", b"x" * TWO_MEGABYTES], ids=["announced only", "sent"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"POST /fhir/city-lab/Observation/_search", 413),
        (b"POST /fhir/city-lab/Observation", 405),
        (b"PUT /fhir/city-lab/Observation/o1", 405),
        (b"POST /fhir/city-lab", 403),
    ],
    ids=["search", "create", "update", "transaction"],
)
def test_a_body_of_two_megabytes_is_answered_without_being_read(gateway, line, expected, sent):
    """The answer is there although the body that was announced never came."""
    head = request(gateway, line, FORM, b"Content-Length: %d\r\n" % TWO_MEGABYTES)
    answer = gateway.say(head, sent) if sent else gateway.say(head)
    assert status(answer) == expected


def test_a_search_in_chunks_without_end_is_cut_off(gateway):
    head = request(gateway, b"POST /fhir/city-lab/Observation/_search", FORM, b"Transfer-Encoding: chunked\r\n")
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    assert status(gateway.say(head, *[chunk] * 40)) == 413


def test_a_length_beside_chunks_cannot_smuggle_a_request_in(gateway):
    """The server reads the chunks and forgets the length, as RFC 9112 6.3 has it: what follows is never a request."""
    hidden = request(gateway, b"DELETE /fhir/city-lab/Observation/smuggled")
    head = request(
        gateway,
        b"POST /fhir/city-lab/Observation/_search",
        FORM,
        b"Content-Length: %d\r\n" % (5 + len(hidden)),
        b"Transfer-Encoding: chunked\r\n",
    )
    answer = gateway.say(head + b"0\r\n\r\n" + hidden)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert "delete" not in {body.get("asked", {}).get("interaction") for body in gateway.bodies()}


@pytest.mark.parametrize("raw", [b"<", b">", b'"', b"\x01", b"\xe9"])
def test_what_the_http_server_cannot_read_reaches_nobody(gateway, raw):
    """docs/deploying.md says so: no id, no body, no record. Once it is answered by us, that sentence goes."""
    before = len(gateway.bodies())
    head, _, body = gateway.say(request(gateway, SEARCH + b"&code=" + raw)).partition(b"\r\n\r\n")
    assert (status(head), body) == (400, b"")
    assert b"x-request-id" not in head.lower()
    assert len(gateway.bodies()) == before


@pytest.mark.parametrize(("more", "expected"), [(97, 200), (98, 431)])
def test_the_http_server_takes_a_hundred_headers(gateway, more, expected):
    """Host, token and Connection are three of them."""
    headers = b"".join(b"X-%d: a\r\n" % number for number in range(more))
    assert status(gateway.say(request(gateway, SEARCH, headers))) == expected


def test_http_1_0_is_answered(gateway):
    old = request(gateway, SEARCH).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    assert status(gateway.say(old)) == 200


@pytest.mark.parametrize(
    "said",
    [
        bytes(range(256)) * 10,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /fhir\r\n\r\n",
        b"\r\n" * 1_000 + b"\x00\r\n\r\n",
        "GET /fhir/city-lab/Observation?patient=\xff HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"),
    ],
    ids=["noise", "TLS", "HTTP/2", "HTTP/0.9", "line ends", "not ASCII"],
)
def test_what_is_not_http_is_closed(gateway, said):
    answer = gateway.say(said)
    assert status(answer) in {400, DROPPED}


def test_clients_that_never_end_a_request_keep_nobody_waiting(gateway):
    """They hold a connection, never a thread, and there are more of these than anybody opens by mistake."""
    slow = []
    try:
        for _ in range(300):
            slow.append(socket.create_connection(("127.0.0.1", gateway.port)))
            slow[-1].sendall(b"GET /fhir/city-lab/Observation HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert gateway.ask(OBSERVATION).status == 200
        slow[0].setblocking(False)
        with pytest.raises(BlockingIOError):  # it is still waited for: the look did not come after it
            slow[0].recv(1)
    finally:
        for each in slow:
            each.close()


@pytest.mark.parametrize("authorization", ["x", "Bearer forged.forged.forged", None], ids=["none", "forged", "good"])
def test_clients_that_never_send_their_search_keep_nobody_waiting(gateway, authorization):
    """A server that is answered while its input is read hangs; one that waits for each runs out of threads."""
    head = f"Authorization: {authorization or f'Bearer {gateway.token()}'}\r\n".encode()
    silent = []
    try:
        for _ in range(40):
            client = socket.create_connection(("127.0.0.1", gateway.port))
            client.sendall(b"POST /fhir/city-lab/Observation/_search HTTP/1.1\r\n" + HOST + head + FORM)
            client.sendall(b"Content-Length: 100\r\n\r\n")
            silent.append(client)
        assert [gateway.ask(OBSERVATION).status for _ in range(3)] == [200, 200, 200]
    finally:
        for client in silent:
            client.close()


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW", "PROPFIND", "OPTIONS", "HEAD", "A" * 5_000])
def test_methods_that_nobody_offers_are_not_allowed(gateway, method):
    answer = gateway.say(request(gateway, f"{method} {OBSERVATION}".encode()))
    assert status(answer) == 405
    assert b"\r\nallow: GET" in answer or b"\r\nAllow: GET" in answer


@pytest.mark.parametrize(
    "path", [OBSERVATION.replace("city-lab", "city%2Dlab"), OBSERVATION.replace("/Obs", "%2FObs")], ids=["%2D", "%2F"]
)
def test_an_encoded_path_is_judged_as_what_it_decodes_to(gateway, path):
    assert gateway.ask(path).status == 200
    assert gateway.last()["released"] == [{"reference": "Observation/obs-20417-261116-01", "category": "test-results"}]


@pytest.mark.parametrize(
    "path",
    [
        "/fhir//city-lab/Observation",
        "/fhir/city-lab//Observation",
        "/fhir/city-lab/../city-lab/Observation",
        "/fhir/%2e%2e/fhir/city-lab/Observation",
        "/fhir/city-lab/Observation/..%2f..%2fPatient",
        "/fhir/city-lab/Observation%00",
        "/fhir/city-lab/%ff%fe",
        "/fhir/city-lab;x=1/Observation",
        "/fhir/nowhere/Observation",
    ],
)
def test_a_path_that_leads_nowhere_is_refused_in_fhirs_form_and_recorded(gateway, path):
    answer = gateway.ask(path)
    assert answer.status == 404
    assert answer.issue["code"] == "not-found"
    assert gateway.last()["request"] == answer.headers["x-request-id"]
    assert gateway.last()["outcome"] == "4"


@pytest.mark.parametrize("path", ["/", "*", "/healthz", "/readyz", "/metrics", "/static/x", "/favicon.ico"])
def test_outside_the_faces_there_is_nothing(gateway, path):
    """Health and metrics are not for those who may reach the gateway."""
    assert status(gateway.say(request(gateway, f"GET {path}".encode()))) == 404


def test_nothing_of_all_this_is_a_line_that_is_not_json(gateway):
    """And none of it is worth an error."""
    assert not [line for line in gateway.log_lines() if line["level"] in {"error", "critical"}]
