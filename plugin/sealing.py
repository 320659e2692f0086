"""Authenticated encryption of what we hand out and want back unread and unchanged: page links, launches,
sessions.

Keys for each use are derived by HKDF from one list in the key file, the current one first: it seals; all of them open.
"""

import base64
import binascii
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
MAX_SEALED_TEXT = 8192
"""Longer than any address we issue; bounds the work on a forged one."""


class SealBroken(Exception):
    """The text was not sealed here for this use, or was changed."""


class KeysInvalid(Exception):
    """The key file does not hold keys."""


def new_key() -> str:
    """A line for the key file."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Keys of a key file, one base64 line each, current first. Raises KeysInvalid."""
    try:
        keys = tuple(base64.b64decode(line, validate=True) for line in text.split())
    except binascii.Error as error:
        raise KeysInvalid("a line is not base64") from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise KeysInvalid(f"each line must be {KEY_BYTES} bytes in base64")
    return keys


def derived(keys: Sequence[bytes], use: str) -> tuple[bytes, ...]:
    """The keys for one use; `use` is a constant of ours and separates the uses from each other."""
    return tuple(
        HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"vitrine/{use}".encode()).derive(key)
        for key in keys
    )


class Seal:
    """Seals and opens for one use. Safe to share between threads."""

    def __init__(self, keys: Sequence[bytes], use: str) -> None:
        self._ciphers = [AESGCM(key) for key in derived(keys, use)]

    def close(self, content: bytes) -> str:
        """URL-safe text that only `open` with the same keys and use turns back."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._ciphers[0].encrypt(nonce, content, None)).rstrip(b"=").decode()

    def open(self, text: str, *, most: int = MAX_SEALED_TEXT) -> bytes:
        """The content. Raises SealBroken: also of a text longer than `most` characters."""
        if len(text) > most or not text.isascii():
            raise SealBroken
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error as error:
            raise SealBroken from error
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
            except (InvalidTag, ValueError):
                continue
        raise SealBroken
