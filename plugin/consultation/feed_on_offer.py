"""A feed as the gateway offers it."""

from dataclasses import dataclass

from plugin.consultation.feed_line import FeedLine
from plugin.consultation.findings import LaunchPatient
from plugin.settings.feed import Match


@dataclass(frozen=True, slots=True)
class FeedOnOffer:
    """A feed as the gateway knows it: its line, the types that it is asked for, and how its patients are matched."""

    line: FeedLine
    types: tuple[str, ...]
    match: Match | LaunchPatient
    documents: str | None = None
    """The confidentiality that its whole documents have at least."""
    wants_informed: bool = False
    """Looked at only with the clinician's word that the patient was told."""
