"""A clinician's word that the patient was told, between the form that gives it and the look that it is for.

Sealed, and in the address only: nothing is kept. The word itself becomes a record where the look is made.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plugin.sealing import Seal, SealBroken

USE = "viewer-informed"
"""Of the seal."""
SECONDS = 120
"""Between the form and the looks that follow it; reloading a page much later asks again."""
MAX_WORDS = 20
"""In one address."""


@dataclass(frozen=True, slots=True)
class Told:
    """Gives words and knows them again."""

    seal: Seal
    clock: Callable[[], float] = time.time

    def give(self, view: str, feed: str) -> str:
        """For looks of this view at this feed."""
        return self.seal.close(f"{view}\n{feed}\n{int(self.clock()) + SECONDS}".encode())

    def of(self, view: str, words: Iterable[str]) -> frozenset[str]:
        """The feeds for which one of `words` is good now."""
        return frozenset(feed for word in list(words)[:MAX_WORDS] if (feed := self._feed(view, word)) is not None)

    def _feed(self, view: str, word: str) -> str | None:
        try:
            of_view, feed, until = self.seal.open(word).decode().split("\n")
        except SealBroken:
            return None
        return feed if of_view == view and self.clock() < int(until) else None
