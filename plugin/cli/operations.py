"""What the operator's own systems ask, on a port of their own: /healthz, /readyz, /metrics. No patient, no person."""

import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader

PROBE_SECONDS = 1.0


class _Silent(WSGIRequestHandler):
    """Without a line on stderr for each probe."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def serve_operations(listen: tuple[str, int], served: tuple[str, int], ledger: Path) -> None:
    """Answer at `listen` until the process ends. `served` is where the gateway listens."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        status, kind, body = _answer(environ["PATH_INFO"], served, ledger)
        start(status, [("Content-Type", kind), ("Cache-Control", "no-store")])
        return [body]

    make_server(listen[0], listen[1], application, handler_class=_Silent).serve_forever()


def _answer(path: str, served: tuple[str, int], ledger: Path) -> tuple[str, str, bytes]:
    text = "text/plain; charset=utf-8"
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
