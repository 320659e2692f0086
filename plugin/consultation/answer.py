"""The answer of one consultation as it grows: confined, labelled and withheld anew as a whole with every page read.

Judged as a whole because a later page may hold what an earlier one refers to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_adapters.interface import Entry
from plugin.attempt import Attempt
from plugin.consultation.compartment import Compartment, referred_to
from plugin.consultation.facts import Labelling
from plugin.consultation.findings import Confined, Kept, Read
from plugin.consultation.release import Release, Shown, ready
from plugin.errors import Refused
from policies.vocabulary.consultation import ClinicalConsultation, PageBinding, PagePosition, Reason
from policies.vocabulary.interactions import Interaction
from policies.vocabulary.verdict import Withheld
from policies.withholding import close_upward


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What steps 6 to 8 say of some entries."""

    confined: Confined
    withheld: Sequence[Withheld]
    results: Sequence[Kept]
    """Asked for, and to be shown."""
    companions: Sequence[Kept]
    """May be shown beside a result that leads to them."""


class Answer:
    """Steps 6 to 8 over everything that step 5 has brought so far."""

    def __init__(
        self,
        attempt: Attempt,
        asked: ClinicalConsultation,
        compartment: Compartment,
        labelling: Labelling,
        *,
        most: int,
    ) -> None:
        """`attempt` learns what was held back, also of a look that fails later.

        `most` resources may be read for one look, shown or not.
        """
        self._attempt = attempt
        self._asked = asked
        self._most = most
        self._compartment = compartment
        self._labelling = labelling
        self._judgement = self._judged([])
        self._results: Sequence[Kept] = ()
        self._next: PagePosition | None = None

    def read_one(self, entry: Entry | None) -> None:
        """Judge the resource that a read brought; None if the feed does not have it."""
        self._judge([entry] if entry is not None else [])
        self._results = self._judgement.results

    def filled(self, read: Sequence[Read]) -> bool:
        """Judge everything read so far; True once more is known than the page may show.

        Raises Refused(TOO_COSTLY) if that is more than one look may be.
        """
        if len(read) > self._most:
            raise Refused(Reason.TOO_COSTLY, rules=("cap",))
        self._judge([each.entry for each in read])
        spent = {id(each.entry.resource) for each in read if each.spent}
        fresh = [each for each in self._judgement.results if id(each.resource) not in spent]
        self._results, beyond = fresh[: self._asked.count], fresh[self._asked.count :]
        if beyond:
            self._next = self._position(read, beyond[0])
        return bool(beyond)

    def release(self, binding: PageBinding, base: str) -> Release:
        """What may be handed over once the record is durable. Raises Refused(NOT_FOUND) for a read of nothing."""
        shown = list(self._results)
        if self._asked.interaction is not Interaction.READ:
            shown += referred_to(shown, self._judgement.companions, self._judgement.confined.resolve.get)
        elif not shown:
            raise Refused(Reason.NOT_FOUND, rules=self._attempt.rules)
        self._attempt.released = [
            {"reference": each.reference, "category": self._labelling.labels(each).category} for each in shown
        ]
        ready_to_show = tuple(Shown(each.reference, ready(each.resource, base), each.companion) for each in shown)
        return Release(self._asked, ready_to_show, binding, self._next)

    def _judge(self, entries: Sequence[Entry]) -> None:
        self._judgement = self._judged(entries)
        self._attempt.withheld, self._attempt.foreign = self._judgement.withheld, self._judgement.confined.foreign

    def _judged(self, entries: Sequence[Entry]) -> _Judgement:
        confined = self._compartment.confine(_distinct(entries))  # 6 confine
        judged = self._labelling.judge(confined.kept, confined.resolve)  # 7 label
        withheld = close_upward(judged, confined.resolve)  # 8 withhold
        hidden = {each.reference for each in withheld}
        shown = [each for each in confined.kept if each.reference not in hidden]
        results = [each for each in shown if not each.companion]
        return _Judgement(confined, withheld, results, [each for each in shown if each.companion])

    def _position(self, read: Sequence[Read], result: Kept) -> PagePosition:
        """Where to go on reading so that `result` is found there again.

        At the page where it stood; or at an earlier one, where it is shown only together with what it reports: else
        the next page would be empty, and tell that something is not shown.
        """
        at = next(place for place, each in enumerate(read) if each.entry.resource is result.resource)
        starts = [place for place in range(at + 1) if place == 0 or read[place].page != read[place - 1].page]
        for start in reversed(starts[1:]):
            alone = self._judged([each.entry for each in read[start:]])
            if any(each.resource is result.resource for each in alone.results):
                return PagePosition(read[start].page, at - start)
        return PagePosition(read[0].page, at)


def _distinct(entries: Sequence[Entry]) -> list[Entry]:
    """Without the repetitions that a feed sends when its pages shift: equal resources, not merely equal ids."""
    seen: dict[tuple[object, object], list[Entry]] = {}
    distinct = []
    for entry in entries:
        twins = seen.setdefault((entry.resource.get("resourceType"), entry.resource.get("id")), [])
        if not any(twin.resource == entry.resource for twin in twins):
            twins.append(entry)
            distinct.append(entry)
    return distinct
