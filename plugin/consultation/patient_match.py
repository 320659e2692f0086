"""Step 4: from the EHR's patient to the feed's, by exact identifier and birth date, or by an agreed shared id.

The identifier is one of those that the EHR knows the patient by; where the feed is matched by claim, the very one that
the token names.

Never by name. What it finds out about why there is no match stays in the record: to the reader, no match and nothing
to show are one.
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from fhir_adapters.escapes import escaped
from fhir_adapters.interface import Call, Tree
from fhir_adapters.moments import period
from plugin.authentication.remembered import Remembered
from plugin.consultation.feed_line import FeedLine
from plugin.consultation.feed_places import is_at_home
from plugin.consultation.findings import (
    NO_PERSON_ID,
    NO_QUALIFIED_IDENTIFIER,
    NOT_ACTIVE,
    NOT_SHARED,
    PERSON_ID_OF_ANOTHER,
    LaunchPatient,
    Match,
    NoMatch,
)
from plugin.settings.feed import ClaimMatch, IdentifierMatch, SameIdMatch
from plugin.settings.feed import Match as MatchRule
from policies.vocabulary.identity import Identity

INS_SYSTEMS = frozenset({"urn:oid:1.2.250.1.213.1.4.8", "urn:oid:1.2.250.1.213.1.4.9"})
"""French national health identity, NIR and NIA: good only when qualified."""
INS_TEST_SYSTEMS = frozenset({"urn:oid:1.2.250.1.213.1.4.10", "urn:oid:1.2.250.1.213.1.4.11"})
"""Its test and demonstration roots: refused outside a demonstration."""

_RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
_STATUS_SYSTEM = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445"

_LINKS_OF_ONE_IN_USE = ("replaces", "refer", "seealso")
"""R4 link-type, but for `replaced-by`."""

MAX_CANDIDATE_PAGES = 3
"""An exact identifier finds one patient, or a few; a feed that goes on and on ignores the parameter."""

CACHED_MATCHES = 4_000
"""Of one process. Who comes back after so many others are matched anew."""

_CX = re.compile(r"(?P<value>[^\^&|~\\\s]{1,64})\^\^\^[^\^&|~\\\s]{0,64}&(?P<oid>[0-2](?:\.(?:0|[1-9][0-9]*))+)&ISO")
"""`value^^^name&OID&ISO`, its name optional. Check digits (CX.2 and 3) are not used, so none is understood."""
_URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,31}:[!-~]{1,96}", re.IGNORECASE | re.ASCII)
_FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


Bounds = Callable[[], Call]
"""Of what is asked of one source, from now on: an EHR that is slow takes none of the feed's time."""


class PatientMatches:
    """Matches patients at feeds; remembers a match, never a result, while its token lives. Thread-safe."""

    def __init__(self, *, demo: bool, clock: Callable[[], float] = time.time) -> None:
        self._demo = demo
        self._clock = clock
        self._known = Remembered[Match](CACHED_MATCHES)

    def match(
        self,
        identity: Identity,
        patient: str,
        rule: MatchRule | LaunchPatient,
        ehr: FeedLine,
        feed: FeedLine,
        bounds: Bounds,
    ) -> Match | NoMatch:
        """The feed's patient for `patient` of the EHR. Raises ConsultError if the EHR or the feed fails."""
        if isinstance(rule, LaunchPatient):
            return Match(patient, (), "launch") if patient == identity.launch_patient else NoMatch(NOT_SHARED)
        key = _key(identity, patient, feed)
        known = None if key is None else self._known.get(key, self._clock())
        if known is not None:
            return known
        if isinstance(rule, SameIdMatch):
            found = _same_id(identity, patient, rule, feed, bounds())
        elif isinstance(rule, ClaimMatch):
            found = self._by_claim(identity, patient, ehr, feed, bounds)
        else:
            found = self._by_identifier(patient, rule, ehr, feed, bounds)
        if isinstance(found, Match) and key is not None:
            self._known.keep(key, found, self._clock(), identity.expires_at)
        return found

    def _by_identifier(
        self, patient: str, rule: IdentifierMatch, ehr: FeedLine, feed: FeedLine, bounds: Bounds
    ) -> Match | NoMatch:
        record = ehr.read("Patient", patient, bounds())
        if record is None or not _in_use(record):
            return NoMatch(NOT_ACTIVE)
        identifiers = _identifiers(record, self._trusted(rule.systems, record))
        return _at_the_feed(record, identifiers, rule.systems, feed, bounds(), by="identifier")

    def _by_claim(
        self, identity: Identity, patient: str, ehr: FeedLine, feed: FeedLine, bounds: Bounds
    ) -> Match | NoMatch:
        """The token's person_id, if the EHR knows the launch patient by it; what the token says alone is not enough."""
        claimed = asserted(identity.person_id)
        if claimed is None:
            return NoMatch(NO_PERSON_ID)
        if patient != identity.launch_patient:
            return NoMatch(PERSON_ID_OF_ANOTHER)
        record = ehr.read("Patient", patient, bounds())
        if record is None or not _in_use(record):
            return NoMatch(NOT_ACTIVE)
        systems = (claimed[0],)
        if claimed not in _identifiers(record, systems):
            return NoMatch(PERSON_ID_OF_ANOTHER)
        identifiers = (claimed,) if self._trusted(systems, record) else ()
        return _at_the_feed(record, identifiers, systems, feed, bounds(), by="claim")

    def _trusted(self, systems: Sequence[str], record: Tree) -> tuple[str, ...]:
        """The systems that count for this patient: INS only when qualified, test roots only in a demonstration."""
        qualified = _is_qualified(record)
        return tuple(
            system
            for system in systems
            if (system not in INS_SYSTEMS | INS_TEST_SYSTEMS or qualified)
            and (system not in INS_TEST_SYSTEMS or self._demo)
        )


