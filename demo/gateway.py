"""The gateway, run exactly as it is deployed: the `vitrine` command in processes of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from demo.loopback_http import UnreachableError, get

COMMAND_SECONDS = 60.0
"""Making keys and a ledger takes a second; a slow disk some more."""
READY_SECONDS = 30.0
STOP_SECONDS = 8.0
"""The gateway promises 10 s at most, and needs one at best; what is left of ten is for ending it by force."""
POLL_SECONDS = 0.1
LAST_LINES = 15
"""Of the gateway's log, shown when it does not start."""


class GatewayError(Exception):
    """A `vitrine` command failed, or the gateway did not become ready. The message says what it said itself."""


@dataclass(frozen=True, slots=True)
class Vitrine:
    """The command with its configuration file."""

    configuration: Path

    def run(self, *arguments: str) -> str:
        """What a command prints to stdout. Raises GatewayError unless it exits with 0."""
        command = self.command(*arguments)
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                check=False,
                cwd=self.configuration.parent,
                env=_environment(),
                text=True,
                timeout=COMMAND_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise GatewayError(f"`vitrine {' '.join(arguments)}` did not end within {COMMAND_SECONDS:.0f} s") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise GatewayError(f"`vitrine {' '.join(arguments)}` ended with {done.returncode}: {said}")
        return done.stdout

    def prepare(self) -> str:
        """Make its keys and its ledger; the ledger's verifier key comes back. Raises GatewayError."""
        self.run("config", "init")
        return self.run("audit", "init")

    @contextmanager
    def serving(self, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
        """The running gateway, its log in the file `log`; at the end of the block it and its workers are gone."""
        with log.open("wb") as stderr:
            # A session of its own: Ctrl-C in the terminal reaches us alone, and we end the whole group.
            process = subprocess.Popen(
                self.command("serve"),
                cwd=self.configuration.parent,
                env=_environment(),
                start_new_session=True,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
            )
        try:
            yield process
        finally:
            _stop(process)

    def command(self, *arguments: str) -> list[str]:
        """The command line of `vitrine`."""
        return [sys.executable, "-m", "plugin.cli", "--config", str(self.configuration), *arguments]


def wait_until_ready(process: "subprocess.Popen[bytes]", ops: str, log: Path) -> None:
    """Return once `/readyz` says yes. Raises GatewayError if the gateway ends first or takes too long."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise GatewayError(f"the gateway ended with {process.returncode}; its last words:\n{last_words(log)}")
        try:
            if get(f"{ops}/readyz").status == 200:
                return
        except UnreachableError:
            pass  # it does not listen yet
        time.sleep(POLL_SECONDS)
    raise GatewayError(f"the gateway was not ready within {READY_SECONDS:.0f} s; its last words:\n{last_words(log)}")


def last_words(log: Path) -> str:
    """The end of the gateway's log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])


def _environment() -> dict[str, str]:
    """Ours, with this checkout first on the import path, so that the command finds the packages uninstalled too."""
    checkout = str(Path(__file__).resolve().parent.parent)
    paths = [checkout, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):  # all gone, as it should be
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
