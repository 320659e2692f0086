"""How OpenAPI says what may be asked: each search parameter of the table, in the form that `parameters` takes it."""

import re
from collections.abc import Mapping
from typing import Any

from plugin.faces.facade.address import FHIR_ID
from plugin.faces.facade.page_link import PARAMETER
from plugin.faces.facade.parameters import (
    APPEARANCE,
    DATE,
    FORMATS,
    MAX_COUNT,
    MAX_DIGITS,
    MAX_IDS,
    MAX_PARAMETERS,
    MAX_VALUE,
    REFERENCE,
    TOKENS,
)
from policies.vocabulary.consultation import DEFAULT_COUNT
from policies.vocabulary.search_parameters import INCLUDE, includes, naming_the_patient, offered, sortable

Schema = dict[str, Any]
Member = tuple[Schema, str]
"""The schema of a parameter, and what is to know of it."""

ID: Schema = {"type": "string", "pattern": f"^(?:{FHIR_ID.pattern})$"}
_DATES = rf"{DATE.pattern}(?:,{DATE.pattern})*"
_REFERENCES = rf"{REFERENCE.pattern}(?:,{REFERENCE.pattern})*"
_FORMS = {"token": TOKENS.pattern, "date": _DATES, "reference": _REFERENCES}
"""Kind -> the pattern of a value: alternatives are separated by commas."""
_REPEATABLE = frozenset({"token", "date"})
"""Kinds of which several in one request must all match (R4 3.1.1.4.2)."""
_SAID = {
    "token": "A code, `system|code`, `|code` or `system|`; alternatives separated by commas.",
    "date": "A date or moment, perhaps with a prefix such as `ge`; alternatives separated by commas.",
    "reference": "The id of an encounter, perhaps after `Encounter/`; alternatives separated by commas.",
}
_PATIENT = (
    "Whose results are meant: one patient, by the id at the EHR. Without it, the patient in the token's context. "
    "All that name the patient must name the same one."
)


def searched(resource_type: str, base: str, *, compartment: bool = False) -> dict[str, Member]:
    """Name -> what a search on this type takes; below `Patient/<id>` (`compartment`), no link to go on by."""
    who = f"^(?:(?:{re.escape(base)}/)?Patient/)?(?:{FHIR_ID.pattern})$"
    members: dict[str, Member] = {
        name: ({"type": "string", "pattern": who}, _PATIENT) for name in naming_the_patient(resource_type)
    }
    members |= {name: _filtering(resource_type, name, kind) for name, kind in offered(resource_type).items()}
    members["_sort"] = _sorting(resource_type)
    members["_count"] = _size()
    if included := list(includes(resource_type)):
        shown = {"type": "array", "items": {"type": "string", "enum": included}, "maxItems": MAX_PARAMETERS}
        members[INCLUDE] = (
            shown,
            "What the found resources refer to is shown beside them, if rules and scopes allow it.",
        )
    members |= appearance()
    if not compartment:
        members[PARAMETER] = (
            {"type": "string", "minLength": 1},
            "Where a search goes on: only as a next link has it, on GET, and beside it only "
            f"{', '.join(APPEARANCE)} and _count.",
        )
    return members


def appearance() -> dict[str, Member]:
    """What a read takes, and every search: there is one format."""
    name, pretty = APPEARANCE
    return {
        name: ({"type": "string", "enum": sorted(FORMATS)}, "FHIR JSON, whichever of its names is used."),
        pretty: ({"type": "string", "enum": ["true", "false"]}, "Taken, and without effect."),
    }


def query(members: Mapping[str, Member]) -> list[Schema]:
    """The members as query parameters."""
    return [
        {
            "name": name,
            "in": "query",
            "description": said,
            "schema": schema,
            **({"style": "form", "explode": name not in _LISTED} if schema["type"] == "array" else {}),
        }
        for name, (schema, said) in members.items()
    ]


def form(members: Mapping[str, Member]) -> Schema:
    """The members as the fields of a form, which is the body of a POST `_search`."""
    properties = {name: {**schema, "description": said} for name, (schema, said) in members.items()}
    lists = [name for name, (schema, _) in members.items() if schema["type"] == "array"]
    return {
        "schema": {"type": "object", "properties": properties, "additionalProperties": False},
        "encoding": {name: {"style": "form", "explode": name not in _LISTED} for name in lists},
    }


_LISTED = frozenset({"_id", "_sort"})
"""Given once, with commas between several."""


def _filtering(resource_type: str, name: str, kind: str) -> Member:
    if name == "_id":
        if resource_type == "Patient":
            return ID, "The id of the one patient, at the EHR."
        return {"type": "array", "items": ID, "minItems": 1, "maxItems": MAX_IDS}, "Ids, separated by commas."
    value = {"type": "string", "pattern": f"^(?:{_unnamed(_FORMS[kind])})$", "minLength": 1, "maxLength": MAX_VALUE}
    if kind not in _REPEATABLE:
        return value, _SAID[kind]
    several = {"type": "array", "items": value, "maxItems": MAX_PARAMETERS}
    return several, f"{_SAID[kind]} Where it is repeated, all must match."


def _sorting(resource_type: str) -> Member:
    dates = sorted(sortable(resource_type))
    keys = {"type": "string", "enum": [*dates, *(f"-{name}" for name in dates)]}
    schema = {"type": "array", "items": keys, "minItems": 1, "maxItems": len(dates), "uniqueItems": True}
    return schema, "Dates, separated by commas, each at most once; `-` before one sorts the newest first."


def _size() -> Member:
    schema = {"type": "integer", "minimum": 1, "maximum": 10**MAX_DIGITS - 1}
    return schema, f"Entries on a page; {DEFAULT_COUNT} without it, {MAX_COUNT} at most, larger wishes are clamped."


def _unnamed(pattern: str) -> str:
    """`pattern` as JSON Schema's dialect has it: the names of groups are Python's."""
    return re.sub(r"\(\?P<\w+>", "(", pattern)
