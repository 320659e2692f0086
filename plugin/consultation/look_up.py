"""Between steps 5 and 8: what lies outside an answer and has to be judged with it is read at the same feed.

What it is found to be is judged by the others; nothing is shown for having been looked up.
"""

from collections.abc import Iterable, Mapping, Sequence

from fhir_adapters.interface import Call, Entry, FeedRefused, Page
from plugin.consultation.feed_line import FeedLine
from plugin.consultation.feed_places import own_place
from plugin.consultation.findings import Match
from plugin.errors import FeedFailed
from policies.vocabulary.resource_types import COMPANIONS, PATIENT_PATHS

MAX_QUESTIONS = 50
"""To the feed, for one consultation. Whatever would need more is not judged, and so what reports it is not shown."""

IDS_IN_A_QUESTION = 50
"""Some 3 kB of address at most; servers take 8 kB."""


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
        for resource_type, ids in by_type.items():
            for start in range(0, len(ids), IDS_IN_A_QUESTION):
                self._ask(resource_type, ids[start : start + IDS_IN_A_QUESTION])
        return [entry for place in wanted for entry in self._known.get(place, ())]

    def _ask(self, resource_type: str, ids: Sequence[str]) -> None:
        if len(ids) > 1 and self._takes_lists and self._may_ask():
            page = self._searched(resource_type, ids)
            for entry in page.entries if page is not None else ():
                if entry.resource["resourceType"] == resource_type and entry.resource["id"] in ids:
                    self._known.setdefault(own_place(entry.resource), []).append(entry)
        # One by one: what a list did not bring, since a server may not know lists, or give one page of them.
        for resource_id in ids:
            place = f"{resource_type}/{resource_id}"
            if place not in self._known and self._may_ask():
                self._known[place] = self._read(resource_type, resource_id)

    def _may_ask(self) -> bool:
        self._questions += 1
        return self._questions <= MAX_QUESTIONS

    def _searched(self, resource_type: str, ids: Sequence[str]) -> Page | None:
        parameters = [("_id", ",".join(ids)), ("_count", str(len(ids)))]
        if resource_type in PATIENT_PATHS and resource_type != "Patient":
            parameters.insert(0, ("patient", f"Patient/{self._match.patient}"))
        try:
            return self._feed.search(resource_type, tuple(parameters), self._call)
        except FeedFailed as failure:
            _refused_or_raise(failure)
            self._takes_lists = False
            return None

    def _read(self, resource_type: str, resource_id: str) -> list[Entry]:
        try:
            resource = self._feed.read(resource_type, resource_id, self._call)
        except FeedFailed as failure:
            _refused_or_raise(failure)
            return []
        return [] if resource is None else [Entry(resource)]


def _refused_or_raise(failure: FeedFailed) -> None:
    """A feed that does not answer this question is as one that has nothing; one that fails is not."""
    if failure.feed_answer != FeedRefused.kind:
        raise failure
