"""Ed25519 keys in the form of C2SP signed-note (c2sp.org/signed-note), and the file of the private one.

A verifier key names itself in one line of text, the `vkey`; the private key lies alone in a PEM file (PKCS #8).
What is signed is left to `checkpoint`.
"""

import base64
import binascii
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from plugin.ledger.errors import KeyInvalid, KeyUnavailable, LedgerExists

ED25519 = b"\x01"
"""The algorithm byte of C2SP signed-note for a plain Ed25519 signature."""
COSIGNATURE = b"\x04"
"""The same for an Ed25519 cosignature of a witness (c2sp.org/tlog-cosignature)."""
KEY_ID_SIZE = 4
_PUBLIC_SIZE = 32
_TIME_SIZE = 8
_TOO_OPEN = stat.S_IWGRP | stat.S_IRWXO
"""A group may be let in to read (a mounted secret is often given that way); nobody else, and nobody to write."""
_MAX_KEY_FILE = 1 << 14
"""An Ed25519 key in PEM has 119 bytes; whatever is larger than this is some other file."""


class VerifierKey:
    """The public half: checks signatures made under its name."""

    algorithm = ED25519

    def __init__(self, name: str, public: bytes) -> None:
        """`public` is the key's 32 raw bytes. Raises KeyInvalid on a name or a key that cannot be one."""
        if not name or "+" in name or any(character.isspace() or not character.isprintable() for character in name):
            raise KeyInvalid("a key's name is empty, or has a space, a plus or a control character in it")
        try:
            self._public = Ed25519PublicKey.from_public_bytes(public)
        except ValueError as error:
            raise KeyInvalid("not an Ed25519 public key") from error
        self.name = name
        self.id = sha256(name.encode() + b"\n" + self.algorithm + public).digest()[:KEY_ID_SIZE]
        self.text = f"{name}+{self.id.hex()}+{base64.b64encode(self.algorithm + public).decode()}"
        """The `vkey`: name, key id and key in one line."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a `vkey`. Raises KeyInvalid if it is none, if its id is not its own, or if its algorithm is another."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            material = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise KeyInvalid("not a verifier key: name+id+base64") from error
        if material[:1] != cls.algorithm or len(material) != 1 + _PUBLIC_SIZE:
            raise KeyInvalid(f"not an Ed25519 verifier key of type {cls.algorithm.hex()}")
        key = cls(name, material[1:])
        if key.id.hex() != key_id:
            raise KeyInvalid("the verifier key's id is not that of its name and key")
        return key

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """True if this key made `signature` over `message`."""
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class WitnessKey(VerifierKey):
    """The public half of a witness's key: what it signs is a text and the time at which it saw it."""

    algorithm = COSIGNATURE

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """True if this witness cosigned `message`; `signature` begins with the time (c2sp.org/tlog-cosignature)."""
        seconds = int.from_bytes(signature[:_TIME_SIZE], "big")
        return super().verifies(signature[_TIME_SIZE:], f"cosignature/v1\ntime {seconds}\n".encode() + message)


class SigningKey:
    """The private half, under a name. Whoever holds it can write history."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        """Raises KeyInvalid on a name that a key cannot have."""
        self._private = private
        self.verifier = VerifierKey(name, private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of an Ed25519 signature."""
        return self._private.sign(message)


def write_private_key(path: Path, private: Ed25519PrivateKey) -> None:
    """Make the file of a new key, for its owner only, durable. Raises LedgerExists if there is a file, or OSError."""
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise LedgerExists(f"{path} exists already") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(descriptor)


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read what `write_private_key` wrote.

    Raises KeyUnavailable, which names the file, if it is missing, open to others, or no Ed25519 key.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _TOO_OPEN:
                raise KeyUnavailable(f"{path}: others may read or change the key; chmod 600 it")
            pem = file.read(_MAX_KEY_FILE)
    except OSError as error:
        raise KeyUnavailable(f"{path}: {error.strerror}") from error
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it is encrypted
        raise KeyUnavailable(f"{path} holds no private key in PEM") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnavailable(f"{path} holds a key that is not Ed25519")
    return private
