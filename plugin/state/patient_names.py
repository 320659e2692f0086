"""Who the patients of open views are, by the word of their EHR: in the memory of this process, until the view ends.

Nothing of it is written anywhere. A view can end in another process: `LaunchSessions` says which ones have.
"""

import threading
from dataclasses import dataclass, field

MAX_KEPT = 1_000
"""Views in memory; beyond, all are read anew."""


@dataclass(frozen=True, slots=True)
class PatientName:
    """What the EHR says of a patient; None where it does not say it, or does not let it be read."""

    name: str | None = None
    """As a page prints it."""
    birth_date: str | None = None
    """As FHIR writes it."""


@dataclass(frozen=True, slots=True)
class PatientNames:
    """Safe to call from several threads."""

    _kept: dict[str, tuple[PatientName, float]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def find(self, view: str, now: float) -> PatientName | None:
        """What is known of the patient of `view` at `now` (POSIX seconds); None: nothing is."""
        with self._lock:
            named, until = self._kept.get(view, (None, 0.0))
        return named if now < until else None

    def keep(self, view: str, named: PatientName, until: float) -> None:
        """Remember it before `until` (POSIX seconds), or until it is forgotten."""
        with self._lock:
            if len(self._kept) >= MAX_KEPT and view not in self._kept:
                self._kept.clear()
            self._kept[view] = named, until

    def forget(self, view: str) -> None:
        """The view is over."""
        with self._lock:
            self._kept.pop(view, None)

    def views(self) -> frozenset[str]:
        """Of which views something is kept, good or not."""
        with self._lock:
            return frozenset(self._kept)
