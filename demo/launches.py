"""What the EHR tells its authorization server when it opens an application: which patient the opaque `launch` means."""

import secrets
import threading
import time

LAUNCH_SECONDS = 300
"""A launch is followed at once by an authorization request; five minutes leave time for the login page."""


class Launches:
    """Open launches, in memory. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[str, float]] = {}

    def open(self, patient: str) -> str:
        """A new `launch` value for the patient with this logical id."""
        launch = secrets.token_urlsafe(16)
        now = time.monotonic()
        with self._lock:
            self._open = {name: entry for name, entry in self._open.items() if entry[1] > now}
            self._open[launch] = (patient, now + LAUNCH_SECONDS)
        return launch

    def patient(self, launch: str) -> str | None:
        """The patient that `launch` means; None if it is unknown or too old."""
        with self._lock:
            patient, until = self._open.get(launch, (None, 0.0))
        return patient if until > time.monotonic() else None
