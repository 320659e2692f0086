"""Asks the feeds what a page needs, and says of each what became of it. One consultation a feed, each with its record.

Several feeds of one page are asked at once: a slow one costs the page its own time and no more. Who may see what is
decided behind `Gateway.consult`.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from plugin.authentication.credential import LaunchSession
from plugin.consultation.release import Release
from plugin.errors import ConsultError, Unidentified
from plugin.faces.pages.wording import Word
from plugin.faces.viewer.problems import Problem, problem_of
from plugin.faces.viewer.readings.beside import Answer
from policies.vocabulary.consultation import ClinicalConsultation, Origin
from policies.vocabulary.interactions import Delivery, Interaction, Level

NO_IDENTIFIER = "no-qualified-identifier"
"""The one notice of a release that a clinician is told: what is to be done is on our side, not at the source."""

OVERVIEW_TYPES = (
    "Observation",
    "DiagnosticReport",
    "DocumentReference",
    "ImagingStudy",
    "MedicationRequest",
    "MedicationDispense",
    "MedicationStatement",
    "Immunization",
    "AllergyIntolerance",
    "Condition",
    "Procedure",
    "ExplanationOfBenefit",
)
"""What the overview lists. Specimens and orders stand beside the results that name them; the patient in the banner."""

COUNT = 1000
"""Kept entries of one look: the most that a consultation may hold (design section 5), so that nothing is cut short."""


class Consults(Protocol):
    """Of the Gateway, what a page needs to look."""

    def consult(self, credential: LaunchSession, asked: ClinicalConsultation, origin: Origin) -> Release:
        """See Gateway.consult."""


@dataclass(frozen=True, slots=True)
class ShownFeed:
    """A feed as pages name it."""

    id: str
    title: Word
    types: tuple[str, ...]
    wants_informed: bool = False
    """Looked at only with the clinician's word that the patient was told."""
    is_local: bool = False
    """It is the EHR's own record."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a page asks of each feed."""

    types: Sequence[str] = OVERVIEW_TYPES
    parameters: tuple[tuple[str, str], ...] = ()
    since: str | None = None
    """A day; what is older is not asked for."""
    informed: frozenset[str] = frozenset()
    """Feeds of which the clinician says that the patient was told."""


class State(StrEnum):
    """What became of a look at one feed."""

    SHOWN = "shown"
    NOTHING = "nothing"
    """No match, an empty answer, and all withheld: one sentence for the three."""
    NO_IDENTIFIER = "no-identifier"
    UNASKED = "unasked"
    """The clinician is to say first that the patient was told."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Look:
    """One feed's part of a page."""

    feed: ShownFeed
    state: State
    release: Release | None = None
    problem: Problem | None = None
    error: ConsultError | None = field(default=None, repr=False)

    @property
    def answer(self) -> Answer | None:
        """What is to be read; None where nothing was shown."""
        if self.state is not State.SHOWN or self.release is None:
            return None
        return Answer(self.feed.id, self.release.shown, self.feed.is_local)


def answers(found: Iterable[Look]) -> list[Answer]:
    """What was shown, of those feeds that showed something."""
    return [answer for each in found if (answer := each.answer) is not None]


def look(gateway: Consults, credential: LaunchSession, feed: ShownFeed, question: Question, origin: Origin) -> Look:
    """What becomes of asking one feed. Raises Unidentified: then there is no page."""
    if feed.wants_informed and feed.id not in question.informed:
        return Look(feed, State.UNASKED)
    types = [each for each in question.types if each in feed.types]
    if not types:
        return Look(feed, State.NOTHING)
    asked = ClinicalConsultation(
        feed.id,
        Interaction.SEARCH_TYPE,
        Level.TYPE,
        Delivery.RENDERED,
        resource_type=types[0],
        also=tuple(types[1:]),
        since=question.since,
        parameters=question.parameters,
        count=COUNT,
        patient_informed=feed.wants_informed,
    )
    try:
        release = gateway.consult(credential, asked, origin)
    except Unidentified:
        raise
    except ConsultError as error:
        return Look(feed, State.PROBLEM, problem=problem_of(error), error=error)
    if release.notice == NO_IDENTIFIER:
        return Look(feed, State.NO_IDENTIFIER)
    return Look(feed, State.SHOWN if release.shown else State.NOTHING, release)


def looks(
    gateway: Consults, credential: LaunchSession, feeds: Sequence[ShownFeed], question: Question, origin: Origin
) -> list[Look]:
    """The same of several feeds at once, in their order, under one request id. Raises Unidentified."""
    asked = [
        (feed, Origin(origin.request_id, origin.address, origin.family, origin.number + place))
        for place, feed in enumerate(feeds)
    ]
    if len(asked) < 2:
        return [look(gateway, credential, feed, question, each) for feed, each in asked]
    with ThreadPoolExecutor(len(asked)) as threads:
        return list(threads.map(lambda pair: look(gateway, credential, pair[0], question, pair[1]), asked))
