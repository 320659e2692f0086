"""The answer of one consultation as it grows: confined, labelled and withheld anew as a whole with every page read.

Judged as a whole because a later page may hold what an earlier one refers to.
"""

from collections.abc import Sequence

from fhir_adapters.interface import Entry
from plugin.attempt import Attempt
from plugin.consultation.compartment import Compartment, Confined, Kept, referred_to
from plugin.consultation.facts import Labelling
from plugin.consultation.fetch import Read
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
        self._shown: list[Kept] = []
        self.next: PagePosition | None = None

    def read_one(self, entry: Entry | None) -> None:
        """Judge the resource that a read brought; None if the feed does not have it."""
        self._judge([entry] if entry is not None else [])

    def filled(self, read: Sequence[Read]) -> bool:
        """Judge everything read so far; True once more is known than the page may show."""
        self._judge([each.entry for each in read])
        places = {id(each.entry.resource): each for each in read}
        fresh = [each for each in self._shown if each.companion or not places[id(each.resource)].spent]
        results = [each for each in fresh if not each.companion]
        self._shown = fresh
        if len(results) <= self._asked.count:
            return False
        beyond = {id(each.resource) for each in results[self._asked.count :]}
        self.next = places[id(results[self._asked.count].resource)].position
        self._shown = [each for each in fresh if id(each.resource) not in beyond]
        return True

    def release(self, attempt: Attempt, binding: PageBinding, base: str) -> Release:
        """What may be handed over once the record is durable. Raises Refused(NOT_FOUND) for a read of nothing."""
        shown = self._with_their_companions_only()
        attempt.withheld, attempt.foreign = self._withheld, self._confined.foreign
        if self._asked.interaction is Interaction.READ and not shown:
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
        self._shown = [each for each in self._confined.kept if each.reference not in hidden]

    def _with_their_companions_only(self) -> list[Kept]:
        """Companions are shown only beside a result of this page that leads to them."""
        results = [each for each in self._shown if not each.companion]
        if self._asked.interaction is Interaction.READ:
            return results
        companions = [each for each in self._shown if each.companion]
        return [*results, *referred_to(results, companions, self._confined.resolve.get)]


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
