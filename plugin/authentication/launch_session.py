"""The session that a launch opened: whom it identifies, what pages may know of it, the stated purpose, the logout.

How one is opened is in `launch`. That a session exists permits nothing: each look is judged by the rules.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from plugin.attempt import Asked, Attempt
from plugin.authentication.credential import LaunchSession, NoCredential
from plugin.errors import (
    CallerThrottled,
    IssuerUnreachable,
    Refused,
    StateUnavailable,
    Unidentified,
    ViewUnknown,
)
from plugin.ledger.space import FreeSpace
from plugin.recorder import Recorder
from plugin.settings.launch import LaunchSettings
from plugin.state.patient_names import PatientNames
from plugin.state.rules_in_force import RulesInForce
from plugin.state.views import Session, View, Views
from plugin.strangers import Strangers
from policies.vocabulary.consultation import Origin, Reason
from policies.vocabulary.purposes import PurposeSource
from policies.vocabulary.session import STATABLE, SessionAct, SessionStep

Shown = LaunchSession | NoCredential
"""What a page of the viewer may show for its caller."""

MAX_REPORTS = 20
"""Prints and copies of one view that are recorded; a view lasts an hour at most."""
MAX_REPORTING = 10_000
"""Views that are counted at a time: a megabyte. Then counting begins anew."""

MAX_SHOWN = 128
"""Characters of a view's id and of its secret; ours have 22 and 43."""


class Revokes(Protocol):
    """Gives a token back to the EHR that gave it."""

    def __call__(self, token: str) -> bool:
        """False if it was not taken. Raises IssuerUnreachable, and nothing else."""


@dataclass(frozen=True)
class Attempts:
    """Makes the records of sessions: one for each act."""

    recorder: Recorder
    strangers: Strangers
    ehr_bases: Mapping[str, str]
    rules: RulesInForce
    space: FreeSpace

    def of(self, asked: Asked, origin: Origin) -> Attempt:
        """To be entered; leaving it records what became of it."""
        return Attempt(asked, origin, self.recorder, self.strangers, self.ehr_bases, self.rules.now())


@dataclass(frozen=True, slots=True)
class LaunchedEhr:
    """What a session needs to know of its EHR."""

    settings: LaunchSettings
    revoke: Revokes = field(repr=False)


class Sessions(Protocol):
    """What the faces use of `LaunchSessions`."""

    def view(self, credential: Shown, origin: Origin) -> View:
        """See LaunchSessions."""

    def state_purpose(self, credential: Shown, purpose: str, origin: Origin) -> View:
        """See LaunchSessions."""

    def close(self, credential: Shown, origin: Origin) -> None:
        """See LaunchSessions."""

    def report(self, credential: Shown, step: SessionStep | None, origin: Origin) -> None:
        """See LaunchSessions."""


