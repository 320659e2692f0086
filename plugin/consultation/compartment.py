"""Step 6: keep what is about this patient, count the rest as foreign. A feed may return everybody; nothing is believed.

A resource is about the patient by its subject alone. Types that may be about nobody are kept only beside a kept
resource that refers to them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_adapters.interface import Entry
from fhir_adapters.resource import ordered
from plugin.consultation.feed_places import is_alias, is_at_home, own_place, place
from plugin.consultation.findings import Confined, Kept, Match
from policies.coding import Contents, contents
from policies.labels import DOCUMENTS
from policies.scope_check import within
from policies.vocabulary.resource_types import COMPANIONS, PATIENT_PATHS
from policies.vocabulary.scopes import Ceiling

CONTAINED_OUT_OF_SCOPE = "contained-out-of-scope"
"""The rule of a resource that contains something which could not be shown by itself."""
OUT_OF_SCOPE = "scope"

Resource = Mapping[str, Any]
Ceilings = Callable[[str], Ceiling]
"""A type -> what of it the token's scopes allow."""
Resolve = Callable[[str], str | None]
"""A literal reference -> the `Type/id` that it means at the feed; None for any other place."""


@dataclass(frozen=True, slots=True)
class Compartment:
    """What may be about the patient in one consultation."""

    match: Match
    base: str
    """Of the feed; "" if it writes no absolute references."""
    asked_types: Collection[str]
    types: Sequence[str]
    """That the feed is configured for."""
    ceiling: Ceilings
    _contents: dict[int, tuple[Resource, Contents]] = field(default_factory=dict, repr=False)
    """id of a resource -> itself, so that no other comes to have that id, and what it holds."""

    def confine(self, entries: Sequence[Entry], looked_up: Sequence[Entry] = ()) -> Confined:
        """Judge each entry of a whole answer, and each resource that was looked up beside it.

        One that comes again counts once, and each of its names counts: a source that makes its answers up gives what it
        repeats on every page a new one.
        """
        at_home = [entry for entry in entries if is_at_home(self.base, entry)]
        once = _once(at_home)
        beside = [entry for entry in looked_up if is_at_home(self.base, entry)]
        resolve = _Resolver(self.base, _aliases(self.base, (*at_home, *beside)))
        primary: list[Kept] = []
        candidates: list[Kept] = []
        for entry in once:
            resource = entry.resource
            if resource["resourceType"] in self.asked_types and self._is_about_patient(resource, resolve):
                primary.append(self._kept(resource, resolve, self.ceiling, companion=False))
            elif self._may_accompany(resource, resolve):
                candidates.append(self._kept(resource, resolve, self.ceiling, companion=True))
        kept = (*primary, *referred_to(primary, candidates, resolve))
        outside = self._outside(beside, resolve)
        foreign = len(entries) - len(at_home) + len(once) - len(kept) + len(looked_up) - len(outside)
        return Confined(kept, outside, foreign, _meanings((*kept, *outside), resolve))

    def contents_of(self, resource: dict[str, Any]) -> Contents:
        """What it holds: walked once, however often it is judged."""
        known = self._contents.get(id(resource))
        if known is None:
            known = self._contents[id(resource)] = resource, contents(resource)
        return known[1]

    def widened(self, confined: Confined, entries: Sequence[Entry], looked_up: Sequence[Entry]) -> Confined:
        """As `confine` of `entries` with `looked_up`, where `confined` is that of `entries` alone.

        What was looked up changes nothing of them, unless it has names of its own that they could mean.
        """
        beside = [entry for entry in looked_up if is_at_home(self.base, entry)]
        if _aliases(self.base, beside):
            return self.confine(entries, looked_up)
        resolve = _Resolver(self.base, _aliases(self.base, entries))
        outside = self._outside(beside, resolve)
        foreign = confined.foreign + len(looked_up) - len(outside)
        return Confined(confined.kept, outside, foreign, {**confined.resolve, **_meanings(outside, resolve)})

    def may_show(self, kept: Kept) -> bool:
        """Whether a resource that was looked up is within the feed's types and the token's scopes."""
        resource_type = kept.resource["resourceType"]
        if resource_type not in COMPANIONS and resource_type not in self.types:
            return False
        resolve = _Resolver(self.base, {})
        return self.ceiling(resource_type).allowed and self._unfit(kept.resource, resolve, self.ceiling) is None

    def _outside(self, beside: Iterable[Entry], resolve: Resolve) -> tuple[Kept, ...]:
        """Of what was looked up, all that is about the patient, or about nobody where its type may be.

        Judged by what it is: a scope is a ceiling for what is shown, and this is not shown for having been found.
        """
        resources = [entry.resource for entry in beside]
        return tuple(
            self._kept(each, resolve, _unbound, companion=True) for each in resources if self._is_ours(each, resolve)
        )

    def _is_ours(self, resource: Resource, resolve: Resolve) -> bool:
        resource_type = resource["resourceType"]
        if resource_type in PATIENT_PATHS and self._is_about_patient(resource, resolve):
            return True
        return resource_type in COMPANIONS and self._is_nobodys(resource, None, resolve)

    def _kept(self, resource: dict[str, Any], resolve: Resolve, ceiling: Ceilings, *, companion: bool) -> Kept:
        unfit = self._unfit(resource, resolve, ceiling)
        return Kept(own_place(resource), resource, self.contents_of(resource), companion, unfit)

    def _is_about_patient(self, resource: Resource, resolve: Resolve) -> bool:
        path = PATIENT_PATHS[resource["resourceType"]]
        if path == "id":
            return bool(resource.get("id") == self.match.patient)
        return self._names_patient(resource.get(path), resource, resolve)

    def _names_patient(self, subject: Any, container: Resource, resolve: Resolve) -> bool:
        """True if a Reference means our patient, and says nothing to the contrary."""
        if not isinstance(subject, dict) or subject.get("type", "Patient") != "Patient":
            return False
        text, identifier = subject.get("reference"), subject.get("identifier")
        if identifier is not None and self._contradicts(identifier):
            return False
        if text is None:
            return self._is_own(identifier)
        if not isinstance(text, str):
            return False
        if text.startswith("#"):
            named = [each for each in _contained(container) if each.get("id") == text[1:]]
            return bool(named) and all(self._is_contained_patient(each) for each in named)
        return resolve(text) == f"Patient/{self.match.patient}"

    def _is_contained_patient(self, contained: Resource) -> bool:
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
        known = any(identifier.get("system") == system for system, _ in self.match.identifiers)
        return known and not self._is_own(identifier)

    def _may_accompany(self, resource: Resource, resolve: Resolve) -> bool:
        resource_type = resource["resourceType"]
        if resource_type not in COMPANIONS:
            return False
        ceiling = self.ceiling(resource_type)
        return ceiling.allowed and within(ceiling.restrictions, resource) and self._is_nobodys(resource, None, resolve)

    def _is_nobodys(self, resource: Resource, container: Resource | None, resolve: Resolve) -> bool:
        """True if a resource says of nobody else that it is about them: it names our patient, or none."""
        about = [resource[path] for path in ("subject", "patient") if path in resource]
        return all(self._names_patient(each, container or resource, resolve) for each in about)

    def _unfit(self, resource: dict[str, Any], resolve: Resolve, ceiling: Ceilings) -> str | None:
        """The rule that withholds a resource for its scope restrictions or for what it contains."""
        if not within(ceiling(resource["resourceType"]).restrictions, resource):
            return OUT_OF_SCOPE
        inside = resource.get("contained", [])
        if not isinstance(inside, list) or self.contents_of(resource).resources != 1 + len(inside):
            return CONTAINED_OUT_OF_SCOPE  # one that stands elsewhere is no FHIR, and was judged by nothing
        fits = all(isinstance(each, dict) and self._contained_fits(each, resource, resolve, ceiling) for each in inside)
        return None if fits else CONTAINED_OUT_OF_SCOPE

    def _contained_fits(self, inside: Resource, container: Resource, resolve: Resolve, ceiling: Ceilings) -> bool:
        resource_type = inside.get("resourceType")
        if not isinstance(resource_type, str) or "contained" in inside:
            return False
        if resource_type not in COMPANIONS and resource_type not in self.types:
            return False
        if resource_type in DOCUMENTS:
            return False  # rules on documents go by the type of what is shown, and would see the container's
        allowed = ceiling(resource_type)
        if not allowed.allowed or not within(allowed.restrictions, inside):
            return False
        if resource_type == "Patient":
            return self._is_contained_patient(inside)
        return self._is_nobodys(inside, container, resolve)


