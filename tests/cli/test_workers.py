"""The HTTP server that supervises its workers, without any."""

import signal
import threading
import time

from plugin.cli.workers import LEFT_SECONDS, Workers
from tests.world import World


def test_who_asks_for_the_end_twice_does_not_put_it_off(monkeypatch, tmp_path):
    """An impatient Ctrl-C, or each of several sinks that contradict the ledger: the ten seconds are of the first."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    served = Workers(None, threading.Event(), ("127.0.0.1", 0), World(tmp_path).settings, {})
    assert served.seconds_left() == LEFT_SECONDS
    for now[0] in (100.0, 108.0):
        served.signal_handler_interrupt(signal.SIGTERM, None)
    assert served.seconds_left() == LEFT_SECONDS - 8
