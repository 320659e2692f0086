"""Checkpoints to a syslog collector: the bytes that arrive, over each transport."""

import base64
import datetime
import ipaddress
import re
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from plugin.ledger import checkpoint
from plugin.ledger.errors import SinkFailed
from plugin.ledger.key import VerifierKey
from plugin.ledger.reader import Reader
from plugin.ledger.sink import Offer
from plugin.ledger.sink_syslog import SyslogSink
from plugin.ledger.syslog import Transport
from tests.feeds.authority import Authority

LINE = re.compile(
    rb"<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ vitrine \d+ checkpoint -"
    rb" origin=(\S+) size=(\d+) root=(\S+) note=(\S+)"
)


@pytest.fixture
def offer(place):
    place.fill(2)
    reader = Reader(place.path)
    note = reader.head().checkpoint
    return Offer(checkpoint.verify(note, VerifierKey.parse(place.vkey)), note, reader)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 and its key, in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "c")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "collector.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


class Collector(threading.Thread):
    """Takes one connection and keeps what comes on it."""

    def __init__(self, certificate=None, tls=None, *, polite=True) -> None:
        super().__init__(daemon=True)
        self.polite = polite
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.tls = tls
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        self.data = b""
        self.start()

    def run(self) -> None:
        connection, _ = self.listener.accept()
        try:
            connection = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            while part := connection.recv(65536):
                self.data += part
            if self.tls and self.polite:
                connection.unwrap()
        except OSError:
            pass
        connection.close()
        self.listener.close()


def states(line: bytes, offer) -> None:
    found = LINE.fullmatch(line)
    assert found is not None
    assert found.group(1).decode() == offer.stated.origin
    assert int(found.group(2)) == 2
    assert base64.b64decode(found.group(4)).decode() == offer.note


def test_over_tcp_the_message_is_counted_in_octets(offer):
    """RFC 6587 section 3.4.1: the note in it could hold anything."""
    collector = Collector()
    SyslogSink("127.0.0.1", collector.port, Transport.TCP).deliver(offer)
    collector.join(60)
    count, _, line = collector.data.partition(b" ")
    assert int(count) == len(line)
    states(line, offer)


def test_over_tls_the_collector_is_verified(offer, certificate):
    """RFC 5425; to somebody else nothing is said."""
    collector = Collector(certificate)
    trusted = ssl.create_default_context(cafile=certificate)
    SyslogSink("127.0.0.1", collector.port, Transport.TLS, trusted).deliver(offer)
    collector.join(60)
    states(collector.data.partition(b" ")[2], offer)
    stranger = Collector(certificate)
    with pytest.raises(SinkFailed, match=r"(?i)certificate"):
        SyslogSink("127.0.0.1", stranger.port).deliver(offer)
    stranger.join(60)
    assert stranger.data == b""


def test_a_collector_may_end_tls_without_a_goodbye(offer, certificate):
    """Many do. They had it all: a sink that called this a failure would be stale for ever, and its alarm false."""
    collector = Collector(certificate, polite=False)
    trusted = ssl.create_default_context(cafile=certificate)
    SyslogSink("127.0.0.1", collector.port, Transport.TLS, trusted).deliver(offer)
    collector.join(60)
    states(collector.data.partition(b" ")[2], offer)


@pytest.mark.parametrize(
    ("wrong", "flaw"),
    [
        ({"until": datetime.timedelta(hours=-1)}, "its certificate has expired"),
        ({"address": "192.0.2.1"}, "its certificate is of another address"),
        (None, "its certificate is not trusted: unable to get local issuer certificate"),
    ],
)
def test_what_is_wrong_with_a_collectors_certificate_is_told_in_words(offer, tmp_path, wrong, flaw):
    """What OpenSSL says to programmers, with a line of its source, tells a deployer nothing."""
    authority = Authority("City", tmp_path)
    collector = Collector(tls=authority.serving(**(wrong or {})))
    trusted = ssl.create_default_context(cadata=authority.pem if wrong else None)
    with pytest.raises(SinkFailed) as failed:
        SyslogSink("127.0.0.1", collector.port, Transport.TLS, trusted).deliver(offer)
    assert str(failed.value) == f"syslog tls 127.0.0.1:{collector.port}: {flaw}"


def test_a_collector_without_tls_is_told_in_words(offer):
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=lambda: plain.accept()[0].sendall(b"220 welcome\r\n"), daemon=True).start()
        port = plain.getsockname()[1]
        with pytest.raises(SinkFailed, match=r": TLS failed: [a-z ]+$"):
            SyslogSink("127.0.0.1", port).deliver(offer)


def test_over_udp_it_is_one_datagram(offer):
    """RFC 5426; whether it arrives nobody tells."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(60)
        SyslogSink("127.0.0.1", collector.getsockname()[1], Transport.UDP).deliver(offer)
        states(collector.recv(65536), offer)


def test_a_collector_that_is_not_there_is_a_failed_sink(offer):
    """And no other error."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SinkFailed, match="refused"):
        SyslogSink("127.0.0.1", port, Transport.TCP).deliver(offer)
    assert SyslogSink("127.0.0.1", port, Transport.TCP).newest() is None
