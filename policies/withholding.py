"""Withholding closes upward: what refers to, contains or reports something withheld is withheld too.

Works on one answer as a whole. Pure: it is given who may be shown what, and follows the references.
"""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from policies.coding import Contents, Pair
from policies.vocabulary.verdict import Withheld

REFERS_TO_WITHHELD = "refers-to-withheld"
OUTSIDE_THE_ANSWER = "reference-outside-answer"


class Judged(NamedTuple):
    """A resource of the answer, with what the rules said of it by itself."""

    reference: str
    """`Observation/77`"""
    contents: Contents
    withheld_by: str | None
    """The id of the rule that withholds it, or None."""


def close_upward(answer: Sequence[Judged], resolve: Mapping[str, str]) -> list[Withheld]:
    """Everything of `answer` that is not to be shown, each reference once, in the order of the answer.

    `resolve` maps each literal reference found in the answer to the `Type/id` that it means; what it does not map is
    outside the answer. Two resources of one reference share their fate.
    """
    present = {each.reference for each in answer}
    withheld: dict[str, str] = {}
    for each in answer:
        if each.withheld_by is not None:
            withheld.setdefault(each.reference, each.withheld_by)
        elif any(text is None or resolve.get(text) not in present for text in each.contents.reports):
            withheld.setdefault(each.reference, OUTSIDE_THE_ANSWER)
    if not withheld:
        return []
    texts: dict[str, list[str]] = {}
    for text, place in resolve.items():
        texts.setdefault(place, []).append(text)
    identifiers: dict[str, set[Pair]] = {}
    for each in answer:
        identifiers.setdefault(each.reference, set()).update(each.contents.identifiers)
    # One round for each step upward, and by whole sets: a source may name everything in everything.
    reached = set(withheld)
    while reached:
        rest = [each for each in answer if each.reference not in withheld]
        addresses = {text for place in reached for text in texts.get(place, ())}
        owned = set[Pair]().union(*(identifiers[place] for place in reached))
        reached = {each.reference for each in rest if _names(each.contents, addresses, owned)}
        withheld |= dict.fromkeys(reached, REFERS_TO_WITHHELD)
    in_order = dict.fromkeys(each.reference for each in answer)
    return [Withheld(reference, withheld[reference]) for reference in in_order if reference in withheld]


def _names(contents: Contents, addresses: Set[str], identifiers: Set[Pair]) -> bool:
    return not (contents.references.isdisjoint(addresses) and contents.logical.isdisjoint(identifiers))
