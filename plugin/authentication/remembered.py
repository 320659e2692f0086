"""What was learned a moment ago, by the digest of what it is about: that itself is not kept. Bounded in number."""

import threading
from collections import OrderedDict
from itertools import islice
from typing import Generic, TypeVar

Known = TypeVar("Known")

LOOKED_AT = 8
"""Entries that one that is added may drive out: more than one, so that they become fewer."""


class Remembered(Generic[Known]):
    """The entry asked for least recently goes first, and once it is not believed any more. Safe to call from several
    threads.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, tuple[Known, float, float]] = OrderedDict()

    def get(self, digest: bytes, now: float) -> Known | None:
        """What is known, if it is to be believed at `now` (POSIX seconds).

        A clock that was set back makes nothing longer: what was learned later than now is not believed.
        """
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None:
                return None
            known, since, until = entry
            if not since <= now < until:
                del self._entries[digest]
                return None
            self._entries.move_to_end(digest)
            return known

    def keep(self, digest: bytes, known: Known, now: float, until: float) -> None:
        """Believe it before `until` (POSIX seconds)."""
        with self._lock:
            self._entries[digest] = known, now, until
            self._entries.move_to_end(digest)
            # Whoever does not come back is not asked for again, and would stay until so many others had come.
            for oldest, (*_, believed) in list(islice(self._entries.items(), LOOKED_AT)):
                if believed > now and len(self._entries) <= self.most:
                    break
                del self._entries[oldest]
