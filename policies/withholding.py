"""Withholding closes upward: what refers to, contains or reports something withheld is withheld too.

Works on one answer as a whole. Pure: it is given who may be shown what, and follows the references.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    referrers = _referrers(answer, resolve)
    reached = list(withheld)
    while reached:
        for referrer in referrers.get(reached.pop(), ()):
            if referrer not in withheld:
                withheld[referrer] = REFERS_TO_WITHHELD
                reached.append(referrer)
    in_order = dict.fromkeys(each.reference for each in answer)
    return [Withheld(reference, withheld[reference]) for reference in in_order if reference in withheld]


def _referrers(answer: Sequence[Judged], resolve: Mapping[str, str]) -> dict[str, set[str]]:
    """`Type/id` -> what of the answer names it, by address or by identifier."""
    owners: dict[Pair, set[str]] = {}
    for each in answer:
        for identifier in each.contents.identifiers:
            owners.setdefault(identifier, set()).add(each.reference)
    referrers: dict[str, set[str]] = {}
    for each in answer:
        for named in _named(each.contents, resolve, owners):
            referrers.setdefault(named, set()).add(each.reference)
    return referrers


def _named(contents: Contents, resolve: Mapping[str, str], owners: Mapping[Pair, set[str]]) -> Iterator[str]:
    yield from (resolve[text] for text in contents.references if text in resolve)
    for identifier in contents.logical:
        yield from owners.get(identifier, ())
