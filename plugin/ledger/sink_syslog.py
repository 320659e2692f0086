"""A sink that is a syslog collector (RFC 5424).

Syslog acknowledges nothing: a checkpoint may be lost unseen, and each later one makes up for it.
"""

import base64
import os
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import SinkFailed
from plugin.ledger.record import encode_time
from plugin.ledger.sink import ANSWER_SECONDS, Offer
from plugin.ledger.syslog import Collector, Transport, in_words, local_name

_PRIORITY = 13 * 8 + 5
"""Facility 13, log audit; severity 5, notice."""


class SyslogSink:
    """See `Sink`."""

    cosigns = False

    def __init__(
        self, host: str, port: int, transport: Transport = Transport.TLS, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls` is for a collector whose certificate the system does not know, or that wants to see one of ours."""
        self._collector = Collector(host, port, transport, seconds=ANSWER_SECONDS, tls=tls)
        self.name = self._collector.name

    def newest(self) -> Checkpoint | None:
        """None: a collector shows nothing back."""
        return None

    def deliver(self, offer: Offer) -> Sequence[str]:
        """See `Sink.deliver`."""
        try:
            self._collector.send(message(offer, datetime.now(UTC)))
        except OSError as error:
            raise SinkFailed(f"{self.name}: {in_words(error)}") from error
        return ()


def message(offer: Offer, moment: datetime) -> bytes:
    """One line: what the checkpoint states for people, and the whole note in base64, since collectors cut lines."""
    root, note = (base64.b64encode(data).decode() for data in (offer.stated.root, offer.note.encode()))
    return (
        f"<{_PRIORITY}>1 {encode_time(moment)} {local_name()} vitrine {os.getpid()} checkpoint -"
        f" origin={offer.stated.origin} size={offer.stated.size} root={root} note={note}"
    ).encode()
