"""Fetches public documents over the gateway's one socket, from where the configuration allows only: those of issuers
from their own hosts, an EHR's from below its FHIR base.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from fhir_adapters.interface import Deadline, FeedLinkRefused, FeedRefused, FeedUnavailable
from fhir_adapters.reach import Address, Reach
from fhir_adapters.upstream import HttpUpstream, Upstream
from plugin.authentication.issuers import MAX_DOCUMENT_BYTES
from plugin.settings.ehr import Issuer

FETCH_SECONDS = 3.0
"""A clinician waits meanwhile, and a key set is a static file of some kB."""


class Documents:
    """`issuers.Fetch` for what lies within some reaches."""

    def __init__(self, who: str, *reaches: Reach, seconds: float = FETCH_SECONDS) -> None:
        """Opens nothing. `who` stands in errors; `seconds` is how long one may take."""
        self._seconds = seconds
        self._who = who
        self._reaches = reaches
        self._upstream: Upstream = HttpUpstream(who, *reaches, max_body=MAX_DOCUMENT_BYTES)

    def __call__(self, url: str) -> bytes:
        """See `issuers.Fetch`. Any other place raises FeedLinkRefused."""
        answer = self._upstream.get(self._judged(url), deadline=Deadline.after(self._seconds))
        match answer.status:
            case 200:
                return answer.body
            case status if 300 <= status < 400:
                raise FeedLinkRefused(f"{self._who} redirects, which is not followed")
            case status if status >= 500:
                raise FeedUnavailable(f"{self._who} answered {status}")
            case status:
                raise FeedRefused(f"{self._who} answered {status}")

    def _judged(self, url: str) -> Address:
        for reach in self._reaches:
            try:
                return reach.judge(url)
            except FeedLinkRefused:
                continue
        raise FeedLinkRefused(f"{self._who}'s document lies on a host that is not configured")


class IssuerDocuments(Documents):
    """For the hosts of the configured issuers, and of their configured `jwks_uri`, which so admits another host."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        """Opens nothing."""
        super().__init__("an issuer", *hosts_of(issuers))


def hosts_of(issuers: Iterable[Issuer]) -> tuple[Reach, ...]:
    """Where issuers publish."""
    addresses = [url for issuer in issuers for url in (issuer.issuer, issuer.jwks_uri) if url is not None]
    return tuple({_host_of(address) for address in addresses})


def _host_of(address: str) -> Reach:
    parts = urlsplit(address)
    return Reach.of(f"{parts.scheme}://{parts.netloc}")
