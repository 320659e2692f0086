"""The form body of a POST `_search`, read within bounds: of bytes, of time, and of how many are read at once.

It is read before the caller is identified, because it is part of what is asked. So that callers who send theirs
slowly, or never, do not hold the threads that answer, it is read beside them.
"""

import queue
import threading
from typing import IO

from flask import Request
from werkzeug.exceptions import ClientDisconnected

MAX_BYTES = 65_536
"""The same search in an address would have to fit 8 kB."""
READ_SECONDS = 3.0
"""For 64 kB from a client that is there; a silent one holds its answering thread no longer."""
PLACE_SECONDS = 0.2
"""How long a body waits for a reader. Bodies have mostly arrived with their request: readers are busy for moments."""
READERS = 8
"""Bodies under way in one process. A reader whose client stays silent waits until the connection ends."""

MEDIA_TYPE = "application/x-www-form-urlencoded"


class FormTooLarge(Exception):
    """The body is larger than MAX_BYTES."""


class FormUnreadable(Exception):
    """The body did not arrive in time, or not at all."""


class FormReader:
    """Reads bodies; one for the process. Safe to call from several threads."""

    def __init__(self, seconds: float = READ_SECONDS, readers: int = READERS) -> None:
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(readers)

    def read(self, request: Request) -> bytes:
        """The body of `request`. Raises FormTooLarge, or FormUnreadable once `seconds` have passed."""
        if (request.content_length or 0) > MAX_BYTES:
            raise FormTooLarge
        if not self._places.acquire(timeout=PLACE_SECONDS):
            raise FormUnreadable
        arrived: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._fill, args=(request.stream, arrived), daemon=True, name="form").start()
        try:
            body = arrived.get(timeout=self._seconds)
        except queue.Empty:
            raise FormUnreadable from None
        if body is None:
            raise FormUnreadable
        if len(body) > MAX_BYTES:
            raise FormTooLarge
        return body

    def _fill(self, stream: IO[bytes], arrived: "queue.SimpleQueue[bytes | None]") -> None:
        body: bytes | None = None
        try:
            body = stream.read(MAX_BYTES + 1)
        except (OSError, ClientDisconnected):
            pass  # the client has hung up: there is no body
        finally:
            self._places.release()
        arrived.put(body)
