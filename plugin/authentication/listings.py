"""Which `[[ehr]]` a token belongs to: (issuer, client) selects one, as the configuration lists them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from plugin.settings.ehr import ClientSettings, Ehr, Issuer


@dataclass(frozen=True, slots=True)
class Listing:
    """An issuer as one EHR lists it, and the client if that EHR lists it too."""

    ehr: Ehr
    issuer: Issuer
    client: ClientSettings | None
    ambiguous: bool = False
    """Several EHRs list the issuer and none of them the client. Such a token is checked, then refused."""


class Listings:
    """All issuers that count."""

    def __init__(self, ehrs: Iterable[Ehr]) -> None:
        self._by_issuer: dict[str, list[tuple[Ehr, Issuer]]] = {}
        for ehr in ehrs:
            for issuer in ehr.issuer:
                self._by_issuer.setdefault(issuer.issuer, []).append((ehr, issuer))

    def of(self, claims: Mapping[str, Any]) -> Listing | None:
        """The listing that claims select, verified or not; None if their issuer is not listed (deny)."""
        issuer = claims.get("iss")
        candidates = self._by_issuer.get(issuer, []) if isinstance(issuer, str) else []
        client_id = client_of(claims)
        for ehr, listed in candidates:
            for client in ehr.client:
                if client.id == client_id:
                    return Listing(ehr, listed, client)
        if not candidates:
            return None
        return Listing(*candidates[0], client=None, ambiguous=len(candidates) > 1)

    @property
    def opaque(self) -> Issuer | None:
        """The one issuer that takes tokens that are no JWTs, if there is one."""
        return next((issuer for issuer in self.issuers() if issuer.tokens == "opaque"), None)

    def issuers(self) -> list[Issuer]:
        """Every configured issuer; one that several EHRs list stands there several times."""
        return [issuer for candidates in self._by_issuer.values() for _, issuer in candidates]


def client_of(claims: Mapping[str, Any]) -> str | None:
    """`client_id`, else `azp` (Keycloak); None if both are there and differ, or neither is a usable string."""
    named = [claims[name] for name in ("client_id", "azp") if claims.get(name) is not None]
    if not named or any(name != named[0] for name in named):
        return None
    return named[0] if isinstance(named[0], str) and identifies(named[0]) else None


MAX_IDENTIFIER_LENGTH = 255
"""Characters of a subject (OpenID Connect Core 2) or a client id."""


def identifies(text: str) -> bool:
    """True for a text that can identify somebody in a record: not empty, bounded, all of it visible."""
    return 0 < len(text) <= MAX_IDENTIFIER_LENGTH and text.isprintable()
