"""While `serve` runs and when it stops, the ledger's checkpoints go to `ledger.sinks`; trouble with one is told."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from plugin import assembly
from plugin.cli.watch import Watch
from plugin.ledger.deliveries import Deliveries
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError

WATCH_SECONDS = 60.0
"""Between two looks at how the sinks are doing; as often a sink that fails is told of."""

log = structlog.get_logger()


@contextmanager
def delivered(settings: Settings, watch: Watch) -> Iterator[None]:
    """Deliver as long as the block lasts, and once more at its end. Does nothing without sinks.

    A sink that contradicts the ledger at the first contact stops the gateway, as at a start.
    """
    if not settings.ledger.sinks:
        yield
        return
    stopped = threading.Event()
    deliveries = _deliveries(settings, watch)
    deliveries.start()
    telling = threading.Thread(target=_watch, args=(settings, watch, deliveries, stopped), name="sinks")
    telling.start()
    try:
        yield
    finally:
        stopped.set()
        telling.join()


def _deliveries(settings: Settings, watch: Watch) -> Deliveries:
    def forked(name: str, sentence: str, first: bool) -> None:
        watch.forked(name, sentence)
        if first:
            os.kill(os.getpid(), signal.SIGTERM)

    return assembly.deliveries(settings, forked, watch.heard)


def _watch(settings: Settings, watch: Watch, deliveries: Deliveries, stopped: threading.Event) -> None:
    """Tell of trouble until the stop. After `audit rotate`, go on with the new key."""
    while not stopped.wait(WATCH_SECONDS):
        _tell(deliveries)
        watch.sinks(deliveries.status(), delivering=deliveries.running())
        renewed = _renewed(settings, watch, deliveries)
        if renewed is not None:
            deliveries.stop()
            renewed.start()
            deliveries = renewed
    deliveries.stop()
    _tell(deliveries)


def _renewed(settings: Settings, watch: Watch, deliveries: Deliveries) -> Deliveries | None:
    """Deliveries under the ledger's key, if it is another now; None also where that cannot be told."""
    try:
        renewed = _deliveries(settings, watch)
    except SettingsError:  # whoever appends finds out what is wrong with the ledger
        return None
    return None if renewed.key.text == deliveries.key.text else renewed


def _tell(deliveries: Deliveries) -> None:
    for status in deliveries.status():
        if status.problem is not None:
            log.error("a checkpoint could not be delivered", sink=status.name, problem=status.problem)
