"""Between steps 5 and 8: what lies outside an answer and has to be judged with it is read at the same feed.

What it is found to be is judged by the others; nothing is shown for having been looked up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fhir_adapters.interface import Call, Entry, FeedRefused, FeedTypeUnknown, Page
from plugin.consultation.feed_line import FeedLine
from plugin.consultation.feed_places import own_place
from plugin.consultation.findings import Match
from plugin.errors import FeedFailed
from policies.vocabulary.resource_types import COMPANIONS, PATIENT_PATHS

MAX_QUESTIONS = 50
"""To the feed, for one consultation. Whatever would need more is not judged, and so what reports it is not shown."""

IDS_IN_A_QUESTION = 50
"""Some 3 kB of address at most; servers take 8 kB."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question: for a resource, or for several of a type in a list."""

    type: str
    ids: tuple[str, ...]

    @property
    def is_list(self) -> bool:
        return len(self.ids) > 1

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(f"{self.type}/{each}" for each in self.ids)


class LookUps:
    """The look-ups of one consultation: each place is asked for once, whatever came of it."""

    def __init__(self, feed: FeedLine, match: Match, types: Sequence[str], call: Call) -> None:
        """`types` are those that the feed is configured for; what may be about nobody is read as well."""
        self._feed, self._match, self._call = feed, match, call
        self._types = COMPANIONS.union(types)
        self._questions = 0
        self._takes_lists = True
        self._known: dict[str, list[Entry]] = {}

    @property
    def known(self) -> Mapping[str, Sequence[Entry]]:
        """`Type/id` -> what was found there, for every place asked for."""
        return self._known

    def find(self, places: Iterable[str]) -> list[Entry]:
        """What the feed has at `places` (`Type/id`), as far as it may be asked. Raises ConsultError if it fails."""
        wanted = list(dict.fromkeys(places))
        by_type: dict[str, list[str]] = {}
        for place in wanted:
            resource_type, _, resource_id = place.partition("/")
            if place not in self._known and resource_type in self._types:
                by_type.setdefault(resource_type, []).append(resource_id)
        self._ask_once(
            _Asked(resource_type, tuple(ids[start : start + IDS_IN_A_QUESTION]))
            for resource_type, ids in by_type.items()
            for start in range(0, len(ids), IDS_IN_A_QUESTION)
        )
        # One by one: what a list did not bring, since a server may not know lists, or give one page of them.
        self._ask_once(_Asked(name, (one,)) for name, ids in by_type.items() for one in ids)
        return [entry for place in wanted for entry in self._known.get(place, ())]

    def _ask_once(self, wanted: Iterable["_Asked"]) -> None:
        """Put those questions that are open and within bounds, side by side: none waits for what another brings."""
        questions = [
            each
            for each in wanted
            if (self._takes_lists or not each.is_list) and each.places[0] not in self._known and self._may_ask()
        ]
        if len(questions) < 2:
            answers = [self._answer(self._feed, each) for each in questions]
        else:
            answers = self._feed.side_by_side(self._answer, questions)
        for question, answer in zip(questions, answers, strict=True):
            self._learn(question, answer)

    def _learn(self, question: "_Asked", answer: Sequence[Entry] | None) -> None:
        if answer is None:
            self._takes_lists = False
        elif not question.is_list:
            self._known[question.places[0]] = list(answer)
        else:
            places = set(question.places)
            for entry in answer:
                if (place := own_place(entry.resource)) in places:
                    self._known.setdefault(place, []).append(entry)

    def _answer(self, feed: FeedLine, question: "_Asked") -> Sequence[Entry] | None:
        """None: the feed takes no lists."""
        if not question.is_list:
            return self._read(feed, question.type, question.ids[0])
        page = self._searched(feed, question.type, question.ids)
        return None if page is None else page.entries

    def _may_ask(self) -> bool:
        if self._questions == MAX_QUESTIONS:
            return False
        self._questions += 1
        return True

    def _searched(self, feed: FeedLine, resource_type: str, ids: Sequence[str]) -> Page | None:
        # One more than there can be: a server that gives no links has then said that nothing follows.
        parameters = [("_id", ",".join(ids)), ("_count", str(len(ids) + 1))]
        if resource_type in PATIENT_PATHS and resource_type != "Patient":
            parameters.insert(0, ("patient", f"Patient/{self._match.patient}"))
        try:
            return feed.search(resource_type, tuple(parameters), self._call)
        except FeedFailed as failure:
            _refused_or_raise(failure)
            return None

    def _read(self, feed: FeedLine, resource_type: str, resource_id: str) -> list[Entry]:
        try:
            resource = feed.read(resource_type, resource_id, self._call)
        except FeedFailed as failure:
            _refused_or_raise(failure)
            return []
        return [] if resource is None else [Entry(resource)]


def _refused_or_raise(failure: FeedFailed) -> None:
    """A feed that does not answer this question is as one that has nothing; one that fails is not."""
    if failure.feed_answer not in {FeedRefused.kind, FeedTypeUnknown.kind}:
        raise failure
