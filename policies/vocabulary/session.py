"""What happens to the session of a viewer beside looking: it is opened by a launch, given a purpose, and closed; its
reader prints or copies."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.vocabulary.purposes import TREATMENT

STATABLE: Final = TREATMENT | {"ETREAT"}
"""What a person may state that looks are for. Each needs a rule; BTG is stated by breaking the glass only."""


class SessionStep(StrEnum):
    """Which of them."""

    OPENING = "opening"
    PURPOSE = "purpose"
    CLOSING = "closing"
    REPORTING = "reporting"
    """The browser reports of its reader what we have no word for."""
    PRINTING = "printing"
    """The browser reports that its reader prints: nothing prevents it, and whether paper came of it nobody knows."""
    COPYING = "copying"


@dataclass(frozen=True, slots=True)
class SessionAct:
    """One of them, tried. It releases nothing."""

    step: SessionStep
