"""The session that a launch opened, as pages use it: what they may know, the purpose that is stated, the logout."""

from typing import Protocol

from plugin.authentication.credential import LaunchSession, NoCredential
from plugin.state.views import View
from policies.vocabulary.consultation import Origin


class Sessions(Protocol):
    """Views of launches. Safe to call from several threads.

    Every method raises Unidentified (the view is unknown, over, or somebody else's; this is counted as for all callers
    who are not identified), CallerThrottled or StateUnavailable.
    """

    def view(self, credential: LaunchSession | NoCredential, origin: Origin) -> View:
        """The view that `credential` shows. Records nothing."""

    def state_purpose(self, credential: LaunchSession | NoCredential, purpose: str, origin: Origin) -> View:
        """Keep what the person says the looks are for; the view with it.

        It is stated once. When this returns, that is recorded. Raises Refused (recorded as well) for what nobody may
        state here, or if another purpose was stated before; RecordUnavailable.
        """

    def close(self, credential: LaunchSession | NoCredential, origin: Origin) -> None:
        """End the view at once, and give the EHR's token back where the EHR takes it.

        When this returns, that is recorded. Raises RecordUnavailable: the view is over all the same.
        """
