"""Sends one message to a syslog collector: over TLS (RFC 5425), TCP (RFC 6587, octets counted) or UDP (RFC 5426).

What a message says is its caller's. Syslog acknowledges nothing: over UDP a message may be lost unseen, over TCP the
last ones before a break may.
"""

import socket
import ssl
from enum import StrEnum

_MAX_HOST = 255
"""Characters of HOSTNAME (RFC 5424 section 6)."""
_CERTIFICATE = {
    9: "is not valid yet",
    10: "has expired",
    62: "is of another name",
    64: "is of another address",
}
"""What is wrong with one, by the code of OpenSSL (X509_V_ERR_…)."""


class Transport(StrEnum):
    """How messages travel."""

    TLS = "tls"
    TCP = "tcp"
    UDP = "udp"


class Collector:
    """One collector. A connection for each message: there are few, and none goes stale."""

    def __init__(
        self, host: str, port: int, transport: Transport, *, seconds: float, tls: ssl.SSLContext | None = None
    ) -> None:
        """`seconds` bounds each wait; `tls` is for a collector whose certificate the system does not know."""
        self.name = f"syslog {transport} {host}:{port}"
        self._address = (host, port)
        self._transport = transport
        self._seconds = seconds
        self._tls = tls or ssl.create_default_context()

    def send(self, message: bytes) -> None:
        """Hand over one message. Raises OSError, of which every ssl.SSLError and an unknown name are kinds.

        What it is for people: see `in_words`.
        """
        if self._transport is Transport.UDP:
            self._send_datagram(message)
        else:
            self._send_stream(frame(message))

    def _send_datagram(self, message: bytes) -> None:
        family, kind, proto, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, proto) as connection:
            connection.connect(address)
            connection.send(message)

    def _send_stream(self, frame: bytes) -> None:
        with socket.create_connection(self._address, timeout=self._seconds) as plain:
            if self._transport is Transport.TCP:
                plain.sendall(frame)
                return
            with self._tls.wrap_socket(plain, server_hostname=self._address[0]) as connection:
                connection.sendall(frame)
                farewell(connection)


def frame(message: bytes) -> bytes:
    """RFC 5425, section 4.3: length in octets, a space, the message."""
    return b"%d %s" % (len(message), message)


def farewell(connection: ssl.SSLSocket) -> None:
    """Say goodbye and wait until the other side does: then it had all. Raises OSError unless it ended in order."""
    try:
        connection.unwrap().close()
    except ssl.SSLEOFError:
        pass  # closed without a goodbye, as many do, after reading: with bytes unread it would have been a reset
    except OSError as error:
        if error.errno != 0:  # zero is another name for the same; a timeout has none
            raise


def in_words(error: OSError) -> str:
    """What went wrong with a connection, for who set it up: none of what a library says to its programmers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate {_CERTIFICATE.get(error.verify_code, f'is not trusted: {error.verify_message}')}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason.replace('_', ' ').lower()}" if error.reason else "TLS failed"
    return error.strerror or type(error).__name__


def local_name() -> str:
    """This machine, as HOSTNAME has it."""
    return socket.gethostname()[:_MAX_HOST] or "-"
