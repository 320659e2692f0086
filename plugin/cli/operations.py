"""What the operator's own systems ask, on a port of their own: /healthz, /readyz, /metrics. No patient, no person."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader
from plugin.ledger.store import Opening

PROBE_SECONDS = 1.0
REFUSED_SECONDS = 30.0
"""For how long the log takes nothing before a gateway is not ready: what is owed has been tried again meanwhile, and
one lost connection takes no gateway out of service."""
SLOW_SECONDS = 5.0
"""A client that takes longer over its request is dropped."""


REFUSING = "vitrine_ledger_refusing_since_timestamp_seconds"
OURS = "vitrine_"
"""What all our metrics begin with."""
TEXT = "text/plain; charset=utf-8"

log = structlog.get_logger()


class Standing(Protocol):
    """What the supervising process has noticed."""

    def warnings(self) -> Sequence[str]:
        """A sentence for each trouble that lasts."""

    def refusing(self) -> str | None:
        """Why every request is refused, in a sentence; None if none is for what was noticed."""


class AllProcesses:
    """The metrics of the workers and of this process, which supervises them: they meet in files. Each name once."""

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        metrics = MultiProcessCollector(CollectorRegistry()).collect()  # type: ignore[no-untyped-call]
        return (metric for metric in metrics if metric.name.startswith(OURS))


class _Handler(WSGIRequestHandler):
    """Without a line on stderr for each probe; and what it cannot read is answered like everything else."""

    timeout = SLOW_SECONDS
    server_version, sys_version = "vitrine", ""
    error_message_format, error_content_type = "%(code)d %(message)s\n", TEXT

    def version_string(self) -> str:
        """Not of what it is made."""
        return self.server_version

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    """A slow client does not keep the others waiting, and one that hangs up is not worth a line."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Without asking a name server what we are called: the start would wait for one that is out."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


class _Server6(_Server):
    """The same at an address of IPv6."""

    address_family = socket.AF_INET6


def operations_server(
    listen: tuple[str, int], served: tuple[str, int], ledger: Opening, standing: Standing
) -> WSGIServer:
    """A server bound to `listen`, for `serve_forever`. `served` is where the gateway listens. Raises OSError."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        try:
            status, kind, body = _answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], served, ledger, standing)
        except Exception:  # the server would print it, between the lines of the log
            log.error("the operations address could not answer", exc_info=True)
            status, kind, body = "500 Internal Server Error", TEXT, b"the gateway could not answer\n"
        start(status, [("Content-Type", kind), ("Cache-Control", "no-store"), ("Server", "vitrine")])
        return [body]

    server = _Server6 if ":" in listen[0] else _Server
    return make_server(listen[0], listen[1], application, server_class=server, handler_class=_Handler)


def _answer(
    method: str, path: str, served: tuple[str, int], ledger: Opening, standing: Standing
) -> tuple[str, str, bytes]:
    if method != "GET":
        return "405 Method Not Allowed", TEXT, b"only GET\n"
    if path == "/healthz":
        return "200 OK", TEXT, b"ok\n"
    if path == "/readyz":
        problem = _problem(served, ledger, standing)
        told = "".join(f"warning: {each}\n" for each in standing.warnings())
        status = "200 OK" if problem is None else "503 Service Unavailable"
        return status, TEXT, f"{problem or 'ready'}\n{told}".encode()
    if path == "/metrics":
        registry = CollectorRegistry()
        registry.register(AllProcesses())
        return "200 OK", CONTENT_TYPE_LATEST, generate_latest(registry)
    return "404 Not Found", TEXT, b"not found\n"


def _problem(served: tuple[str, int], ledger: Opening, standing: Standing) -> str | None:
    if (refusing := standing.refusing()) is not None:
        return refusing
    try:
        Reader(ledger).head()
    except LedgerError:
        return "the ledger cannot be read"
    if _refuses_records():
        return "the ledger takes no records"
    try:
        socket.create_connection(served, PROBE_SECONDS).close()
    except OSError:
        return "no worker accepts connections"
    return None


def _refuses_records() -> bool:
    values = (each.value for metric in AllProcesses().collect() if metric.name == REFUSING for each in metric.samples)
    since = next(values, 0.0)
    return 0.0 < since < time.time() - REFUSED_SECONDS
