"""Step 3's opposition: what a patient's FHIR Consents deny to this person, for this purpose, now.

Asked of the source that the EHR names, with the gateway's own credential, anew at every look: a patient who opposes is
heard at once, and nothing of a consent is kept. No answer, and what is not understood, is "unknown", and the rules show
nothing then; what is denied for some results only is told of each of them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fhir_adapters.consent import Denial, denials
from fhir_adapters.interface import Call, Tree
from plugin.consultation.feed_line import FeedLine
from plugin.consultation.feed_places import place
from plugin.consultation.findings import NOT_ASKED, RESOURCE_TYPES, Opposition
from plugin.errors import ConsultError
from policies.code_systems import SYSTEMS
from policies.vocabulary.identity import Identity
from policies.vocabulary.purposes import ACT_REASON_NAMES, EMERGENCY, TREATMENT
from policies.vocabulary.security_labels import ACT_CODE_NAMES, CONFIDENTIALITY_NAMES, NARROWER, STRICTNESS

MAX_CONSENTS = 200
"""Of one patient. Whoever has more is not asked about further: "unknown"."""
MAX_PAGES = 10

_PATIENT = re.compile(r"(?:https?://.+/)?Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")

_CLASSES = {
    RESOURCE_TYPES: (RESOURCE_TYPES,),
    **{uri: system.uris for system in (SYSTEMS["loinc"], SYSTEMS["snomed-ct"]) for uri in system.uris},
}
"""Systems of provision.class that can be told of a result, by each of their names -> all of these, since a result may
have another one than the Consent. A class of any other system denies all."""


@dataclass(frozen=True, slots=True)
class ConsentSource:
    """Where one EHR's Consents are."""

    line: FeedLine
    by_patient: bool
    """Whether it is asked for one patient's. A folder is read whole: patients may be written in several ways there."""
    base: str = ""
    """Where its relative references to people lead: a server's own base; of a folder, that of the EHR."""


@dataclass(frozen=True)
class Oppositions:
    """The sources, by EHR. Safe to call from several threads."""

    sources: Mapping[str, ConsentSource]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def at_best(self, identity: Identity) -> str | None:
        """The fact where a patient of the person's EHR opposes nothing; none is asked."""
        return NOT_ASKED.fact if identity.ehr not in self.sources else "none"

    def of(self, identity: Identity, patient: str, call: Call) -> Opposition:
        """What `patient` of the person's EHR opposes. Never raises: what cannot be learned is unknown."""
        source = self.sources.get(identity.ehr)
        if source is None:
            return NOT_ASKED
        if not patient:
            return Opposition("unknown")
        try:
            consents = _consents(source, patient, call)
        except ConsultError:
            return Opposition("unknown")
        if consents is None:
            return Opposition("unknown")
        now = self.clock()
        held = [denial for consent in consents for denial in denials(consent, now)]
        if not all(denial.understood for denial in held):
            return Opposition("unknown")
        meant = [denial for denial in held if _is_meant(denial, identity, source.base)]
        if not meant:
            return Opposition("none")
        if not all(map(_is_of_some_results, meant)):
            return Opposition("all")
        return Opposition(
            "part", tuple((_by_every_name(denial.classes), _with_narrower(denial.labels)) for denial in meant)
        )


def _consents(source: ConsentSource, patient: str, call: Call) -> list[Tree] | None:
    """Those of the patient; None: there are more than are read. Raises ConsultError.

    A server may return other people's too. One that names nobody is everybody's.
    """
    found: list[Tree] = []
    wanted = (("patient", f"Patient/{patient}"),) if source.by_patient else (("_count", "1000"),)
    page = source.line.search("Consent", wanted, call)
    for read in range(1, MAX_PAGES + 1):
        stated = [each.resource for each in page.entries if each.resource["resourceType"] == "Consent"]
        found += [consent for consent in stated if _names(consent, patient)]
        if page.next is None:
            return found if len(found) <= MAX_CONSENTS else None
        if read < MAX_PAGES:
            page = source.line.page(page.next, call)
    return None


def _names(consent: Tree, patient: str) -> bool:
    """By the id, whatever address it is under: the source has this EHR's patients."""
    named = consent.get("patient")
    text = named.get("reference") if isinstance(named, dict) else None
    found = _PATIENT.fullmatch(text) if isinstance(text, str) else None
    return found is None or found[1] == patient


def _is_meant(denial: Denial, identity: Identity, base: str) -> bool:
    """Whether it may be for this person and purpose: it is not only where it plainly is for others."""
    if denial.purposes and all(system in ACT_REASON_NAMES for system, _ in denial.purposes):
        codes = {code for _, code in denial.purposes}
        if codes.isdisjoint(TREATMENT | EMERGENCY) and codes.isdisjoint(identity.purposes):
            return False
    here = place(base, identity.person.fhir_user or "")
    others = {place(base, actor) for actor in denial.actors}
    if others and here is not None and here.startswith("Practitioner/"):
        return here in others or not all(each is not None and each.startswith("Practitioner/") for each in others)
    return True


def _by_every_name(classes: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((name, code) for system, code in classes for name in _CLASSES[system])


def _with_narrower(labels: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return labels | {
        (system, narrower) for system, code in labels if system in ACT_CODE_NAMES for narrower in NARROWER.get(code, ())
    }


def _is_of_some_results(denial: Denial) -> bool:
    """Whether what narrows it can be told of a result."""
    classes = all(system in _CLASSES for system, _ in denial.classes)
    labels = all(
        (system in CONFIDENTIALITY_NAMES and code in STRICTNESS) or system in ACT_CODE_NAMES
        for system, code in denial.labels
    )
    return bool(denial.classes or denial.labels) and classes and labels
