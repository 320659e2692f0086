"""The program as deployed: `vitrine` in processes of its own, and around it, on loopback, an issuer, an EHR and
a place of feeds that misbehave as they are told.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner

from plugin.cli import main
from plugin.ledger.reader import Reader
from plugin.ledger.verify import verify
from tests.deployed.neighbours import Neighbours

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLES = CHECKOUT / "sample_fhir"
PATIENT = "ehr-1001"
"""Alma, whom the laboratory knows as `lab-20417`."""
PATIENCE = 60.0
"""Seconds for what takes two on an idle machine."""


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration(port: int, ops: int, neighbours: Neighbours, *, workers: int = 1, feeds: str = "") -> str:
    """A working file: one EHR, its issuer and client, the sample laboratory; `feeds` are added."""
    return f"""
public_base = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
ops_listen = "127.0.0.1:{ops}"
workers = {workers}
demo = true

[[ehr]]
id = "hospital"
fhir_base = "{neighbours.url}/ehr"
  [[ehr.issuer]]
  issuer = "{neighbours.url}"
  [[ehr.client]]
  id = "results-pane"
  renders_only = true
  default_purpose = "TREAT"

[[feed]]
id = "city-lab"
kind = "bundle-folder"
path = "{SAMPLES / "city-lab"}"
match = {{ by = "identifier", systems = ["urn:oid:1.2.250.1.213.1.4.10"] }}
{feeds}"""


def odd_feed(feed: str, base: str) -> str:
    """A `[[feed]]` that shares the EHR's patient ids."""
    return f"""
[[feed]]
id = "{feed}"
kind = "fhir-rest"
base = "{base}"
match = {{ by = "same-id", shares_patient_ids_with = "hospital" }}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def issue(self) -> dict[str, Any]:
        """The issue of an OperationOutcome, which this must be."""
        assert self.headers["content-type"] == "application/fhir+json"
        assert self.json["resourceType"] == "OperationOutcome"
        return dict(self.json["issue"][0])


class Deployment:
    """A folder with `vitrine.toml`, the commands on it, and the gateway while it serves."""

    def __init__(self, folder: Path, neighbours: Neighbours, *, workers: int = 1, feeds: str = "") -> None:
        self.folder = folder
        self.neighbours = neighbours
        self.port, self.ops = free_port(), free_port()
        self.path = folder / "vitrine.toml"
        self.path.write_text(configuration(self.port, self.ops, neighbours, workers=workers, feeds=feeds))
        self.log = folder / "stderr"
        self.output = folder / "stdout"
        self.process: subprocess.Popen[bytes] | None = None
        self.vkey = ""

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger" / "vitrine.sqlite"

    def prepare(self) -> "Deployment":
        """Keys and ledger, by the commands; in this process, which is quicker."""
        for command in (("config", "init"), ("audit", "init")):
            done = CliRunner().invoke(main, ["--config", str(self.path), *command], catch_exceptions=False)
            assert done.exit_code == 0, done.output
            self.vkey = done.stdout.strip()
        return self

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "plugin.cli", "--config", str(self.path), *arguments]

    def run(self, *arguments: str, code: int = 0, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """A command to its end, which must be `code`."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self.environment(),
            timeout=PATIENCE,
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        assert b"Traceback" not in done.stderr
        return done

    def environment(self) -> dict[str, str]:
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return {**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(temporary)}

    def start(self) -> "Deployment":
        """Serve, and return once it is ready."""
        self.launch()
        self.wait_until(lambda: self.ready)
        return self

    def launch(self) -> None:
        """Serve, and wait for nothing."""
        with self.log.open("ab") as log, self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command("serve"),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> tuple[int, float]:
        """SIGTERM: the exit code, and how many seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code, time.monotonic() - began

    def end(self) -> None:
        """By force, if it still runs."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def wait_until(self, true: Any) -> None:
        """Until `true()`; the gateway must live meanwhile."""
        until = time.monotonic() + PATIENCE
        while not true():
            assert self.process is None or self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)

    @property
    def ready(self) -> bool:
        try:
            return self.operations("/readyz").status == 200
        except OSError:
            return False

    def ask(
        self,
        path: str,
        *,
        token: str | None = None,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """A request with a clinician's token (or `token`; "" for none) on a connection of its own."""
        given = dict(headers or {})
        if token != "":
            given.setdefault("Authorization", f"Bearer {token or self.token()}")
        return _ask(self.port, method, path, given, body)

    def operations(self, path: str) -> Answer:
        return _ask(self.ops, "GET", path, {}, None)

    def token(self, **claims: Any) -> str:
        """An access token of a clinician with Alma in context."""
        return self.neighbours.token(**{"aud": f"http://127.0.0.1:{self.port}/fhir", "patient": PATIENT, **claims})

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A bare connection to the gateway."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            yield connection

    def say(self, *parts: bytes) -> bytes:
        """What comes back on a bare connection; b"" if it is closed without a word."""
        with self.connection() as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has heard enough; perhaps it said so
            return heard(connection)

    def workers(self) -> list[int]:
        """The ids of the serving processes."""
        assert self.process is not None
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, ValueError):
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(stat.parent.name)] = int(parent)
        return [pid for pid, parent in parents.items() if parents.get(parent) == self.process.pid]

    @property
    def zygote(self) -> int:
        """The id of the process that they are forked from."""
        (found,) = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in self.workers()}
        return found

    def memory(self) -> int:
        """Bytes that all workers hold."""
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.workers()]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    def bodies(self) -> list[dict[str, Any]]:
        """The body of every record; the whole ledger is verified each time."""
        report = verify(self.ledger, self.vkey)
        assert report.problem is None, report.problem
        return [orjson.loads(each.body) for each in Reader(self.ledger).records() if each.body]

    def last(self) -> dict[str, Any]:
        return self.bodies()[-1]

    def log_lines(self) -> list[dict[str, Any]]:
        """The log, each line of which must be a JSON object; and stdout, which must be empty."""
        assert self.output.read_bytes() == b""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        assert all(isinstance(line, dict) and "event" in line and "level" in line for line in lines)
        return lines


def heard(connection: socket.socket) -> bytes:
    """Everything until the peer stops talking: it closes, or has sent a whole short answer."""
    connection.settimeout(PATIENCE)
    said = b""
    while True:
        try:
            part = connection.recv(65_536)
        except ConnectionResetError:
            return said
        said += part
        head, end, body = said.partition(b"\r\n\r\n")
        if not part or (end and len(body) >= _length(head)):
            return said


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 1 << 40


def _ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()
