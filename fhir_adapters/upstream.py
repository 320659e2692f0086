"""The only socket: one bounded question to one allowed place, its whole answer in memory or an error that says why not.

It knows HTTP and no FHIR. Which status means what, and what the body says, is left to the callers.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Protocol

from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.exceptions import (
    BuilderError,
    ConnectError,
    NetworkError,
    PyreqwestError,
    ReadError,
    RequestError,
    RequestTimeoutError,
)
from pyreqwest.http import HeaderMap
from pyreqwest.request import SyncRequestBuilder
from pyreqwest.response import SyncResponse

from fhir_adapters.client_identity import ClientIdentity
from fhir_adapters.interface import (
    Deadline,
    FeedAnswerInvalid,
    FeedError,
    FeedLinkRefused,
    FeedTimeout,
    FeedUnavailable,
)
from fhir_adapters.reach import Address, Reach

MAX_BODY_BYTES = 8 * 1024 * 1024
"""After decompression, so that a small compressed answer cannot fill the memory. A page of 200 results is about 400
kB, and the largest CapabilityStatement seen is 1.8 MB."""

MAX_HEADER_BYTES = 32 * 1024
"""Names and values of an answer's headers. Real ones are below 4 kB; the client itself stops at 100 headers."""

CONNECT_SECONDS = 2.0
"""A host that does not accept a connection by then is down for a clinician who waits."""

IDLE_SECONDS = 20.0
"""How long an unused connection is kept: shorter than the common 30 to 60 s of servers, which would close it under
us."""

ATTEMPTS = 2
"""A GET whose connection failed is asked once more (a kept connection may have died); nothing else ever is."""

_CERTIFICATE_FLAWS = {
    "certificate expired": "has expired",
    "certificate not valid yet": "is not valid yet",
    "certificate not valid for name": "is of another name",
}
"""By how the client begins to tell them. Of any other, nobody here vouches for it."""

UNREADABLE = "\ufffd"
"""Stands for the value of a header that is not in ASCII, as file names of documents are: in no encoding that is known
(RFC 9110 5.5). None that is read here means anything then."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names; repeated ones joined by a comma. UNREADABLE where one of them is not in ASCII."""
    body: bytes = field(repr=False)
    """Decompressed."""


class Upstream(Protocol):
    """A place that may be asked. Methods raise FeedError and nothing else, and are safe to call from several threads.

    FeedUnavailable: no connection. FeedTimeout: no whole answer by the deadline. FeedAnswerInvalid: truncated, too
    large, not HTTP. FeedLinkRefused: the address is not allowed. An error status is an Answer, and so is a redirect:
    neither is followed nor judged here.
    """

    def get(self, address: Address, headers: Mapping[str, str] = NO_HEADERS, *, deadline: Deadline) -> Answer:
        """The answer to GET `address`. `Cache-Control: no-cache` is always sent, conditions and cookies never are."""

    def post_form(
        self, address: Address, form: str, headers: Mapping[str, str] = NO_HEADERS, *, deadline: Deadline
    ) -> Answer:
        """The answer to POST of `form`, which is `application/x-www-form-urlencoded` already. Never asked twice."""


