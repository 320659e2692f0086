"""From a method and a path to the interaction that they mean in FHIR's REST API (R4 3.1.0).

Every shape that a client could try has a name here, so that its refusal can be recorded under it. A path is judged as
what it decodes to.
"""

import re
from dataclasses import dataclass

from policies.vocabulary.consultation import Objection, Reason
from policies.vocabulary.interactions import OPERATIONS, Interaction, Level
from policies.vocabulary.r4_types import R4_TYPES
from policies.vocabulary.resource_types import PATIENT_PATHS

FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")

_ON_BASE = {"GET": Interaction.SEARCH_SYSTEM, "POST": Interaction.TRANSACTION}
_ON_TYPE = {
    "GET": Interaction.SEARCH_TYPE,
    "POST": Interaction.CREATE,
    "PUT": Interaction.UPDATE,
    "PATCH": Interaction.PATCH,
    "DELETE": Interaction.DELETE,
}
_ON_INSTANCE = {
    "GET": Interaction.READ,
    "PUT": Interaction.UPDATE,
    "PATCH": Interaction.PATCH,
    "DELETE": Interaction.DELETE,
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a request points at."""

    interaction: Interaction
    level: Level
    resource_type: str | None = None
    resource_id: str | None = None
    compartment: str | None = None
    """The id of a patient compartment: `Patient/<id>/Observation`."""
    operation: str | None = None
    objection: Objection | None = None
    allow: tuple[str, ...] = ()
    """Methods that this address answers."""


NOWHERE = Objection(Reason.UNKNOWN_ADDRESS)


def target(method: str, segments: list[str]) -> Target:
    """What `method` on the path `segments`, counted from the feed's base, means."""
    if any(segment in {"", ".", ".."} or segment.endswith(".") for segment in segments):
        return Target(Interaction.UNKNOWN, Level.BASE, objection=NOWHERE)
    if not segments:
        return Target(_ON_BASE.get(method, Interaction.UNKNOWN), Level.BASE)
    first, *rest = segments
    if first.startswith("$"):
        return (
            _operation(first, Level.BASE, None) if not rest else Target(_unknown(method), Level.BASE, objection=NOWHERE)
        )
    if first in {"_history", "_search", "metadata"} and not rest:
        system = {"_history": Interaction.HISTORY_SYSTEM, "_search": Interaction.SEARCH_SYSTEM}
        return Target(system.get(first, Interaction.CAPABILITIES), Level.BASE)
    if first not in R4_TYPES:
        about = Objection(Reason.UNKNOWN_TYPE if re.fullmatch(r"[A-Z][A-Za-z]*", first) else Reason.UNKNOWN_ADDRESS)
        return Target(_unknown(method), Level.TYPE if len(segments) == 1 else Level.INSTANCE, objection=about)
    return _within_type(method, first, rest)


def _within_type(method: str, resource_type: str, rest: list[str]) -> Target:
    if not rest:
        return _search(method, resource_type, None, ("GET",), _ON_TYPE)
    name, *deeper = rest
    if name == "_search" and not deeper:
        return _search(method, resource_type, None, ("POST",), {"POST": Interaction.SEARCH_TYPE})
    if name == "_history" and not deeper:
        return Target(Interaction.HISTORY_TYPE, Level.TYPE, resource_type)
    if name.startswith("$") and not deeper:
        return _operation(name, Level.TYPE, resource_type)
    if not FHIR_ID.fullmatch(name):
        return Target(_unknown(method), Level.INSTANCE, resource_type, objection=NOWHERE)
    if not deeper:
        interaction = _ON_INSTANCE.get(method, Interaction.UNKNOWN)
        objection = _not_offered(resource_type) if interaction is Interaction.READ else None
        return Target(interaction, Level.INSTANCE, resource_type, name, objection=objection, allow=("GET",))
    return _below_instance(method, resource_type, name, deeper)


def _below_instance(method: str, resource_type: str, resource_id: str, deeper: list[str]) -> Target:
    name, *rest = deeper
    if name == "_history" and not rest:
        return Target(Interaction.HISTORY_INSTANCE, Level.INSTANCE, resource_type, resource_id)
    if name == "_history" and len(rest) == 1 and FHIR_ID.fullmatch(rest[0]):
        return Target(Interaction.VREAD, Level.INSTANCE, resource_type, resource_id)
    if name.startswith("$") and not rest:
        return _operation(name, Level.INSTANCE, resource_type)
    if resource_type == "Patient" and name in R4_TYPES and rest in ([], ["_search"]):
        if rest:
            return _search(method, name, resource_id, ("POST",), {"POST": Interaction.SEARCH_TYPE})
        return _search(method, name, resource_id, ("GET",), _ON_TYPE)
    return Target(_unknown(method), Level.INSTANCE, resource_type, resource_id, objection=NOWHERE)


def _search(
    method: str, resource_type: str, compartment: str | None, allow: tuple[str, ...], meaning: dict[str, Interaction]
) -> Target:
    interaction = meaning.get(method, Interaction.UNKNOWN)
    objection = _not_offered(resource_type) if interaction is Interaction.SEARCH_TYPE else None
    if compartment is not None and resource_type == "Patient":
        objection = NOWHERE
    return Target(interaction, Level.TYPE, resource_type, compartment=compartment, objection=objection, allow=allow)


def _operation(segment: str, level: Level, resource_type: str | None) -> Target:
    name = segment[1:]
    return Target(Interaction.OPERATION, level, resource_type, operation=name if name in OPERATIONS else None)


def _not_offered(resource_type: str) -> Objection | None:
    return None if resource_type in PATIENT_PATHS else Objection(Reason.UNKNOWN_TYPE)


def _unknown(method: str) -> Interaction:
    """Nothing is there; whether the attempt was to write stands in the record all the same."""
    return {"POST": Interaction.CREATE, "PUT": Interaction.UPDATE, "PATCH": Interaction.PATCH}.get(
        method, Interaction.DELETE if method == "DELETE" else Interaction.UNKNOWN
    )
