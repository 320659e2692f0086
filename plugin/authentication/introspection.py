"""Asks an issuer what a token is worth (RFC 7662), in bounds: few questions at a time, none while it is down.

An answer is the issuer's word for at most a minute, so that a revocation bites. What the answer must say to be good
here is judged in `bearer_token`. A token presented to us goes nowhere but to the endpoint of its own issuer.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import structlog

from fhir_adapters.breaker import Breaker, Bulkhead
from fhir_adapters.client_proof import SecretProof
from fhir_adapters.interface import Deadline, FeedError, FeedTimeout, FeedUnavailable
from fhir_adapters.reach import Reach
from fhir_adapters.upstream import Answer, HttpUpstream, Upstream
from plugin.authentication.remembered import Remembered
from plugin.authentication.unambiguous import parsed
from plugin.errors import IssuerUnreachable
from plugin.settings.ehr import Introspection

BELIEVED_SECONDS = 60.0
"""Design section 6: a revoked token stops within a minute. Counted from the question, not from the answer."""

ASK_SECONDS = 3.0
"""A clinician waits meanwhile; an authorization server answers within a fraction of it."""

PLACES, WAITING = 4, 4
"""Of the sixteen threads of a process at most half are with an authorization server that hangs, or wait for it."""

MAX_ANSWER_BYTES = 64 * 1024
"""Claims of a token with many roles are some kB."""

REMEMBERED = 10_000
"""Answers; digests only, for tokens that are not active."""

_BUSY = frozenset({429, 500, 502, 503, 504})
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Vouched:
    """The issuer's word that a token is active."""

    claims: Mapping[str, Any] = field(repr=False)
    until: float
    """POSIX seconds: how long it may be used."""
    implied_audience: bool = False
    """An answer without `aud` is meant for us, by configuration."""


_Word = tuple[Vouched | None]
"""What an issuer said; None: that the token is not active."""


class Introspects(Protocol):
    """Asks the issuer."""

    def __call__(self, token: str) -> Vouched | None:
        """What the issuer says of `token`; None if it is not active. Raises IssuerUnreachable if it cannot be told."""


class IntrospectionEndpoint:
    """`Introspects` over HTTP. Safe to call from several threads; building it asks nobody."""

    def __init__(
        self,
        settings: Introspection,
        secret: str,
        *,
        upstream: Upstream | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ValueError if the URL is no plain http(s) address."""
        reach = Reach.of(settings.url)
        self._address = reach.judge(settings.url)
        self._implied_audience = settings.implied_audience
        self._upstream = upstream or HttpUpstream("an introspection endpoint", reach, max_body=MAX_ANSWER_BYTES)
        self._proof = SecretProof(settings.client_id, secret)
        self._clock = clock
        self._breaker = Breaker(monotonic)
        self._bulkhead = Bulkhead(PLACES, WAITING)
        # Two, so that a flood of tokens that are not active drives out none that is.
        self._active, self._inactive = Remembered[_Word](REMEMBERED), Remembered[_Word](REMEMBERED)

    def __call__(self, token: str) -> Vouched | None:
        """See `Introspects`."""
        digest = hashlib.sha256(token.encode()).digest()
        if (known := self._known(digest)) is not None:
            return known[0]
        with self._bulkhead.place() as held:
            if not held:
                raise IssuerUnreachable
            # Several requests with one new token come at once; most find the answer of the first.
            if (known := self._known(digest)) is not None:
                return known[0]
            asked_at = self._clock()
            claims = self._ask(token)
            until = asked_at + BELIEVED_SECONDS
            if claims is None:
                self._inactive.keep(digest, (None,), asked_at, until)
                return None
            vouched = Vouched(claims, until, self._implied_audience)
            self._active.keep(digest, (vouched,), asked_at, until)
            return vouched

    def _known(self, digest: bytes) -> _Word | None:
        now = self._clock()
        return self._active.get(digest, now) or self._inactive.get(digest, now)

    def _ask(self, token: str) -> Mapping[str, Any] | None:
        if not self._breaker.allows():
            raise IssuerUnreachable
        answered = False
        try:
            answer = self._upstream.post_form(
                self._address,
                urlencode({"token": token, "token_type_hint": "access_token"}),
                self._proof.headers(),
                deadline=Deadline.after(ASK_SECONDS),
            )
            # One that answers wrongly is there: only silence opens the breaker.
            answered = answer.status not in _BUSY
        except FeedError as error:
            answered = not isinstance(error, FeedUnavailable | FeedTimeout)
            _log.warning("introspection failed", reason=str(error))
            raise IssuerUnreachable from error
        finally:
            self._breaker.heard(answered=answered)
        return _claims(answer)


def _claims(answer: Answer) -> Mapping[str, Any] | None:
    """The members of an answer that says `active`; None if it says that the token is not."""
    if answer.status != 200:
        # 401 and 403 concern our own credential there (RFC 7662 2.3), and so say nothing about the token.
        raise _unusable(f"status {answer.status}")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise _unusable("not JSON by its media type")
    try:
        value = parsed(answer.body)
    except ValueError:
        raise _unusable("not unambiguous JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("active"), bool):
        raise _unusable("it does not say whether the token is active")
    return value if value["active"] else None


def _unusable(reason: str) -> IssuerUnreachable:
    _log.warning("introspection answer not usable", reason=reason)
    return IssuerUnreachable()
