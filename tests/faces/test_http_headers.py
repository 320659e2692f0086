"""What every HTTP answer carries, whatever it answers; what is refused unread; and whose address is recorded."""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_adapters.interface import FeedTimeout
from plugin.event import new_request_id
from plugin.faces.facade import bundle
from plugin.faces.http import MAX_HEADER_CHARACTERS, MAX_TARGET, client_address
from tests.world import CONFIGURATION, EHR_BASE, ISSUER, PUBLIC_BASE, Asked, World, observation

SECURITY = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Content-Disposition": 'inline; filename="view"',
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
"""view_only.md section 4, to the letter."""
POWERS = (
    "clipboard-read",
    "clipboard-write",
    "display-capture",
    "camera",
    "microphone",
    "geolocation",
    "usb",
    "serial",
)


def every_kind_of_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, Asked]]:
    world.lab.resources.append(observation("o1"))
    yield 200, world.ask("/fhir/city-lab/Observation")
    yield 200, world.ask("/fhir/city-lab/Observation/o1")
    yield 200, world.ask("/fhir/city-lab/metadata", token="")
    yield 200, world.ask("/fhir/city-lab/.well-known/smart-configuration", token="")
    yield 200, world.ask("/fhir/city-lab/openapi.json", token="")
    yield 200, world.ask("/fhir/openapi.json", token="")
    yield 200, world.ask("/.well-known/oauth-protected-resource/fhir/city-lab", token="")
    yield 400, world.ask("/fhir/city-lab/Observation?_total=none")
    yield 400, world.ask("/fhir/city-lab/Observation", environ_overrides={"HTTP_HOST": "a b"})
    yield 401, world.ask("/fhir/city-lab/Observation", token="")
    yield 401, world.ask("/fhir/city-lab/Observation", token="x.y.z")
    yield 403, world.ask("/fhir/city-lab/$export")
    yield 404, world.ask("/fhir/city-lab/Observation/none")
    yield 404, world.ask("/fhir/nowhere/Observation")
    yield 404, world.ask("/elsewhere", token="")
    yield 404, world.ask("/.well-known/openid-configuration", token="")
    yield 405, world.ask("/fhir/city-lab/Observation", method="POST")
    yield 405, world.ask("/fhir/city-lab/Observation", method="HEAD")
    yield 406, world.ask("/fhir/city-lab/Observation", headers={"Accept": "application/pdf"})
    yield 414, world.ask("/elsewhere?" + "x" * MAX_TARGET, token="")
    yield 431, world.ask("/fhir/city-lab/Observation", headers={"X-Large": "x" * MAX_HEADER_CHARACTERS})
    world.lab.failure = FeedTimeout("too slow")
    yield 504, world.ask("/fhir/city-lab/Observation")
    world.lab.failure = None
    monkeypatch.setattr(bundle, "searchset", lambda *_: 1 / 0)
    yield 500, world.ask("/fhir/city-lab/Observation")


def test_every_kind_of_answer_carries_the_headers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """view_only.md section 4: nothing may be stored, framed, sniffed or indexed, errors included."""
    seen = set()
    for status, answer in every_kind_of_answer(world, monkeypatch):
        assert answer.status == status
        for name, value in SECURITY.items():
            assert answer.headers.getlist(name) == [value], (status, name)
        assert answer.headers["Permissions-Policy"].split(", ") == [f"{power}=()" for power in POWERS]
        opened = answer.headers.get("Access-Control-Allow-Origin") == "*"
        assert answer.headers["Cross-Origin-Resource-Policy"] == ("cross-origin" if opened else "same-origin")
        for name in ("ETag", "Last-Modified", "Set-Cookie", "Location", "Expires", "Server"):
            assert name not in answer.headers, (status, name)
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
        seen.add(answer.headers["X-Request-Id"])
    assert len(seen) == len(list(every_kind_of_answer(world, monkeypatch)))


def test_a_method_in_small_letters_is_none(world: World) -> None:
    """RFC 9110 9.1: they are told apart by case."""
    world.lab.resources.append(observation("o1"))
    for method in ("get", "Get"):
        answer = world.ask("/fhir/city-lab/Observation", environ_overrides={"REQUEST_METHOD": method})
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/fhir/city-lab/Observation", 200),
        ("PUT", "/fhir/city-lab/Observation/o1", 405),
        ("GET", "/fhir/city-lab/Observation/never-was", 404),
        ("GET", "/elsewhere", 404),
    ],
)
def test_an_upgrade_to_a_websocket_is_left_alone(world: World, method: str, path: str, expected: int) -> None:
    """The router refuses such a request by itself: what somebody tried would leave no record."""
    upgrade = {"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"}
    answer = world.ask(path, method=method, headers=upgrade)
    assert answer.status == expected
    recorded = [body for body in world.named() if body.get("request") == answer.headers["X-Request-Id"]]
    assert len(recorded) == path.startswith("/fhir/")


