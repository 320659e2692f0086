"""The answer of one consultation as it grows: confined, labelled and withheld anew as a whole with every page read.

Judged as a whole because a later page may hold what an earlier one refers to; with what lies outside it, because what
a resource reports says as much as itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fhir_adapters.interface import Entry, Tree
from plugin.attempt import Attempt
from plugin.consultation.attachments import named_files
from plugin.consultation.compartment import Compartment, referred_to
from plugin.consultation.facts import Labelling
from plugin.consultation.feed_places import is_alias, own_place
from plugin.consultation.findings import Confined, Kept, Read
from plugin.consultation.look_up import MAX_QUESTIONS, LookUps
from plugin.consultation.release import Release, Shown, ready
from plugin.errors import Refused
from policies.coding import references_at
from policies.vocabulary.consultation import ClinicalConsultation, PageBinding, PagePosition, Reason
from policies.vocabulary.interactions import Interaction
from policies.vocabulary.resource_types import COMPANIONS, CONSULTABLE, DIRECTORY
from policies.vocabulary.search_parameters import INCLUDE, includes
from policies.vocabulary.verdict import Withheld
from policies.withholding import close_upward

MAX_DEPTH = 8
"""Links from a result of the answer to what is looked up for it, each a further question; real panels nest thrice."""

MAX_STARTS = 4
"""Pages of the feed, the last ones, from which going on is tried; else from the first, where everything is found again.
Each costs as much as judging all of the answer."""

_TELLING = COMPANIONS.union(CONSULTABLE) - DIRECTORY - {"Patient"}
"""Types that rules may withhold for what they say, a Medication by its code among them: looked up wherever named."""

LookUp = Callable[[Iterable[str]], Sequence[Entry]]
"""Places (`Type/id`) -> what is there."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What steps 6 to 8 say of some entries."""

    confined: Confined
    withheld: Sequence[Withheld]
    results: Sequence[Kept]
    """Asked for, and to be shown."""
    companions: Sequence[Kept]
    """May be shown beside a result that leads to them."""
    outside: Sequence[Kept]
    """Looked up, and not withheld."""


