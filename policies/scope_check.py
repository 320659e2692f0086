"""Whether a resource lies within the restrictions of a scope, `?category=…`, `?code=…`, `?status=…` (SMART 2.2)."""

from collections.abc import Mapping, Sequence
from typing import Any

from policies.vocabulary.scopes import Restriction

_CODE_ELEMENTS = ("code", "vaccineCode", "medicationCodeableConcept")
"""Where the types that have a `code` search parameter keep it."""


def within(restrictions: Sequence[Restriction], resource: Mapping[str, Any]) -> bool:
    """True without restrictions, or if the resource meets all pairs of at least one."""
    return not restrictions or any(all(_meets(resource, *pair) for pair in each.pairs) for each in restrictions)


def _meets(resource: Mapping[str, Any], name: str, value: str) -> bool:
    if name == "status":
        return bool(resource.get("status") == value.rpartition("|")[2])
    elements = _CODE_ELEMENTS if name == "code" else (name,)
    return any(_token_matches(coding, value) for element in elements for coding in _codings(resource.get(element)))


def _codings(element: Any) -> list[Mapping[str, Any]]:
    """Codings of a CodeableConcept or a list of them; AllergyIntolerance.category is a list of plain codes."""
    found: list[Mapping[str, Any]] = []
    for concept in element if isinstance(element, list) else [element]:
        if isinstance(concept, str):
            found.append({"code": concept})
        elif isinstance(concept, dict):
            codings = concept.get("coding")
            found.extend(each for each in (codings if isinstance(codings, list) else []) if isinstance(each, dict))
    return found


def _token_matches(coding: Mapping[str, Any], value: str) -> bool:
    """Token search, R4 3.1.1.4.10: `code`, `system|code`, `|code` (no system), `system|` (any code of it)."""
    system, bar, code = value.rpartition("|")
    if code and coding.get("code") != code:
        return False
    return not bar or coding.get("system", "") == system
