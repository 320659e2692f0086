"""Step 3: what ties this person to this patient. For now a launch with the patient in context; the rules judge it."""

from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Identity

LAUNCH = "launch"


def care_relation(identity: Identity, asked: ClinicalConsultation) -> str | None:
    """`launch` if the patient meant is the one in context at the EHR; None if nothing is known: never a default."""
    if identity.launch_patient is not None and asked.patient in (None, identity.launch_patient):
        return LAUNCH
    return None
