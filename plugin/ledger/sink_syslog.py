"""A sink that is a syslog collector (RFC 5424): over TLS (RFC 5425), TCP (RFC 6587, octets counted) or UDP (RFC 5426).

Syslog acknowledges nothing: over UDP a checkpoint may be lost unseen, over TCP the last ones before a break may. Each
later checkpoint makes up for it.
"""

import base64
import os
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import SinkFailed
from plugin.ledger.record import encode_time
from plugin.ledger.sink import ANSWER_SECONDS, Offer

_PRIORITY = 13 * 8 + 5
"""Facility 13, log audit; severity 5, notice."""
_MAX_HOST = 255
"""Characters of HOSTNAME (RFC 5424 section 6)."""


class Transport(StrEnum):
    """How messages travel."""

    TLS = "tls"
    TCP = "tcp"
    UDP = "udp"


class SyslogSink:
    """See `Sink`. One connection for each checkpoint: there is one a minute at most, and none goes stale."""

    cosigns = False

    def __init__(
        self, host: str, port: int, transport: Transport = Transport.TLS, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls` is for a collector whose certificate the system does not know, or that wants to see one of ours."""
        self.name = f"syslog {transport} {host}:{port}"
        self._address = (host, port)
        self._transport = transport
        self._tls = tls or ssl.create_default_context()

    def newest(self) -> Checkpoint | None:
        """None: a collector shows nothing back."""
        return None

    def deliver(self, offer: Offer) -> Sequence[str]:
        """See `Sink.deliver`."""
        data = message(offer, datetime.now(UTC))
        try:
            if self._transport is Transport.UDP:
                self._send_datagram(data)
            else:
                self._send_stream(b"%d %s" % (len(data), data))
        except OSError as error:  # also every ssl.SSLError, and a name that cannot be resolved
            raise SinkFailed(f"{self.name}: {error.strerror or type(error).__name__}") from error
        return ()

    def _send_datagram(self, data: bytes) -> None:
        family, kind, proto, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, proto) as connection:
            connection.connect(address)
            connection.send(data)

    def _send_stream(self, frame: bytes) -> None:
        with socket.create_connection(self._address, timeout=ANSWER_SECONDS) as plain:
            if self._transport is Transport.TCP:
                plain.sendall(frame)
                return
            with self._tls.wrap_socket(plain, server_hostname=self._address[0]) as connection:
                connection.sendall(frame)
                connection.unwrap()  # the collector saw the end, so it had the whole message


def message(offer: Offer, moment: datetime) -> bytes:
    """One line: what the checkpoint states for people, and the whole note in base64, since collectors cut lines."""
    host = socket.gethostname()[:_MAX_HOST] or "-"
    root, note = (base64.b64encode(data).decode() for data in (offer.stated.root, offer.note.encode()))
    return (
        f"<{_PRIORITY}>1 {encode_time(moment)} {host} vitrine {os.getpid()} checkpoint -"
        f" origin={offer.stated.origin} size={offer.stated.size} root={root} note={note}"
    ).encode()
