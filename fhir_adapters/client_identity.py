"""The gateway's own certificate for a server that asks for one (mutual TLS), read and compared with its key."""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

MIN_RSA_BITS = 2048
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
"""What the TLS library signs with; it would say no at the first question, and only then."""


class IdentityUnusable(ValueError):
    """One part of an identity cannot be used. The sentence tells nothing of the key."""

    def __init__(self, part: str, says: str) -> None:
        super().__init__(says)
        self.part = part
        """The attribute of ClientIdentity that is wrong."""


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """A certificate chain and its key in PEM, and the authorities that the server's own certificate may have.

    Raises IdentityUnusable where it cannot be used: not PEM, encrypted, of a kind that TLS does not take, or of another
    certificate. Whether the certificate is in date is left to the handshake: an expired one stops one feed and not all.
    """

    certificates: str
    """The gateway's own first, then those that signed it."""
    key: str = field(repr=False)
    authorities: str | None = None
    """Trusted for the server beside those of the system; None: those of the system alone."""

    def __post_init__(self) -> None:
        own = _certificates("certificates", self.certificates, "the certificate is")[0]
        if self.authorities is not None:
            _certificates("authorities", self.authorities, "the authorities are")
        try:
            key = load_pem_private_key(self.key.encode(), password=None)
        except TypeError:
            raise IdentityUnusable(
                "key", "the key is encrypted, and there is nobody who could type its password"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise IdentityUnusable("key", "the key is not a private key in PEM") from None
        if not _signs(key):
            raise IdentityUnusable(
                "key", "the key is none of RSA with 2048 bits or more, EC P-256, P-384, P-521 and Ed25519"
            )
        form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        if key.public_key().public_bytes(*form) != own.public_key().public_bytes(*form):
            raise IdentityUnusable("key", "the key is not that of the certificate")

    @property
    def ends_at(self) -> datetime:
        """Until when the gateway's own certificate is good."""
        return _certificates("certificates", self.certificates, "the certificate is")[0].not_valid_after_utc

    @property
    def pem(self) -> bytes:
        """Certificates and key in one, as the client takes them."""
        return f"{self.certificates.strip()}\n{self.key.strip()}\n".encode()


def _certificates(part: str, text: str, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise IdentityUnusable(part, f"{what} not in PEM") from None


def _signs(key: object) -> bool:
    match key:
        case RSAPrivateKey():
            return key.key_size >= MIN_RSA_BITS
        case EllipticCurvePrivateKey():
            return key.curve.name in CURVES
        case _:
            return isinstance(key, Ed25519PrivateKey)
