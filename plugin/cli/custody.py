"""Records of what an operator does to the ledger itself, with who it was, in the class that is never purged."""

from typing import cast

from plugin import assembly
from plugin.authentication.identify import OPERATOR_CLIENT, OPERATOR_ISSUER
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.given import operator
from plugin.event import GATEWAY_TENANT, AuditAction, Body, Outcome, RetentionClass
from plugin.recorder import Recorder
from plugin.settings.document import Settings

_FILLERS = "\u115f\u1160\u3164\uffa0"
"""Letters to Unicode, and yet nothing to the eye."""


def stated(reason: str) -> str:
    """The reason, or the end of the command if it has no letter or digit that can be seen."""
    if not any(char.isalnum() and char not in _FILLERS for char in reason):
        raise Failure("--reason says nothing: it needs a letter or a digit that can be seen", CANNOT)
    return reason.strip()


def body(action: AuditAction, note: str, facts: Body) -> Body:
    """A whole body: `facts` are those of the action."""
    who = operator()
    common: Body = {
        "action": action,
        "outcome": Outcome.SUCCESS,
        "reason": None,
        "note": note,
        "person": {"issuer": OPERATOR_ISSUER, "subject": str(who.uid), "kind": "operator", "name": who.name},
        "client": {"id": OPERATOR_CLIENT, "address": "local"},
    }
    return cast("Body", {**common, **facts})


def recorder_at(settings: Settings) -> Recorder:
    """What an operator's work is recorded with. Raises SettingsError, also where a file sink holds what was lost."""
    assembly.check_file_sinks(settings)
    return assembly.operational_recorder(settings)


def record(recorder: Recorder, action: AuditAction, note: str, facts: Body, *, tenant: str = GATEWAY_TENANT) -> None:
    """Make it durable. Raises RecordUnavailable."""
    recorder.append(body(action, note, facts), tenant=tenant, retention_class=RetentionClass.LEDGER)
