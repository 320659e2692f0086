"""One attempt, one record: whatever becomes of a consultation, its record is appended when the attempt is left.

The append happens last and decides: where it fails, the error replaces the release. Callers who were never identified
are `strangers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from plugin.errors import FeedFailed, Refused, outcome_of
from plugin.event import (
    GATEWAY_TENANT,
    AskedBody,
    AuditAction,
    Body,
    BreakGlassBody,
    FeedBody,
    Outcome,
    PersonBody,
    ReleasedBody,
    RetentionClass,
    SessionBody,
)
from plugin.recorder import Recorder
from plugin.strangers import Strangers
from plugin.telemetry import count_consultation
from policies.rulebook import Rulebook
from policies.vocabulary.consultation import (
    DEFAULT_COUNT,
    AuditConsultation,
    ClinicalConsultation,
    Consultation,
    Origin,
)
from policies.vocabulary.emergency import EmergencyAccess
from policies.vocabulary.identity import Identity
from policies.vocabulary.interactions import CONSULTING, SCOPE_LETTERS, Delivery, Interaction
from policies.vocabulary.resource_types import PATIENT_PATHS
from policies.vocabulary.search_parameters import offered
from policies.vocabulary.session import SessionAct, SessionStep
from policies.vocabulary.verdict import Withheld

Asked = Consultation | EmergencyAccess | SessionAct

NOT_RECORDED = "(not recorded)"
"""Stands for a code that was asked for where something was withheld: the two together would tell what."""


@dataclass
class Attempt:
    """What is known so far of one consultation, of breaking the glass, or of a session; leaving the `with` block
    records it."""

    asked: Asked
    origin: Origin
    recorder: Recorder
    strangers: Strangers
    ehr_bases: Mapping[str, str]
    rulebook: Rulebook
    """What this attempt is judged by, from its beginning to its end."""
    identity: Identity | None = None
    rules: tuple[str, ...] = ()
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Types of a page that were refused, and by which rules, or that the feed lacks; the page shows the others."""
    care_relation: str | None = None
    care_reason: str | None = None
    """Of a declared relation."""
    feed_answer: str = "not-asked"
    match: str | None = None
    released: Sequence[ReleasedBody] = ()
    withheld: Sequence[Withheld] = ()
    foreign: int = 0
    informed: str | None = None
    """The id of the record that the clinician says the patient was told."""
    break_glass: BreakGlassBody | None = None
    """What is opened or closed; of a look, the opening that it is made under."""
    session: SessionBody | None = None
    """What is opened, given a purpose or closed."""
    log_read: tuple[int, int] | None = None
    """First and last position read, for a look at the log."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Record the outcome. An error that is not a ConsultError is a bug, recorded and raised as itself."""
        if self.identity is None:
            self.strangers.refused(error, self.origin)
            return
        if isinstance(error, FeedFailed):
            self.feed_answer = error.feed_answer
        outcome, reason = (Outcome.SUCCESS, None) if error is None else outcome_of(error)
        rules = error.rules if isinstance(error, Refused) else self.rules
        self.recorder.append(
            self._body(self.identity, outcome, reason, rules),
            tenant=self.identity.ehr or GATEWAY_TENANT,
            retention_class=self._retention_class(outcome),
        )
        if not isinstance(self.asked, EmergencyAccess | SessionAct):
            count_consultation(self.asked.feed if isinstance(self.asked, ClinicalConsultation) else None, outcome)

    def lacks(self, resource_type: str) -> None:
        """The feed has no such type, of the several that a page asked for."""
        self.left_out[resource_type] = ("not-at-feed",)

    def record_informed(self) -> None:
        """Make durable that the clinician says: this patient was told of this look, and did not object.

        When this returns the feed may be called, and the record of the consultation will name the one of the word.
        Raises RecordUnavailable. The caller has decided that the look is permitted.
        """
        if self.identity is None or not isinstance(self.asked, ClinicalConsultation):
            raise TypeError("only an identified person gives a word, and only for a look at results")
        record = f"{self.origin.record}-informed"
        body: Body = {
            **self._known(self.identity),
            "action": AuditAction.PATIENT_INFORMED,
            "record": record,
            "outcome": Outcome.SUCCESS,
            "reason": None,
            "rules": list(self.rules),
            "patient": self.asked.patient or self.identity.launch_patient,
            "asked": {"delivery": str(self.asked.delivery)},
            "feed": {"id": self.asked.feed},
        }
        self.recorder.append(
            body, tenant=self.identity.ehr or GATEWAY_TENANT, retention_class=RetentionClass.CONSULTATION
        )
        self.informed = record

    def _retention_class(self, outcome: Outcome) -> RetentionClass:
        if isinstance(self.asked, AuditConsultation):
            return RetentionClass.LOG_READING
        return RetentionClass.REFUSAL if outcome is Outcome.REFUSED else RetentionClass.CONSULTATION

    def _known(self, identity: Identity) -> Body:
        """What stands in every record of this attempt: who, by what, for what purpose, from where."""
        body: Body = {
            "request": self.origin.request_id,
            "gateway": {"policies": self.rulebook.digest},
            "person": _person(identity),
            "client": {"id": identity.client.id, "address": self.origin.address},
            "purpose": {
                "codes": list(identity.purposes),
                **({} if identity.purpose_source is None else {"source": str(identity.purpose_source)}),
            },
        }
        if identity.token_reference is not None:
            scopes = [_scope(text, something_withheld=bool(self.withheld)) for text in identity.grants.text]
            body["token"] = {"reference": identity.token_reference, "scopes": scopes}
        if identity.ehr in self.ehr_bases:
            body["ehr"] = {"id": identity.ehr, "fhir_base": self.ehr_bases[identity.ehr]}
        return body

    def _body(self, identity: Identity, outcome: Outcome, reason: str | None, rules: Sequence[str]) -> Body:
        released = list(self.released) if outcome is Outcome.SUCCESS else []
        body: Body = {
            **self._known(identity),
            "action": _action(self.asked, outcome),
            "record": self.origin.record,
            "outcome": outcome,
            "reason": reason,
            "rules": list(rules),
        }
        if isinstance(self.asked, AuditConsultation):
            body["asked"] = _asked_of_log(self.asked, self.log_read)
            return body
        body["patient"] = self._named(outcome) or identity.launch_patient
        if self.break_glass is not None:
            body["break_glass"] = self.break_glass
        if isinstance(self.asked, EmergencyAccess):
            body["asked"] = {"delivery": str(self.asked.delivery)}
            return body
        if isinstance(self.asked, SessionAct):
            body["asked"] = {"delivery": str(Delivery.RENDERED)}
            if self.session is not None:
                body["session"] = self.session
            return body
        body["asked"] = _asked(self.asked, body["patient"], something_withheld=bool(self.withheld))
        if self.left_out:
            body["asked"]["left_out"] = [{"type": name, "rules": list(by)} for name, by in self.left_out.items()]
        body["feed"] = self._feed(self.asked)
        body["released"] = released
        body["withheld"] = [{"reference": each.reference, "rule": each.rule} for each in self.withheld]
        body["foreign"] = self.foreign
        if self.care_relation is not None:
            body["care_relation"] = self.care_relation
        if self.care_reason is not None:
            body["care_reason"] = self.care_reason
        if self.informed is not None:
            body["informed"] = self.informed
        return body

    def _named(self, outcome: Outcome) -> str | None:
        """Whom it names. A Patient that is asked for by id, and refused, is whom it was an attempt at."""
        if isinstance(self.asked, SessionAct | AuditConsultation):
            return None
        if isinstance(self.asked, ClinicalConsultation) and self.asked.patient is None and outcome is Outcome.REFUSED:
            is_read = self.asked.interaction is Interaction.READ and self.asked.resource_type == "Patient"
            return self.asked.resource_id if is_read else None
        return self.asked.patient

    def _feed(self, asked: ClinicalConsultation) -> FeedBody:
        body: FeedBody = {"id": asked.feed, "answer": self.feed_answer}
        if self.match is not None:
            body["match"] = self.match
        return body


