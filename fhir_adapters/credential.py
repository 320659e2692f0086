"""How the gateway proves itself to a feed.

A person's token plays no part, but for `LaunchToken` at the EHR that gave it. Secrets arrive as strings that settings
read from files. They stand in no repr, no error and no log. What a credential permits is the feed's affair; it should
be read-only there.
"""

import base64
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from authlib.oauth2.rfc6749.parameters import prepare_token_request

from fhir_adapters.client_proof import ClientProof
from fhir_adapters.interface import Call, Deadline, FeedAnswerInvalid, FeedRefused, FeedTimeout, FeedUnavailable
from fhir_adapters.reach import Reach
from fhir_adapters.resource import parse
from fhir_adapters.upstream import NO_HEADERS, Answer, HttpUpstream, Upstream

RENEW_EARLY_SECONDS = 30
"""A token is not used in its last half minute: the feed's clock may be ahead, and an answer takes up to the
deadline."""

UNSTATED_LIFE_SECONDS = 60
"""How long a token is kept whose answer does not say when it expires (RFC 6749 5.1 only recommends `expires_in`)."""

MAX_LIFE_SECONDS = 3_600
"""However long a token lives, after an hour a new one is asked for, so that a withdrawn client stops."""

_BEARER = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""RFC 6750 2.1; it also keeps line ends out of the header."""


class Credential(Protocol):
    """What a feed is shown. Safe to call from several threads; raises FeedError and nothing else."""

    def headers(self, call: Call) -> Mapping[str, str]:
        """The headers that prove who asks, within `call.deadline`."""

    def renew(self, refused: Mapping[str, str], call: Call) -> bool:
        """Told that the feed answered 401 to `refused`. True if asking `headers` again may give something better."""


@dataclass(frozen=True, slots=True)
class NoCredential:
    """A feed that asks nobody who they are."""

    def headers(self, call: Call) -> Mapping[str, str]:
        """None at all."""
        return NO_HEADERS

    def renew(self, refused: Mapping[str, str], call: Call) -> bool:
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class BasicCredential:
    """HTTP Basic (RFC 7617), in UTF-8. Raises ValueError if `username` holds a colon."""

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.username:
            raise ValueError("a user name of HTTP Basic holds no colon")

    def headers(self, call: Call) -> Mapping[str, str]:
        """The same for every call."""
        return {"authorization": _basic(self.username, self.password)}

    def renew(self, refused: Mapping[str, str], call: Call) -> bool:
        """Never: a wrong password stays wrong."""
        return False


@dataclass(frozen=True, slots=True)
class BearerCredential:
    """A fixed token (RFC 6750). Raises ValueError if it is not written as one."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _BEARER.fullmatch(self.token):
            raise ValueError("not a bearer token")

    def headers(self, call: Call) -> Mapping[str, str]:
        """The same for every call."""
        return {"authorization": f"Bearer {self.token}"}

    def renew(self, refused: Mapping[str, str], call: Call) -> bool:
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class LaunchToken:
    """The token that an EHR gave at a launch, for that EHR alone: the one credential that reads `call.bearer`."""

    def headers(self, call: Call) -> Mapping[str, str]:
        """Raises FeedRefused without a usable `call.bearer`."""
        if call.bearer is None or not _BEARER.fullmatch(call.bearer):
            raise FeedRefused("the question carries no token of a launch")
        return {"authorization": f"Bearer {call.bearer}"}

    def renew(self, refused: Mapping[str, str], call: Call) -> bool:
        """Never: the person launches again."""
        return False


class ClientCredentials:
    """The OAuth 2.0 client credentials grant (RFC 6749 4.4), the client proven by a secret or a key (`client_proof`).

    The token is kept in memory until RENEW_EARLY_SECONDS before it expires. Threads that find none wait for the one
    that fetches it, each no longer than its own deadline. The token endpoint is a place of its own: it sees the
    client's proof and nothing of the question; the feed sees the token and not the proof.
    """

    def __init__(
        self,
        name: str,
        token_url: str,
        proof: ClientProof,
        *,
        scope: str = "",
        upstream: Upstream | None = None,
    ) -> None:
        """`name` stands in errors ("feed 'city-lab'"). Raises ValueError if `token_url` is no plain http(s) address."""
        reach = Reach.of(token_url)
        self._name = f"the token endpoint of {name}"
        self._address = reach.judge(token_url)
        self._upstream = upstream or HttpUpstream(self._name, reach)
        self._proof = proof
        self._scope = scope
        self._lock = threading.Lock()
        self._token = ""
        self._usable_until = 0.0

    def headers(self, call: Call) -> Mapping[str, str]:
        """The kept token, or a new one. Raises FeedRefused if the endpoint refuses the client."""
        with self._held(call.deadline):
            if time.monotonic() >= self._usable_until:
                self._token, life = self._fetch(call.deadline)
                self._usable_until = time.monotonic() + life - RENEW_EARLY_SECONDS
            return {"authorization": f"Bearer {self._token}"}

    def renew(self, refused: Mapping[str, str], call: Call) -> bool:
        """Forget the refused token, unless another thread has replaced it already."""
        with self._held(call.deadline):
            if refused.get("authorization") == f"Bearer {self._token}":
                self._usable_until = 0.0
        return True

    @contextmanager
    def _held(self, deadline: Deadline) -> Iterator[None]:
        if not self._lock.acquire(timeout=deadline.remaining()):
            raise FeedTimeout(f"{self._name} did not answer in time")
        try:
            yield
        finally:
            self._lock.release()

    def _fetch(self, deadline: Deadline) -> tuple[str, float]:
        form: str = prepare_token_request(  # type: ignore[no-untyped-call]
            "client_credentials", scope=self._scope, **self._proof.parameters()
        )
        answer = self._upstream.post_form(self._address, form, self._proof.headers(), deadline=deadline)
        self._expect_success(answer)
        tree = parse(answer.body, self._name)
        token = tree.get("access_token") if isinstance(tree, dict) else None
        if not isinstance(token, str) or not _BEARER.fullmatch(token):
            raise FeedAnswerInvalid(f"{self._name} gave no usable token")
        if str(tree.get("token_type", "")).lower() != "bearer":
            raise FeedAnswerInvalid(f"{self._name} gave a token that is not a bearer token")
        return token, _life(tree.get("expires_in"))

    def _expect_success(self, answer: Answer) -> None:
        if answer.status in (429, 502, 503, 504):
            raise FeedUnavailable(f"{self._name} is not available (status {answer.status})")
        if 400 <= answer.status < 500:
            raise FeedRefused(f"{self._name} refused the gateway's own credential (status {answer.status})")
        if answer.status != 200:
            raise FeedAnswerInvalid(f"{self._name} answered with status {answer.status}")


def _life(expires_in: object) -> float:
    """Seconds. Some servers write the number as a string; what cannot be read counts as unstated."""
    if isinstance(expires_in, str) and re.fullmatch(r"[0-9]{1,9}", expires_in):
        expires_in = int(expires_in)
    if isinstance(expires_in, (int, Decimal)) and not isinstance(expires_in, bool) and expires_in > 0:
        return float(min(expires_in, MAX_LIFE_SECONDS))
    return UNSTATED_LIFE_SECONDS


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
