"""Asks an issuer what a token is worth (RFC 7662), in bounds: few questions at a time, none while it is down.

An answer is the issuer's word for at most a minute, so that a revocation bites. What the answer must say to be good
here is judged in `bearer_token`. A token presented to us goes nowhere but to the endpoint of its own issuer.
"""

import base64
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

import jiter
import structlog

from fhir_adapters.breaker import Breaker, Bulkhead
from fhir_adapters.interface import Deadline, FeedError, FeedTimeout, FeedUnavailable
from fhir_adapters.reach import Reach
from fhir_adapters.upstream import Answer, HttpUpstream, Upstream
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
        # RFC 6749 2.3.1: both are form-encoded before they are joined.
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
        self._authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._clock = clock
        self._breaker = Breaker(monotonic)
        self._bulkhead = Bulkhead(PLACES, WAITING)
        self._active, self._inactive = _Answers(), _Answers()

    def __call__(self, token: str) -> Vouched | None:
        """See `Introspects`."""
        digest = hashlib.sha256(token.encode()).digest()
        if (known := self._known(digest)) is not None:
            return known.vouched
        with self._bulkhead.place() as held:
            if not held:
                raise IssuerUnreachable
            # Several requests with one new token come at once; most find the answer of the first.
            if (known := self._known(digest)) is not None:
                return known.vouched
            asked_at = self._clock()
            claims = self._ask(token)
            until = asked_at + BELIEVED_SECONDS
            if claims is None:
                self._inactive.keep(digest, _Known(None, until))
                return None
            vouched = Vouched(claims, until, self._implied_audience)
            self._active.keep(digest, _Known(vouched, until))
            return vouched

    def _known(self, digest: bytes) -> "_Known | None":
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
                {"authorization": self._authorization},
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
        value = jiter.from_json(answer.body, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="none")
    except ValueError:
        raise _unusable("not unambiguous JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("active"), bool):
        raise _unusable("it does not say whether the token is active")
    return value if value["active"] else None


def _unusable(reason: str) -> IssuerUnreachable:
    _log.warning("introspection answer not usable", reason=reason)
    return IssuerUnreachable()


@dataclass(frozen=True, slots=True)
class _Known:
    vouched: Vouched | None
    until: float


class _Answers:
    """Answers of the last minute by the token's digest; the least recently asked goes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Known] = OrderedDict()

    def get(self, digest: bytes, now: float) -> _Known | None:
        with self._lock:
            known = self._entries.get(digest)
            if known is not None and now >= known.until:
                del self._entries[digest]
                return None
            return known

    def keep(self, digest: bytes, known: _Known) -> None:
        with self._lock:
            self._entries[digest] = known
            self._entries.move_to_end(digest)
            if len(self._entries) > REMEMBERED:
                self._entries.popitem(last=False)
