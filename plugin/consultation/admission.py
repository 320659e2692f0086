"""How much work is taken in at a time: the server has more threads than places, so that who finds none is told so.

Who waits for a feed or an EHR does no work meanwhile, and gives the place to somebody else: feeds that answer slowly,
or never, do not take the places of those that answer.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from plugin.errors import Overloaded

PLACES = 8
"""Consultations at work in one process. The server has three times the threads: most of them wait for a feed."""
PATIENCE_SECONDS = 1.0


class Admission:
    """A bounded number of consultations at work at a time."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = threading.BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place, this thread and once. Raises Overloaded if none is found within PATIENCE_SECONDS."""
        if not self._places.acquire(timeout=PATIENCE_SECONDS):
            raise Overloaded
        _here.places = self._places
        try:
            yield
        finally:
            _here.places = None
            self._places.release()


class _Here(threading.local):
    places: threading.Semaphore | None = None
    """Where this thread holds a place."""


_here = _Here()


@contextmanager
def away() -> Iterator[None]:
    """The place that this thread holds, if it does, is somebody else's while the block waits for an answer.

    To be taken again it is waited for without a limit: who was taken in is served, and no more can be before us than
    the server has threads.
    """
    places = _here.places
    if places is None:
        yield
        return
    _here.places = None
    places.release()
    try:
        yield
    finally:
        places.acquire()
        _here.places = places
