"""The keys by which an issuer signs, read from its JWK set (RFC 7517)."""

from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from plugin.authentication.refreshed import DocumentRefused
from plugin.authentication.unambiguous import parsed

MAX_KEYS = 64
"""Real sets hold two to ten; a larger one is refused rather than read in part."""

RSA_BITS = range(2048, 8193)
"""Shorter keys are broken within reach (SP 800-131A); longer ones make each check slow."""

_MATERIAL = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
_CURVES = frozenset({"P-256", "P-384", "P-521"})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of the issuer."""

    kid: str | None
    thumbprint: str
    """RFC 7638: the same for the same key, whatever it is called."""
    key: RSAKey | ECKey


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All usable keys of an issuer at one moment. Empty is a valid state: then nothing verifies."""

    keys: tuple[SigningKey, ...]

    def named(self, kid: object) -> tuple[SigningKey, ...]:
        """The keys with that `kid`. A token without one (None) finds a key only where there is just one."""
        if kid is None:
            return self.keys if len(self.keys) == 1 else ()
        return tuple(key for key in self.keys if key.kid == kid)

    def holds(self, thumbprint: str) -> bool:
        """True while the issuer still publishes that key."""
        return any(key.thumbprint == thumbprint for key in self.keys)


def read(document: bytes) -> KeyRing:
    """The usable keys of a JWK set: RSA and EC, public, for signatures.

    Keys for encryption, symmetric or private ones, unknown types, and what cannot be imported are left out. Raises
    DocumentRefused if it is no JWK set or an unreasonably large one.
    """
    try:
        value = parsed(document)
    except ValueError as error:
        raise DocumentRefused("the key set is not unambiguous JSON") from error
    listed = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        raise DocumentRefused("the key set has no list of keys")
    if len(listed) > MAX_KEYS:
        raise DocumentRefused("the key set has too many keys")
    return KeyRing(tuple(key for key in map(_signing_key, listed) if key is not None))


def _signing_key(jwk: Any) -> SigningKey | None:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str | None):
        return None
    operations = jwk.get("key_ops", ["verify"])
    for_signatures = jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    names = _MATERIAL.get(jwk["kty"]) if isinstance(jwk.get("kty"), str) else None
    if not for_signatures or names is None or "d" in jwk or not all(isinstance(jwk.get(name), str) for name in names):
        return None
    # Only what makes the key: other members are for other readers, and an odd one must not cost a good key.
    material = {name: jwk[name] for name in ("kty", *names)}
    if isinstance(jwk.get("alg"), str):
        material["alg"] = jwk["alg"]
    key = _imported(material)
    return None if key is None else SigningKey(jwk.get("kid"), key.thumbprint(), key)


def _imported(material: dict[str, Any]) -> RSAKey | ECKey | None:
    try:
        if material["kty"] == "EC":
            return ECKey.import_key(material) if material["crv"] in _CURVES else None
        key = RSAKey.import_key(material)
    except (JoseError, ValueError):
        return None
    return key if key.public_key.key_size in RSA_BITS else None
