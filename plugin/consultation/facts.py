"""Step 7: facts of each resource -> labels, and what the rules say of each distinct set of them."""

from collections.abc import Mapping, Sequence

from plugin.consultation.findings import NOT_ASKED, RESOURCE_TYPES, Kept, Opposition
from policies.coding import Contents, Pair
from policies.decision import Signature, decide_show
from policies.inheritance import inherited
from policies.labels import Labels, labels_of
from policies.rulebook import Rulebook
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Identity
from policies.vocabulary.security_labels import ACT_CODE, CONFIDENTIALITY, STRICTNESS
from policies.vocabulary.verdict import Deny
from policies.withholding import Judged


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
        self._withheld_by: dict[Signature, str | None] = {}

    def labels(self, kept: Kept) -> Labels:
        """The labels of a resource of this consultation by itself."""
        key = (kept.resource["resourceType"], kept.contents.codings)
        found = self._labels.get(key)
        if found is None:  # of an answer's results most have their codes in common with others
            found = self._labels[key] = labels_of(self._rules.tables, key[0], kept.contents, self._documents)
        return found

    def judge(self, kept: Sequence[Kept], resolve: Mapping[str, str]) -> list[Judged]:
        """Each resource with the rule that withholds it for its labels, those of what it reports included, or None."""
        own = [self.labels(each) for each in kept]
        labels = inherited(own, [each.reference for each in kept], [each.contents for each in kept], resolve)
        opposing = bool(self._opposition.narrowed)
        signatures = [
            Signature(its_own, opposed=opposing and self._is_opposed(its_own, each.contents))
            for each, its_own in zip(kept, labels, strict=True)
        ]
        new = [each for each in dict.fromkeys(signatures) if each not in self._withheld_by]
        for each, verdict in zip(
            new, decide_show(self._rules, self._identity, self._asked, self._circumstances, new), strict=True
        ):
            self._withheld_by[each] = verdict.rules[0] if isinstance(verdict, Deny) else None
        return [
            Judged(each.reference, each.contents, each.withheld_by or self._withheld_by[its_own])
            for each, its_own in zip(kept, signatures, strict=True)
        ]

    def _is_opposed(self, labels: Labels, contents: Contents) -> bool:
        """Whether the patient opposes that this result is shown: what it reports counts, as for every rule."""
        return any(
            (not classes or not classes.isdisjoint(contents.codings | {(RESOURCE_TYPES, labels.type)}))
            and (not codes or any(_bears(labels, contents, system, code) for system, code in codes))
            for classes, codes in self._opposition.narrowed
        )


def _bears(labels: Labels, contents: Contents, system: str, code: str) -> bool:
    """Whether a result has a security label, of a confidentiality the same or a stricter one."""
    if system == CONFIDENTIALITY:
        return labels.confidentiality is not None and STRICTNESS[labels.confidentiality] >= STRICTNESS[code]
    return (system == ACT_CODE and code in labels.sensitivity) or (system, code) in contents.codings