def asserted(person_id: str | None) -> tuple[str, str] | None:
    """(system, value) of an IUA person_id: HL7 v2's CX with the OID of its authority, as the Swiss profile has it, or a
    URN, as IUA's sample has it. None for what is neither."""
    if person_id is None:
        return None
    if found := _CX.fullmatch(person_id):
        return f"urn:oid:{found['oid']}", found["value"]
    if _URN.fullmatch(person_id):
        return "urn:ietf:rfc:3986", person_id
    return None


def _key(identity: Identity, patient: str, feed: FeedLine) -> bytes | None:
    """A digest of whose look it is, at whom and where; None: without a token's reference there is nothing to go by."""
    if identity.token_reference is None:
        return None
    who = (identity.token_reference, identity.person.key, identity.person_id, identity.ehr)
    return hashlib.sha256(repr((*who, patient, feed.id)).encode()).digest()


def _at_the_feed(
    record: Tree,
    identifiers: tuple[tuple[str, str], ...],
    systems: Sequence[str],
    feed: FeedLine,
    call: Call,
    *,
    by: str,
) -> Match | NoMatch:
    """The one patient of the feed with one of `identifiers` and the same full birth date, of no other in `systems`."""
    born = _birth_date(record)
    if not identifiers or born is None:
        return NoMatch(NO_QUALIFIED_IDENTIFIER)
    found, complete = _candidates(feed, identifiers, call)
    candidates: set[str] = set()
    others: set[str] = set()
    for candidate in found:
        is_meant = (
            _in_use(candidate)
            and _birth_date(candidate) == born
            and _same_person(identifiers, _identifiers(candidate, systems))
        )
        (candidates if is_meant else others).add(candidate["id"])
    # One that is given twice, and meant only once, is told in two ways: nobody knows which is true.
    if not complete or len(candidates) > 1 or candidates & others:
        return NoMatch("ambiguous")
    return Match(candidates.pop(), identifiers, by) if candidates else NoMatch("no-match")


def _same_id(identity: Identity, patient: str, rule: SameIdMatch, feed: FeedLine, call: Call) -> Match | NoMatch:
    if identity.ehr != rule.shares_patient_ids_with:
        return NoMatch(NOT_SHARED)
    if feed.read("Patient", patient, call) is None:
        return NoMatch("no-match")
    return Match(patient, (), "same-id")


def _candidates(feed: FeedLine, identifiers: Sequence[tuple[str, str]], call: Call) -> tuple[list[Tree], bool]:
    """What the feed returns for the identifiers, not trusted to be what was asked for; and whether that was all.

    Where it was not, a second patient of the same identifier may be among the rest. A patient whose fullUrl is of
    another server is left out: here, that id means somebody else.
    """
    query = ",".join(f"{escaped(system)}|{escaped(value)}" for system, value in identifiers)
    page = feed.search("Patient", (("identifier", query),), call)
    found = list(page.entries)
    for _ in range(MAX_CANDIDATE_PAGES - 1):
        if page.next is None:
            break
        page = feed.page(page.next, call)
        found.extend(page.entries)
    patients = [
        entry.resource
        for entry in found
        if entry.resource.get("resourceType") == "Patient" and is_at_home(feed.base, entry)
    ]
    return patients, page.next is None


def _same_person(ours: Sequence[tuple[str, str]], theirs: Sequence[tuple[str, str]]) -> bool:
    """True if one identifier is equal, and in no system that both use do all of them differ."""
    equal = {system for system, _ in set(ours) & set(theirs)}
    shared = {system for system, _ in ours} & {system for system, _ in theirs}
    return bool(equal) and shared == equal


def _identifiers(patient: Mapping[str, Any], systems: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(system, value) of the identifiers in force of those systems."""
    found: list[tuple[str, str]] = []
    for identifier in _objects(patient.get("identifier")):
        system, value = identifier.get("system"), identifier.get("value")
        if (
            isinstance(system, str)
            and system in systems
            and isinstance(value, str)
            and value
            and _is_in_force(identifier)
        ):
            found.append((system, value))
    return tuple(dict.fromkeys(found))


def _is_in_force(identifier: Mapping[str, Any]) -> bool:
    """False once it is out of use or its period has ended, before that begins, and where it cannot be told.

    A number that somebody had may be somebody else's since (R4 Identifier.period).
    """
    if identifier.get("use") == "old":
        return False
    if "period" not in identifier:
        return True
    try:
        return period(identifier["period"]).covers(datetime.now(UTC))
    except ValueError:
        return False


def _is_qualified(patient: Mapping[str, Any]) -> bool:
    """FR Core: identity status VALI on the Patient, and no other status beside it; absent means unqualified."""
    statuses = [
        part.get("valueCoding")
        for extension in _objects(patient.get("extension"))
        if extension.get("url") == _RELIABILITY
        for part in _objects(extension.get("extension"))
        if part.get("url") == "identityStatus"
    ]
    return bool(statuses) and all(
        isinstance(status, dict) and (status.get("system"), status.get("code")) == (_STATUS_SYSTEM, "VALI")
        for status in statuses
    )


def _in_use(patient: Mapping[str, Any]) -> bool:
    """False also where it cannot be told: `"false"` in quotes was meant to say something."""
    links = patient.get("link", [])
    if not isinstance(links, list) or patient.get("active", True) is not True:
        return False
    return all(isinstance(link, dict) and link.get("type") in _LINKS_OF_ONE_IN_USE for link in links)


def _birth_date(patient: Mapping[str, Any]) -> date | None:
    """A full birth date; a year or a month matches nobody."""
    text = patient.get("birthDate")
    if not isinstance(text, str) or not _FULL_DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
