"""What the configured issuers publish: their signing keys and their metadata (OIDC Discovery, RFC 8414), kept fresh.

Only configured issuers are asked, never what a token names. A withdrawn key stops within ten minutes, reachable issuer
or not; a new one is found at once. How a document is fetched is left to `fetch`.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from authlib.oauth2 import rfc8414
from authlib.oidc import discovery

from fhir_adapters.interface import FeedAnswerInvalid, FeedLinkRefused, FeedRefused
from plugin.authentication import key_ring
from plugin.authentication.key_ring import KeyRing
from plugin.authentication.refreshed import DocumentRefused, Refreshed
from plugin.authentication.unambiguous import parsed
from plugin.settings.ehr import Issuer
from plugin.settings.values import is_loopback

KEYS_REFRESH_SECONDS = 300.0
KEYS_LIFETIME_SECONDS = 600.0
"""Design section 6: a withdrawn key stops within ten minutes."""

METADATA_LIFETIME_SECONDS = 3_600.0
"""Addresses change rarely: a short outage of the issuer need not take our own discovery documents down."""

MAX_DOCUMENT_BYTES = 256 * 1024
"""Discovery documents and key sets are some kB; certificates inside may make them tens."""

ENDPOINTS = frozenset(
    {
        "authorization_endpoint",
        "token_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "registration_endpoint",
        "management_endpoint",
        "jwks_uri",
    }
)
LISTS = frozenset(
    {
        "grant_types_supported",
        "response_types_supported",
        "scopes_supported",
        "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "code_challenge_methods_supported",
    }
)


class Fetch(Protocol):
    """Gets a public document of an issuer."""

    def __call__(self, url: str) -> bytes:
        """The body of a 200 answer. Raises FeedError for everything else; follows no redirect."""


class Issuers:
    """The published documents of all configured issuers. Building it asks nobody; safe to call from several threads."""

    def __init__(
        self, issuers: Iterable[Issuer], fetch: Fetch, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._metadata: dict[str, Refreshed[Mapping[str, Any]]] = {}
        self._keys: dict[tuple[str, str | None], Refreshed[KeyRing]] = {}
        for issuer in issuers:
            if issuer.issuer not in self._metadata:
                self._metadata[issuer.issuer] = self._metadata_of(issuer.issuer)
            if _key_source(issuer) not in self._keys:
                self._keys[_key_source(issuer)] = self._keys_of(issuer)

    def keys(self, issuer: Issuer) -> KeyRing:
        """Its signing keys, at most ten minutes old. Raises IssuerUnreachable."""
        return self._keys[_key_source(issuer)].current()

    def keys_beyond(self, issuer: Issuer, seen: KeyRing) -> KeyRing:
        """Its keys asked for again, because `seen` lacks one that a token names; `seen` if that was done too often.

        Raises IssuerUnreachable.
        """
        return self._keys[_key_source(issuer)].renewed(seen)

    def metadata(self, issuer: Issuer) -> Mapping[str, Any]:
        """`issuer` and those of ENDPOINTS and LISTS that its discovery document has in usable form.

        Raises IssuerUnreachable where there is no such document, or none that names this very issuer.
        """
        return self._metadata[issuer.issuer].current()

    def _metadata_of(self, issuer: str) -> Refreshed[Mapping[str, Any]]:
        return Refreshed(
            f"metadata of {issuer}",
            lambda: self._discovered(issuer),
            refresh=KEYS_REFRESH_SECONDS,
            lifetime=METADATA_LIFETIME_SECONDS,
            monotonic=self._monotonic,
        )

    def _keys_of(self, issuer: Issuer) -> Refreshed[KeyRing]:
        return Refreshed(
            f"keys of {issuer.issuer}",
            lambda: key_ring.read(self._document(issuer.jwks_uri or self._discovered_jwks_uri(issuer))),
            refresh=KEYS_REFRESH_SECONDS,
            lifetime=KEYS_LIFETIME_SECONDS,
            monotonic=self._monotonic,
        )

    def _discovered_jwks_uri(self, issuer: Issuer) -> str:
        uri = self.metadata(issuer).get("jwks_uri")
        if not isinstance(uri, str):
            raise DocumentRefused("the discovery document names no usable jwks_uri")
        return uri

    def _discovered(self, issuer: str) -> Mapping[str, Any]:
        """OIDC's place after the issuer's path first, since most have it; else RFC 8414's between host and path."""
        bare = issuer.rstrip("/")
        try:
            url = discovery.get_well_known_url(bare, external=True)  # type: ignore[no-untyped-call]
            return _metadata(self._document(url), issuer)
        except (FeedRefused, FeedAnswerInvalid, FeedLinkRefused, DocumentRefused):
            # Not there, or something else is. An issuer that is silent would only be silent at the other place too.
            url = rfc8414.get_well_known_url(bare, external=True)  # type: ignore[no-untyped-call]
            return _metadata(self._document(url), issuer)

    def _document(self, url: str) -> bytes:
        body = self._fetch(url)
        if len(body) > MAX_DOCUMENT_BYTES:
            raise DocumentRefused("a document is too large")
        return body


def _key_source(issuer: Issuer) -> tuple[str, str | None]:
    return issuer.issuer, issuer.jwks_uri


def _metadata(document: bytes, issuer: str) -> Mapping[str, Any]:
    try:
        value = parsed(document)
    except ValueError as error:
        raise DocumentRefused("the discovery document is not unambiguous JSON") from error
    if not isinstance(value, dict) or value.get("issuer") != issuer:
        # RFC 8414 3.3, to the letter: otherwise one issuer could hand out keys in another's name.
        raise DocumentRefused("the discovery document does not name the configured issuer")
    endpoints = {name: value[name] for name in ENDPOINTS & value.keys() if is_endpoint(value[name])}
    lists = {name: value[name] for name in LISTS & value.keys() if _is_list_of_text(value[name])}
    return {"issuer": issuer, **endpoints, **lists}


def is_endpoint(value: object) -> bool:
    """https, or plain http to loopback. (Authlib's own validation knows https only.)"""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host or ""))
    return secure and bool(host) and parts.username is None and not parts.fragment


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