def _once(entries: Sequence[Entry]) -> list[Entry]:
    """Without the repetitions that a feed sends when its pages shift: equal resources, not merely equal ids.

    Those of one id are compared by their text, each made once: by pairs, a feed that sends a thousand could hold a
    thread for seconds.
    """
    first: dict[str, Entry] = {}
    texts: dict[str, set[bytes]] = {}
    distinct = []
    for entry in entries:
        own = own_place(entry.resource)
        earlier = first.setdefault(own, entry)
        if earlier is not entry:
            known = texts.setdefault(own, {ordered(earlier.resource)})
            text = ordered(entry.resource)
            if text in known:
                continue
            known.add(text)
        distinct.append(entry)
    return distinct


def _meanings(kept: Iterable[Kept], resolve: Resolve) -> dict[str, str]:
    """What the references of `kept` mean, as far as they mean anything."""
    texts = set[str]().union(*(each.contents.references for each in kept))
    return {text: to for text in texts if (to := resolve(text)) is not None}


def _unbound(_: str) -> Ceiling:
    return Ceiling(allowed=True)


def _aliases(base: str, entries: Iterable[Entry]) -> dict[str, str | None]:
    """What the full URLs mean that are no places at the feed; None: two resources have it, which cannot be told."""
    found: dict[str, str | None] = {}
    for entry in entries:
        if entry.full_url and is_alias(base, entry.full_url):
            own = own_place(entry.resource)
            found[entry.full_url] = own if found.get(entry.full_url, own) == own else None
    return found


class _Resolver:
    """`Resolve` for one answer."""

    def __init__(self, base: str, aliases: Mapping[str, str | None]) -> None:
        self._base = base
        self._places = dict(aliases)

    def __call__(self, text: str) -> str | None:
        if text not in self._places:
            self._places[text] = place(self._base, text)  # most results of an answer name the same few places
        return self._places[text]


def _contained(container: Resource) -> list[Resource]:
    inside = container.get("contained")
    return [each for each in inside if isinstance(each, dict)] if isinstance(inside, list) else []


def referred_to(results: Iterable[Kept], companions: Iterable[Kept], resolve: Resolve) -> list[Kept]:
    """Those of `companions` that `results` refer to, directly or through another companion."""
    candidates: dict[str, list[Kept]] = {}
    for each in companions:
        candidates.setdefault(each.reference, []).append(each)
    reached: list[Kept] = []
    frontier = list(results)
    while frontier and candidates:
        named = {resolve(text): None for each in frontier for text in each.contents.references}
        frontier = [each for name in named if name is not None for each in candidates.pop(name, ())]
        reached.extend(frontier)
    return reached
