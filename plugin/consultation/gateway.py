"""The way out. Data leaves only through `Gateway.consult`; every step that protects a patient has its number here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import overload

from fhir_adapters.interface import Call, Deadline, Entry
from plugin.alerts import AlertKind, Alerts
from plugin.attempt import Attempt
from plugin.audit.feed import LogFeed, LogRelease
from plugin.authentication.credential import Credential, LaunchSession, NoCredential
from plugin.authentication.identify import Identifier
from plugin.consultation import fetch, files, log_look, quota
from plugin.consultation.admission import Admission
from plugin.consultation.answer import Answer
from plugin.consultation.break_glass import BreakGlass, Looks, under
from plugin.consultation.care_context import DECLARED, care_relation
from plugin.consultation.compartment import Compartment
from plugin.consultation.facts import Labelling
from plugin.consultation.feed_line import EhrLine, FeedLine
from plugin.consultation.feed_on_offer import FeedOnOffer
from plugin.consultation.findings import LaunchPatient, NoMatch, Opposition
from plugin.consultation.findings import Match as Matched
from plugin.consultation.handles import FileAddresses
from plugin.consultation.launched_ehr import LOCAL_TYPES, LaunchedEhrs
from plugin.consultation.look_up import LookUps
from plugin.consultation.network_zone import NetworkZones
from plugin.consultation.opposition import Oppositions
from plugin.consultation.patient_match import PatientMatches
from plugin.consultation.permission import Rules, Scope, permission, permitted_types
from plugin.consultation.prospects import prospects
from plugin.consultation.release import Release
from plugin.errors import CallerThrottled, ConsultError, Refused, SpaceLow
from plugin.event import LOCAL_FEED
from plugin.ledger.space import FreeSpace
from plugin.recorder import Recorder
from plugin.settings.rules import TighterLimits
from plugin.state.openings import Opening
from plugin.state.quotas import Charged, Quotas
from plugin.state.rules_in_force import RulesInForce
from plugin.state.suspensions import Kind, Suspensions
from plugin.strangers import Strangers
from policies.decision import decide_any, decide_core, decide_site
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import (
    AuditConsultation,
    ClinicalConsultation,
    Consultation,
    Origin,
    PageBinding,
    Reason,
)
from policies.vocabulary.emergency import BREAK_GLASS, EmergencyAccess
from policies.vocabulary.identity import Identity, Subject
from policies.vocabulary.interactions import Delivery, Interaction
from policies.vocabulary.verdict import Deny, Permit

CONSULTATION_SECONDS = 8.0
FEED_SECONDS = 5.0
"""How long one step may wait for a feed or EHR, whatever it asks there; a consultation may need several steps."""

ANSWERED = "answered"


@dataclass(frozen=True)
class Gateway:
    """The one door. Safe to call from several threads."""

    identifier: Identifier
    rules: RulesInForce
    feeds: Mapping[str, FeedOnOffer]
    ehrs: Mapping[str, EhrLine]
    ehr_bases: Mapping[str, str]
    oppositions: Oppositions
    matches: PatientMatches
    quotas: Quotas
    tighter: Sequence[TighterLimits]
    suspensions: Suspensions
    glass: BreakGlass
    strangers: Strangers
    recorder: Recorder
    alerts: Alerts
    admission: Admission
    log: LogFeed
    most_resources: int
    zones: NetworkZones
    space: FreeSpace
    files: FileAddresses
    launched: LaunchedEhrs

    @overload
    def consult(self, credential: Credential, asked: ClinicalConsultation, origin: Origin) -> Release: ...
    @overload
    def consult(self, credential: Credential, asked: AuditConsultation, origin: Origin) -> LogRelease: ...

    def consult(self, credential: Credential, asked: Consultation, origin: Origin) -> Release | LogRelease:
        """Answer one request to look, whole, or raise a ConsultError.

        When this returns, the record that the release was authorised is durable. Whatever else happens, the refusal or
        the failure has been recorded (of an unidentified caller: counted), or RecordUnavailable is raised.
        """
        with self._attempt(asked, origin) as attempt:
            identity = self._identified(attempt, credential)  # 1 identify
            if isinstance(asked, AuditConsultation):
                suspended = self._suspended(identity)
                return log_look.look(
                    self.log, self.admission, self.ehr_bases, attempt, identity, asked, suspended=suspended
                )
            asked = attempt.asked = self.files.meaning(identity, asked)  # a handle, as what it stands for
            here = self._reaching(credential, identity, asked)
            identity = here._under_opening(attempt, identity, asked)
            circumstances = here._circumstances(identity, asked, origin, broken=attempt.break_glass is not None)
            asked, scope = here._decide(attempt, identity, asked, circumstances)  # 2 decide
            deadline = Deadline.after(CONSULTATION_SECONDS)
            opposition = here._opposition(attempt, identity, asked.patient, deadline)
            circumstances = replace(circumstances, opposition=opposition.fact)
            asked, circumstances = here._judge_context(attempt, identity, asked, circumstances)  # 3 context
            documents = here.feeds[asked.feed].documents
            labelling = Labelling(attempt.rulebook, identity, asked, circumstances, documents, opposition)
            release = here._look(attempt, identity, asked, scope, labelling, deadline)  # 4-8
        # 9 record: leaving the block has made the record durable, or raised
        return release  # 10 release  # noqa: RET504 - the two moments are the point

    def break_glass(self, credential: Credential, asked: EmergencyAccess, origin: Origin) -> Opening:
        """Open emergency access to one patient, or close it, or raise a ConsultError. Nothing is released.

        When this returns, it is recorded, and stands (or stands no longer) in every process. Whatever else happens,
        the refusal or the failure has been recorded, or RecordUnavailable is raised, and nothing new stands open.
        """
        with self._attempt(asked, origin) as attempt:
            identity = attempt.identity = under(self._identified(attempt, credential))
            if asked.closing:
                opening = self.glass.end(attempt, identity, asked)
            else:
                self._charge(attempt, identity, asked.patient or identity.launch_patient)
                opposition = self._opposition(attempt, identity, asked.patient, Deadline.after(CONSULTATION_SECONDS))
                looks = self._prospects(identity, asked.delivery, asked.patient, origin, opposition.fact)
                opening = self.glass.reserve(attempt, identity, asked, looks)
        if asked.closing:
            self.glass.forget(opening)
        else:
            self.glass.begin(opening)
            self.alerts.raise_(AlertKind.BREAK_GLASS_OPENED, opening.record)
        return opening

    def broken_glass(self, credential: Credential, patient: str | None = None) -> Opening | None:
        """What stands open now for this person and `patient` (None: the one in context), for the viewer's banner.

        Releases nothing, records nothing. Raises ConsultError.
        """
        identity = self.identifier.identify(credential)
        return self.glass.standing(identity, patient or identity.launch_patient)

    def offers(self, credential: Credential, purposes: Iterable[str], origin: Origin) -> frozenset[str]:
        """Those of `purposes` for which a rule permits some look at the patient in context: pages offer no other.

        Releases nothing, records nothing. Raises ConsultError.
        """
        identity, rules = self.identifier.identify(credential), self.rules.now()
        opposition = self.oppositions.at_best(identity)

        def is_permitted(purpose: str) -> bool:
            stated = under(identity, purpose)
            looks = self._prospects(stated, Delivery.RENDERED, None, origin, opposition)
            return isinstance(decide_any(rules, stated, looks), Permit)

        return frozenset(filter(is_permitted, purposes))

    def identifies(self, credential: Credential) -> bool:
        """Whether somebody verified stands behind `credential`: before a face reads more than a request's head."""
        try:
            self.identifier.identify(credential)
        except ConsultError:
            return False
        return True

    def _attempt(self, asked: Consultation | EmergencyAccess, origin: Origin) -> Attempt:
        """Judged by the set of rules that is in force now, to its end."""
        return Attempt(asked, origin, self.recorder, self.strangers, self.ehr_bases, self.rules.now())

    def _identified(self, attempt: Attempt, credential: Credential) -> Identity:
        """1: who it is, and from then on the record is theirs. Raises Unidentified, CallerThrottled, SpaceLow …"""
        self._require_space(credential)
        # Others behind the same proxy may have failed: who was identified before has guessed nothing.
        if not self.strangers.admits(attempt.origin.address) and not self.identifier.recognises(credential):
            raise CallerThrottled
        identity = attempt.identity = self.identifier.identify(credential)
        return identity

    def _reaching(self, credential: Credential, identity: Identity, asked: ClinicalConsultation) -> "Gateway":
        """The same door, for a session of the viewer with the ways that its launch opened: to its EHR, by its token."""
        if not isinstance(credential, LaunchSession) or asked.delivery is not Delivery.RENDERED:
            return self
        token, ehr = self.identifier.ehr_token(credential), self.launched[identity.ehr]
        local = FeedOnOffer(ehr.feed.bearing(token), LOCAL_TYPES, LaunchPatient())
        return replace(self, feeds={**self.feeds, LOCAL_FEED: local}, ehrs={identity.ehr: ehr.patients.bearing(token)})

    def _under_opening(self, attempt: Attempt, identity: Identity, asked: ClinicalConsultation) -> Identity:
        """The identity with the purpose BTG, for a page while the glass is broken. Raises StateUnavailable."""
        if asked.delivery is not Delivery.RENDERED:
            return identity
        opening = self.glass.standing(identity, asked.patient or identity.launch_patient)
        if opening is None:
            return identity
        attempt.break_glass = {"opening": opening.record}
        attempt.identity = under(identity)
        return attempt.identity

    def _opposition(self, attempt: Attempt, identity: Identity, patient: str | None, deadline: Deadline) -> Opposition:
        """What the patient opposes, as far as it can be learned."""
        return self.oppositions.of(identity, patient or identity.launch_patient or "", _bounds(attempt, deadline))

    def _prospects(
        self,
        identity: Identity,
        delivery: Delivery,
        patient: str | None,
        origin: Origin,
        opposition: str | None,
    ) -> Looks:
        """What this person could look at for the purpose that the identity has."""

        def around(look: ClinicalConsultation) -> Circumstances:
            broken = BREAK_GLASS in identity.purposes
            return replace(self._circumstances(identity, look, origin, broken=broken), opposition=opposition)

        return prospects(self.feeds, identity, delivery, patient, around)

    def _require_space(self, credential: Credential) -> None:
        """Raises SpaceLow: first for callers who show no token, then for everybody. Counted as strangers are."""
        if self.space.spent() or (isinstance(credential, NoCredential) and self.space.low()):
            raise SpaceLow

    def _circumstances(
        self, identity: Identity, asked: ClinicalConsultation, origin: Origin, *, broken: bool
    ) -> Circumstances:
        """What is known around the look before the patient's side of it is asked about. Raises StateUnavailable."""
        feed = self.feeds.get(asked.feed)
        return Circumstances(
            hour=datetime.now(UTC).hour,
            type_offered=False,  # said of each type where it is judged
            suspended=self._suspended(identity, (Kind.FEED, asked.feed)),
            feed_wants_informed=feed is not None and feed.wants_informed,
            patient_informed=asked.patient_informed and asked.delivery is Delivery.RENDERED,
            break_glass=broken,
            network_zone=self.zones.of(origin.address),
        )

    def _suspended(self, identity: Identity, *also: tuple[Kind, str]) -> bool:
        """Whether the person, the client or what is asked is stopped. Raises StateUnavailable.

        The operator of the machine is not asked for: nobody but that operator suspends, and whoever finds out what
        happened reads the log when the state is in pieces too.
        """
        if identity.subject is Subject.OPERATOR:
            return False
        return self.suspensions.any_of((Kind.PERSON, identity.person.key), (Kind.CLIENT, identity.client.id), *also)

    def _decide(
        self, attempt: Attempt, identity: Identity, asked: ClinicalConsultation, circumstances: Circumstances
    ) -> tuple[ClinicalConsultation, Scope]:
        """2: quotas, the core rules, the shape of the request, the token's scopes; of a page, type by type."""
        self._charge(attempt, identity, asked.patient or identity.launch_patient)

        feed = self.feeds.get(asked.feed)

        def permitted(each: ClinicalConsultation) -> tuple[Rules, Scope]:
            offered = feed is not None and each.resource_type in feed.types
            around = replace(circumstances, type_offered=offered)
            core = decide_core(attempt.rulebook, identity, each, around)
            return core.rules, permission(identity, each, core)

        return permitted_types(attempt, asked, permitted)

    def _charge(self, attempt: Attempt, identity: Identity, patient: str | None) -> None:
        """Count it against the person's quotas. Raises Refused, StateUnavailable."""
        charged = quota.charge(self.quotas, self.tighter, identity, patient)
        if charged is Charged.FIRST_BEYOND:
            self.alerts.raise_(AlertKind.QUOTA_REACHED, attempt.origin.record)
        if charged is not Charged.WITHIN:
            raise Refused(Reason.QUOTA, rules=("quota",))

    def _judge_context(
        self, attempt: Attempt, identity: Identity, asked: ClinicalConsultation, circumstances: Circumstances
    ) -> tuple[ClinicalConsultation, Circumstances]:
        """3: the care relation, then every rule, the site's included; then the clinician's word is made durable."""
        attempt.care_relation = care_relation(identity, asked)
        attempt.care_reason = asked.care_declared if attempt.care_relation == DECLARED else None
        around = replace(circumstances, care_relation=attempt.care_relation, type_offered=True)

        def permitted(each: ClinicalConsultation) -> tuple[Rules, None]:
            verdict = decide_site(attempt.rulebook, identity, each, around)
            if isinstance(verdict, Deny):
                raise Refused(Reason.ACCESS_DENIED, rules=verdict.rules)
            return verdict.rules, None

        asked, _ = permitted_types(attempt, asked, permitted)
        if around.patient_informed:
            attempt.record_informed()
        return asked, around

    def _look(
        self,
        attempt: Attempt,
        identity: Identity,
        asked: ClinicalConsultation,
        scope: Scope,
        labelling: Labelling,
        deadline: Deadline,
    ) -> Release:
        feed = self.feeds[asked.feed]
        patient = asked.patient or identity.launch_patient or ""
        binding = PageBinding(identity.person.key, identity.ehr, patient)
        with self.admission.place():
            bounds = partial(_bounds, attempt, deadline)
            match = self.matches.match(identity, patient, feed.match, self.ehrs[identity.ehr], feed.line, bounds)  # 4
            if isinstance(match, NoMatch):
                return _nothing(attempt, asked, binding, match)
            attempt.match = match.by
            call = bounds()
            compartment = Compartment(match, feed.line.base, asked.types, feed.types, scope.ceiling)
            answer = Answer(
                attempt,
                asked,
                compartment,
                labelling,
                LookUps(feed.line, match, feed.types, call),
                most=self.most_resources,
            )
            if asked.interaction is Interaction.READ:
                answer.read_one(fetch.one(asked, patient, match, feed.line, call))  # 5-8
                attempt.feed_answer = ANSWERED
                if asked.file is not None:
                    return self._with_file(answer, asked.file, match, feed.line, call, binding, identity)
            elif asked.also:
                most, met, lacks = self.most_resources, compartment.contents_of, attempt.lacks
                read_whole = fetch.together(  # 5
                    asked, match, scope.ceiling, feed.line, call, most=most, met=met, lacks=lacks
                )
                answer.judge_all(read_whole)  # 6-8
                attempt.feed_answer = ANSWERED
            else:
                ceiling = scope.ceiling(asked.types[0])
                for read, ended in fetch.pages(asked, match, ceiling, feed.line, call):  # 5
                    attempt.feed_answer = ANSWERED
                    if answer.filled(read) or ended:  # 6-8
                        break
            release = replace(answer.release(binding, feed.line.base), reader=_name_of(identity))
            if asked.delivery is Delivery.STRUCTURED:
                # What is shown only beside a result is read by no address, and neither are its files.
                readable = [each for each in release.shown if each.resource["resourceType"] in feed.types]
                self.files.write(
                    asked.feed, binding, [(each.reference, each.resource, each.files) for each in readable]
                )
            return release

    def _with_file(
        self,
        answer: Answer,
        number: int,
        match: Matched,
        feed: FeedLine,
        call: Call,
        binding: PageBinding,
        identity: Identity,
    ) -> Release:
        """A judged document with one of its files; judged again with the labels that the file came with."""
        document = answer.document()
        opened = files.opened(document, number, match, feed, call)  # 5
        answer.read_one(Entry(opened.document))  # 6-8
        return replace(answer.release(binding, feed.base), file=opened.file, reader=_name_of(identity))


def _bounds(attempt: Attempt, deadline: Deadline) -> Call:
    """Of what is asked of one source from now on."""
    return Call(deadline.sooner(FEED_SECONDS), attempt.origin.record)


def _nothing(attempt: Attempt, asked: ClinicalConsultation, binding: PageBinding, match: NoMatch) -> Release:
    """No match is an empty answer, or a read of nothing: like a feed that has nothing to show."""
    attempt.match = match.reason
    if match.feed_answered:
        attempt.feed_answer = ANSWERED
    if asked.interaction is Interaction.READ:
        raise Refused(Reason.NOT_FOUND, rules=attempt.rules)
    return Release(asked, (), binding, None, match.reason if match.tellable else None)


def _name_of(identity: Identity) -> str:
    return identity.person.name or identity.person.subject
