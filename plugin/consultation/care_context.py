"""Step 3: what ties this person to this patient, and by what evidence. The rules judge it; here nothing permits.

Each kind of evidence is one function; the first that knows of a relation names it. Appointments and care teams can
follow as further ones.
"""

from collections.abc import Callable

from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Identity
from policies.vocabulary.interactions import Delivery

LAUNCH = "launch"
DECLARED = "declared"
MAX_REASON = 500
"""Characters: a sentence or two, not a report about a patient."""

Evidence = Callable[[Identity, ClinicalConsultation], str | None]
"""The kind of a relation that it knows of; None: it knows of none, which is never a default."""


def launched(identity: Identity, asked: ClinicalConsultation) -> str | None:
    """The patient meant is the one in context at the EHR."""
    meant = identity.launch_patient is not None and asked.patient in (None, identity.launch_patient)
    return LAUNCH if meant else None


def declared(identity: Identity, asked: ClinicalConsultation) -> str | None:
    """The person says so, with a reason, on a page that asked for it: a program cannot."""
    reason = asked.care_declared
    stated = reason is not None and reason.strip() != "" and reason.isprintable() and len(reason) <= MAX_REASON
    return DECLARED if stated and asked.delivery is Delivery.RENDERED else None


EVIDENCE: tuple[Evidence, ...] = (launched, declared)
"""The strongest first."""


def care_relation(identity: Identity, asked: ClinicalConsultation) -> str | None:
    """What ties them, by the strongest evidence; None if nothing is known."""
    return next((kind for evidence in EVIDENCE if (kind := evidence(identity, asked)) is not None), None)
