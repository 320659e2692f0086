"""Which key of an issuer signed a token. What the token says is judged by who asks."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from plugin.authentication.compact import Presented
from plugin.authentication.issuers import Issuers
from plugin.authentication.key_ring import KeyRing, SigningKey
from plugin.errors import IssuerUnreachable, TokenInvalid
from plugin.settings.ehr import Issuer

_ALGORITHMS = JWSRegistry(algorithms=["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"])
"""All that an issuer can be configured for: signatures by a key pair. Never `none`, never a shared secret."""


def candidates(header: Mapping[str, Any], issuer: Issuer, issuers: Issuers) -> tuple[SigningKey, ...]:
    """The keys that `header` may mean and that fit its algorithm; asked for anew once if there is none.

    The caller has checked that `issuer` is configured for the algorithm. Raises TokenInvalid, IssuerUnreachable.
    """
    kid, algorithm = header.get("kid"), header["alg"]
    ring = issuers.keys(issuer)
    found = _fitting(ring, kid, algorithm) or _fitting(issuers.keys_beyond(issuer, ring), kid, algorithm)
    if not found:
        raise TokenInvalid("The access token is signed by no known key.")
    return found


def signer(presented: Presented, keys: tuple[SigningKey, ...], issuer: Issuer, issuers: Issuers) -> SigningKey:
    """The one of `keys` that signed it, or of those that the issuer has by now: one may have come in place of another,
    under its name. Raises TokenInvalid, also where the issuer cannot be asked: the key that a forger names is known.
    """
    found = _signer(presented, keys)
    if found is None:
        with suppress(IssuerUnreachable):
            found = _signer(presented, _newer(presented.header, keys, issuer, issuers))
    if found is None:
        raise TokenInvalid("The signature of the access token is wrong.")
    return found


def _newer(
    header: Mapping[str, Any], keys: tuple[SigningKey, ...], issuer: Issuer, issuers: Issuers
) -> tuple[SigningKey, ...]:
    """What has come in place of `keys`, asked for unless another request just did. Raises IssuerUnreachable."""
    ring = issuers.keys(issuer)
    found = _fitting(ring, header.get("kid"), header["alg"])
    if found == keys:
        found = _fitting(issuers.keys_beyond(issuer, ring), header.get("kid"), header["alg"])
    return () if found == keys else found


def _signer(presented: Presented, keys: tuple[SigningKey, ...]) -> SigningKey | None:
    method = _ALGORITHMS.get_alg(presented.header["alg"])
    return next((key for key in keys if method.verify(presented.signed, presented.signature, key.key)), None)


def _fitting(ring: KeyRing, kid: object, algorithm: str) -> tuple[SigningKey, ...]:
    method = _ALGORITHMS.get_alg(algorithm)
    fitting = []
    for key in ring.named(kid):
        try:
            method.check_key(key.key)
        except JoseError:
            continue  # of another type or curve, or published for another algorithm
        fitting.append(key)
    return tuple(fitting)
