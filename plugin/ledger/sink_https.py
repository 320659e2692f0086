"""A sink that is a web server: each checkpoint is the body of a POST, and any 2xx answer says that it is kept."""

from collections.abc import Sequence

from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import SinkFailed
from plugin.ledger.sink import Offer, Poster


class HttpsSink:
    """See `Sink`. It shows nothing back, so whether the ledger continues it is for its owner to check."""

    cosigns = False

    def __init__(self, url: str, poster: Poster) -> None:
        self.name = f"https {url}"
        self._url = url
        self._poster = poster

    def newest(self) -> Checkpoint | None:
        """None: see `Sink.newest`."""
        return None

    def deliver(self, offer: Offer) -> Sequence[str]:
        """See `Sink.deliver`."""
        answer = self._poster.post(self._url, offer.note.encode(), "text/plain; charset=utf-8")
        if not 200 <= answer.status < 300:
            raise SinkFailed(f"{self.name} answered {answer.status}")
        return ()
