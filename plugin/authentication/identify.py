"""Turns a credential into an Identity, or says why it cannot.

Whether that identity may see anything is decided in `policies`; nothing here grants access.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Literal

from plugin.authentication import claims
from plugin.authentication.bearer_token import NOBODY_TO_ASK, BearerTokens
from plugin.authentication.credential import (
    BearerToken,
    Credential,
    LaunchSession,
    LocalOperator,
    MalformedCredential,
    NoCredential,
)
from plugin.authentication.introspection import Introspects
from plugin.authentication.issuers import Issuers
from plugin.authentication.launch_session import LaunchSessions
from plugin.authentication.listings import Listings
from plugin.authentication.remembered import Remembered
from plugin.authentication.token_checks import VerifiedToken, naming_the_subject
from plugin.errors import CredentialMalformed, Unidentified
from plugin.settings.document import Settings
from plugin.state.views import Session
from policies.vocabulary.identity import Client, Identity, Person, Subject
from policies.vocabulary.purposes import PurposeSource
from policies.vocabulary.scopes import Grants

CACHE_SECONDS = 60.0
"""Design section 6. A client asks several times in a minute with one token, and checking a signature is dear."""

CACHED_TOKENS = 10_000
"""Of some kB each: more than the people who look at results at one time."""

OPERATOR_ISSUER = "urn:vitrine:local-operator"
"""The `issuer` of people whom the operating system vouches for."""

OPERATOR_CLIENT = "vitrine-cli"


class Identifier:
    """Identifies callers by the configured issuers. Safe to call from several threads; building it asks nobody."""

    def __init__(
        self,
        settings: Settings,
        issuers: Issuers,
        clock: Callable[[], float] = time.time,
        introspections: Mapping[str, Introspects] = NOBODY_TO_ASK,
        sessions: LaunchSessions | None = None,
    ) -> None:
        """`issuers`: the documents of those of `settings`. `clock`: POSIX seconds. `introspections`: by issuer.
        `sessions`: of launches; None: there are none."""
        self._sessions = sessions
        self._tokens = BearerTokens(Listings(settings.ehr), issuers, settings.public_base, clock, introspections)
        self._known = Remembered[tuple[Identity, VerifiedToken]](CACHED_TOKENS)
        self._met = Remembered[Literal[True]](CACHED_TOKENS)
        """Tokens that were good once, until they expire."""
        self._clock = clock

    def identify(self, credential: Credential) -> Identity:
        """Who stands behind `credential`.

        Raises Unidentified where nothing is shown, CredentialMalformed, TokenInvalid, TokenExpired, ViewUnknown,
        ViewOver, StateUnavailable or IssuerUnreachable.
        A verified machine or patient is an Identity: it is refused by rule, under its name.
        """
        match credential:
            case BearerToken(token=token, feed=feed):
                return self._bearer(token, feed)
            case LocalOperator():
                return operator(credential)
            case MalformedCredential():
                raise CredentialMalformed
            case LaunchSession():
                return self._session(credential).identity
            case NoCredential():
                raise Unidentified

    def recognises(self, credential: Credential) -> bool:
        """Whether somebody was identified by it before, in this process: one that nobody guessed. Checks nothing else,
        and asks nobody."""
        match credential:
            case BearerToken(token=token):
                return self._met.get(_digest(token, None), self._clock()) is not None
            case LaunchSession():
                return self._sessions is not None and self._sessions.recognises(credential)
        return False

    def ehr_token(self, credential: LaunchSession) -> str:
        """The token that the EHR gave at the launch: for that EHR alone. Raises what `identify` raises.

        Whoever has just been identified by this credential is not looked for again.
        """
        known = credential.unsealed.kept
        return (self._session(credential) if known is None else known[1]).token

    def _session(self, credential: LaunchSession) -> Session:
        if self._sessions is None:
            raise Unidentified
        return self._sessions.session(credential)

    def _bearer(self, token: str, feed: str | None) -> Identity:
        digest = _digest(token, feed)
        known = self._known.get(digest, self._clock())
        if known is not None and self._tokens.still_good(known[1]):
            return known[0]
        verified = self._tokens.verify(token, feed)
        now = self._clock()
        with naming_the_subject(verified.claims, now):
            identity = claims.identity(verified)
        until = min(verified.expires_at, verified.believed_until, now + CACHE_SECONDS)
        self._known.keep(digest, (identity, verified), now, until)
        self._met.keep(_digest(token, None), True, now, verified.expires_at)
        return identity


def operator(credential: LocalOperator) -> Identity:
    """The operator of the machine: may ask for the log, belongs to no EHR, sees no patient."""
    return Identity(
        ehr="",
        subject=Subject.OPERATOR,
        person=Person(OPERATOR_ISSUER, str(credential.uid), name=credential.name),
        client=Client(OPERATOR_CLIENT),
        grants=Grants(),
        launch_patient=None,
        purposes=("HSYSADMIN",),
        purpose_source=PurposeSource.OPERATOR,
        token_reference=None,
        auditor=True,
    )


def _digest(token: str, feed: str | None) -> bytes:
    """Of the token and the audience asked: a token that is good for one feed says nothing about another."""
    asked = "" if feed is None else f"feed {feed}"
    return hashlib.sha256(f"{token}\n{asked}".encode("utf-8", "surrogatepass")).digest()