class Reports:
    """How many reports of a page's reader were recorded for each view, in this process. Safe to call from several
    threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def admits(self, view: str) -> bool:
        """False once a view has had MAX_REPORTS: a script that repeats itself fills no log."""
        with self._lock:
            if len(self._counts) >= MAX_REPORTING and view not in self._counts:
                self._counts.clear()
            count = self._counts[view] = self._counts.get(view, 0) + 1
        return count <= MAX_REPORTS


@dataclass(frozen=True)
class LaunchSessions:
    """Views of launches. Safe to call from several threads.

    Every method raises Unidentified (the view is unknown, over, or somebody else's) and StateUnavailable. Those with
    an `origin` count that, as for all callers who are not identified, and raise CallerThrottled.
    """

    views: Views
    ehrs: Mapping[str, LaunchedEhr]
    attempts: Attempts
    clock: Callable[[], float] = time.time
    reports: Reports = field(default_factory=Reports)
    names: PatientNames = field(default_factory=PatientNames)
    """Forgotten here when their view ends, wherever it was ended."""

    def session(self, credential: Shown) -> Session:
        """All that is kept of it: for who identifies, not for pages. It is thereby used."""
        if isinstance(credential, NoCredential):
            raise Unidentified
        if max(len(credential.view), len(credential.secret)) > MAX_SHOWN:
            raise ViewUnknown
        session = self.views.find(credential.view, credential.secret, self.clock(), credential.unsealed)
        ehr = self.ehrs.get(session.view.ehr)
        # What the configuration no longer has, a session no longer opens.
        if ehr is None or ehr.settings.client_id != session.identity.client.id:
            raise ViewUnknown
        return session

    def recognises(self, credential: Shown) -> bool:
        """Whether it shows a view: no one whom the failures of others behind the same proxy should hold off."""
        try:
            self.session(credential)
        except (Unidentified, StateUnavailable):
            return False
        return True

    def view(self, credential: Shown, origin: Origin) -> View:
        """The view that `credential` shows. Records nothing but a refusal."""
        try:
            self._require_room(credential, origin)
            return self.session(credential).view
        except (Unidentified, StateUnavailable) as error:
            self.attempts.strangers.refused(error, origin)
            raise

    def state_purpose(self, credential: Shown, purpose: str, origin: Origin) -> View:
        """Keep what the person says that the looks are for; the view with it.

        It is stated once, whichever of the person's windows is first: what is stated first excludes every other, also
        where its record fails and it is to be stated again. When this returns, that is recorded. Raises Refused
        (recorded as well) for what nobody may state here, or if another purpose was stated before; RecordUnavailable.
        """
        with self.attempts.of(SessionAct(SessionStep.PURPOSE), origin) as attempt:
            session = self._entered(attempt, credential)
            if purpose not in STATABLE:
                raise Refused(Reason.ACCESS_DENIED, rules=("purpose-stated",))
            if purpose != (session.view.purpose or self.views.first_purpose(session.view, purpose)):
                raise Refused(Reason.PURPOSE_STATED, rules=("purpose-stated",))
            if session.view.purpose is None:
                identity = replace(session.identity, purposes=(purpose,), purpose_source=PurposeSource.DECLARED)
                session = replace(session, identity=identity, view=replace(session.view, purpose=purpose))
            attempt.identity = session.identity
        # Kept once it is recorded: what cannot be recorded, nobody has stated.
        if isinstance(credential, LaunchSession):
            self.views.keep(session, credential.secret)
        return session.view

    def close(self, credential: Shown, origin: Origin) -> None:
        """End the view at once, and give the EHR's token back where the EHR takes it.

        When this returns, that is recorded. Raises RecordUnavailable: the view is over all the same.
        """
        with self.attempts.of(SessionAct(SessionStep.CLOSING), origin) as attempt:
            session = self._entered(attempt, credential)
            self.names.forget(session.view.id)
            self.views.forget(session.view.id)
            # If it cannot be: the token ends by itself within the hour, and nobody here has it any more.
            with suppress(IssuerUnreachable):
                self.ehrs[session.view.ehr].revoke(session.token)

    def report(self, credential: Shown, step: SessionStep | None, origin: Origin) -> None:
        """Record that the browser reports that who looks is PRINTING or COPYING; of one view MAX_REPORTS times.

        None is a report of nothing that we know: it raises Refused and is recorded. Raises RecordUnavailable.
        """
        if step is None:
            with self.attempts.of(SessionAct(SessionStep.REPORTING), origin) as attempt:
                self._entered(attempt, credential)
                raise Refused(Reason.INVALID_VALUE, rules=("shape",), about="what")
        view = self.view(credential, origin)
        if not self.reports.admits(view.id):
            return
        with self.attempts.of(SessionAct(step), origin) as attempt:
            self._entered(attempt, credential)

    def forget_ended(self) -> int:
        """Forget views that have ended by themselves, and give tokens back that would still be good; how many.

        What this process remembers of the patients of views that are over is forgotten too. Raises StateUnavailable.
        """
        self._forget_names()
        ended = self.views.take_ended(self.clock())
        for session in ended:
            ehr = self.ehrs.get(session.view.ehr)
            if ehr is not None and session.view.expires_at > self.clock():
                with suppress(IssuerUnreachable):
                    ehr.revoke(session.token)
        return len(ended)

    def _forget_names(self) -> None:
        known = self.names.views()
        standing: frozenset[str] = frozenset()  # which ones stand cannot be told while the state cannot be read: none
        with suppress(StateUnavailable):
            standing = self.views.standing(known, self.clock())
        for view in known - standing:
            self.names.forget(view)

    def _entered(self, attempt: Attempt, credential: Shown) -> Session:
        self._require_room(credential, attempt.origin)
        session = self.session(credential)
        attempt.identity = session.identity
        attempt.session = {"opened": session.record, "until": instant(session.view.expires_at)}
        return session

    def _require_room(self, credential: Shown, origin: Origin) -> None:
        if not self.attempts.strangers.admits(origin.address) and not self.recognises(credential):
            raise CallerThrottled


def instant(moment: float) -> str:
    """POSIX seconds as a record has them."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
