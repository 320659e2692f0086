"""Step 7: facts of each resource -> labels, and what the rules say of each distinct set of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from plugin.consultation.findings import NOT_ASKED, RESOURCE_TYPES, Kept, Opposition
from policies.coding import Contents, Pair, contents
from policies.decision import Signature, decide_show
from policies.inheritance import inherited
from policies.labels import Labels, category_of, labels_of
from policies.rulebook import Rulebook
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Identity
from policies.vocabulary.resource_types import DIRECTORY
from policies.vocabulary.security_labels import ACT_CODE_NAMES, CONFIDENTIALITY_NAMES, STRICTNESS
from policies.vocabulary.verdict import Deny
from policies.withholding import Judged


class _Kind(NamedTuple):
    """What a resource is by itself."""

    type: str
    category: str


class Labelling:
    """Labels and verdicts for one consultation, each set of codes and each label signature judged once."""

    def __init__(
        self,
        rules: Rulebook,
        identity: Identity,
        asked: ClinicalConsultation,
        circumstances: Circumstances,
        documents: str | None = None,
        opposition: Opposition = NOT_ASKED,
    ) -> None:
        """`documents`: the confidentiality that whole documents of the feed have at least."""
        self._opposition = opposition
        self._rules, self._identity, self._asked, self._circumstances = rules, identity, asked, circumstances
        self._documents = documents
        self._labels: dict[tuple[str, frozenset[Pair]], Labels] = {}
        self._known_kinds: dict[int, tuple[Mapping[str, Any], tuple[_Kind, ...]]] = {}
        """id of a resource -> itself, so that no other comes to have that id, and its kinds."""
        self._withheld_by: dict[Signature, str | None] = {}

    def labels(self, kept: Kept) -> Labels:
        """The labels of a resource of this consultation by itself."""
        key = (kept.resource["resourceType"], kept.contents.codings)
        found = self._labels.get(key)
        if found is None:  # of an answer's results most have their codes in common with others
            found = self._labels[key] = labels_of(self._rules.tables, key[0], kept.contents, self._documents)
        # What kind of data it is itself, codes inside it do not say.
        return found if kept.contents.resources == 1 else found._replace(category=self._kinds(kept)[0].category)

    def judge(self, kept: Sequence[Kept], resolve: Mapping[str, str]) -> list[Judged]:
        """Each resource with the rule that withholds it for its labels, those of what it reports included, or None.

        A rule that withholds a resource inside it, by that one's type or category, withholds the whole.
        """
        own = [self.labels(each) for each in kept]
        labels = inherited(own, [each.reference for each in kept], [each.contents for each in kept], resolve)
        signatures = [
            tuple(self._signature(each, of_one) for of_one in (its_own, *self._inside(each, its_own)))
            for each, its_own in zip(kept, labels, strict=True)
        ]
        all_of_them = dict.fromkeys(each for of_one in signatures for each in of_one)
        new = [each for each in all_of_them if each not in self._withheld_by]
        for each, verdict in zip(
            new, decide_show(self._rules, self._identity, self._asked, self._circumstances, new), strict=True
        ):
            self._withheld_by[each] = verdict.rules[0] if isinstance(verdict, Deny) else None
        return [
            Judged(each.reference, each.contents, each.withheld_by or self._first_rule(of_one))
            for each, of_one in zip(kept, signatures, strict=True)
        ]

    def _inside(self, kept: Kept, labels: Labels) -> Iterator[Labels]:
        """The labels of what a resource contains: of its own type and kind of data, else those of the whole."""
        if kept.contents.resources > 1 and kept.withheld_by is None:  # else its form was judged by nobody
            for each in self._kinds(kept)[1:]:
                yield labels._replace(type=each.type, category=each.category, document=False)

    def _kinds(self, kept: Kept) -> tuple[_Kind, ...]:
        """What a resource is that contains others, and what those are: walked once, however often it is judged."""
        known = self._known_kinds.get(id(kept.resource))
        if known is None:
            known = self._known_kinds[id(kept.resource)] = kept.resource, tuple(_kinds(kept.resource))
        return known[1]

    def _signature(self, kept: Kept, labels: Labels) -> Signature:
        return Signature(labels, opposed=bool(self._opposition.narrowed) and self._is_opposed(labels, kept.contents))

    def _first_rule(self, signatures: Sequence[Signature]) -> str | None:
        return next((rule for each in signatures if (rule := self._withheld_by[each]) is not None), None)

    def _is_opposed(self, labels: Labels, contents: Contents) -> bool:
        """Whether the patient opposes that this result is shown: what it reports counts, as for every rule."""
        own = contents.codings | {(RESOURCE_TYPES, labels.type)}
        return any(
            (not classes or not classes.isdisjoint(own))
            and (not codes or any(_bears(labels, contents, system, code) for system, code in codes))
            for classes, codes in self._opposition.narrowed
        )


def _kinds(resource: Mapping[str, Any]) -> Iterator[_Kind]:
    """Of a resource and of what it contains, but for a directory and the patient: these tell nothing that a rule would
    withhold. What is not in FHIR's form is passed over.
    """
    of_type = resource["resourceType"]
    alone = {name: value for name, value in resource.items() if name != "contained"}
    yield _Kind(of_type, category_of(of_type, contents(alone).codings))
    inside = resource.get("contained")
    for each in inside if isinstance(inside, list) else []:
        of_type = each.get("resourceType") if isinstance(each, dict) else None
        if isinstance(of_type, str) and of_type not in DIRECTORY and of_type != "Patient":
            yield _Kind(of_type, category_of(of_type, contents(each).codings))


def _bears(labels: Labels, contents: Contents, system: str, code: str) -> bool:
    """Whether a result has a security label, of a confidentiality the same or a stricter one."""
    if system in CONFIDENTIALITY_NAMES:
        return labels.confidentiality is not None and STRICTNESS[labels.confidentiality] >= STRICTNESS[code]
    return code in labels.sensitivity or any((name, code) in contents.codings for name in ACT_CODE_NAMES)
