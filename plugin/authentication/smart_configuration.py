"""Which authorization server an EHR launches by: its `.well-known/smart-configuration` (SMART App Launch 2.2), kept
fresh and judged.

Its issuer must be one of those that the configuration lists for this EHR, and what we send codes and tokens to must lie
on a host of theirs, or of the EHR: a document is no reason to trust somebody else.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_adapters.interface import FeedLinkRefused
from fhir_adapters.reach import Address, Reach
from plugin.authentication.fetch import hosts_of
from plugin.authentication.issuers import (
    KEYS_REFRESH_SECONDS,
    MAX_DOCUMENT_BYTES,
    METADATA_LIFETIME_SECONDS,
    Fetch,
    is_endpoint,
)
from plugin.authentication.refreshed import DocumentRefused, Refreshed
from plugin.authentication.unambiguous import parsed
from plugin.settings.ehr import Ehr, Issuer

CHALLENGE_METHOD = "S256"


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """Where an EHR has its users authenticated."""

    issuer: Issuer
    authorization_endpoint: str
    """For the browser."""
    token_endpoint: Address
    revocation_endpoint: Address | None
    """RFC 7009, where it is offered."""
    names_itself: bool
    """It says in each answer who it is (RFC 9207), so that one without is refused."""


class SmartConfiguration:
    """That of one EHR. Building it asks nobody; safe to call from several threads."""

    def __init__(self, ehr: Ehr, fetch: Fetch, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raises ValueError if the FHIR base is no plain http(s) address."""
        self._ehr = ehr
        self._fetch = fetch
        self._hosts = trusted_hosts(ehr)
        self._server = Refreshed(
            f"smart-configuration of ehr '{ehr.id}'",
            self._load,
            refresh=KEYS_REFRESH_SECONDS,
            lifetime=METADATA_LIFETIME_SECONDS,
            monotonic=monotonic,
        )

    def server(self) -> AuthorizationServer:
        """Raises IssuerUnreachable where there is no such document, or none that is usable here."""
        return self._server.current()

    def _load(self) -> AuthorizationServer:
        document = self._fetch(f"{self._ehr.fhir_base}/.well-known/smart-configuration")
        if len(document) > MAX_DOCUMENT_BYTES:
            raise DocumentRefused("a document is too large")
        try:
            value = parsed(document)
        except ValueError as error:
            raise DocumentRefused("the smart-configuration is not unambiguous JSON") from error
        if not isinstance(value, dict):
            raise DocumentRefused("the smart-configuration is not an object")
        return self._read(value)

    def _read(self, value: Mapping[str, Any]) -> AuthorizationServer:
        issuer = next((each for each in self._ehr.issuer if each.issuer == value.get("issuer")), None)
        if issuer is None:
            raise DocumentRefused("the smart-configuration names no issuer that is configured for this EHR")
        methods = value.get("code_challenge_methods_supported")
        if not isinstance(methods, list) or CHALLENGE_METHOD not in methods:
            raise DocumentRefused("the authorization server does not support PKCE with S256")
        authorize, token = value.get("authorization_endpoint"), value.get("token_endpoint")
        if not isinstance(authorize, str) or not is_endpoint(authorize):
            raise DocumentRefused("the smart-configuration has no usable authorization_endpoint")
        return AuthorizationServer(
            issuer,
            authorize,
            self._judged(token, "token_endpoint"),
            self._judged(revoke, "revocation_endpoint") if (revoke := value.get("revocation_endpoint")) else None,
            value.get("authorization_response_iss_parameter_supported") is True,
        )

    def _judged(self, url: object, name: str) -> Address:
        for host in self._hosts if isinstance(url, str) and is_endpoint(url) else ():
            try:
                return host.judge(str(url))
            except FeedLinkRefused:
                continue
        raise DocumentRefused(f"the {name} is not on a host of the EHR or of its issuers")


def trusted_hosts(ehr: Ehr) -> tuple[Reach, ...]:
    """The hosts of an EHR and of its issuers."""
    base = Reach.of(ehr.fhir_base)
    return (Reach(base.scheme, base.host, base.port, ""), *hosts_of(ehr.issuer))
