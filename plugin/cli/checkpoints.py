"""While `serve` runs and when it stops, the ledger's checkpoints go to `ledger.sinks`; trouble with one is told."""

import os
import signal
import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager

import structlog

from plugin import assembly
from plugin.cli.watch import Watch
from plugin.ledger.courier import SinkStatus
from plugin.ledger.deliveries import Deliveries
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError

WATCH_SECONDS = 15.0
"""Between two looks at how the sinks are doing."""
LAST_SECONDS = 6.0
"""Given to the sinks at the end, if the stop has as much left."""

log = structlog.get_logger()


@contextmanager
def delivered(settings: Settings, watch: Watch, seconds_left: Callable[[], float]) -> Iterator[None]:
    """Deliver as long as the block lasts, and once more at its end, which takes as long as is left then at most.

    Does nothing without sinks.

    A sink that contradicts the ledger at the first contact since the start stops the gateway, as at a start.
    """
    if not settings.ledger.sinks:
        yield
        return
    stopped = threading.Event()
    deliveries = _deliveries(settings, watch)
    deliveries.start()
    telling = threading.Thread(target=_watch, args=(settings, watch, deliveries, stopped, seconds_left), name="sinks")
    telling.start()
    try:
        yield
    finally:
        stopped.set()
        telling.join()


def _deliveries(settings: Settings, watch: Watch, met: Container[str] = ()) -> Deliveries:
    """`met`: the names of sinks that took a checkpoint since the start, before these deliveries."""

    def forked(name: str, sentence: str, first: bool) -> None:
        watch.forked(name, sentence)
        if first and name not in met:
            os.kill(os.getpid(), signal.SIGTERM)

    return assembly.deliveries(settings, forked, watch.heard)


def _watch(
    settings: Settings,
    watch: Watch,
    deliveries: Deliveries,
    stopped: threading.Event,
    seconds_left: Callable[[], float],
) -> None:
    """Tell of trouble until the stop. After `audit rotate`, go on with the new key."""
    told: dict[str, SinkStatus] = {}
    met: set[str] = set()
    while not stopped.wait(WATCH_SECONDS):
        _tell(deliveries, told)
        watch.sinks(deliveries.status(), delivering=deliveries.running())
        # A witness that was not told of the new key refuses it: no reason to end what it has followed since the start.
        met.update(status.name for status in deliveries.status() if status.size is not None)
        renewed = _renewed(settings, watch, deliveries, met)
        if renewed is not None:
            deliveries.stop(0)  # the new ones bring what is newest
            renewed.start()
            deliveries = renewed
    deliveries.stop(min(LAST_SECONDS, seconds_left()))
    _tell(deliveries, told)


def _renewed(settings: Settings, watch: Watch, deliveries: Deliveries, met: Container[str]) -> Deliveries | None:
    """Deliveries under the ledger's key, if it is another now; None also where that cannot be told."""
    try:
        renewed = _deliveries(settings, watch, met)
    except SettingsError:  # whoever appends finds out what is wrong with the ledger
        return None
    return None if renewed.key.text == deliveries.key.text else renewed


def _tell(deliveries: Deliveries, told: dict[str, SinkStatus]) -> None:
    """Of each try that failed, once."""
    for status in deliveries.status():
        if status.problem is not None and told.get(status.name) is not status:
            told[status.name] = status
            log.error("a checkpoint could not be delivered", sink=status.name, problem=status.problem)
