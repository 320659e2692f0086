"""Feeds to ask: a folder of Bundles, the same folder served over HTTP, and servers that misbehave byte by byte."""

import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from fhir_adapters.bundle_folder import BundleFolderConfig, BundleFolderFeed
from fhir_adapters.fhir_rest import FhirRestConfig, FhirRestFeed
from fhir_adapters.interface import Call, Deadline, Feed, FeedLinkExpired, FeedRefused, Page
from fhir_adapters.registry import ENTRY_POINTS, build
from fhir_adapters.resource import encode
from fhir_adapters.third_party import ThirdPartyConfig
from tests.feeds.authority import Authority

OBSERVATIONS = 7

Handler = Callable[[socket.socket, bytes], None]


@pytest.fixture
def call() -> Call:
    return Call(Deadline.after(5), "req-1.1")


@pytest.fixture
def soon() -> Call:
    """A question that nobody waits for longer than half a second."""
    return Call(Deadline.after(0.5), "req-1.1")


def observation(number: int, value: str = "1.50", patient: str = "p1") -> str:
    """One Observation as text, so that its digits are ours."""
    return (
        f'{{"resourceType":"Observation","id":"o{number}","status":"final",'
        '"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category",'
        '"code":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"2160-0"}]},'
        f'"subject":{{"reference":"Patient/{patient}"}},"effectiveDateTime":"2026-03-{number:02}T08:00:00Z",'
        f'"valueQuantity":{{"value":{value},"unit":"mg/dL"}}}}'
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two patients, seven results of the first and one of the second."""
    path = tmp_path / "deliveries"
    path.mkdir()
    patients = [
        {"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-02"},
        {"resourceType": "Patient", "id": "p2", "birthDate": "1980-03-04"},
    ]
    rows = [{"fullUrl": f"https://lab.example/fhir/Patient/{row['id']}", "resource": row} for row in patients]
    (path / "patients.json").write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": rows}))
    results = ",".join(f'{{"resource":{observation(number)}}}' for number in range(1, OBSERVATIONS + 1))
    (path / "results.json").write_text(f'{{"resourceType":"Bundle","type":"collection","entry":[{results}]}}')
    (path / "single.json").write_text(observation(20, patient="p2"))
    return path


class SmallServer:
    """FHIR REST over the folder, with HAPI's habits: next links on the root, no `total`, 410 for an old page."""

    def __init__(self, source: Feed, tls: ssl.SSLContext | None = None) -> None:
        self.source = source
        self.questions: list[Request] = []
        self._http = make_server("127.0.0.1", 0, self._answer, threaded=True, ssl_context=tls)
        self.base = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._http.server_port}/fhir"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        self.questions.append(request)
        status, tree = self._tree(request)
        body = encode(tree)
        return Response(body, status, content_type="application/fhir+json")(environ, start_response)

    def _tree(self, request: Request) -> tuple[int, Any]:
        call = Call(Deadline.after(5), "server")
        parts = request.path.strip("/").split("/")[1:]
        pairs = parse_qsl(request.query_string.decode(), keep_blank_values=True)
        found: Any = None
        try:
            match parts:
                case ["metadata"]:
                    found = self._capability(call)
                case []:
                    found = self._bundle(self.source.page(unquote(dict(pairs)["_getpages"]), call))
                case [resource_type]:
                    found = self._bundle(self.source.search(resource_type, tuple(pairs), call))
                case [resource_type, resource_id]:
                    found = self.source.read(resource_type, resource_id, call)
        except FeedLinkExpired:
            return 410, {"resourceType": "OperationOutcome"}
        except FeedRefused:
            return 400, {"resourceType": "OperationOutcome"}
        return (200, found) if found else (404, {"resourceType": "OperationOutcome"})

    def _bundle(self, page: Page) -> Any:
        link = {"relation": "next", "url": f"{self.base}?_getpages={quote(page.next or '')}&_bundletype=searchset"}
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": [link] if page.next else [],
            "entry": [{"resource": entry.resource, "search": {"mode": "match"}} for entry in page.entries]
            + [{"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}],
        }

    def _capability(self, call: Call) -> Any:
        offer = self.source.check(call)
        rows = [
            {"type": name, "interaction": [{"code": code} for code in codes]} for name, codes in offer.types.items()
        ]
        return {
            "resourceType": "CapabilityStatement",
            "fhirVersion": offer.fhir_version,
            "software": {"name": "small", "version": "1"},
            "rest": [{"mode": "server", "resource": rows}],
        }


@pytest.fixture
def small_server(folder: Path) -> Iterator[SmallServer]:
    server = SmallServer(BundleFolderFeed("behind", folder))
    yield server
    server.close()


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of a city: of its laboratory, and of ours."""
    return Authority("City", tmp_path_factory.mktemp("city"))


@pytest.fixture
def guarded_server(folder: Path, city: Authority) -> Iterator[SmallServer]:
    """The same server over TLS, for clients with a certificate of the city alone."""
    server = SmallServer(BundleFolderFeed("behind", folder), city.asking_for_certificates())
    yield server
    server.close()


SHELF = """
from pathlib import Path

from fhir_adapters.bundle_folder import BundleFolderFeed


class Shelf:
    base = ""

    def __init__(self, config):
        if set(config.options) != {"folder"}:
            raise ValueError("a shelf has one option, folder")
        self.id = config.id
        self.secrets = config.secrets
        self._files = BundleFolderFeed(config.id, Path(config.options["folder"]))

    def read(self, resource_type, resource_id, call):
        return self._files.read(resource_type, resource_id, call)

    def search(self, resource_type, parameters, call):
        return self._files.search(resource_type, parameters, call)

    def page(self, name, call):
        return self._files.page(name, call)

    def file(self, url, call):
        return self._files.file(url, call)

    def check(self, call):
        return self._files.check(call)
"""
"""A feed that somebody else wrote."""

PlugIn = Callable[[str, str, str], None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlugIn]:
    """Installs a distribution of one module: (its name, its code, the lines of its entry points for feeds)."""

    def install(module: str, code: str, lines: str) -> None:
        site = tmp_path / f"site-{module}"
        facts = site / f"{module}-1.0.dist-info"
        facts.mkdir(parents=True)
        (site / f"{module}.py").write_text(code)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{lines}\n")
        monkeypatch.syspath_prepend(site)

    yield install
    for name in [each for each in sys.modules if each.startswith("vitrine_test_")]:
        del sys.modules[name]


@pytest.fixture(params=["fhir-rest", "fhir-rest with a certificate", "bundle-folder", "third party"])
def feed(request: pytest.FixtureRequest, folder: Path) -> Feed:
    """Each kind of feed in turn, over the same folder."""
    if request.param == "bundle-folder":
        return build("bundle-folder", BundleFolderConfig("files", folder))
    if request.param == "third party":
        request.getfixturevalue("installed")("vitrine_test_shelf", SHELF, "shelf = vitrine_test_shelf:Shelf")
        return build("shelf", ThirdPartyConfig("files", {"folder": str(folder)}))
    if request.param == "fhir-rest with a certificate":
        server, city = request.getfixturevalue("guarded_server"), request.getfixturevalue("city")
        return build("fhir-rest", FhirRestConfig("city-lab", server.base, identity=city.identity("vitrine")))
    server = request.getfixturevalue("small_server")
    return build("fhir-rest", FhirRestConfig("city-lab", server.base))


class RawServer:
    """Answers each connection by a function of (socket, request bytes); remembers the requests."""

    def __init__(self, *handlers: Handler, tls: ssl.SSLContext | None = None) -> None:
        """The last handler stays for all further connections."""
        self._tls = tls
        self.requests: list[bytes] = []
        self._handlers = list(handlers)
        self._stopping = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}/fhir"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._stopping.set()
        self._socket.close()

    def pause(self, seconds: float) -> bool:
        """Wait as a slow server would; True if the test is over meanwhile."""
        return self._stopping.wait(seconds)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            handler = self._handlers.pop(0) if len(self._handlers) > 1 else self._handlers[0]
            threading.Thread(target=self._one, args=(connection, handler), daemon=True).start()

    def _one(self, connection: socket.socket, handler: Handler) -> None:
        with connection:
            try:
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                request = connection.recv(65_536)
                self.requests.append(request)
                handler(connection, request)
            except OSError:
                return  # the client went away, as many of these tests want


@pytest.fixture
def raw_server() -> Iterator[Callable[..., RawServer]]:
    servers: list[RawServer] = []

    def start(*handlers: Handler, tls: ssl.SSLContext | None = None) -> RawServer:
        servers.append(RawServer(*handlers, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def asking(raw_server: Callable[..., RawServer]) -> Callable[..., tuple[FhirRestFeed, RawServer]]:
    """A FhirRestFeed on a server that sends these very bytes."""

    def start(*answers: bytes) -> tuple[FhirRestFeed, RawServer]:
        server = raw_server(*[_sending(answer) for answer in answers])
        return FhirRestFeed("city-lab", server.base), server

    return start


def _sending(answer: bytes) -> Handler:
    return lambda connection, _: connection.sendall(answer)
