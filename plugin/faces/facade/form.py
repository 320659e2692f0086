"""The form body of a POST `_search`, read within bounds: of bytes, and of how many are read at once.

A body is a part of what is asked, so it is read before the gateway judges; but only for callers who are identified, and
in the thread that answers: the server must not be answered while its input is still being read. A client that then
sends nothing holds its thread until it hangs up, so that few threads may be held like this.
"""

import threading

from flask import Request
from werkzeug.exceptions import ClientDisconnected

MAX_BYTES = 65_536
"""The same search in an address would have to fit 8 kB."""
PLACE_SECONDS = 0.2
"""How long a body waits for its turn. Bodies have mostly arrived with their request: a turn takes moments."""
READERS = 4
"""Bodies under way in one process, of its sixteen threads."""

MEDIA_TYPE = "application/x-www-form-urlencoded"


class FormTooLarge(Exception):
    """The body is larger than MAX_BYTES."""


class FormUnreadable(Exception):
    """Too many bodies are under way, or this one did not arrive."""


class FormReader:
    """Reads bodies; one for the process. Safe to call from several threads."""

    def __init__(self, readers: int = READERS) -> None:
        self._places = threading.BoundedSemaphore(readers)

    def read(self, request: Request) -> bytes:
        """The body of `request`. Raises FormTooLarge or FormUnreadable. Returns when the body has arrived."""
        if (request.content_length or 0) > MAX_BYTES:
            raise FormTooLarge
        if not self._places.acquire(timeout=PLACE_SECONDS):
            raise FormUnreadable
        try:
            body = request.stream.read(MAX_BYTES + 1)
        except (OSError, ClientDisconnected) as error:  # the client has hung up: there is no body
            raise FormUnreadable from error
        finally:
            self._places.release()
        if len(body) > MAX_BYTES:
            raise FormTooLarge
        if not _is_whole(body, request):
            raise FormUnreadable
        return body


def _is_whole(body: bytes, request: Request) -> bool:
    """False for what broke off on its way: half a search asks for more than the whole one.

    The server ends a body that broke off as it ends one that did not. A length tells; of one in chunks nothing does,
    and who sends chunks has something to say.
    """
    if request.content_length is not None:
        return len(body) == request.content_length
    return body != b"" or "Transfer-Encoding" not in request.headers