def test_an_answer_to_a_body_that_was_not_read_says_that_it_ends_the_connection(world: World) -> None:
    """The server closes it. A proxy that was not told sent the next look there: 503 for somebody, and no record."""
    world.lab.resources.append(observation("o1"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path, method, sent, expected in (
        ("/fhir/city-lab/Observation", "POST", {"data": b"{}"}, True),
        ("/fhir/city-lab/Observation/o1", "PUT", {"data": b"{}"}, True),
        ("/fhir/city-lab/Observation/o1", "PUT", {"environ_overrides": {"HTTP_TRANSFER_ENCODING": "chunked"}}, True),
        ("/elsewhere", "POST", {"data": b"{}"}, True),
        ("/fhir/city-lab/Observation/o1", "GET", {"data": b"{}"}, True),
        ("/fhir/city-lab/Observation/o1", "DELETE", {}, False),
        ("/fhir/city-lab/Observation/never-was", "GET", {}, False),
        ("/fhir/city-lab/Observation/_search", "POST", {"data": b"patient=p1", "headers": form}, False),
    ):
        answer = world.ask(path, method=method, **sent)
        assert (answer.headers.get("Connection") == "close") == expected, (path, method, answer.status)


def test_an_address_that_begins_with_two_slashes_leads_nowhere(world: World) -> None:
    """What a proxy in front guards by a prefix would be open by another."""
    answer = world.ask("/elsewhere", environ_overrides={"PATH_INFO": "//fhir/city-lab/Observation"})
    assert answer.status == 400


def test_request_ids_begin_with_the_time_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of one moment lie side by side in the ledger's index."""
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_456_789)
    ids = {new_request_id() for _ in range(100)}
    assert len(ids) == 100
    assert {int(each[:12], 16) for each in ids} == {1_700_000_000_123}


def test_a_bug_tells_nothing_of_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the answer nor as a page of a framework."""
    monkeypatch.setattr(bundle, "searchset", lambda *_: {}["a secret"])
    answer = world.ask("/fhir/city-lab/Observation")
    assert (answer.status, answer.issue, answer.reason) == (500, "exception", "internal-error")
    assert b"secret" not in answer.data


def test_a_bug_behind_the_gateway_is_recorded_as_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcome 8: a feed or we failed."""
    monkeypatch.setattr(world.lab, "search", lambda *_: {}["a secret"])
    answer = world.ask("/fhir/city-lab/Observation")
    assert (answer.status, answer.reason) == (500, "internal-error")
    assert (world.last()["outcome"], world.last()["request"]) == ("8", answer.headers["X-Request-Id"])


def test_a_request_id_is_ours(world: World) -> None:
    """The caller's own would be their text in our record."""
    answer = world.ask("/fhir/city-lab/Observation", headers={"X-Request-Id": "theirs", "X-Correlation-Id": "theirs"})
    assert answer.headers["X-Request-Id"] != "theirs"
    assert world.last()["request"] == answer.headers["X-Request-Id"]
    assert world.lab.calls[-1].record == f"{answer.headers['X-Request-Id']}.1"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8443", "[2001:db8::1]:80", "evil..example", "e" * 64 + ".example"]
)
def test_an_unknown_host_is_never_reflected(world: World, host: str) -> None:
    """`public_base` is the only source of our own addresses."""
    world.lab.resources += [observation("o1"), observation("o2")]
    for path, token in (
        ("/fhir/city-lab/Observation?_count=1", None),
        ("/fhir/city-lab/Observation", ""),
        ("/fhir/city-lab/metadata", ""),
        ("/fhir/city-lab/.well-known/smart-configuration", ""),
        ("/.well-known/oauth-protected-resource/fhir/city-lab", ""),
        ("/nowhere", ""),
        ("/fhir", None),
    ):
        answer = world.ask(path, token=token, environ_overrides={"HTTP_HOST": host, "SERVER_NAME": host})
        told = answer.data.decode() + str(answer.headers)
        assert host.partition(":")[0].strip("[") not in told or host == "[2001:db8::1]:80"
        assert "2001:db8" not in told
    answer = world.ask("/fhir/city-lab/Observation?_count=1", environ_overrides={"HTTP_HOST": host})
    assert all(link["url"].startswith(PUBLIC_BASE) for link in answer.json["link"])


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host", "X-Forwarded-Prefix", "Forwarded", "X-Original-URL", "X-Rewrite-URL"]
)
def test_headers_of_proxies_move_nothing(world: World, header: str) -> None:
    """An address comes from the configuration and the request line alone."""
    answer = world.ask("/fhir/city-lab/Observation", headers={header: "/evil.example"})
    assert answer.status == 200
    assert b"evil" not in answer.data


