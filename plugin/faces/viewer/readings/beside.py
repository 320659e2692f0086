"""What stands beside a resource in one feed's answer: names of people and places, medicines, results that it names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from plugin.consultation.release import Shown
from plugin.faces.viewer.readings.elements import Tree, record, records, term, word
from plugin.faces.viewer.readings.text import Text, line
from plugin.faces.viewer.readings.values import Term

_NAMED = ("Organization", "Location")
_NAMES = {"official": 0, "usual": 1, "maiden": 3, "old": 4}
_OTHER_NAME = 2
_PEOPLE = ("Practitioner", "Patient", "RelatedPerson")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one feed showed."""

    feed: str
    shown: tuple[Shown, ...]
    is_local: bool = False
    """It is the EHR's own record."""


class Beside:
    """Finds what a Reference names, in the container itself or in the same answer. Nothing is fetched."""

    def __init__(self, shown: Iterable[Shown]) -> None:
        self._by_reference: Mapping[str, Tree] = {each.reference: each.resource for each in shown}

    def resource(self, reference: Any, container: Tree) -> Tree | None:
        """The resource that a Reference names; None if it is not here."""
        name = word(record(reference).get("reference"))
        if name.startswith("#"):
            contained = container.get("contained")
            inside = map(record, contained if isinstance(contained, list) else [])
            return next((each for each in inside if each.get("id") == name[1:]), None)
        return self._by_reference.get(_unversioned(name)) if name else None

    def name(self, reference: Any, container: Tree) -> Text | None:
        """Who or what a Reference names: its own words, else the name of the resource. Never an id."""
        if not isinstance(reference, dict):
            return None
        display = line(reference.get("display"))
        if display is not None:
            return display
        found = self.resource(reference, container)
        return None if found is None else self._name_of(found)

    def names(self, references: Any, container: Tree) -> tuple[Text, ...]:
        """The names of a list of references, each once."""
        found = (self.name(each, container) for each in records(references))
        return tuple(dict.fromkeys(each for each in found if each is not None))

    def concept(self, tree: Tree, name: str) -> Term | None:
        """`…CodeableConcept`, else the code of the resource that `…Reference` names or what that is made of, else the
        words of the reference."""
        told = term(tree.get(f"{name}CodeableConcept"))
        if told is not None:
            return told
        reference = tree.get(f"{name}Reference")
        found = self.resource(reference, tree)
        told = None if found is None else term(found.get("code")) or self._made_of(found, tree)
        return told or _displayed(reference)

    def ingredients(self, medicine: Tree, container: Tree) -> list[tuple[Term | None, Tree]]:
        """What a Medication is made of: each ingredient with its name, None where that is not here. `container` is what
        names the medicine, which may stand inside it."""
        return [(self._ingredient(each, medicine, container), each) for each in records(medicine.get("ingredient"))]

    def _ingredient(self, ingredient: Tree, medicine: Tree, container: Tree) -> Term | None:
        told = term(ingredient.get("itemCodeableConcept"))
        if told is not None:
            return told
        reference = ingredient.get("itemReference")
        found = self.resource(reference, medicine) or self.resource(reference, container)
        return (None if found is None else term(found.get("code"))) or _displayed(reference)

    def _made_of(self, medicine: Tree, container: Tree) -> Term | None:
        """The ingredients of a Medication without a code: one that a pharmacy made. `?` stands for one without a
        name."""
        names = [name for name, _ in self.ingredients(medicine, container)]
        if not any(names):
            return None
        told = line(" + ".join(["?" if each is None else each.text.shown for each in names]))
        return None if told is None else Term(told)

    def _name_of(self, resource: Tree) -> Text | None:
        kind = resource.get("resourceType")
        if kind in _NAMED:
            return line(resource.get("name"))
        if kind in _PEOPLE:
            return human_name(resource)
        if kind == "PractitionerRole":
            person = self._linked(resource.get("practitioner"), resource)
            return person or self._linked(resource.get("organization"), resource)
        if kind == "Device":
            names = records(resource.get("deviceName"))
            return line(names[0].get("name")) if names else None
        told = term(resource.get("code")) or term(resource.get("type"))
        return None if told is None else told.text

    def _linked(self, reference: Any, container: Tree) -> Text | None:
        """As `name`, but of a person or organisation only, so that roles which name each other end."""
        display = line(record(reference).get("display"))
        if display is not None:
            return display
        found = self.resource(reference, container)
        if found is None or found.get("resourceType") not in (*_NAMED, *_PEOPLE):
            return None
        return self._name_of(found)


def _displayed(reference: Any) -> Term | None:
    """The words of a Reference."""
    display = line(record(reference).get("display"))
    return None if display is None else Term(display)


def human_name(person: Tree) -> Text | None:
    """The official name of a person, else the usual one, else the first one, and one that is no longer borne only
    where there is no other: as text, else prefix, given, family."""
    names = records(person.get("name"))
    names.sort(key=lambda each: _NAMES.get(word(each.get("use")), _OTHER_NAME))
    if not names:
        return None
    first = names[0]
    written = line(first.get("text"))
    if written is not None:
        return written
    parts = [*_texts(first.get("prefix")), *_texts(first.get("given")), *_texts([first.get("family")])]
    return line(" ".join(parts))


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _unversioned(reference: str) -> str:
    return reference.partition("/_history/")[0]
