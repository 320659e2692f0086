"""SMART App Launch 2.2: from an EHR's launch, or none, to a view for one verified person and one patient.

The browser carries what was begun, sealed, in a cookie of that launch alone: a flood of launches fills nothing here,
and an answer that comes to another browser opens nothing. The code, and our proof for it, never leave the back channel.
"""

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from plugin.attempt import Attempt
from plugin.authentication import id_token, launch_identity
from plugin.authentication.backchannel import Backchannel, Granted
from plugin.authentication.ehr_style import colours
from plugin.authentication.issuers import Fetch, Issuers
from plugin.authentication.launch_session import Attempts, instant
from plugin.authentication.smart_configuration import (
    CHALLENGE_METHOD,
    AuthorizationServer,
    SmartConfiguration,
)
from plugin.authentication.token_checks import naming_the_subject
from plugin.errors import (
    CallerThrottled,
    ConsultError,
    IssuerUnreachable,
    LaunchDenied,
    LaunchForeign,
    LaunchForgotten,
    LaunchMalformed,
    LaunchMixedUp,
    LaunchUnproven,
    RecordUnavailable,
    Refused,
    SpaceLow,
    TokenInvalid,
)
from plugin.sealing import Seal, SealBroken
from plugin.settings.ehr import Ehr
from plugin.settings.launch import LaunchSettings
from plugin.state.views import Session, View, Views
from policies.vocabulary.consultation import Origin, Reason
from policies.vocabulary.identity import Identity, Subject
from policies.vocabulary.session import SessionAct, SessionStep

BEGUN_SECONDS = 600.0
"""From the launch to the answer: the person may have to log in at the EHR, with a card, meanwhile."""

SESSION_SECONDS = 3600.0
"""At most (design section 6), however long the EHR's token lives."""

UNSTATED_SECONDS = 900.0
"""Of a token whose answer does not say when it expires (RFC 6749 5.1 only recommends it)."""

_LAUNCH = re.compile(r"[!-~]{1,1024}")
_CODE = re.compile(r"[ -~]{1,4096}")
"""RFC 6749 A.11; Microsoft's are above 1 kB."""
_FAILURES = frozenset({"server_error", "temporarily_unavailable"})
"""What an authorization server says where nobody refused anything (RFC 6749 4.1.2.1)."""
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,3}")
_STATE = re.compile(r"[A-Za-z0-9_-]{32}")


@dataclass(frozen=True, slots=True)
class LaunchableEhr:
    """An EHR with the viewer registered, and the ways to its authorization server."""

    ehr: Ehr
    settings: LaunchSettings
    configuration: SmartConfiguration
    backchannel: Backchannel
    style: Fetch
    """For the EHR's style, on its hosts and those of its issuers."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A launch on its way through the EHR's login."""

    state: str
    """Names the launch in addresses, and its cookie."""
    cookie: str = field(repr=False)
    """For the browser to keep, unread; empty: it kept none."""


@dataclass(frozen=True, slots=True)
class _Carried:
    """What the cookie of a launch holds, sealed."""

    state: str
    ehr: str
    issuer: str
    nonce: str
    verifier: str
    at: float
    framed: bool


