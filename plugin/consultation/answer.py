"""The answer of one consultation as it grows: confined, labelled and withheld anew as a whole with every page read.

Judged as a whole because a later page may hold what an earlier one refers to.
"""

from collections.abc import Sequence

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


class Answer:
    """Steps 6 to 8 over everything that step 5 has brought so far."""

    def __init__(self, asked: ClinicalConsultation, compartment: Compartment, labelling: Labelling) -> None:
        self._asked = asked
        self._compartment = compartment
        self._labelling = labelling
        self._confined = Confined((), 0, {})
        self._withheld: list[Withheld] = []
        self._results: list[Kept] = []
        self._companions: list[Kept] = []
        self.next: PagePosition | None = None

    def read_one(self, entry: Entry | None) -> None:
        """Judge the resource that a read brought; None if the feed does not have it."""
        self._judge([entry] if entry is not None else [])

    def filled(self, read: Sequence[Read]) -> bool:
        """Judge everything read so far; True once more is known than the page may show: `next` is where it stands."""
        self._judge([each.entry for each in read])
        places = {id(each.entry.resource): each for each in read}
        fresh = [each for each in self._results if not places[id(each.resource)].spent]
        self._results, beyond = fresh[: self._asked.count], fresh[self._asked.count :]
        if beyond:
            self.next = places[id(beyond[0].resource)].position
        return bool(beyond)

    def release(self, attempt: Attempt, binding: PageBinding, base: str) -> Release:
        """What may be handed over once the record is durable; companions only beside a result that leads to them.

        Raises Refused(NOT_FOUND) for a read of nothing.
        """
        attempt.withheld, attempt.foreign = self._withheld, self._confined.foreign
        shown = self._results
        if self._asked.interaction is not Interaction.READ:
            shown = [*shown, *referred_to(shown, self._companions, self._confined.resolve.get)]
        elif not shown:
            raise Refused(Reason.NOT_FOUND, rules=attempt.rules)
        attempt.released = [
            {"reference": each.reference, "category": self._labelling.labels(each).category} for each in shown
        ]
        ready_to_show = tuple(Shown(each.reference, ready(each.resource, base), each.companion) for each in shown)
        return Release(self._asked, ready_to_show, binding, self.next)

    def _judge(self, entries: Sequence[Entry]) -> None:
        self._confined = self._compartment.confine(_distinct(entries))  # 6 confine
        judged = self._labelling.judge(self._confined.kept)  # 7 label
        self._withheld = close_upward(judged, self._confined.resolve)  # 8 withhold
        hidden = {each.reference for each in self._withheld}
        shown = [each for each in self._confined.kept if each.reference not in hidden]
        self._results = [each for each in shown if not each.companion]
        self._companions = [each for each in shown if each.companion]


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
