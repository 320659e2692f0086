"""Starts and stops the servers that are measured, and reads from /proc what they cost."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import floor
from benchmarks.folder import CHECKOUT, Deployment, environment
from benchmarks.people import HOST
from demo.gateway import Vitrine
from plugin.cli.given import CONFIG_VARIABLE

START_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.01
TICKS = os.sysconf("SC_CLK_TCK")

_NGINX = """\
daemon off;
worker_processes {workers};
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream feed {{ server {host}:{upstream}; keepalive 64; }}
  server {{
    listen {host}:{port};
    location /fhir/lab/ {{
      limit_except GET {{ deny all; }}
      proxy_pass http://feed/feed/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""
"""What a site would put there otherwise: every method but GET is refused, and that is all."""

_GRANIAN = """\
import multiprocessing, sys
from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from plugin.cli.workers import BACKLOG, HEADER_BUFFER, THREADS
multiprocessing.set_start_method("spawn", force=True)
Granian(
    sys.argv[1], factory=True, address="{host}", port=int(sys.argv[2]), interface=Interfaces.WSGI,
    workers=int(sys.argv[3]), blocking_threads=THREADS, backlog=BACKLOG,
    http1_settings=HTTP1Settings(max_buffer_size=HEADER_BUFFER), websockets=False, log_enabled=False,
).serve()
"""
"""Any application on granian with the settings of `vitrine serve`."""


class ServerFailed(Exception):
    """A server ended, or was not ready in time."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with its workers."""

    process: "subprocess.Popen[bytes]"
    port: int
    started_in: float
    """Seconds from the start of the process until it was ready."""

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its processes."""
        return cpu_seconds_below(self.process.pid)

    def descriptors(self) -> int:
        """Open files and sockets of the process that has the most."""
        return max(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in _processes(self.process.pid))

    def worker_bytes(self) -> int:
        """Resident memory of its largest process."""
        return max(_resident_bytes(pid) for pid in _processes(self.process.pid))

    def private_bytes(self) -> int:
        """Memory that the process which holds most of it shares with no other."""
        return max(_private_bytes(pid) for pid in _processes(self.process.pid))


@contextmanager
def nginx(port: int, workers: int, upstream: int, folder: Path) -> Iterator[Server]:
    """nginx in front of the upstream. Where it is installed: `shutil.which` tells."""
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(host=HOST, port=port, workers=workers, upstream=upstream, folder=folder))
    command = ["nginx", "-p", str(folder), "-c", str(configuration)]
    with _running(command, port, environment(), lambda: _accepts(port)) as server:
        yield server


@contextmanager
def upstream(port: int, jwks: Path) -> Iterator[Server]:
    """The static upstream."""
    command = [sys.executable, "-m", "benchmarks.upstream", str(port), str(jwks)]
    with _running(command, port, environment(), lambda: _accepts(port)) as server:
        yield server


@contextmanager
def gateway(deployment: Deployment) -> Iterator[Server]:
    """`vitrine serve`, ready when `/readyz` says so."""
    ready = f"http://{HOST}:{deployment.ops_port}/readyz"
    command = Vitrine(deployment.configuration).command("serve")
    with _running(command, deployment.port, environment(), lambda: _says_yes(ready)) as server:
        yield server


@contextmanager
def gateway_without_record(deployment: Deployment, workers: int) -> Iterator[Server]:
    """The bench-only build of the application."""
    settings = environment(**{CONFIG_VARIABLE: str(deployment.configuration)})
    with _on_granian("benchmarks.without_record:application", deployment.port, workers, settings) as server:
        yield server


@contextmanager
def floor_server(port: int, workers: int, upstream_base: str, jwks: Path) -> Iterator[Server]:
    """The floor."""
    settings = environment(**{floor.UPSTREAM_VARIABLE: upstream_base, floor.JWKS_VARIABLE: str(jwks)})
    with _on_granian("benchmarks.floor:application", port, workers, settings) as server:
        yield server


def cpu_seconds_below(pid: int) -> float:
    """User and system time so far of a process and of those that it started."""
    return sum(_cpu_seconds(each) for each in _processes(pid))


def children(pid: int) -> list[int]:
    """The processes that one has started itself."""
    return [int(each) for task in Path(f"/proc/{pid}/task").glob("*/children") for each in task.read_text().split()]


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _on_granian(target: str, port: int, workers: int, settings: dict[str, str]) -> Iterator[Server]:
    command = [sys.executable, "-c", _GRANIAN.format(host=HOST), target, str(port), str(workers)]
    with _running(command, port, settings, lambda: _accepts(port)) as server:
        yield server


@contextmanager
def _running(command: list[str], port: int, settings: dict[str, str], is_ready: Callable[[], bool]) -> Iterator[Server]:
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=settings,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not is_ready():
            if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise ServerFailed(f"{' '.join(command[1:4])} did not become ready")
            time.sleep(POLL_SECONDS)
        yield Server(process, port, time.monotonic() - began)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):  # its workers went with it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1.0).close()
    except OSError:
        return False
    return True


def _says_yes(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _processes(pid: int) -> list[int]:
    found, frontier = [], [pid]
    while frontier:
        found.append(frontier.pop())
        frontier += children(found[-1])
    return found


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
