"""Breaking the glass: one person, one patient, thirty minutes, with a reason. An opening releases nothing.

Looks made while it stands go through `Gateway.consult` like all others, with the purpose BTG: rules that ask for it
give way, the core and a patient's opposition never do. Everything here is recorded: an opening before it stands, its
end by the person or, by itself, within a minute after it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from plugin.attempt import Attempt
from plugin.errors import RecordUnavailable, Refused, ScopeInsufficient, StateUnavailable
from plugin.event import GATEWAY_TENANT, AuditAction, Body, BreakGlassBody, Outcome, RetentionClass
from plugin.recorder import Recorder
from plugin.state.openings import Ended, Opening, Openings
from policies.decision import decide_any
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation, Reason
from policies.vocabulary.emergency import BREAK_GLASS, MAX_TEXT, EmergencyAccess, EmergencyReason
from policies.vocabulary.identity import Identity
from policies.vocabulary.purposes import EMERGENCY, TREATMENT, PurposeSource
from policies.vocabulary.resource_types import CONSULTABLE
from policies.vocabulary.verdict import Deny

SECONDS = 1800.0
"""How long an opening lasts (design section 8)."""

RULE = "break-glass"
"""Stands as the rule of a refusal that comes from what is open, or not."""

Looks = Iterable[tuple[ClinicalConsultation, Circumstances]]
"""Looks that an opening would be for, as they would be judged."""


@dataclass(frozen=True)
class BreakGlass:
    """What stands open, and how it is opened and ended. Safe to call from several threads."""

    openings: Openings
    recorder: Recorder
    ehr_bases: Mapping[str, str]
    clock: Callable[[], float] = time.time

    def standing(self, identity: Identity, patient: str | None) -> Opening | None:
        """The opening of this person for this patient, if it stands now. Raises StateUnavailable."""
        found = self._found(identity, patient)
        return found if found is not None and found.covers(self.clock()) else None

    def reserve(self, attempt: Attempt, identity: Identity, asked: EmergencyAccess, looks: Looks) -> Opening:
        """The opening that is permitted: let it `begin` once its record is durable.

        `identity` is `under` an opening already. Raises Refused, StateUnavailable, RecordUnavailable.
        """
        if asked.reason is not None:
            attempt.break_glass = {"reason": str(asked.reason)}
        verdict = decide_any(attempt.rulebook, identity, looks)
        attempt.rules = verdict.rules
        if isinstance(verdict, Deny):
            raise Refused(Reason.ACCESS_DENIED, rules=verdict.rules)
        if not _may_look(identity):
            raise ScopeInsufficient("patient/*.rs")
        reason, text = _stated(asked)
        patient = _patient(identity, asked)
        now = self.clock()
        former = self._found(identity, patient)
        if former is not None and former.covers(now):
            raise Refused(Reason.BREAK_GLASS_OPEN, rules=(RULE,))
        if former is not None:  # nobody has come to record its end yet, or a failure left it
            self._finish(Ended(former.record, former.until, former))
        person, record = identity.person, attempt.origin.record
        opening = Opening(record, person.issuer, person.subject, identity.ehr, patient, reason, now, now + SECONDS)
        about: BreakGlassBody = {"reason": reason, **({"text": text} if text else {})}
        attempt.break_glass = about
        if not self.openings.reserve(opening, now):  # another of the person's windows was faster
            raise Refused(Reason.BREAK_GLASS_OPEN, rules=(RULE,))
        attempt.break_glass = {**about, "opening": record, "until": _instant(opening.until)}
        return opening

    def begin(self, opening: Opening) -> None:
        """Let it stand: its record is durable. Raises StateUnavailable, and then the failure has a record too."""
        try:
            begun = self.openings.begin(opening)
        except StateUnavailable:
            self._record_failed(opening)
            raise
        if not begun:
            self._record_failed(opening)
            raise StateUnavailable

    def end(self, attempt: Attempt, identity: Identity, asked: EmergencyAccess) -> Opening:
        """End what stands, at once; `forget` it when that is recorded. Raises Refused, StateUnavailable.

        If it cannot be recorded now, it is recorded as one that ended by itself.
        """
        opening = self.standing(identity, asked.patient or identity.launch_patient)
        if opening is None or not self.openings.end(opening.record, self.clock()):
            raise Refused(Reason.BREAK_GLASS_NOT_OPEN, rules=(RULE,))
        attempt.break_glass = {"opening": opening.record, "reason": opening.reason, "closed_by": "person"}
        return opening

    def forget(self, opening: Opening) -> None:
        """Its end is recorded. If it cannot be forgotten now, its end is recorded again, and nothing worse."""
        with suppress(StateUnavailable):
            self.openings.forget(opening.record)

    def record_ended(self) -> int:
        """Record those that ended by themselves; how many. Raises StateUnavailable, RecordUnavailable: try again."""
        ended = self.openings.claim_ended(self.clock())
        for each in ended:
            self._finish(each)
        return len(ended)

    def _found(self, identity: Identity, patient: str | None) -> Opening | None:
        return None if patient is None else self.openings.find(identity.person.key, identity.ehr, patient)

    def _finish(self, ended: Ended) -> None:
        """Record the end, once, of what is recorded as opened; and forget it."""
        ends = (f"{ended.record}-closed", f"{ended.record}-failed")
        if self.recorder.has(ended.record) and not any(map(self.recorder.has, ends)):
            failed = ended.opening is not None and not ended.opening.began
            about: BreakGlassBody = {"until": _instant(ended.until), "closed_by": "failure" if failed else "time"}
            self._append(ended, AuditAction.BREAK_GLASS_CLOSED, ends[0], about)
        self.openings.forget(ended.record)

    def _record_failed(self, opening: Opening) -> None:
        """It is recorded as opened, and does not stand. A ledger that fails too says more than happened, never less."""
        with suppress(RecordUnavailable):
            self._append(
                Ended(opening.record, opening.until, opening),
                AuditAction.BREAK_GLASS_FAILED,
                f"{opening.record}-failed",
                {"closed_by": "failure"},
            )

    def _append(self, ended: Ended, action: AuditAction, record: str, about: BreakGlassBody) -> None:
        """What nobody asked for. Its agent is the person whose access it was, as far as that can still be told."""
        failed = action is AuditAction.BREAK_GLASS_FAILED
        body: Body = {
            "action": action,
            "record": record,
            "request": ended.record.rpartition(".")[0],
            "outcome": Outcome.UNAVAILABLE if failed else Outcome.SUCCESS,
            "reason": StateUnavailable.reason if failed else None,
            "rules": [],
            "purpose": {"codes": [BREAK_GLASS], "source": str(PurposeSource.DECLARED)},
            "break_glass": {"opening": ended.record, **about},
        }
        tenant = GATEWAY_TENANT
        if (opening := ended.opening) is not None:
            tenant = opening.ehr
            body["break_glass"]["reason"] = opening.reason
            body["person"] = {"issuer": opening.issuer, "subject": opening.subject, "kind": "professional"}
            body["patient"] = opening.patient
            if base := self.ehr_bases.get(tenant):
                body["ehr"] = {"id": tenant, "fhir_base": base}
        self.recorder.append(body, tenant=tenant, retention_class=RetentionClass.CONSULTATION, repeated=True)


def under(identity: Identity, purpose: str = BREAK_GLASS) -> Identity:
    """The identity, as it looks under an opening, or for another purpose that it states.

    One whose token states another use than care stays as it is.
    """
    if not TREATMENT.union(EMERGENCY).issuperset(identity.purposes):
        return identity
    return replace(identity, purposes=(purpose,), purpose_source=PurposeSource.DECLARED)


def _patient(identity: Identity, asked: EmergencyAccess) -> str:
    patient = asked.patient or identity.launch_patient
    if patient is None:
        raise Refused(Reason.PATIENT_REQUIRED, rules=("one-patient",))
    return patient


def _may_look(identity: Identity) -> bool:
    """Whether the token grants any look at all at the patient in context."""
    return any(
        identity.grants.ceiling(resource_type, letter, launch_patient=identity.launch_patient is not None).allowed
        for resource_type in CONSULTABLE
        for letter in "rs"
    )


def _stated(asked: EmergencyAccess) -> tuple[str, str]:
    text = " ".join(asked.text.split())
    if asked.reason is None:
        raise Refused(Reason.INVALID_VALUE, rules=("shape",), about="reason")
    if len(text) > MAX_TEXT or not text.isprintable() or (asked.reason is EmergencyReason.OTHER and not text):
        raise Refused(Reason.INVALID_VALUE, rules=("shape",), about="text")
    return str(asked.reason), text


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