_ACTIONS: dict[Outcome, AuditAction] = {
    Outcome.SUCCESS: AuditAction.CONSULTATION_RELEASED,
    Outcome.REFUSED: AuditAction.CONSULTATION_DENIED,
    Outcome.FAILED: AuditAction.CONSULTATION_FAILED,
    Outcome.UNAVAILABLE: AuditAction.CONSULTATION_UNAVAILABLE,
}


_SESSION_ACTIONS: dict[SessionStep, tuple[AuditAction, AuditAction]] = {
    SessionStep.OPENING: (AuditAction.SESSION_OPENED, AuditAction.SESSION_REFUSED),
    SessionStep.PURPOSE: (AuditAction.PURPOSE_STATED, AuditAction.PURPOSE_REFUSED),
    SessionStep.CLOSING: (AuditAction.SESSION_CLOSED, AuditAction.SESSION_FAILED),
    SessionStep.REPORTING: (AuditAction.PAGE_REFUSED, AuditAction.PAGE_REFUSED),
    SessionStep.PRINTING: (AuditAction.PAGE_PRINTED, AuditAction.SESSION_FAILED),
    SessionStep.COPYING: (AuditAction.PAGE_COPIED, AuditAction.SESSION_FAILED),
}
"""Done, and refused."""


def _action(asked: Asked, outcome: Outcome) -> AuditAction:
    if isinstance(asked, ClinicalConsultation):
        return _ACTIONS[outcome]
    if isinstance(asked, SessionAct):
        done, refused = _SESSION_ACTIONS[asked.step]
        return {Outcome.SUCCESS: done, Outcome.REFUSED: refused}.get(outcome, AuditAction.SESSION_FAILED)
    if isinstance(asked, EmergencyAccess):
        if outcome is Outcome.SUCCESS:
            return AuditAction.BREAK_GLASS_CLOSED if asked.closing else AuditAction.BREAK_GLASS_OPENED
        return AuditAction.BREAK_GLASS_DENIED if outcome is Outcome.REFUSED else AuditAction.BREAK_GLASS_FAILED
    if outcome is Outcome.SUCCESS:
        return AuditAction.LOG_READ
    return AuditAction.LOG_DENIED if outcome is Outcome.REFUSED else AuditAction.LOG_FAILED