@pytest.mark.parametrize("host", ["", "a b", "a,b", "evil.example/x", "user@evil.example", "a:b:c", "a\tb", "x" * 300])
def test_a_malformed_host_is_refused_unread_and_counted(world: World, host: str) -> None:
    """In FHIR's own form under `/fhir`, in nobody's elsewhere. Nobody was identified: a count, not a record."""
    answer = world.ask("/fhir/city-lab/Observation", environ_overrides={"HTTP_HOST": host})
    assert (answer.status, answer.issue, answer.reason) == (400, "structure", "malformed-request")
    assert (
        world.ask("/elsewhere", environ_overrides={"HTTP_HOST": host}).headers["Content-Type"].startswith("text/plain")
    )
    assert world.lab.queries == []
    [body] = world.bodies()
    counted = body["callers"]
    assert (counted["reason"], counted["family"], counted["count"]) == ("malformed-request", "facade", 1)


def test_what_is_too_large_is_refused_unread(world: World) -> None:
    """Two megabytes of header, a query of nine thousand characters, two lengths for one body."""
    large = world.ask("/fhir/city-lab/Observation", headers={"X-Large": "x" * (1 << 21)})
    assert (large.status, large.issue) == (431, "too-long")
    long = world.ask("/fhir/city-lab/Observation?code=" + "x" * 9000)
    assert (long.status, long.issue) == (414, "too-long")
    both = world.ask(
        "/fhir/city-lab/Observation/_search",
        method="POST",
        data=b"patient=p1",
        headers={"Transfer-Encoding": "chunked"},
    )
    assert (both.status, both.issue) == (400, "structure")
    assert (world.named(), world.lab.queries) == ([], [])


TRUSTED = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, fe80::1%<script>, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [",".join(["10.0.0.2"] * 50 + ["198.51.100.1"])], "198.51.100.1"),
        ("10.0.0.1", [",".join(["198.51.100.1"] + ["10.0.0.2"] * 50)], "10.0.0.2"),
        ("10.0.0.1", ["192.0.2.66:1, 198.51.100.1:5678"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2:443"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", ["[2001:db8::7]"], "2001:db8::7"),
        ("10.0.0.1", ["[2001:0db8:0000:0000:0000:0000:255.255.255.255]:65535"], "2001:db8::ffff:ffff"),
        ("10.0.0.1", ["[::ffff:198.51.100.1]:443"], "198.51.100.1"),
        ("10.0.0.1", ["2001:db8::7:443"], "2001:db8::7:443"),
        ("10.0.0.1", ["198.51.100.1:"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:443:443"], "10.0.0.1"),
        ("10.0.0.1", ["[fe80::1%eth0]:443"], "10.0.0.1"),
        (None, ["198.51.100.1"], "unknown"),
        ("a socket's path", ["198.51.100.1"], "unknown"),
    ],
)
def test_the_clients_address_is_what_a_trusted_proxy_last_saw(
    peer: str | None, forwarded: list[str], address: str
) -> None:
    """Whoever is not trusted can write anything into X-Forwarded-For, and so could their victim's address."""
    assert client_address(peer, forwarded, TRUSTED) == address


def test_the_record_names_the_address_that_the_trusted_proxy_saw(world: World, tmp_path: Path) -> None:
    """By default nobody is trusted."""
    headers = {"X-Forwarded-For": "198.51.100.1"}
    peer = {"REMOTE_ADDR": "10.0.0.1"}
    world.ask("/fhir/city-lab/Observation", headers=headers, environ_overrides=peer)
    assert world.last()["client"]["address"] == "10.0.0.1"
    (tmp_path / "behind").mkdir()
    configuration = CONFIGURATION.replace("demo = true", 'demo = true\ntrusted_proxies = ["10.0.0.0/8"]')
    behind = World(tmp_path / "behind", configuration)
    behind.ask("/fhir/city-lab/Observation", headers=headers, environ_overrides=peer)
    assert behind.last()["client"]["address"] == "198.51.100.1"


def test_no_answer_leads_around_the_gateway(world: World) -> None:
    """The only foreign addresses are those of the authorization server, in the documents that are about it."""
    world.lab.resources.append(observation("o1"))
    for path in ("/fhir/city-lab/Observation", "/fhir/city-lab/Observation/o1", "/fhir/city-lab/metadata"):
        text = world.ask(path).data.decode()
        assert "lab.example" not in text
        assert EHR_BASE not in text
        assert ISSUER not in text or path.endswith("metadata")
