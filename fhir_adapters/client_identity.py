"""The gateway's own certificate for a server that asks for one (mutual TLS), read and compared with its key."""

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

MIN_RSA_BITS = 2048
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
"""What the TLS library signs with; it would say no at the first question, and only then."""


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """A certificate chain and its key in PEM, and the authorities that the server's own certificate may have.

    Raises ValueError, which tells nothing of the key, if it is not usable: not PEM, encrypted, of a kind that TLS does
    not take, or of another certificate. Whether the certificate is in date is left to the handshake: an expired one
    stops one feed and not all.
    """

    certificates: str
    """The gateway's own first, then those that signed it."""
    key: str = field(repr=False)
    authorities: str | None = None
    """Trusted for the server beside those of the system; None: those of the system alone."""

    def __post_init__(self) -> None:
        own = _certificates(self.certificates, "the certificate")[0]
        if self.authorities is not None:
            _certificates(self.authorities, "the authorities")
        try:
            key = load_pem_private_key(self.key.encode(), password=None)
        except TypeError:
            raise ValueError("the key is encrypted, and there is nobody who could type its password") from None
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("the key is not a private key in PEM") from None
        if not _signs(key):
            raise ValueError("the key is none of RSA with 2048 bits or more, EC P-256, P-384, P-521 and Ed25519")
        form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        if key.public_key().public_bytes(*form) != own.public_key().public_bytes(*form):
            raise ValueError("the key is not that of the certificate")

    @property
    def pem(self) -> bytes:
        """Certificates and key in one, as the client takes them."""
        return f"{self.certificates.strip()}\n{self.key.strip()}\n".encode()


def _certificates(text: str, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValueError(f"{what} is not in PEM") from None


def _signs(key: object) -> bool:
    match key:
        case RSAPrivateKey():
            return key.key_size >= MIN_RSA_BITS
        case EllipticCurvePrivateKey():
            return key.curve.name in CURVES
        case _:
            return isinstance(key, Ed25519PrivateKey)
