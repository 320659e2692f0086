"""The AuditEvent of a record that was purged: that one stood there, and nothing of what it said.

Its kind, its outcome and who took part went with the body, so the event states none of them; what the header still
says, it says. Who purged it, when and by which rule is in the purge's own record.
"""

from collections.abc import Mapping
from typing import Any

from plugin.audit import codes
from plugin.audit.agents import gateway
from plugin.audit.codes import Element
from plugin.audit.entities import LOG_NAME

SENTENCE = "deleted after its period"
_SOMEBODY: Element = {"who": {"display": "not known any more"}, "requestor": False}
"""R4 wants an agent in each event."""


def deleted_event(header: Mapping[str, Any]) -> Element:
    """The event of a record without a body. `recorded` is when the record was made, as in every other event."""
    source: Element = {"observer": gateway(None), "type": [codes.APPLICATION_SERVER]}
    position = str(header["position"])
    record: Element = {
        "what": {"identifier": {"value": position}},
        "type": codes.OTHER,
        "role": codes.SECURITY_RESOURCE,
        "lifecycle": codes.ERASED,
        "name": LOG_NAME,
        "detail": [{"type": "position", "valueString": position}],
    }
    return {
        "resourceType": "AuditEvent",
        "id": position,
        "type": codes.DESTROYED,
        "recorded": header["time"],
        "outcomeDesc": SENTENCE,
        "agent": [_SOMEBODY],
        "source": {"site": header["tenant"], **source} if header.get("tenant") else source,
        "entity": [record],
    }
