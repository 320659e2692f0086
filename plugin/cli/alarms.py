"""How the supervising process raises an alarm: a record if the ledger takes one, and an alert that refers to it."""

import structlog

from plugin import assembly
from plugin.alerts import AlertKind, Alerts
from plugin.errors import RecordUnavailable
from plugin.event import AuditAction, Outcome
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError

UNRECORDED = "unrecorded"
"""The reference of an alert whose record could not be written."""

log = structlog.get_logger()


class Alarms:
    """Safe to call from several threads. Opens the ledger for each record: there are few."""

    def __init__(self, settings: Settings, alerts: Alerts) -> None:
        self._settings = settings
        self._alerts = alerts

    def raise_(self, kind: AlertKind, action: AuditAction, note: str) -> None:
        """Record what happened, in our own words, and tell of the record. Raises nothing."""
        self.tell(kind, self.record(action, note, Outcome.FAILED) or UNRECORDED)

    def tell(self, kind: AlertKind, reference: str) -> None:
        """Tell of what leaves no record of its own."""
        self._alerts.raise_(kind, reference)

    def record(self, action: AuditAction, note: str, outcome: Outcome) -> str | None:
        """Record something; returns `position-<n>`, or None if that could not be done."""
        try:
            ledger = assembly.open_ledger(self._settings)
            try:
                position = assembly.recorder_of(self._settings, ledger).operational(action, note, outcome)
            finally:
                ledger.close()
        except (SettingsError, RecordUnavailable) as error:
            problem = error.problem if isinstance(error, RecordUnavailable) else str(error)
            log.error("what happened could not be recorded", action=str(action), note=note, problem=problem)
            return None
        return f"position-{position.position}"

    def flush(self, seconds: float) -> None:
        """Wait for the alerts under way, at most so long."""
        self._alerts.flush(seconds)
