"""Withholding closes upward: what refers to, contains or reports something withheld is withheld too.

Works on one answer as a whole. Pure: it is given who may be shown what, and follows the references.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.coding import nodes, references
from policies.vocabulary.verdict import Withheld

REFERS_TO_WITHHELD = "refers-to-withheld"
OUTSIDE_THE_ANSWER = "reference-outside-answer"

REPORTING = frozenset({"result", "hasMember", "derivedFrom", "entry", "target"})
"""Elements by which a resource reports another: what they name must be judged with it, or the referrer is not shown."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A resource of the answer, with what the rules said of it by itself."""

    reference: str
    """`Observation/77`"""
    resource: Mapping[str, Any]
    withheld_by: str | None
    """The id of the rule that withholds it, or None."""


def close_upward(answer: Sequence[Judged], resolve: Mapping[str, str]) -> list[Withheld]:
    """Everything of `answer` that is not to be shown, in the order of the answer.

    `resolve` maps each literal reference found in the answer to the `Type/id` that it means; what it does not map is
    outside the answer.
    """
    withheld = {each.reference: each.withheld_by for each in answer if each.withheld_by is not None}
    present = {each.reference for each in answer}
    for each in answer:
        if each.reference not in withheld and _reports_unjudged(each.resource, resolve, present):
            withheld[each.reference] = OUTSIDE_THE_ANSWER
    targets = {
        each.reference: {resolve[text] for text in references(each.resource) if text in resolve} - {each.reference}
        for each in answer
    }
    growing = True
    while growing:
        reached = [each for each, named in targets.items() if each not in withheld and named & withheld.keys()]
        withheld.update(dict.fromkeys(reached, REFERS_TO_WITHHELD))
        growing = bool(reached)
    return [Withheld(each.reference, withheld[each.reference]) for each in answer if each.reference in withheld]


def _reports_unjudged(resource: Mapping[str, Any], resolve: Mapping[str, str], present: set[str]) -> bool:
    for node in nodes(resource):
        for name in REPORTING & node.keys():
            for reported in _reported(node[name]):
                text = reported.get("reference")
                if isinstance(text, str) and text.startswith("#"):
                    continue  # contained: judged as a part of its container
                if not isinstance(text, str) or resolve.get(text) not in present:
                    return True
    return False


def _reported(value: Any) -> list[dict[str, Any]]:
    """The References under a reporting element: itself, a list of them, or the `item` of each entry of a List."""
    items = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
    found = [item["item"] if isinstance(item.get("item"), dict) else item for item in items]
    return [item for item in found if not item.keys().isdisjoint({"reference", "identifier", "display"})]
