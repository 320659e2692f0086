"""The HTTP server that supervises its workers, without any."""

import signal
import sys
import threading
import time
from queue import SimpleQueue

from plugin.cli.workers import LEFT_SECONDS, Workers
from tests.world import World


def test_who_asks_for_the_end_twice_does_not_put_it_off(monkeypatch, tmp_path):
    """An impatient Ctrl-C, or each of several sinks that contradict the ledger: the ten seconds are of the first."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    served = Workers(None, SimpleQueue(), ("127.0.0.1", 0), World(tmp_path).settings, {})
    assert served.seconds_left() == LEFT_SECONDS
    for now[0] in (100.0, 108.0):
        served.signal_handler_interrupt(signal.SIGTERM, None)
    assert served.seconds_left() == LEFT_SECONDS - 8


def test_a_sighup_may_come_while_another_is_answered(tmp_path):
    """A handler that waits for what it interrupted ends all that the process does, its own end included."""
    anew = SimpleQueue()
    served = Workers(None, anew, ("127.0.0.1", 0), World(tmp_path).settings, {})

    def again(frame: object, event: str, _: object) -> None:
        """Wherever the handler is."""
        if event == "call":
            sys.setprofile(None)
            served.signal_handler_reload(signal.SIGHUP, None)
            sys.setprofile(again)

    def answer() -> None:
        sys.setprofile(again)
        served.signal_handler_reload(signal.SIGHUP, None)
        sys.setprofile(None)

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    answering.join(10)
    assert not answering.is_alive()
    assert anew.get(timeout=10)
