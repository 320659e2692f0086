"""Step 7: facts of each resource -> labels, and what the rules say of each distinct set of them."""

from collections.abc import Sequence

from plugin.consultation.findings import Kept
from policies.decision import decide_show
from policies.labels import Labels, labels_of
from policies.rulebook import Rulebook
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Identity
from policies.vocabulary.verdict import Deny
from policies.withholding import Judged


class Labelling:
    """Labels and verdicts for one consultation, each resource and each label signature judged once."""

    def __init__(
        self, rules: Rulebook, identity: Identity, asked: ClinicalConsultation, care_relation: str | None
    ) -> None:
        self._rules, self._identity, self._asked, self._relation = rules, identity, asked, care_relation
        self._labels: dict[int, Labels] = {}
        self._withheld_by: dict[Labels, str | None] = {}

    def labels(self, kept: Kept) -> Labels:
        """The labels of a resource of this consultation."""
        key = id(kept.resource)  # the tree lives as long as the answer that it belongs to
        if key not in self._labels:
            self._labels[key] = labels_of(kept.resource["resourceType"], kept.contents)
        return self._labels[key]

    def judge(self, kept: Sequence[Kept]) -> list[Judged]:
        """Each resource with the rule that withholds it by itself, or None."""
        new = [each for each in dict.fromkeys(self.labels(each) for each in kept) if each not in self._withheld_by]
        verdicts = decide_show(self._rules, self._identity, self._asked, self._relation, new)
        for labels, verdict in zip(new, verdicts, strict=True):
            self._withheld_by[labels] = verdict.rules[0] if isinstance(verdict, Deny) else None
        by_label = [self._withheld_by[self.labels(each)] for each in kept]
        return [
            Judged(each.reference, each.contents, each.withheld_by or rule)
            for each, rule in zip(kept, by_label, strict=True)
        ]
