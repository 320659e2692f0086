"""Step 3: whether the patient opposes, by the FHIR R4 Consents of a source that the EHR names.

Any deny that holds now and may be about care opposes everything: actors, classes and labels are not used to narrow it.
What cannot be read is "unknown", which the core rules refuse. Nothing is kept, and no reference is followed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fhir_adapters.consent import Denial, denials
from fhir_adapters.interface import Call, Tree
from plugin.consultation.feed_line import EhrLine
from plugin.errors import EhrUnreachable, FeedBusy
from policies.vocabulary.purposes import ACT_REASON

MAX_PAGES = 20
"""Pages of Consents read for one look. More than that is "unknown"."""

_NOT_CARE = frozenset((ACT_REASON, code) for code in ("HMARKT", "HPAYMT", "HRESCH", "CLINTRCH"))
"""Uses that the core refuses anyway: who opposes nothing else may be looked at for care."""

_CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_NOT_PRIVACY = frozenset((_CONSENT_SCOPE, code) for code in ("research", "treatment", "adr"))
"""Consents to take part in research, to be treated, and advance directives are not about who may look."""

_PATIENT = re.compile(r"(?:https?://.+/)?Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


@dataclass(frozen=True, slots=True)
class ConsentSource:
    """Where one EHR's Consents are."""

    line: EhrLine
    by_patient: bool
    """Whether it is asked for one patient's. A folder is read whole: a patient may be written in several ways there."""


class _NotKnown(Exception):
    """The Consents could not be read whole."""


@dataclass(frozen=True, slots=True)
class Consents:
    """The sources by EHR. Safe to call from several threads."""

    sources: Mapping[str, ConsentSource]

    def opposition(self, ehr: str, patient: str | None, call: Call) -> str | None:
        """What the patient opposes: "none", "all" or "unknown"; None where the EHR names no source. Raises nothing."""
        source = self.sources.get(ehr)
        if source is None:
            return None
        if not patient:
            return "unknown"
        opposed = False
        now = datetime.now(UTC)
        try:
            for consent in _consents(source, patient, call):
                if not _is_about(consent, patient) or _is_of_another_scope(consent):
                    continue
                denied = denials(consent, now)
                if not all(each.understood for each in denied):
                    return "unknown"
                opposed = opposed or any(map(_may_be_about_care, denied))
        except (_NotKnown, EhrUnreachable, FeedBusy):
            return "unknown"
        return "all" if opposed else "none"


def _consents(source: ConsentSource, patient: str, call: Call) -> Iterator[Tree]:
    wanted = (("patient", f"Patient/{patient}"),) if source.by_patient else (("_count", "200"),)
    with source.line.held():
        page = source.line.search("Consent", wanted, call)
        for _ in range(MAX_PAGES):
            for entry in page.entries:
                if entry.resource.get("resourceType") == "Consent":
                    yield entry.resource
            if page.next is None:
                return
            if call.deadline.remaining() <= 0:
                raise _NotKnown
            page = source.line.page(page.next, call)
    raise _NotKnown


def _is_about(consent: Tree, patient: str) -> bool:
    """Raises _NotKnown where the Consent does not say by reference whose it is."""
    subject = consent.get("patient")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    found = _PATIENT.fullmatch(reference) if isinstance(reference, str) else None
    if found is None:
        raise _NotKnown
    return found[1] == patient


def _is_of_another_scope(consent: Tree) -> bool:
    """Whether the scope says, in full and in codes that are known, that this is not about privacy."""
    scope = consent.get("scope")
    codings = scope.get("coding") if isinstance(scope, dict) else None
    if not isinstance(codings, list) or not all(isinstance(each, dict) for each in codings):
        return False
    pairs = [(str(each.get("system")), each.get("code")) for each in codings]
    return bool(pairs) and all(isinstance(code, str) and (system, code) in _NOT_PRIVACY for system, code in pairs)


def _may_be_about_care(denied: Denial) -> bool:
    return not denied.purposes or not denied.purposes <= _NOT_CARE
