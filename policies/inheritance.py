"""What reports something sensitive is sensitive: labels go up, from a result to its report, from an entry to its list.

Only along elements that report (`coding.REPORTING`), and only what makes stricter. That whatever refers to something
withheld is withheld too is `withholding`.
"""

from collections.abc import Mapping, Sequence

from policies.coding import Contents
from policies.labels import Labels, inheriting


def inherited(
    labels: Sequence[Labels], references: Sequence[str], contents: Sequence[Contents], resolve: Mapping[str, str]
) -> list[Labels]:
    """The labels of each resource with those of all that it reports, however far down; cycles share theirs.

    The sequences are parallel, one place a resource; `resolve` maps literal references to `Type/id`.
    """
    found = list(labels)
    # Labels only grow, and there are few: each resource is visited a few times at most.
    waiting = [place for place, each in enumerate(labels) if each.is_inherited]
    if not waiting:
        return found
    reporters: dict[str, list[int]] = {}
    for place, each in enumerate(contents):
        for text in each.reports:
            if text is not None and text in resolve:
                reporters.setdefault(resolve[text], []).append(place)
    while waiting:
        reported = waiting.pop()
        for place in reporters.get(references[reported], ()):
            stricter = inheriting(found[place], found[reported])
            if stricter != found[place]:
                found[place] = stricter
                waiting.append(place)
    return found
