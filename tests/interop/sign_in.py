"""The demonstration's authorization server, with clients of a test's own, and a web server for pages."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.access_tokens import SigningKeys
from demo.authorization_server import create_authorization_server
from demo.launches import Launches
from demo.oauth_clients import RESULTS_PANE, RESULTS_SCOPES, OAuthClient
from demo.people import patients, practitioners
from demo.servers import serving
from fhir_adapters.bundle_folder import BundleFolderFeed
from tests.deployed.deployment import SAMPLES, free_port
from tests.deployed.neighbours import Neighbours
from tests.interop.site import Site, folder_feed

PAGE = "page"
"""The client id of an application that is a page, and signs in by itself."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A gateway, and the authorization server whose tokens it takes."""

    site: Site
    issuer: str
    launches: Launches
    pane: OAuthClient
    """The EHR's own results pane, which has a secret."""
    pages: str
    """The origin of the pages, which may ask the gateway."""

    @property
    def base(self) -> str:
        return self.site.fhir("city-lab")


@contextmanager
def signing_in(folder: Path, neighbours: Neighbours) -> Iterator[SignIn]:
    """Both of them running; the EHR's FHIR server is `neighbours`."""
    issuer, pages = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    clients = [
        f'\n  [[ehr.client]]\n  id = "{each}"\n  renders_only = true\n  default_purpose = "TREAT"\n'
        for each in (RESULTS_PANE, PAGE)
    ]
    site = Site(
        folder,
        neighbours,
        ehr=f"{neighbours.url}/ehr",
        feeds=folder_feed(),
        issuers=f'\n  [[ehr.issuer]]\n  issuer = "{issuer}"\n' + "".join(clients),
        more=f'cors_origins = ["{pages}"]',
    )
    own = BundleFolderFeed("ehr", SAMPLES / "ehr")
    audiences = (site.fhir("city-lab"),)
    pane = OAuthClient(RESULTS_PANE, "authorization_code", RESULTS_SCOPES, audiences, (f"{pages}/pane",))
    page = OAuthClient(PAGE, "authorization_code", RESULTS_SCOPES, audiences, (f"{pages}/app.html",), public=True)
    launches = Launches()
    server = create_authorization_server(
        issuer=issuer,
        keys=SigningKeys(),
        clients=(pane, page),
        practitioners=practitioners(own, f"{neighbours.url}/ehr"),
        patients=patients(own),
        launches=launches,
    )
    with serving(server, int(issuer.rpartition(":")[2])):
        try:
            site.prepare().start()
            yield SignIn(site, issuer, launches, pane, pages)
        finally:
            site.end()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving_files(folder: Path, origin: str) -> Iterator[None]:
    """The files of `folder`, under `origin` and whatever other name this computer has for itself."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(origin.rpartition(":")[2])), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
