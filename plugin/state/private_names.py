"""Names of people in the shared state: found by a keyed hash, told only to who has the sealing keys.

The file alone says of nobody that they are in it. The keys are those of `key_file`, the current one first: it makes
new names, and all of them find old ones.
"""

import hashlib
import hmac
from collections.abc import Sequence

from plugin.sealing import Seal, derived

HASH_BYTES = 16
KEY_ID_BYTES = 4
"""Enough to tell the few keys of one file apart."""


class PrivateNames:
    """Hashes and seals for one use. Safe to share between threads."""

    def __init__(self, keys: Sequence[bytes], use: str) -> None:
        """`use` is a constant of ours, which separates the uses from each other."""
        self._keys = derived(keys, f"{use} names")
        self._seal = Seal(keys, use)
        self.key_ids = tuple(hashlib.sha256(key).digest()[:KEY_ID_BYTES] for key in self._keys)
        """By which the store knows under which key a row was made; the current one first."""

    def current(self, name: str) -> bytes:
        """The hash under which a new row stands."""
        return _hash(self._keys[0], name)

    def all(self, name: str) -> tuple[bytes, ...]:
        """Every hash under which an old row may stand."""
        return tuple(_hash(key, name) for key in self._keys)

    def close(self, content: bytes) -> str:
        """`content`, for who has the keys."""
        return self._seal.close(content)

    def open(self, text: str) -> bytes:
        """The content again. Raises SealBroken."""
        return self._seal.open(text)


def _hash(key: bytes, name: str) -> bytes:
    return hmac.digest(key, name.encode(), hashlib.sha256)[:HASH_BYTES]
