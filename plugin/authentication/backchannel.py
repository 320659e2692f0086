"""The gateway's own conversation with an EHR's authorization server: a code for a token, and a token given back.

What the answer amounts to is judged in `launch`. A token that we obtained goes here and to that EHR only.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import structlog
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from fhir_adapters.client_proof import ClientProof
from fhir_adapters.interface import Deadline, FeedError, FeedTimeout, FeedUnavailable
from fhir_adapters.upstream import NO_HEADERS, Answer, Upstream
from plugin.authentication.smart_configuration import AuthorizationServer
from plugin.authentication.unambiguous import parsed
from plugin.errors import IssuerUnreachable, LaunchUnproven

EXCHANGE_SECONDS = 5.0
"""The clinician waits; real servers answer within one."""

REVOKE_SECONDS = 2.0
"""A logout is over for the person before anybody answers."""

MAX_ANSWER_BYTES = 64 * 1024
"""Two tokens of some kB each, and the context."""

MAX_TOKEN = 8 * 1024
_BEARER = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_BUSY = frozenset({429, 500, 502, 503, 504})
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NoProof:
    """A public client: it says who it is, and PKCE proves that it began the launch."""

    client_id: str

    def headers(self) -> Mapping[str, str]:
        """None."""
        return NO_HEADERS

    def parameters(self) -> Mapping[str, str]:
        """Its name."""
        return {"client_id": self.client_id}


@dataclass(frozen=True, slots=True)
class Granted:
    """A token answer in the form that OAuth and SMART want; what it says is not judged yet."""

    token: str = field(repr=False)
    id_token: str = field(repr=False)
    scope: str
    expires_in: float | None
    context: Mapping[str, Any] = field(repr=False)
    """All members: the launch context is among them."""


class Backchannel:
    """To one EHR's authorization server. Safe to call from several threads."""

    def __init__(
        self, proof: Callable[[AuthorizationServer], ClientProof], redirect_uri: str, upstream: Upstream
    ) -> None:
        self._proof = proof
        self._redirect_uri = redirect_uri
        self._upstream = upstream

    def exchange(self, server: AuthorizationServer, code: str, verifier: str) -> Granted:
        """The tokens for `code`, which is thereby used up. Raises IssuerUnreachable, LaunchUnproven."""
        proof = self._proof(server)
        form: str = prepare_token_request(  # type: ignore[no-untyped-call]
            "authorization_code",
            redirect_uri=self._redirect_uri,
            code=code,
            code_verifier=verifier,
            **proof.parameters(),
        )
        try:
            answer = self._upstream.post_form(
                server.token_endpoint, form, proof.headers(), deadline=Deadline.after(EXCHANGE_SECONDS)
            )
        except (FeedUnavailable, FeedTimeout) as error:
            raise IssuerUnreachable from error
        except FeedError as error:
            raise LaunchUnproven from error
        return _granted(answer)

    def revoke(self, server: AuthorizationServer, token: str) -> bool:
        """Give `token` back (RFC 7009); False if the server does not offer it, or did not take it. Raises nothing."""
        if server.revocation_endpoint is None:
            return False
        proof = self._proof(server)
        form = urlencode({"token": token, "token_type_hint": "access_token", **proof.parameters()})
        try:
            answer = self._upstream.post_form(
                server.revocation_endpoint, form, proof.headers(), deadline=Deadline.after(REVOKE_SECONDS)
            )
        except FeedError as error:
            _log.warning("a token could not be revoked", reason=str(error))
            return False
        if answer.status != 200:
            _log.warning("a token was not revoked", status=answer.status)
        return answer.status == 200


def _granted(answer: Answer) -> Granted:
    if answer.status in _BUSY:
        raise IssuerUnreachable
    if answer.status != 200 or not answer.headers.get("content-type", "").lower().startswith("application/json"):
        _log.warning("the authorization server gave no token", status=answer.status)
        raise LaunchUnproven
    try:
        value = parsed(answer.body)
    except ValueError:
        raise LaunchUnproven from None
    if not isinstance(value, dict):
        raise LaunchUnproven
    token, id_token, scope = value.get("access_token"), value.get("id_token"), value.get("scope")
    if not isinstance(token, str) or not _BEARER.fullmatch(token) or len(token) > MAX_TOKEN:
        raise LaunchUnproven
    if str(value.get("token_type", "")).lower() != "bearer":
        raise LaunchUnproven
    # SMART wants the scopes said: what was asked for need not be what was granted.
    if not isinstance(id_token, str) or not isinstance(scope, str):
        raise LaunchUnproven
    return Granted(token, id_token, scope, _seconds(value.get("expires_in")), value)


def _seconds(value: object) -> float | None:
    """Some servers write the number as a string. None: not stated. Raises LaunchUnproven for what is no time."""
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 << 31:
        raise LaunchUnproven
    return float(value)
