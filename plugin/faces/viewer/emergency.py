"""The forms that break the glass and close it again, as requests to the gateway. They decide nothing."""

from collections.abc import Mapping
from typing import Final

from plugin.faces.pages.wording import Word
from policies.vocabulary.emergency import WORDS, EmergencyAccess, EmergencyReason
from policies.vocabulary.interactions import Delivery

REASONS: Final[tuple[tuple[str, Word], ...]] = tuple((str(code), Word(*words)) for code, words in WORDS.items())
"""Code and words, in the order of the form."""

CLOSING: Final = EmergencyAccess(Delivery.RENDERED, closing=True)


def opening(form: Mapping[str, str]) -> EmergencyAccess:
    """What a form asks for; a reason that is none of ours is no reason, which the gateway refuses."""
    given = form.get("reason", "")
    reason = EmergencyReason(given) if given in set(EmergencyReason) else None
    return EmergencyAccess(Delivery.RENDERED, reason=reason, text=form.get("text", ""))
