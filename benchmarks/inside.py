"""The gateway inside this process, for micro-benchmarks and profiles: the real application, called as by a server."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from flask import Flask

from benchmarks import folder, servers
from benchmarks.people import HOST, TokenMaker, number
from plugin import assembly
from plugin.app import create_app
from plugin.settings.file import load


@dataclass(frozen=True, slots=True)
class Inside:
    """The gateway's parts, its application, and whose tokens it takes."""

    assembled: assembly.Assembled
    app: Flask
    tokens: TokenMaker
    upstream: str

    def ask(self, path: str, token: str) -> tuple[str, bytes]:
        """Status and body of the answer to GET `path`."""
        said: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> None:
            said.append(status)

        target, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": target,
            "QUERY_STRING": query,
            "SERVER_NAME": HOST,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": HOST,
            "HTTP_HOST": HOST,
            "HTTP_ACCEPT": "application/fhir+json",
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "wsgi.url_scheme": "http",
            "wsgi.errors": os.devnull,
        }
        body = b"".join(self.app(environ, start))  # type: ignore[arg-type]
        return said[0], body


@contextmanager
def gateway(place: Path) -> Iterator[Inside]:
    """A gateway in `place`, with the static upstream beside it."""
    port = servers.free_port()
    tokens = TokenMaker(f"http://{HOST}:{port}/issuer")
    jwks = place / "inside-jwks.json"
    jwks.write_bytes(orjson.dumps(tokens.jwks))
    deployment = folder.deploy(
        place / "inside", port=servers.free_port(), ops_port=servers.free_port(), upstream=port, workers=1
    )
    assembled = assembly.assemble(load(deployment.configuration))
    with servers.upstream(port, jwks):
        # As in a worker: else collections between the requests would be measured.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)
        yield Inside(assembled, create_app(assembled), tokens, f"http://{HOST}:{port}")
    assembled.ledger.close()


PATHS = {
    "read": lambda person: f"/fhir/{_feed(person)}/Observation/obs-{number(person)}-00",
    "search": lambda person: f"/fhir/{_feed(person)}/Observation",
    "denied": lambda person: f"/fhir/{_feed(person)}/Observation?patient=p{number(person + 1)}",
}
"""What each workload asks of the gateway: one result; 38 results, 60 kB; the results of somebody else's patient."""


def _feed(person: int) -> str:
    return folder.FEEDS[person % len(folder.FEEDS)]
