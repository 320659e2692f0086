"""The table of professions and categories: what the rules show to whom, computed by asking them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from policies.described import SHOWING, described
from policies.facts import CATEGORIES
from policies.rulebook import Rulebook
from policies.vocabulary.verdict import Deny, Permit

PROFESSION = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
"""French professions; a site names others with `--role`."""


@dataclass(frozen=True, slots=True)
class Profession:
    """A row: who is asked for."""

    fr: str
    en: str
    roles: tuple[str, ...]
    """`system|code`"""


PROFESSIONS = (
    Profession("Médecin", "Doctor", (f"{PROFESSION}|10",)),
    Profession("Pharmacien", "Pharmacist", (f"{PROFESSION}|21",)),
    Profession("Chirurgien-dentiste", "Dental surgeon", (f"{PROFESSION}|40",)),
    Profession("Sage-femme", "Midwife", (f"{PROFESSION}|50",)),
    Profession("Infirmier", "Nurse", (f"{PROFESSION}|60",)),
    Profession("Masseur-kinésithérapeute", "Physiotherapist", (f"{PROFESSION}|70",)),
    Profession("Pédicure-podologue", "Podiatrist", (f"{PROFESSION}|80",)),
    Profession("Orthophoniste", "Speech therapist", (f"{PROFESSION}|91",)),
    Profession("Orthoptiste", "Orthoptist", (f"{PROFESSION}|92",)),
    Profession("Sans profession connue", "No known profession", ()),
)

TYPES = {
    "patient-summary": "Condition",
    "prescription": "MedicationRequest",
    "dispensation": "MedicationDispense",
    "imaging": "ImagingStudy",
    "test-results": "Observation",
    "discharge-report": "DocumentReference",
    "reimbursement": "ExplanationOfBenefit",
    "other": "ServiceRequest",
    "unclassified": "Observation",
}
"""A resource type in which each category is found."""

YES, GLASS, NO = "yes", "glass", "no"
"""Shown for treatment; only after the glass was broken; not shown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What the rules say of one profession and one category."""

    value: str
    rules: tuple[str, ...]
    """Those that permit, or those that stand in the way of treatment."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows by profession, columns by category."""

    professions: tuple[Profession, ...]
    categories: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    digest: str
    assumed: dict[str, Any]
    """What every cell takes for granted."""


ASSUMED: dict[str, Any] = {
    "patient": "launch",
    "care_relation": "launch",
    "opposition": "none",
    "patient_informed": True,
    "assurance": "eidas2",
    "organisation": "an-organisation",
    "purpose_source": "claim",
    "client_renders_only": True,
    "confidentiality": "N",
    "hour": 12,
}


def compute(rules: Rulebook, professions: Sequence[Profession] = PROFESSIONS, *, delivery: str, feed: str) -> Matrix:
    """Each cell asked anew: the look for treatment and one labelled result, then the same with the glass broken."""
    assumed = {**ASSUMED, "delivery": delivery}
    cells = tuple(tuple(_cell(rules, each, category, assumed, feed) for category in CATEGORIES) for each in professions)
    return Matrix(tuple(professions), CATEGORIES, cells, rules.digest, assumed)


def _cell(rules: Rulebook, profession: Profession, category: str, assumed: dict[str, Any], feed: str) -> Cell:
    facts = {**assumed, "roles": list(profession.roles), "type": TYPES[category], "category": category}
    facts["document"] = TYPES[category] == "DocumentReference"
    permitted, named = _both(rules, {**facts, "purpose": "TREAT"}, feed)
    if permitted:
        return Cell(YES, named)
    emergency, _ = _both(rules, {**facts, "purpose": "BTG", "break_glass": True}, feed)
    return Cell(GLASS if emergency else NO, named)


def _both(rules: Rulebook, facts: dict[str, Any], feed: str) -> tuple[bool, tuple[str, ...]]:
    verdicts: list[Permit | Deny] = [
        described(action, facts, feed=feed, lenient=True).decide(rules) for action in ("search-type", SHOWING)
    ]
    denials = [each for each in verdicts if isinstance(each, Deny)]
    named = tuple(sorted({rule for each in denials or verdicts for rule in each.rules}))
    return not denials, named