def _person(identity: Identity) -> PersonBody:
    person = identity.person
    return {
        "issuer": person.issuer,
        "subject": person.subject,
        "kind": str(identity.subject),
        "name": person.name,
        "fhir_user": person.fhir_user,
        "national_identifier": person.national_identifier,
        "roles": [{"system": role.system, "code": role.code, "display": role.display} for role in person.roles],
        "organisation": person.organisation,
        "organisation_id": person.organisation_id,
        "assurance": person.assurance,
    }


def _asked(asked: ClinicalConsultation, patient: str | None, *, something_withheld: bool) -> AskedBody:
    body: AskedBody = {
        "interaction": str(asked.interaction),
        "level": str(asked.level),
        "type": ",".join(asked.types) or None,
        "id": asked.resource_id,
        "operation": asked.operation,
        "unrecorded_parameters": asked.unrecorded_parameters,
        "delivery": str(asked.delivery),
        "continued": asked.position.page is not None or asked.position.spent > 0,
    }
    if asked.file is not None:
        body["file"] = asked.file
        if asked.page is not None:
            body["page"] = asked.page
    if asked.interaction in SCOPE_LETTERS and asked.types:
        body["scope"] = " ".join(f"patient/{each}.{SCOPE_LETTERS[asked.interaction]}" for each in asked.types)
        if asked.objection is None:
            body["query"] = _query(asked, patient, something_withheld=something_withheld)
    return body


def _query(asked: ClinicalConsultation, patient: str | None, *, something_withheld: bool) -> str:
    """Our own serialisation of the question: reproducible, and free of whatever else the request carried.

    Of a page with several types in FHIR's form of a search over them (R4 3.1.1.2.1).
    """
    if asked.resource_id is not None:
        return f"{asked.resource_type}/{asked.resource_id}"
    kinds = {name: kind for each in asked.types if each in PATIENT_PATHS for name, kind in offered(each).items()}
    told = [("_type", ",".join(asked.types))] if asked.also else []
    told += [("patient", patient)] if patient is not None and asked.types != ("Patient",) else []
    for name, value in asked.parameters:
        hidden = something_withheld and kinds.get(name) == "token" and name != "_id"
        told.append((name, NOT_RECORDED if hidden else value))
    told += [("date", f"ge{asked.since}")] if asked.since is not None else []
    # A page of the viewer asks for no number of its own.
    if asked.delivery is Delivery.STRUCTURED and asked.count != DEFAULT_COUNT:
        told.append(("_count", str(asked.count)))
    return f"{'' if asked.also else asked.resource_type}?{urlencode(told, safe=',' if asked.also else '')}"


def _scope(text: str, *, something_withheld: bool) -> str:
    """A scope as granted; what it is restricted to can be a code, and is left out where something was withheld."""
    bare, restricted, _ = text.partition("?")
    return f"{bare}?{NOT_RECORDED}" if restricted and something_withheld else text


def _asked_of_log(asked: AuditConsultation, read: tuple[int, int] | None) -> AskedBody:
    body: AskedBody = {"interaction": str(asked.interaction), "unrecorded_parameters": asked.unrecorded_parameters}
    if asked.reason:
        body["log_reason"] = asked.reason
    if asked.operation is not None:
        body["operation"] = asked.operation
    if asked.query is not None:
        body["query"] = asked.query
    if asked.search is not None:
        body["query"] = asked.search.text
        body["continued"] = asked.search.mark is not None
    is_of_a_range = asked.search is None and asked.objection is None and asked.interaction in CONSULTING
    if read is not None or is_of_a_range:
        body["log_first"], last = read if read is not None else (asked.first, asked.last)
        if last is not None:
            body["log_last"] = last
    return body
