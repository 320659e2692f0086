"""The gateway's own certificate for a server that asks for one (mutual TLS), read and compared with its key."""

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """A certificate chain and its key in PEM, and the authorities that the server's own certificate may have.

    Raises ValueError, which tells nothing of the key, if it is not usable: not PEM, encrypted, or of another
    certificate. Whether the certificate is in date is left to the handshake: an expired one stops one feed and not all.
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
