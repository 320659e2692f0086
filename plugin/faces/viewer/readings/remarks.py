"""What changes the meaning of an entry of the history, and so stands on its row: that it is no order, is not sure, is
urgent, was not done and why, or is about somebody else; and, before all else, that something must not be given or may
do harm.
"""

from typing import Final

from plugin.faces.viewer.readings.code_words import WORDS
from plugin.faces.viewer.readings.elements import Tree, coded, pairs, records, term, word
from plugin.faces.viewer.readings.reading import Page, references, terms
from plugin.faces.viewer.readings.result import Result
from plugin.faces.viewer.readings.text import Text
from plugin.faces.viewer.readings.values import Said, Term, Value

_ORDERS: Final = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_UNHURRIED: Final = "routine"
_SURE: Final = "confirmed"
_UNFIT: Final = ("unsatisfactory", "entered-in-error")
_FIT: Final = frozenset({"specimen/CFU", "specimen/COOL", "specimen/FROZ", "specimen/LIVE", "specimen/ROOM"})
"""Conditions of a specimen that say how it came, and nothing against it."""
_ELSE: Final = frozenset({"about", "about-another"})
_OWN: Final = frozenset({"about-own", "about-own-entry"})
"""Of phrases.PHRASES: about somebody or something else than the patient, or about one finding of the patient's."""
_ENTRIES: Final = frozenset({
    "AllergyIntolerance", "BodyStructure", "Condition", "DiagnosticReport", "Encounter", "FamilyMemberHistory",
    "ImagingStudy", "Immunization", "MedicationAdministration", "MedicationDispense", "MedicationRequest",
    "MedicationStatement", "MolecularSequence", "NutritionOrder", "Observation", "Procedure", "ServiceRequest",
    "Specimen",
})  # fmt: skip
"""What is of the patient: the tumour that a stage is of, the operation that a score is of."""


def warned(tree: Tree, name: str) -> tuple[Term, ...]:
    """The warning `name`, where what is asked for must not be done."""
    return (_warning(name),) if tree.get("doNotPerform") is True else ()


def risks(tree: Tree) -> tuple[Term, ...]:
    """Warnings of an AllergyIntolerance."""
    told = []
    if tree.get("criticality") == "high":
        told.append(_warning("high-risk"))
    if any(each.get("severity") == "severe" for each in records(tree.get("reaction"))):
        told.append(_warning("severe-reaction"))
    return tuple(told)


def weakened(tree: Tree) -> tuple[Term, ...]:
    """The warning that a dose of a vaccine does not protect as one should."""
    return (_warning("subpotent"),) if tree.get("isSubpotent") is True else ()


def reservations(tree: Tree) -> tuple[Value, ...]:
    """That an AllergyIntolerance or Condition is not, or not yet, confirmed."""
    status = tree.get("verificationStatus")
    told = term(status)
    return () if told is None or any(code == _SURE for _, code in pairs(status)) else (told,)


def order_remarks(tree: Tree) -> tuple[Value, ...]:
    """That a request is no order, and that it is urgent."""
    intent, priority = tree.get("intent"), tree.get("priority")
    told = (
        None if word(intent) in _ORDERS else coded("intent", intent),
        None if priority == _UNHURRIED else coded("priority", priority),
    )
    return tuple([each for each in told if each is not None])


def hearsay(page: Page) -> tuple[Value, ...]:
    """That the source has an entry from somebody's account: no prescription of its own, no vaccination that it saw."""
    tree = page.tree
    teller = page.beside.name(tree.get("reportedReference"), tree) or term(tree.get("reportOrigin"))
    if teller is not None:
        return (Said("reported-by", (teller,)),)
    is_told = tree.get("reportedBoolean") is True or "reportedReference" in tree or tree.get("primarySource") is False
    return (Said("reported"),) if is_told else ()


def foci(page: Page) -> tuple[Said, ...]:
    """Whom or what an Observation is about (its focus), where that is not just its patient: a foetus, a donor, one
    tumour of two."""
    patient = references(page.tree.get("subject"))
    others = [each for each in records(page.tree.get("focus")) if not patient or references(each) != patient]
    return tuple([_focus(each, page) for each in others])


def _focus(reference: Tree, page: Page) -> Said:
    name, found = page.beside.name(reference, page.tree), page.beside.resource(reference, page.tree)
    kinds = {word((found or {}).get("resourceType")), word(reference.get("type")), *_path(reference)}
    if kinds.isdisjoint(_ENTRIES):
        return Said("about-another") if name is None else Said("about", (name,))
    return Said("about-own-entry") if name is None else Said("about-own", (name,))


def _path(reference: Tree) -> list[str]:
    """Of a literal reference, the type that it names."""
    return word(reference.get("reference")).partition("/_history/")[0].split("/")[-2:-1]


def flaws(specimen: Tree) -> tuple[Value, ...]:
    """What is wrong with the specimen that a measurement was made on, by its status and its condition (haemolysed)."""
    status = specimen.get("status")
    told = [coded("status", status)] if status in _UNFIT else []
    told += [each for each in terms(specimen.get("condition")) if each.key not in _FIT]
    return tuple([Said("specimen-is", (each,)) for each in told if each is not None])


def foci_of(result: Result) -> list[Value]:
    """The same as its row says it; nothing where a result is about the patient as such."""
    return [each for each in result.remarks if isinstance(each, Said) and each.key in _ELSE | _OWN]


def is_of_another(result: Result) -> bool:
    """Whether it is about somebody or something else than the patient."""
    return any(isinstance(each, Said) and each.key in _ELSE for each in result.remarks)


def reasons(page: Page) -> tuple[Value, ...]:
    """Why it has its status."""
    tree = page.tree
    given = page.beside.concept(tree, "statusReason")
    found = [*terms(tree.get("statusReason")), *([] if given is None else [given])]
    return tuple([Said("because", (each,)) for each in found])


def _warning(name: str) -> Term:
    key = f"warning/{name}"
    return Term(Text(WORDS[key][1]), key)
