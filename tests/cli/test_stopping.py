"""Until when a command that writes on and on goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest

from plugin.cli import stopping
from plugin.cli.stopping import until_stopped


@pytest.fixture
def deaf():
    """In the background of a shell without job control."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def test_who_was_started_deaf_to_interruptions_stays_so(deaf):
    """A Ctrl-C meant for the command in front would end the forwarding behind it."""
    with until_stopped() as stopped:
        os.kill(os.getpid(), signal.SIGINT)
        assert not stopped(0)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped(0)


def test_what_takes_its_time_while_the_output_is_free_is_not_given_up(monkeypatch):
    """It waits for the log, or for a receiver elsewhere, which have bounds of their own."""
    monkeypatch.setattr(stopping, "PATIENCE_SECONDS", 0.02)
    with until_stopped() as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            time.sleep(0.01)
        assert stopped(0)


UNHEARD = """
import os, sys, time
from contextlib import suppress
from plugin.cli import stopping
stopping.PATIENCE_SECONDS = 0.1
os.set_blocking(1, False)
with suppress(BlockingIOError):
    while True:
        os.write(1, bytes(4096))
os.set_blocking(1, True)
sys.stdout.buffer.write(b"the rest")
with stopping.until_stopped(), suppress(BrokenPipeError):
    print("full", file=sys.stderr, flush=True)
    time.sleep(60)
"""


def test_what_nobody_takes_is_not_waited_for_at_the_end_either():
    """What stands in Python's buffer is written out as the process ends."""
    with subprocess.Popen([sys.executable, "-Ec", UNHEARD], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as unheard:
        assert unheard.stderr.readline() == b"full\n"
        unheard.terminate()
        try:
            assert unheard.wait(30) == 0
        finally:
            unheard.kill()
