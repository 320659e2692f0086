"""Fetches the public documents of issuers over the gateway's one socket, from their own hosts only."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from fhir_adapters.interface import Deadline, FeedLinkRefused, FeedRefused, FeedUnavailable
from fhir_adapters.reach import Address, Reach
from fhir_adapters.upstream import HttpUpstream, Upstream
from plugin.authentication.issuers import MAX_DOCUMENT_BYTES
from plugin.settings.ehr import Issuer
from plugin.settings.errors import SettingsError

FETCH_SECONDS = 3.0
"""A clinician waits meanwhile, and a key set is a static file of some kB."""


class IssuerDocuments:
    """`issuers.Fetch` for the hosts of the configured issuers, and of their configured `jwks_uri`."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        """Opens nothing. Raises SettingsError for an issuer whose address could be read in two ways."""
        addresses = [url for issuer in issuers for url in (issuer.issuer, issuer.jwks_uri) if url is not None]
        self._reaches = tuple({_host_of(address) for address in addresses})
        self._upstream: Upstream = HttpUpstream("an issuer", *self._reaches, max_body=MAX_DOCUMENT_BYTES)

    def __call__(self, url: str) -> bytes:
        """See `issuers.Fetch`. Any other host raises FeedLinkRefused: configuring `jwks_uri` admits it."""
        answer = self._upstream.get(self._judged(url), deadline=Deadline.after(FETCH_SECONDS))
        match answer.status:
            case 200:
                return answer.body
            case status if 300 <= status < 400:
                raise FeedLinkRefused("an issuer redirects, which is not followed")
            case status if status >= 500:
                raise FeedUnavailable(f"an issuer answered {status}")
            case status:
                raise FeedRefused(f"an issuer answered {status}")

    def _judged(self, url: str) -> Address:
        for reach in self._reaches:
            try:
                return reach.judge(url)
            except FeedLinkRefused:
                continue
        raise FeedLinkRefused("an issuer's document lies on a host that is not configured")


def _host_of(address: str) -> Reach:
    parts = urlsplit(address)
    try:
        return Reach.of(f"{parts.scheme}://{parts.netloc}")
    except ValueError as error:
        raise SettingsError(f"ehr.issuer: '{address}' is not an address that can be asked") from error
