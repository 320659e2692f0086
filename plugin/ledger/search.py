"""Finds records by their search columns, a page at a time, the same page again however many are appended meanwhile.

What a record says beyond its columns is for the caller to judge, and who may read it too.
"""

import heapq
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from plugin.ledger.criteria import Criteria, Hit, Mark, SearchTooLong, Step
from plugin.ledger.sqlite_view import opening
from plugin.ledger.store import Opening, View

FIRST_CHUNK = 64
"""Rows of the first query: a page and a little. Each further one takes four times as many, up to LAST_CHUNK."""
LAST_CHUNK = 1_024


class Searcher:
    """Searches a ledger. Holds nothing open between chunks, so that a slow reader holds up nobody.

    Every method may raise LedgerUnreadable (LedgerMissing if there is no file), or LedgerBroken if the store is
    damaged or has no head.
    """

    def __init__(self, place: Path | Opening) -> None:
        """`place` is the file of an embedded ledger, or what opens a view of another one. Opens nothing yet."""
        self._view = opening(place)

    def size(self) -> int:
        """How many records there are now: the snapshot for a search that begins."""
        with self._view() as view:
            return view.head().size

    def hits(
        self,
        criteria: Criteria,
        *,
        size: int,
        newest_first: bool = True,
        after: Mark | None = None,
        give_up_at: float | None = None,
    ) -> Iterator[Hit]:
        """The records below position `size` that meet `criteria`, in order, those beyond `after` only.

        `give_up_at` is a moment of `time.monotonic`: once it has passed, SearchTooLong is raised.
        """
        entrances = [None] if criteria.way_in is None else list(dict.fromkeys(criteria.way_in.values))
        # One stream for each value: the index is in order of time within one value only.
        steps = [Step(criteria, entrance, size, newest_first, after, FIRST_CHUNK) for entrance in entrances]
        with self._view() as view:  # once for all of them: over a network to open one takes longer than to look
            begun = [(step, _matching(view, step, give_up_at)) for step in steps]
        streams = [self._stream(step, hits, give_up_at) for step, hits in begun]
        yield from heapq.merge(*streams, key=lambda hit: (hit.mark.time, hit.mark.position), reverse=newest_first)

    def _stream(self, step: Step, hits: list[Hit], give_up_at: float | None) -> Iterator[Hit]:
        """`hits`, and what follows them."""
        while True:
            yield from hits
            if len(hits) < step.count:
                return
            step = replace(step, after=hits[-1].mark, count=min(step.count * 4, LAST_CHUNK))
            with self._view() as view:
                hits = _matching(view, step, give_up_at)


def _matching(view: View, step: Step, give_up_at: float | None) -> list[Hit]:
    if give_up_at is not None and time.monotonic() > give_up_at:
        raise SearchTooLong("the search took too long")
    return view.matching(step, give_up_at)
