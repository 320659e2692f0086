"""How much space is left where the ledger grows, and when that is too little. Who is refused then is the gateway's."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOOK_SECONDS = 1.0
"""How long one look counts: a request must not cost a system call for each folder, and no disk fills in a second."""


class FreeSpace:
    """The space left where some folders are; the least of it counts. Safe to call from several threads."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        low: int,
        floor: int,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`low` and `floor` are bytes; `floor` is the smaller."""
        self._folders = folders
        self._low, self._floor = low, floor
        self._statvfs = statvfs
        self._clock = clock
        self._looking = threading.Lock()
        self._looked_at: float | None = None
        self._free = 0

    def free(self) -> int:
        """Bytes that an ordinary user may still write; 0 if a folder cannot be asked: then nothing is kept there."""
        with self._looking:
            now = self._clock()
            if self._looked_at is None or not 0 <= now - self._looked_at < LOOK_SECONDS:
                self._free = min(map(self._free_at, self._folders))
                self._looked_at = now
            return self._free

    def low(self) -> bool:
        """True if there is too little to do work for callers whom nobody knows."""
        return self.free() < self._low

    def spent(self) -> bool:
        """True if there is too little to do any work: the rest is for what must still be recorded."""
        return self.free() < self._floor

    def _free_at(self, folder: Path) -> int:
        try:
            found = self._statvfs(folder)
        except OSError:
            return 0
        return found.f_bavail * found.f_frsize
