"""Closed-loop load: so many connections, each of which asks again as soon as it has its answer.

Debian's `wrk` makes it where there is one; else our own generator (`benchmarks.load_loop`), which costs more CPU.
Both replay prepared requests from a file and print the same line.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.folder import CHECKOUT, environment
from benchmarks.people import HOST

GRACE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a stretch of load."""

    requests: int
    seconds: float
    errors: int
    """Connections that broke, and answers that did not come."""
    refused: int
    """Answers with a status of 400 or more."""
    bytes: int
    p50_ms: float
    p99_ms: float


def request(port: int, path: str, token: str) -> bytes:
    """A GET as it stands on the wire."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: application/fhir+json\r\n\r\n"
    ).encode("ascii")


def write_requests(path: Path, requests: Iterable[bytes]) -> Path:
    """Prepare `requests` for `run`."""
    path.write_bytes(b"\0".join(requests))
    return path


def generator() -> str:
    """What makes the load, with its version."""
    if wrk := shutil.which("wrk"):
        shown = subprocess.run([wrk, "-v"], capture_output=True, text=True, check=False, timeout=GRACE_SECONDS).stdout
        found = re.search(r"wrk \S*?(\d+(?:\.\d+)+)", shown)
        return f"wrk {found[1]}" if found else "wrk"
    return "benchmarks.load_loop"


def steadily(port: int, requests: Path, *, rate: float, seconds: float) -> Load:
    """Ask the server at `port` so many times a second for so long, however it answers (`benchmarks.open_loop`)."""
    command = [sys.executable, "-m", "benchmarks.open_loop", str(port), str(requests), str(rate), str(seconds)]
    return _done(command, seconds)


@contextmanager
def meanwhile(port: int, requests: Path, *, rate: float, seconds: float) -> Iterator[None]:
    """An open loop beside the block, for `seconds` at most; it ends with the block."""
    command = [sys.executable, "-m", "benchmarks.open_loop", str(port), str(requests), str(rate), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=CHECKOUT, env=environment()) as beside:
        try:
            yield
        finally:
            beside.terminate()


def run(port: int, requests: Path, *, connections: int, seconds: float) -> Load:
    """Ask the server at `port` on `connections` for so long."""
    if wrk := shutil.which("wrk"):
        # wrk takes whole seconds.
        command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
        command += ["-s", str(Path(__file__).with_name("wrk.lua")), f"http://{HOST}:{port}", "--", str(requests)]
    else:
        command = [sys.executable, "-m", "benchmarks.load_loop", str(port), str(requests), str(connections)]
        command += [str(seconds)]
    return _done(command, seconds)


def _done(command: list[str], seconds: float) -> Load:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
        env=environment(),
        timeout=seconds + GRACE_SECONDS,
    )
    return Load(**json.loads(done.stdout.strip().splitlines()[-1]))
