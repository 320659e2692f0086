"""The EHR that launched, asked with the session's own token: for the match, and as a feed of its own kind.

What that token reads nobody else is asked for: a session's questions to its EHR carry it, and no other question does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from plugin.consultation.feed_line import EhrLine, FeedLine
from policies.vocabulary.resource_types import CONSULTABLE

LOCAL_TYPES = CONSULTABLE
"""What is asked there: all that the gateway knows, within the token's scopes."""


@dataclass(frozen=True, slots=True)
class LaunchedEhr:
    """The lines to one EHR that take a launch's token."""

    patients: EhrLine
    """For the identifiers of the patient in context."""
    feed: FeedLine
    """For its own results."""


LaunchedEhrs = Mapping[str, LaunchedEhr]
"""By the id of the EHR."""
