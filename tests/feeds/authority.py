"""A certificate authority for tests: it signs a server's certificate for the loopback address, and those of clients."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fhir_adapters.client_identity import ClientIdentity


class Authority:
    """Signs certificates that are good for a day around now."""

    def __init__(self, name: str, folder: Path) -> None:
        self._folder = folder
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(self._name, self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.pem = _pem(builder.sign(self._key, hashes.SHA256()))

    def signed(self, name: str, *, until: timedelta = timedelta(days=1), address: str = "127.0.0.1") -> tuple[str, str]:
        """A certificate of `name` and its key, both in PEM: for this address as a server, and for any client."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_named(name), self._name, key, until)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return _pem(builder.sign(self._key, hashes.SHA256())), secret

    def identity(self, name: str, *, trusts: "Authority | None" = None) -> ClientIdentity:
        """A client's own, which trusts servers of `trusts`, by default of this authority."""
        return ClientIdentity(*self.signed(name), authorities=(trusts or self).pem)

    def asking_for_certificates(self) -> ssl.SSLContext:
        """What a server needs that takes clients of this authority alone."""
        context = self.serving()
        context.load_verify_locations(cadata=self.pem)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def serving(self, **certificate: Any) -> ssl.SSLContext:
        """What a server needs; its certificate is as `signed` has it."""
        path = self._folder / "server.pem"
        path.write_text("".join(self.signed("laboratory", **certificate)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    until: timedelta = timedelta(days=1),
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + until)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
