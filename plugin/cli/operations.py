"""What the operator's own systems ask, on a port of their own: /healthz, /readyz, /metrics. No patient, no person."""

import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader

PROBE_SECONDS = 1.0
SLOW_SECONDS = 5.0
"""A client that takes longer over its request is dropped."""


class _Handler(WSGIRequestHandler):
    """Without a line on stderr for each probe."""

    timeout = SLOW_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    """A slow client does not keep the others waiting, and one that hangs up is not worth a line."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


def operations_server(listen: tuple[str, int], served: tuple[str, int], ledger: Path) -> WSGIServer:
    """A server bound to `listen`, for `serve_forever`. `served` is where the gateway listens. Raises OSError."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        status, kind, body = _answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], served, ledger)
        start(status, [("Content-Type", kind), ("Cache-Control", "no-store")])
        return [body]

    return make_server(listen[0], listen[1], application, server_class=_Server, handler_class=_Handler)


def _answer(method: str, path: str, served: tuple[str, int], ledger: Path) -> tuple[str, str, bytes]:
    text = "text/plain; charset=utf-8"
    if method != "GET":
        return "405 Method Not Allowed", text, b"only GET\n"
    if path == "/healthz":
        return "200 OK", text, b"ok\n"
    if path == "/readyz":
        problem = _problem(served, ledger)
        return ("200 OK", text, b"ready\n") if problem is None else ("503 Service Unavailable", text, problem)
    if path == "/metrics":
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return "200 OK", CONTENT_TYPE_LATEST, generate_latest(registry)
    return "404 Not Found", text, b"not found\n"


def _problem(served: tuple[str, int], ledger: Path) -> bytes | None:
    try:
        Reader(ledger).head()
    except LedgerError:
        return b"the ledger cannot be read\n"
    try:
        socket.create_connection(served, PROBE_SECONDS).close()
    except OSError:
        return b"no worker accepts connections\n"
    return None
