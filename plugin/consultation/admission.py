"""How much work is taken in at a time: the server has more threads than places, so that who finds none is told so."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from plugin.errors import Overloaded

PLACES = 8
"""Consultations at work in one process; the server has twice the threads, so that refusals never wait for a place."""
PATIENCE_SECONDS = 1.0


class Admission:
    """A bounded number of consultations at work at a time."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = threading.BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place. Raises Overloaded if none is found within PATIENCE_SECONDS."""
        if not self._places.acquire(timeout=PATIENCE_SECONDS):
            raise Overloaded
        try:
            yield
        finally:
            self._places.release()