@dataclass(frozen=True, slots=True)
class Response:
    """The query with which the browser comes back (RFC 6749 4.1.2, RFC 9207); None: not given."""

    state: str | None
    code: str | None = field(default=None, repr=False)
    issuer: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A view that a launch has opened, and what the browser keeps of it."""

    view: View
    secret: str = field(repr=False)
    framed: bool
    """The launch began inside a frame."""


@dataclass(frozen=True)
class Launches:
    """Safe to call from several threads. Everything that opens nothing is recorded, or counted."""

    ehrs: Mapping[str, LaunchableEhr]
    issuers: Issuers
    views: Views
    seal: Seal
    attempts: Attempts
    redirect_uri: str
    clock: Callable[[], float] = time.time

    def begin(self, ehr_id: str, issuer: str | None, launch: str | None, origin: Origin, *, framed: bool) -> Begun:
        """Begin a launch at `ehr_id`; `issuer` and `launch` are its `iss` and `launch`, both None for a standalone one.

        Raises LaunchForeign, LaunchMalformed, IssuerUnreachable, CallerThrottled, SpaceLow.
        """
        with self._attempt(origin):
            self._require_room(origin)
            launchable = self._launchable(ehr_id, issuer)
            if launch is not None and (issuer is None or not _LAUNCH.fullmatch(launch)):
                raise LaunchMalformed
            server = launchable.configuration.server()
            carried = _Carried(
                secrets.token_urlsafe(24),
                ehr_id,
                server.issuer.issuer,
                secrets.token_urlsafe(24),
                secrets.token_urlsafe(48),
                self.clock(),
                framed,
            )
            return Begun(carried.state, self.seal.close(msgspec.json.encode(carried)))

    def address(self, begun: Begun, ehr_id: str, issuer: str | None, launch: str | None, origin: Origin) -> str:
        """Where the browser goes to log in, once it has shown that it keeps the cookie of `begun`.

        `issuer` and `launch` as for `begin`. Raises what `begin` raises, LaunchForgotten where the cookie is empty, and
        LaunchMixedUp.
        """
        with self._attempt(origin):
            launchable = self._launchable(ehr_id, issuer)
            if not begun.cookie:
                raise LaunchForgotten
            carried = self._carried(begun.state, begun.cookie)
            server = launchable.configuration.server()
            if carried.ehr != ehr_id or carried.issuer != server.issuer.issuer:
                raise LaunchMixedUp
            settings = launchable.settings
            context = "launch/patient" if launch is None else "launch"
            try:
                address: str = prepare_grant_uri(  # type: ignore[no-untyped-call]
                    server.authorization_endpoint,
                    settings.client_id,
                    "code",
                    redirect_uri=self.redirect_uri,
                    scope=["openid", "fhirUser", context, *settings.scopes],
                    state=carried.state,
                    nonce=carried.nonce,
                    aud=issuer or launchable.ehr.fhir_base,
                    launch=launch,
                    code_challenge=create_s256_code_challenge(carried.verifier),  # type: ignore[no-untyped-call]
                    code_challenge_method=CHALLENGE_METHOD,
                )
            except ValueError as error:
                raise IssuerUnreachable from error  # its address has a query that is not encoded
            return address

    def finish(self, response: Response, cookie: str | None, origin: Origin) -> Opened:
        """Open a view for the launch that `response` answers; `cookie` is the one of its state.

        When this returns, that is recorded. Raises LaunchMalformed, LaunchMixedUp, LaunchDenied, LaunchUnproven,
        IssuerUnreachable (all counted); Refused (recorded under the person's name), StateUnavailable,
        RecordUnavailable, CallerThrottled.
        """
        opened: Opened | None = None
        try:
            with self._attempt(origin) as attempt:
                self._require_room(origin)
                carried, launchable, server = self._answered(response, cookie)
                granted = launchable.backchannel.exchange(server, str(response.code), carried.verifier)
                try:
                    opened = self._opened(attempt, granted, carried, launchable, server)
                except ConsultError:
                    launchable.backchannel.revoke(server, granted.token)
                    raise
        except RecordUnavailable:
            if opened is not None:  # nobody has its secret yet, and the token ends by itself
                self.views.forget(opened.view.id)
            raise
        return opened

    def refuse_malformed(self, origin: Origin) -> NoReturn:
        """Count a launch, or an answer, whose address cannot be read. Raises LaunchMalformed."""
        with self._attempt(origin):
            raise LaunchMalformed

    def refuse(self, error: Refused, origin: Origin) -> None:
        """Count a request that is no part of a launch. Nobody is identified by it."""
        self.attempts.strangers.refused(error, origin)

    def ehr_of(self, state: str | None, cookie: str | None) -> str | None:
        """The id of the EHR that the launch of `state` is of, as far as `cookie` says: for who may frame a page."""
        try:
            return self._carried(state, cookie).ehr
        except LaunchMixedUp:
            return None

    def _attempt(self, origin: Origin) -> Attempt:
        return self.attempts.of(SessionAct(SessionStep.OPENING), origin)

    def _require_room(self, origin: Origin) -> None:
        if self.attempts.space.low():
            raise SpaceLow
        if not self.attempts.strangers.admits(origin.address):
            raise CallerThrottled

    def _launchable(self, ehr_id: str, issuer: str | None) -> LaunchableEhr:
        """The `iss` of a launch is compared before anything is asked: an address of a stranger is never contacted."""
        found = self.ehrs.get(ehr_id)
        if found is None or (issuer is not None and issuer.removesuffix("/") != found.ehr.fhir_base):
            raise LaunchForeign
        return found

    def _carried(self, state: str | None, cookie: str | None) -> _Carried:
        """What this browser began under `state`. Raises LaunchMixedUp."""
        try:
            carried = msgspec.json.decode(self.seal.open(cookie or ""), type=_Carried)
        except (SealBroken, msgspec.DecodeError):
            raise LaunchMixedUp from None
        if state is None or not _STATE.fullmatch(state) or not hmac.compare_digest(carried.state, state):
            raise LaunchMixedUp
        if not 0 <= self.clock() - carried.at < BEGUN_SECONDS:
            raise LaunchMixedUp
        return carried

    def _answered(self, response: Response, cookie: str | None) -> tuple[_Carried, LaunchableEhr, AuthorizationServer]:
        """The launch that is answered, for the first time, by the server that was asked."""
        carried = self._carried(response.state, cookie)
        launchable = self._launchable(carried.ehr, None)
        server = launchable.configuration.server()
        if carried.issuer != server.issuer.issuer:
            raise LaunchMixedUp
        # RFC 9207: the code of one server must not be carried to another.
        stated = response.issuer if server.names_itself else response.issuer or carried.issuer
        if stated != server.issuer.issuer:
            raise LaunchMixedUp
        if not self.views.answered(carried.state, carried.at + BEGUN_SECONDS):
            raise LaunchMixedUp
        if response.error in _FAILURES:
            raise IssuerUnreachable
        if response.error is not None:
            raise LaunchDenied
        if response.code is None or not _CODE.fullmatch(response.code):
            raise LaunchMalformed
        return carried, launchable, server

    def _opened(
        self,
        attempt: Attempt,
        granted: Granted,
        carried: _Carried,
        launchable: LaunchableEhr,
        server: AuthorizationServer,
    ) -> Opened:
        client_id = launchable.settings.client_id
        now = self.clock()
        claims: Mapping[str, Any] = {}
        try:
            claims = id_token.verify(
                granted.id_token,
                server.issuer,
                self.issuers,
                client_id=client_id,
                nonce=carried.nonce,
                access_token=granted.token,
                now=now,
            )
            with naming_the_subject(claims, now):
                identity = launch_identity.identity(claims, granted, launchable.ehr, server.issuer, client_id)
        except TokenInvalid as refusal:
            raise LaunchUnproven(verified_subject=refusal.verified_subject) from refusal
        until = now + min(granted.expires_in or UNSTATED_SECONDS, SESSION_SECONDS)
        identity = attempt.identity = replace(identity, expires_at=until)
        view = _view(identity, claims, granted, launchable)
        secret = secrets.token_urlsafe(32)
        attempt.session = {"opened": attempt.origin.record, "until": instant(until)}
        self.views.open(Session(view, identity, granted.token, now, attempt.origin.record), secret, now)
        return Opened(view, secret, carried.framed)


def _view(identity: Identity, claims: Mapping[str, Any], granted: Granted, launchable: LaunchableEhr) -> View:
    """What pages may know of the launch. Raises Refused: nobody is there who may look, or no patient to look at."""
    if identity.subject is not Subject.PROFESSIONAL:
        raise Refused(Reason.ACCESS_DENIED, rules=("natural-person",))
    if identity.launch_patient is None:
        raise Refused(Reason.PATIENT_REQUIRED, rules=("one-patient",))
    locale, style = claims.get("locale", granted.context.get("locale")), granted.context.get("smart_style_url")
    return View(
        id=secrets.token_urlsafe(16),
        ehr=launchable.ehr.id,
        patient=identity.launch_patient,
        person=identity.person.name,
        locale=locale if isinstance(locale, str) and _LOCALE.fullmatch(locale) else None,
        expires_at=identity.expires_at,
        purpose=identity.purposes[0] if identity.purposes else None,
        need_patient_banner=granted.context.get("need_patient_banner") is not False,
        style=colours(launchable.style, style) if isinstance(style, str) else {},
        patient_readable=identity.grants.ceiling("Patient", "r", launch_patient=True).allowed,
    )
