"""Step 6: keep what is about this patient, count the rest as foreign. A feed may return everybody; nothing is believed.

A resource is about the patient by its subject alone. Types that may be about nobody are kept only beside a kept
resource that refers to them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_adapters.interface import Entry, Tree
from plugin.consultation.patient_match import Match
from policies.coding import references
from policies.scope_check import within
from policies.vocabulary.resource_types import COMPANIONS, PATIENT_PATHS
from policies.vocabulary.scopes import Ceiling

CONTAINED_OUT_OF_SCOPE = "contained-out-of-scope"
"""The rule of a resource that contains something which could not be shown by itself."""

_RELATIVE = re.compile(r"([A-Z][A-Za-z]{0,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


@dataclass(frozen=True, slots=True)
class Kept:
    """A resource about the patient, or a companion of one."""

    reference: str
    resource: Tree
    companion: bool
    withheld_by: str | None
    """A rule by which its container shape alone withholds it."""


@dataclass(frozen=True, slots=True)
class Confined:
    """An answer reduced to one patient."""

    kept: tuple[Kept, ...]
    foreign: int
    resolve: Mapping[str, str]
    """Literal reference -> `Type/id`, for every reference of the answer that points into it or at the feed."""


@dataclass(frozen=True, slots=True)
class Compartment:
    """What may be about the patient in one consultation."""

    match: Match
    base: str
    """Of the feed; "" if it writes no absolute references."""
    asked_type: str
    types: Sequence[str]
    """That the feed is configured for."""
    ceiling: Callable[[str], Ceiling]

    def confine(self, entries: Sequence[Entry]) -> Confined:
        """Judge each entry of a whole answer."""
        places = {entry.full_url: _own_reference(entry.resource) for entry in entries if entry.full_url}
        resolve = _Resolver(self.base, places)
        primary: list[Kept] = []
        candidates: dict[str, Kept] = {}
        foreign = 0
        for entry in entries:
            resource = entry.resource
            reference = _own_reference(resource)
            if not self._is_at_home(entry):
                foreign += 1
            elif resource["resourceType"] == self.asked_type and self._is_about_patient(resource, resolve):
                primary.append(Kept(reference, resource, False, self._unfit(resource, resolve)))
            elif self._may_accompany(resource, resolve):
                candidates[reference] = Kept(reference, resource, True, self._unfit(resource, resolve))
            else:
                foreign += 1
        companions = referred_to(primary, candidates.values(), resolve)
        foreign += len(candidates) - len(companions)
        kept = (*primary, *companions)
        texts = {text for each in kept for text in references(each.resource)}
        return Confined(kept, foreign, {text: to for text in texts if (to := resolve(text)) is not None})

    def _is_at_home(self, entry: Entry) -> bool:
        """False for a resource that says it lives elsewhere: its relative references would mean other patients."""
        url = entry.full_url
        return not url or not self.base or url.startswith(("urn:", f"{self.base}/"))

    def _is_about_patient(self, resource: Mapping[str, Any], resolve: "_Resolver") -> bool:
        path = PATIENT_PATHS[resource["resourceType"]]
        if path == "id":
            return bool(resource.get("id") == self.match.patient)
        subject = resource.get(path)
        return isinstance(subject, dict) and self._names_patient(subject, resource, resolve)

    def _names_patient(self, subject: Mapping[str, Any], container: Mapping[str, Any], resolve: "_Resolver") -> bool:
        text, identifier = subject.get("reference"), subject.get("identifier")
        if identifier is not None and self._contradicts(identifier):
            return False
        if text is None:
            return identifier is not None and self._is_own(identifier)
        if not isinstance(text, str):
            return False
        if text.startswith("#"):
            contained = _contained(container).get(text[1:])
            return contained is not None and self._is_contained_patient(contained)
        return resolve(text) == f"Patient/{self.match.patient}"

    def _is_contained_patient(self, contained: Mapping[str, Any]) -> bool:
        identifiers = contained.get("identifier")
        return (
            contained.get("resourceType") == "Patient"
            and isinstance(identifiers, list)
            and any(self._is_own(each) for each in identifiers)
            and not any(self._contradicts(each) for each in identifiers)
        )

    def _is_own(self, identifier: Any) -> bool:
        if not isinstance(identifier, dict):
            return False
        return (identifier.get("system"), identifier.get("value")) in self.match.identifiers

    def _contradicts(self, identifier: Any) -> bool:
        """True if it names somebody else in a system by which our patient is known."""
        if not isinstance(identifier, dict):
            return True
        systems = {system for system, _ in self.match.identifiers}
        return identifier.get("system") in systems and not self._is_own(identifier)

    def _may_accompany(self, resource: Mapping[str, Any], resolve: "_Resolver") -> bool:
        resource_type = resource["resourceType"]
        if resource_type not in COMPANIONS or not self.ceiling(resource_type).allowed:
            return False
        about = [resource[path] for path in ("subject", "patient") if path in resource]
        return all(isinstance(each, dict) and self._names_patient(each, resource, resolve) for each in about)

    def _unfit(self, resource: Mapping[str, Any], resolve: "_Resolver") -> str | None:
        """The rule that withholds a resource for its scope restrictions or for what it contains."""
        ceiling = self.ceiling(resource["resourceType"])
        if not within(ceiling.restrictions, resource):
            return "scope"
        inside = resource.get("contained", [])
        if not isinstance(inside, list):
            return CONTAINED_OUT_OF_SCOPE
        fits = all(isinstance(each, dict) and self._contained_fits(each, resource, resolve) for each in inside)
        return None if fits else CONTAINED_OUT_OF_SCOPE

    def _contained_fits(self, inside: Mapping[str, Any], container: Mapping[str, Any], resolve: "_Resolver") -> bool:
        resource_type = inside.get("resourceType")
        if not isinstance(resource_type, str) or "contained" in inside:
            return False
        if resource_type not in COMPANIONS and resource_type not in self.types:
            return False
        ceiling = self.ceiling(resource_type)
        if not ceiling.allowed or not within(ceiling.restrictions, inside):
            return False
        if resource_type == "Patient":
            return self._is_contained_patient(inside)
        about = [inside[path] for path in ("subject", "patient") if path in inside]
        return all(isinstance(each, dict) and self._names_patient(each, container, resolve) for each in about)


class _Resolver:
    """A literal reference -> the `Type/id` it means at the feed; None for any other place."""

    def __init__(self, base: str, places: Mapping[str, str]) -> None:
        self._base = base
        self._places = places

    def __call__(self, text: str) -> str | None:
        if text in self._places:
            return self._places[text]
        if self._base and text.startswith(f"{self._base}/"):
            text = text[len(self._base) + 1 :]
        found = _RELATIVE.fullmatch(text)
        return f"{found[1]}/{found[2]}" if found else None


def _own_reference(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _contained(container: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    inside = container.get("contained")
    if not isinstance(inside, list):
        return {}
    return {each["id"]: each for each in inside if isinstance(each, dict) and isinstance(each.get("id"), str)}


def referred_to(
    results: Iterable[Kept], companions: Iterable[Kept], resolve: Callable[[str], str | None]
) -> list[Kept]:
    """Those of `companions` that `results` refer to, directly or through another companion."""
    candidates = {each.reference: each for each in companions}
    reached: dict[str, Kept] = {}
    frontier = list(results)
    while frontier:
        named = {resolve(text) for each in frontier for text in references(each.resource)}
        frontier = [candidates[name] for name in named & candidates.keys() - reached.keys() if name is not None]
        reached.update((each.reference, each) for each in frontier)
    return list(reached.values())
