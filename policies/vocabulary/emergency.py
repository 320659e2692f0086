"""Breaking the glass: the coded reasons that a person gives, and the request to open or close.

The words are shown by whoever asks for the reason; records hold the code, and what the person added in their words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.vocabulary.interactions import Delivery

BREAK_GLASS: Final = "BTG"
"""The purpose of every look made under an opening (v3-ActReason)."""

MAX_TEXT: Final = 500
"""Characters that a person may add: a sentence or two, not a report about a patient."""


class EmergencyReason(StrEnum):
    """Why the glass is broken."""

    LIFE_THREATENING = "life-threatening"
    UNABLE_TO_CONSENT = "unable-to-consent"
    EMERGENCY_CALL = "emergency-call"
    OTHER = "other"
    """Needs a text."""


WORDS: Final[Mapping[EmergencyReason, tuple[str, str]]] = {
    EmergencyReason.LIFE_THREATENING: (
        "Le pronostic vital ou fonctionnel du patient est engagé.",
        "The patient's life, or a function of the body, is in danger.",
    ),
    EmergencyReason.UNABLE_TO_CONSENT: (
        "Le patient est hors d'état d'exprimer sa volonté et les soins ne peuvent attendre.",
        "The patient cannot express a will, and care cannot wait.",
    ),
    EmergencyReason.EMERGENCY_CALL: (
        "Appel d'urgence : la régulation médicale a besoin de ces résultats.",
        "An emergency call: its medical dispatcher needs these results.",
    ),
    EmergencyReason.OTHER: ("Autre urgence, précisée ci-dessous.", "Another emergency, stated below."),
}
"""French, English."""


@dataclass(frozen=True, slots=True)
class EmergencyAccess:
    """A request to break the glass for one patient, or to close it again. It releases nothing."""

    delivery: Delivery
    """Of the face that asks: the glass is broken in the viewer only."""
    patient: str | None = None
    """The EHR's patient id; None means the launch patient."""
    reason: EmergencyReason | None = None
    """None where the face was given something else."""
    text: str = ""
    closing: bool = False
