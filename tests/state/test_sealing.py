"""What we hand out comes back unread and unchanged, or not at all."""

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sealing import MAX_SEALED_TEXT, KeysInvalid, Seal, SealBroken, derived, new_key, parse_keys

KEYS = (b"1" * 32, b"2" * 32)
SEAL = Seal(KEYS, "page-links")


@given(st.binary(max_size=500))
def test_what_is_sealed_opens(content: bytes) -> None:
    """In text that stands in an address as it is."""
    text = SEAL.close(content)
    assert SEAL.open(text) == content
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text(max_size=80))
def test_no_text_of_others_opens(text: str) -> None:
    """Whatever a client sends, there is one way that it fails."""
    with pytest.raises(SealBroken):
        SEAL.open(text)


@given(st.integers(0, 43 * 8 - 1))
def test_a_changed_bit_breaks_it(bit: int) -> None:
    """Nonce, content and tag."""
    sealed = bytearray(base64.urlsafe_b64decode(SEAL.close(b"fifteen bytes..") + "=="))
    assert len(sealed) == 43
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBroken):
        SEAL.open(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode())


def test_uses_and_keys_are_apart_and_keys_rotate() -> None:
    """A link is no session; the previous key opens and no longer seals."""
    rotated = Seal((b"3" * 32, b"1" * 32), "page-links")
    assert rotated.open(SEAL.close(b"x")) == b"x"
    for other in (Seal(KEYS, "sessions"), Seal((b"3" * 32,), "page-links"), Seal(KEYS[1:], "page-links")):
        with pytest.raises(SealBroken):
            other.open(SEAL.close(b"x"))
    with pytest.raises(SealBroken):
        SEAL.open(rotated.close(b"x"))
    assert len(set(derived(KEYS, "a") + derived(KEYS, "b"))) == 4


def test_a_long_text_is_not_worked_on() -> None:
    """Its size is the sender's choice."""
    with pytest.raises(SealBroken):
        SEAL.open(SEAL.close(b"x" * MAX_SEALED_TEXT))


def test_key_files() -> None:
    """One line each, the current one first."""
    first, second = new_key(), new_key()
    assert parse_keys(f"{first}\n{second}\n") == (base64.b64decode(first), base64.b64decode(second))
    for wrong in ("", "\n", "not base64!", base64.b64encode(secrets.token_bytes(16)).decode(), f"{first}\nshort"):
        with pytest.raises(KeysInvalid):
            parse_keys(wrong)
