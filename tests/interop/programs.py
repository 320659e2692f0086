"""Programs that are not ours, as processes: started on a free loopback port, awaited, held still, stopped by their id.

What is installed, and where, is `tests/interop/install`'s; here it is only looked up.
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deployed.deployment import free_port

HERE = Path(__file__).parent
INSTALLED = HERE.parents[1] / ".cache" / "interop"
PATIENCE = 900.0
"""Seconds for a Java server to come up that takes 20 on an idle machine, and 200 on a busy one."""
STARTS = 3


def installed(part: str, *paths: str) -> Path:
    """The folder of an installed part, which has `paths` in it; otherwise the test is skipped."""
    folder = INSTALLED / part
    if not all((folder / path).exists() for path in paths):
        pytest.skip(f"{part} is not installed: run tests/interop/install")
    return folder


def command(name: str) -> str:
    """The path of a program of this computer; otherwise the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


class Program:
    """A server process on 127.0.0.1; its output goes to `log`."""

    def __init__(
        self,
        arguments: Callable[[int], list[str]],
        log: Path,
        *,
        ready: str,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """`arguments` of a port; `ready` is a path that answers 200 once it serves."""
        self.log = log
        self._arguments, self._ready = arguments, ready
        self._environment, self._folder = {**os.environ, **(environment or {})}, folder
        self._start()

    def _start(self) -> None:
        self.port = free_port()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._arguments(self.port),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )

    @property
    def origin(self) -> str:
        """Where it is; known for certain once `wait` has returned."""
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> "Program":
        """Until it is ready."""
        until = time.monotonic() + PATIENCE
        starts = 1
        while not self._answers():
            if self._process.poll() is not None:
                # A port that was free when it was looked up may be taken twenty seconds later.
                assert starts < STARTS, self._last_words()
                starts += 1
                self._start()
            assert time.monotonic() < until, self._last_words()
            time.sleep(0.2)
        return self

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-4_000:]

    def hold(self) -> None:
        """It stays, its connections too, and does nothing more."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        """By force: nothing of it is needed afterwards."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return self.ask("GET", self._ready).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> "Said":
        """A request to the program itself, past the gateway; `body` becomes JSON unless it is bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/fhir+json", **(headers or {})}
        try:
            connection.request(method, path, data, given)
            response = connection.getresponse()
            return Said(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


class Said:
    """What a program answered."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)
