"""What an AuditEvent says of the log as a thing that is kept: purges, holds, changes of key, recoveries, upgrades.

One entity, the log itself, with the facts as details; its name and role are those of DICOM PS3.15 A.5.3.2.
"""

from plugin.audit import codes
from plugin.audit.characters import printable
from plugin.audit.codes import Element
from plugin.audit.entities import LOG_NAME
from plugin.event import Body, DueBody


def entities(body: Body) -> list[Element]:
    """The log, if this record is about how it is kept; else nothing."""
    pairs = [*_purged(body), *_held(body), *_rotated(body), *_lost(body), *_upgraded(body)]
    if not pairs:
        return []
    details = [{"type": name, "valueString": printable(str(value))} for name, value in pairs if value not in {None, ""}]
    return [{"type": codes.OTHER, "role": codes.SECURITY_RESOURCE, "name": LOG_NAME, "detail": details}]


def _purged(body: Body) -> list[tuple[str, object]]:
    if "purge" not in body:
        return []
    purge = body["purge"]
    return [("purge-reason", purge["reason"]), *(("purged", _due(each)) for each in purge["due"])]


def _due(due: DueBody) -> str:
    ranges = ", ".join("-".join(map(str, each)) for each in due["ranges"])
    whose = f" of {due['tenant']}" if due.get("tenant") else ""
    return f"{due['retention_class']}{whose} kept {due['period']}, before {due['before']}: {ranges}"


def _held(body: Body) -> list[tuple[str, object]]:
    return [(f"hold-{name}", value) for name, value in body.get("hold", {}).items()]


def _rotated(body: Body) -> list[tuple[str, object]]:
    if "rotation" not in body:
        return []
    rotation = body["rotation"]
    return [("rotation-reason", rotation["reason"]), ("rotation-note", rotation["note"])]


def _lost(body: Body) -> list[tuple[str, object]]:
    return [(f"lost-{name}", value) for name, value in body.get("lost", {}).items()]


def _upgraded(body: Body) -> list[tuple[str, object]]:
    return [(f"upgrade-{name}", value) for name, value in body.get("upgraded", {}).items()]
