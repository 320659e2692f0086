"""From a method and a path to the interaction that they mean in FHIR's REST API (R4 3.1.0).

Every shape that a client could try has a name here, so that its refusal can be recorded under it. A path is judged as
what it decodes to.
"""

import re
from dataclasses import dataclass

from policies.vocabulary.consultation import Objection, Reason
from policies.vocabulary.interactions import CONSULTING, OPERATIONS, Interaction, Level
from policies.vocabulary.r4_types import R4_TYPES
from policies.vocabulary.resource_types import HANDLED, PATIENT_PATHS

FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")

_WRITING = {
    "POST": Interaction.CREATE,
    "PUT": Interaction.UPDATE,
    "PATCH": Interaction.PATCH,
    "DELETE": Interaction.DELETE,
}

_OPEN_DOCUMENTS = (["metadata"], [".well-known", "smart-configuration"], ["openapi.json"])
"""Answered to anybody on GET, before this module is asked."""


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
    """Methods that this address answers, where its type is offered."""


NOWHERE = Objection(Reason.UNKNOWN_ADDRESS)


def target(method: str, segments: list[str]) -> Target:
    """What `method` on the path `segments`, counted from the feed's base, means."""
    if any(segment == "" or segment.endswith(".") for segment in segments):
        return _nowhere(method, Level.BASE)
    if not segments:
        return Target(_on_base(method), Level.BASE)
    if segments in _OPEN_DOCUMENTS:
        closed = Objection(Reason.METHOD_NOT_ALLOWED)
        return Target(_meant(method, Interaction.CAPABILITIES), Level.BASE, objection=closed, allow=("GET",))
    first, *rest = segments
    if first in R4_TYPES:
        return _within_type(method, first, rest)
    if re.fullmatch(r"[A-Z][A-Za-z]*", first):
        level = Level.INSTANCE if rest else Level.TYPE
        return Target(_meant(method, Interaction.UNKNOWN), level, objection=Objection(Reason.UNKNOWN_TYPE))
    if rest:
        return _nowhere(method, Level.BASE)
    if first.startswith("$"):
        return _operation(first, Level.BASE, None)
    if first == "_history":
        return Target(_meant(method, Interaction.HISTORY_SYSTEM), Level.BASE)
    if first == "_search":
        return Target(_meant_by_post(method, Interaction.SEARCH_SYSTEM), Level.BASE)
    return _nowhere(method, Level.BASE)


def _within_type(method: str, resource_type: str, rest: list[str]) -> Target:
    if not rest:
        return _search(_meant(method, Interaction.SEARCH_TYPE), resource_type, allow="GET")
    name, *deeper = rest
    if name == "_search" and not deeper:
        return _search(_meant_by_post(method, Interaction.SEARCH_TYPE), resource_type, allow="POST")
    if name == "_history" and not deeper:
        return Target(_meant(method, Interaction.HISTORY_TYPE), Level.TYPE, resource_type)
    if name.startswith("$") and not deeper:
        return _operation(name, Level.TYPE, resource_type)
    if not FHIR_ID.fullmatch(name):
        return _nowhere(method, Level.INSTANCE, resource_type)
    if not deeper:
        interaction = _meant(method, Interaction.READ)
        objection = None if resource_type == HANDLED else _not_offered(interaction, resource_type)
        return Target(interaction, Level.INSTANCE, resource_type, name, objection=objection, allow=("GET",))
    return _below_instance(method, resource_type, name, deeper)


def _below_instance(method: str, resource_type: str, resource_id: str, deeper: list[str]) -> Target:
    name, *rest = deeper
    if name == "_history" and not rest:
        return Target(_meant(method, Interaction.HISTORY_INSTANCE), Level.INSTANCE, resource_type, resource_id)
    if name == "_history" and len(rest) == 1 and FHIR_ID.fullmatch(rest[0]):
        return Target(_meant(method, Interaction.VREAD), Level.INSTANCE, resource_type, resource_id)
    if name.startswith("$") and not rest:
        return _operation(name, Level.INSTANCE, resource_type, resource_id)
    if resource_type == "Patient" and name in R4_TYPES and name != "Patient":
        if not rest:
            return _search(_meant(method, Interaction.SEARCH_TYPE), name, resource_id, allow="GET")
        if rest == ["_search"]:
            return _search(_meant_by_post(method, Interaction.SEARCH_TYPE), name, resource_id, allow="POST")
    return _nowhere(method, Level.INSTANCE, resource_type, resource_id)


def _search(interaction: Interaction, resource_type: str, compartment: str | None = None, *, allow: str) -> Target:
    objection = _not_offered(interaction, resource_type)
    return Target(interaction, Level.TYPE, resource_type, compartment=compartment, objection=objection, allow=(allow,))


def _operation(segment: str, level: Level, resource_type: str | None, resource_id: str | None = None) -> Target:
    name = segment[1:] if segment[1:] in OPERATIONS else None
    return Target(Interaction.OPERATION, level, resource_type, resource_id, operation=name)


def _nowhere(method: str, level: Level, resource_type: str | None = None, resource_id: str | None = None) -> Target:
    """Nothing is there; whether the attempt was to write stands in the record all the same."""
    return Target(_meant(method, Interaction.UNKNOWN), level, resource_type, resource_id, objection=NOWHERE)


def _not_offered(interaction: Interaction, resource_type: str) -> Objection | None:
    """A look at a type that is not consulted finds nothing there; a write is refused as any other."""
    if interaction not in CONSULTING or resource_type in PATIENT_PATHS:
        return None
    return Objection(Reason.UNKNOWN_TYPE)


def _on_base(method: str) -> Interaction:
    return Interaction.TRANSACTION if method == "POST" else _meant(method, Interaction.SEARCH_SYSTEM)


def _meant(method: str, by_get: Interaction) -> Interaction:
    return by_get if method == "GET" else _WRITING.get(method, Interaction.UNKNOWN)


def _meant_by_post(method: str, interaction: Interaction) -> Interaction:
    return interaction if method == "POST" else _meant(method, Interaction.UNKNOWN)