class Answer:
    """Steps 6 to 8 over everything that step 5 has brought so far."""

    def __init__(
        self,
        attempt: Attempt,
        asked: ClinicalConsultation,
        compartment: Compartment,
        labelling: Labelling,
        look_ups: LookUps,
        *,
        most: int,
    ) -> None:
        """`attempt` learns what was held back, also of a look that fails later.

        `most` resources may be read for one look, shown or not.
        """
        self._look_ups = look_ups
        self._attempt = attempt
        self._asked = asked
        self._most = most
        self._compartment = compartment
        self._labelling = labelling
        self._included_paths = _included_paths(asked)
        self._judgement = _NOTHING_JUDGED
        self._results: Sequence[Kept] = ()
        self._next: PagePosition | None = None

    def read_one(self, entry: Entry | None) -> None:
        """Judge the resource that a read brought; None if the feed does not have it."""
        self._judge([entry] if entry is not None else [])
        self._results = self._judgement.results

    def judge_all(self, read: Sequence[Read]) -> None:
        """Judge a page's whole answers. Raises Refused(TOO_COSTLY) as `filled` does: a page is never cut short."""
        self._judge([each.entry for each in read])
        self._results = self._judgement.results

    def filled(self, read: Sequence[Read]) -> bool:
        """Judge everything read so far; True once more is known than the page may show.

        Raises Refused(TOO_COSTLY) if that is more than one look may be.
        """
        self._judge([each.entry for each in read])
        spent = {id(each.entry.resource) for each in read if each.spent}
        fresh = [each for each in self._judgement.results if id(each.resource) not in spent]
        self._results, beyond = fresh[: self._asked.count], fresh[self._asked.count :]
        if beyond:
            self._next = self._position(read, beyond[0])
        return bool(beyond)

    def document(self) -> Tree:
        """What a read brought, as it was judged. Raises Refused(NOT_FOUND) unless it may be shown."""
        if not self._results:
            raise Refused(Reason.NOT_FOUND, rules=self._attempt.rules)
        return self._results[0].resource

    def release(self, binding: PageBinding, base: str) -> Release:
        """What may be handed over once the record is durable. Raises Refused(NOT_FOUND) for a read of nothing."""
        shown = list(self._results)
        if self._asked.interaction is not Interaction.READ:
            shown += self._beside(shown)
        elif not shown:
            raise Refused(Reason.NOT_FOUND, rules=self._attempt.rules)
        categories = [self._labelling.labels(each).category for each in shown]
        self._attempt.released = [
            {"reference": each.reference, "category": category}
            for each, category in zip(shown, categories, strict=True)
        ]
        asked_for = len(self._results)
        aliases = self._aliases(base)
        ready_to_show = tuple(
            Shown(
                each.reference,
                ready(
                    each.resource,
                    base,
                    aliases,
                    plain=each.contents.plain and aliases.keys().isdisjoint(each.contents.references),
                ),
                place >= asked_for,
                category,
                () if each.contents.plain else named_files(each.resource, base),
            )
            for place, (each, category) in enumerate(zip(shown, categories, strict=True))
        )
        return Release(self._asked, ready_to_show, binding, self._next)

    def _aliases(self, base: str) -> dict[str, str]:
        """What references by a fullUrl mean that is no place at the feed: of the patient, and of what may be shown.
        Others stay as they are."""
        judged = self._judgement
        found = {text: to for text, to in judged.confined.resolve.items() if is_alias(base, text)}
        if not found:  # nearly always
            return found
        there = {each.reference for each in (*judged.results, *judged.companions, *judged.outside)}
        there.add(f"Patient/{self._compartment.match.patient}")
        return {text: to for text, to in found.items() if to in there}

    def _beside(self, shown: Sequence[Kept]) -> list[Kept]:
        """What is shown beside the results: companions that the feed sent, and what was asked to be included."""
        judged = self._judgement
        resolve = judged.confined.resolve.get
        beside = referred_to(shown, judged.companions, resolve)
        there = {each.reference for each in (*shown, *beside)}
        wanted = {resolve(text) for text in self._included_texts(shown)} - there
        for each in (*judged.results, *judged.outside) if wanted else ():
            if each.reference in wanted and (not each.companion or self._compartment.may_show(each)):
                wanted.remove(each.reference)
                beside.append(each)
        return beside

    def _included_texts(self, results: Sequence[Kept]) -> Iterable[str]:
        """References of `results` to what is to be included with them."""
        for each in results if self._included_paths else ():
            for path in self._included_paths:
                yield from references_at(each.resource, path)

    def _judge(self, entries: Sequence[Entry]) -> None:
        self._refuse_too_many(len(entries))
        self._judgement = self._judged(entries, self._look_ups.find)
        self._attempt.withheld, self._attempt.foreign = self._judgement.withheld, self._judgement.confined.foreign
        self._refuse_too_many(len(entries) + sum(map(len, self._look_ups.known.values())))

    def _refuse_too_many(self, read: int) -> None:
        if read > self._most:
            raise Refused(Reason.TOO_COSTLY, rules=("cap",))

    def _judged(self, entries: Sequence[Entry], look_up: LookUp) -> _Judgement:
        confined = alone = self._compartment.confine(entries)  # 6 confine
        looked_up: list[Entry] = []
        for _ in range(MAX_DEPTH):
            more = look_up(wanted) if (wanted := self._wanted(confined, looked_up)) else ()
            if not more:
                break
            looked_up += more
            confined = self._compartment.widened(alone, entries, looked_up)
        everything = (*confined.kept, *confined.outside)
        judged = self._labelling.judge(everything, confined.resolve)  # 7 label
        withheld = close_upward(judged, confined.resolve)  # 8 withhold
        hidden = {each.reference for each in withheld}
        shown = [each for each in confined.kept if each.reference not in hidden]
        return _Judgement(
            confined,
            withheld,
            results=[each for each in shown if not each.companion],
            companions=[each for each in shown if each.companion],
            outside=[each for each in confined.outside if each.reference not in hidden],
        )

    def _wanted(self, confined: Confined, looked_up: Sequence[Entry]) -> list[str]:
        """Places outside the answer that something in it names, what it reports first: all that could withhold it.

        Whatever may be withheld is wanted, so that a resource has one fate in every look: read alone, found by another
        question, or on a page without what it names. What is to be included with a result is wanted too.
        """
        everything = [each.contents for each in (*confined.kept, *confined.outside)]
        reported = _in_order(each.reports for each in everything)
        named = _in_order(each.references for each in everything)
        included = self._included_texts([each for each in confined.kept if not each.companion])
        resolve = confined.resolve.get
        places = dict.fromkeys(resolve(text) for text in (*reported, *included))
        places |= dict.fromkeys(place for text in named if _is_telling(place := resolve(text)))
        there = {each.reference for each in confined.kept} | {own_place(each.resource) for each in looked_up}
        return [place for place in places if place is not None and place not in there]

    def _position(self, read: Sequence[Read], result: Kept) -> PagePosition:
        """Where to go on reading so that `result` is found there again.

        At the page where it stood; or at an earlier one, where it is shown only together with what it reports: else
        the next page would be empty, and tell that something is not shown. What it reports may be looked up from there,
        as far as a feed can be asked that takes no lists.
        """
        known = {place: list(found) for place, found in self._look_ups.known.items()}
        for each in read:
            known.setdefault(own_place(each.entry.resource), []).append(each.entry)
        at = next(place for place, each in enumerate(read) if each.entry.resource is result.resource)
        starts = [place for place in range(at + 1) if place == 0 or read[place].page != read[place - 1].page]
        for start in reversed(starts[1:][-MAX_STARTS:]):
            alone = self._judged([each.entry for each in read[start:]], _Remembered(known))
            if any(each.resource is result.resource for each in alone.results):
                return PagePosition(read[start].page, at - start)
        return PagePosition(read[0].page, at)


_NOTHING_JUDGED = _Judgement(Confined((), (), 0, {}), (), (), (), ())


def _included_paths(asked: ClinicalConsultation) -> list[str]:
    """The elements that lead to what is to be included."""
    named = [value for name, value in asked.parameters if name == INCLUDE]
    paths = {value: path for each in asked.types if named for value, path in includes(each).items()}
    # A link lives longer than a version of the table: what it no longer names is not included.
    return [paths[value] for value in named if value in paths]


def _in_order(texts: Iterable[frozenset[str] | frozenset[str | None]]) -> dict[str, None]:
    """Each text once; sorted within each resource, so that the same look asks the feed the same questions."""
    found: dict[str, None] = {}
    for each in texts:
        if new := [text for text in each if text is not None and text not in found]:
            found |= dict.fromkeys(sorted(new))
    return found


def _is_telling(place: str | None) -> bool:
    return place is not None and place.partition("/")[0] in _TELLING


class _Remembered:
    """A `LookUp` in what was read already: what the next page's consultation will find, with as few questions."""

    def __init__(self, known: Mapping[str, Sequence[Entry]]) -> None:
        self._known = known
        self._asked: dict[str, None] = {}

    def __call__(self, places: Iterable[str]) -> Sequence[Entry]:
        found: list[Entry] = []
        for place in places:
            if place in self._asked or len(self._asked) < MAX_QUESTIONS:
                self._asked[place] = None
                found += self._known.get(place, ())
        return found
