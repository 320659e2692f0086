"""`python -m demo.run`, as a newcomer starts it: one command, a first result, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.addresses import HIGHEST_PORT_BASE, Addresses, PortError

CHECKOUT = Path(__file__).resolve().parents[2]
STEP = 7
"""Ports from one base to the next: seven parts listen."""

pytestmark = pytest.mark.slow


@pytest.fixture
def addresses():
    """A port base whose ports are all free now; tests in parallel processes look in different places."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    try:
        return Addresses.free(range(21_000 + worker * 20 * STEP, HIGHEST_PORT_BASE, STEP))
    except PortError as taken:
        pytest.skip(str(taken))


def command(addresses, state, *options):
    return [sys.executable, "-m", "demo.run", "--port-base", str(addresses.port_base), "--state", str(state), *options]


def test_one_command_shows_a_laboratory_result_and_its_record(addresses, tmp_path):
    """What the README promises in its first ten lines."""
    done = subprocess.run(
        command(addresses, tmp_path / "run", "--once"),
        capture_output=True,
        check=False,
        cwd=CHECKOUT,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Status 200, Bundle" in done.stdout
    assert "Traceback" not in done.stderr
    addresses.require_free()


def test_the_printed_line_works_and_sigterm_ends_everything(addresses, tmp_path):
    """It is pasted as it stands; afterwards no process and no port is left."""
    process = subprocess.Popen(
        command(addresses, tmp_path / "run"), cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        line = next(line for line in process.stdout if line.startswith("curl "))
        shown = subprocess.run(["sh", "-c", line], capture_output=True, check=True, text=True, timeout=30).stdout
        assert '"resourceType":"Bundle"' in re.sub(r"\s", "", shown)
        assert '"Observation"' in shown
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    addresses.require_free()