class HttpUpstream:
    """`Upstream` over pyreqwest. It reads no proxy from the environment, keeps no cookie, follows no redirect.

    Building one opens nothing. The client is made at the first question, in the process that asks: one that was made
    before a fork could not be used after it.
    """

    def __init__(
        self, name: str, *reaches: Reach, max_body: int = MAX_BODY_BYTES, identity: ClientIdentity | None = None
    ) -> None:
        """`name` stands in errors ("feed 'city-lab'"). An address outside all `reaches` is refused.

        `identity`: the certificate that is shown where one is asked for. Raises ValueError if one would be shown, and a
        reach is not https.
        """
        if identity is not None and any(reach.scheme != "https" for reach in reaches):
            raise ValueError("a client certificate needs an https address")
        self.name = name
        self._reaches = reaches
        self._max_body = max_body
        self._identity = identity
        self._lock = threading.Lock()
        self._client: SyncClient | None = None
        self._process = 0

    def get(self, address: Address, headers: Mapping[str, str] = NO_HEADERS, *, deadline: Deadline) -> Answer:
        """See `Upstream`."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask("GET", address, None, headers, deadline)
            except _NoConnection:
                if attempt == ATTEMPTS:
                    raise
        raise FeedUnavailable(f"{self.name} could not be reached")

    def post_form(
        self, address: Address, form: str, headers: Mapping[str, str] = NO_HEADERS, *, deadline: Deadline
    ) -> Answer:
        """See `Upstream`."""
        return self.post(address, form.encode(), "application/x-www-form-urlencoded", headers, deadline=deadline)

    def post(
        self,
        address: Address,
        body: bytes,
        content_type: str,
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        deadline: Deadline,
    ) -> Answer:
        """The answer to POST of `body`. Never asked twice; raises as `Upstream` does."""
        return self._ask("POST", address, body, {"content-type": content_type, **headers}, deadline)

    def _ask(
        self, method: str, address: Address, body: bytes | None, headers: Mapping[str, str], deadline: Deadline
    ) -> Answer:
        url = self._allowed(address)
        remaining = deadline.remaining()
        if remaining <= 0:
            raise FeedTimeout(f"{self.name} could not be asked in time")
        failure: FeedError
        answering = False
        try:
            request = self._usable_client().request(method, url)
            request = _bounded(
                request, {"accept": "application/json", "cache-control": "no-cache", **headers}, remaining
            )
            if body is not None:
                request = request.body_bytes(body)
            with request.build_streamed() as response:
                answering = True
                return self._whole(response)
        except PyreqwestError as error:
            failure = self._translated(error, answering)
        # Raised here, outside the handler: the client's own words quote the address, and with it the patient.
        raise failure

    def _allowed(self, address: Address) -> str:
        if not any(reach.holds(address) for reach in self._reaches):
            raise FeedLinkRefused(f"{self.name} would be asked outside what is allowed")
        return str(address)

    def _usable_client(self) -> SyncClient:
        with self._lock:
            if self._client is None or self._process != os.getpid():
                self._client = None
                self._client = _new_client(self.name, self._identity)
                self._process = os.getpid()
            return self._client

    def _whole(self, response: SyncResponse) -> Answer:
        headers = {name.lower(): _joined(response.headers, name) for name in response.headers}
        if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADER_BYTES:
            raise FeedAnswerInvalid(f"{self.name} sent too many headers")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise FeedAnswerInvalid(f"{self.name} encoded its answer in a way that was not asked for")
        body = bytearray()
        while (chunk := response.body_reader.read_chunk()) is not None:
            body += chunk
            if len(body) > self._max_body:
                raise FeedAnswerInvalid(f"{self.name} sent more than {self._max_body} bytes")
        return Answer(response.status, MappingProxyType(headers), bytes(body))

    def _translated(self, error: PyreqwestError, answering: bool) -> FeedError:
        match error:
            # A server that accepts and then says nothing comes as the client's ConnectTimeoutError as well.
            case RequestTimeoutError():
                return FeedTimeout(f"{self.name} did not answer in time")
            # The first part of the body is read together with the head, and its failure is a ReadError as well.
            case _ if answering or isinstance(error, ReadError):
                return FeedAnswerInvalid(f"{self.name} broke off or garbled its answer")
            case ConnectError() if (wrong := _certificate_flaw(error)) is not None:
                return FeedUnavailable(f"{self.name} could not be trusted: its certificate {wrong}")
            case ConnectError():
                return _NoConnection(f"{self.name} could not be reached")
            case NetworkError():
                return FeedUnavailable(f"{self.name} could not be reached")
            case RequestError():
                return FeedAnswerInvalid(f"{self.name} did not answer in HTTP")
            case _:
                return FeedUnavailable(f"{self.name} could not be asked")


def _joined(headers: HeaderMap, name: str) -> str:
    try:
        return ", ".join(headers.getall(name))
    except ValueError:
        return UNREADABLE


class _NoConnection(FeedUnavailable):
    """Nothing of an answer had arrived when the connection failed."""


def _certificate_flaw(error: ConnectError) -> str | None:
    """What is wrong with the certificate that was shown; None if it was not that. The client's own words stay here:
    they quote what the other side says that it is."""
    for cause in error.details.get("causes") or ():
        _, found, said = cause["message"].partition("invalid peer certificate: ")
        if found:
            flaws = (flaw for words, flaw in _CERTIFICATE_FLAWS.items() if said.startswith(words))
            return next(flaws, "is not trusted")
    return None


def _bounded(request: SyncRequestBuilder, headers: Mapping[str, str], seconds: float) -> SyncRequestBuilder:
    for name, value in headers.items():
        request = request.header(name, value, is_sensitive=name.lower() == "authorization")
    return request.timeout(timedelta(seconds=seconds))


def _new_client(name: str, identity: ClientIdentity | None) -> SyncClient:
    builder = (
        SyncClientBuilder()
        .follow_redirects(False)
        .no_proxy()
        .referer(False)
        .default_cookie_store(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .gzip(True)
        .user_agent("vitrine")
        .connect_timeout(timedelta(seconds=CONNECT_SECONDS))
        .pool_idle_timeout(timedelta(seconds=IDLE_SECONDS))
    )
    try:
        return (builder if identity is None else _showing(identity, builder)).build()
    except RuntimeError:
        # The library refuses to work in the child of a process that had used it.
        failure = FeedUnavailable(f"{name} cannot be asked: this process was forked after a first question")
    except (BuilderError, ValueError):
        failure = FeedUnavailable(f"{name} cannot be asked: a certificate of its configuration is not usable")
    raise failure


def _showing(identity: ClientIdentity, builder: SyncClientBuilder) -> SyncClientBuilder:
    builder = builder.https_only(True).identity_pem(identity.pem)
    if identity.authorities is None:
        return builder
    return builder.add_root_certificate_pem(identity.authorities.encode())
