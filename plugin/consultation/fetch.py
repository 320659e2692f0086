"""Step 5: ask the feed, only for what was permitted; page by page, until the caller has enough or a cap is met."""

from collections.abc import Callable, Iterator

from fhir_adapters.interface import Call, Entry, FeedLinkExpired, FeedTypeUnknown, Page, Tree
from plugin.consultation.feed_line import FeedLine
from plugin.consultation.findings import Match, Read
from plugin.errors import FeedFailed, Refused
from policies.vocabulary.consultation import ClinicalConsultation, Reason
from policies.vocabulary.scopes import Ceiling
from policies.vocabulary.search_parameters import INCLUDE, offered, since

MAX_UPSTREAM_PAGES = 50
"""A feed whose pages hold next to nothing would otherwise be followed until the deadline."""


MOST_AT_ONCE = 200
"""Results that a feed is asked for in one answer; a whole page of several searches may take several."""


def one(asked: ClinicalConsultation, patient: str, match: Match, feed: FeedLine, call: Call) -> Entry | None:
    """The resource that a read names, or None. `Patient/<id>` of `patient`, the one in context, means the match."""
    assert asked.resource_type is not None and asked.resource_id is not None  # noqa: S101 - a read has both
    resource_id = asked.resource_id
    if asked.resource_type == "Patient":
        if resource_id not in (patient, match.patient):
            return None
        resource_id = match.patient
    resource = feed.read(asked.resource_type, resource_id, call)
    return None if resource is None else Entry(resource)


def pages(
    asked: ClinicalConsultation, match: Match, ceiling: Ceiling, feed: FeedLine, call: Call
) -> Iterator[tuple[list[Read], bool]]:
    """The answer as far as it has been read, growing by one page of the feed each time; and whether it ends there.

    Raises Refused(TOO_COSTLY) once too many pages were read, Refused(PAGE_LINK_EXPIRED) if the feed no longer knows
    the page that the caller's link leads to.
    """
    read: list[Read] = []
    name = asked.position.page
    page = _first(asked, match, ceiling, feed, call) if name is None else _linked(name, feed, call)
    for _ in range(MAX_UPSTREAM_PAGES):
        read += [Read(entry, name, place < asked.position.spent) for place, entry in enumerate(page.entries, len(read))]
        yield read, page.next is None
        if page.next is None:
            return
        name = page.next
        page = feed.page(name, call)
    raise Refused(Reason.TOO_COSTLY, rules=("cap",))


def together(
    asked: ClinicalConsultation,
    match: Match,
    ceiling: Callable[[str], Ceiling],
    feed: FeedLine,
    call: Call,
    *,
    most: int,
    met: Callable[[Tree], object],
    lacks: Callable[[str], object],
) -> list[Read]:
    """The whole answers to a page's searches, in the order of its types. Raises what the first that fails raises.

    Of an answer with more than `most` resources the rest is not read: it is more than one look may be. `met` is told
    each resource while the other answers are waited for, `lacks` each type that the feed does not have; one that has
    none of them is no feed that answers.
    """

    def whole(line: FeedLine, resource_type: str) -> list[Read] | FeedFailed:
        read: list[Read] = []
        try:
            for read, _ in pages(asked.of_types(resource_type), match, ceiling(resource_type), line, call):
                if len(read) > most:
                    return read
        except FeedFailed as failure:
            if failure.feed_answer == FeedTypeUnknown.kind:
                return failure
            raise
        for each in read:
            met(each.entry.resource)
        return read

    answers = list(zip(asked.types, feed.side_by_side(whole, asked.types), strict=True))
    failures = {resource_type: answer for resource_type, answer in answers if isinstance(answer, FeedFailed)}
    if len(failures) == len(answers):
        raise failures[asked.types[0]]
    for resource_type in failures:
        lacks(resource_type)
    return [each for _, answer in answers if not isinstance(answer, FeedFailed) for each in answer]


def _linked(name: str, feed: FeedLine, call: Call) -> Page:
    try:
        return feed.page(name, call)
    except FeedFailed as failure:
        if failure.feed_answer == FeedLinkExpired.kind:
            raise Refused(Reason.PAGE_LINK_EXPIRED, rules=("page-link",)) from failure
        raise


def _first(asked: ClinicalConsultation, match: Match, ceiling: Ceiling, feed: FeedLine, call: Call) -> Page:
    assert asked.resource_type is not None  # noqa: S101 - a search has a type
    kinds = offered(asked.resource_type)
    # What is to be included is looked up and judged apart: feeds differ in what they include, and in telling so.
    parameters = [pair for pair in asked.parameters if pair[0] != INCLUDE]
    if asked.resource_type == "Patient":
        parameters = [(name, value) for name, value in parameters if name != "_id"]
        parameters.insert(0, ("_id", match.patient))
    else:
        parameters.insert(0, ("patient", f"Patient/{match.patient}"))
    if asked.since is not None:
        parameters.extend(since(asked.resource_type, asked.since))
    if len(ceiling.restrictions) == 1:
        # One restriction can be said to the feed; a union of several cannot, and is enforced on what comes back.
        parameters.extend(pair for pair in ceiling.restrictions[0].pairs if pair[0] in kinds)
    # One more than is wanted, so that a next link is given only where something follows.
    parameters.append(("_count", str(min(asked.count, MOST_AT_ONCE) + 1)))
    return feed.search(asked.resource_type, tuple(parameters), call)
