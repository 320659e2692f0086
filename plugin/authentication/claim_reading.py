"""Reads single claims: what is absent stays absent, what has a shape that nobody understands refuses the token."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from plugin.errors import TokenInvalid
from policies.vocabulary.identity import Coding
from policies.vocabulary.purposes import ACT_REASON_NAMES

MAX_TEXT_LENGTH = 256
"""Characters of a name or an organisation in the record; the rest is cut, since it describes and does not identify."""

MAX_LIST_LENGTH = 16
"""Roles or purposes. People have a few."""

MAX_IDENTIFIER_LENGTH = 128
"""Characters of a national number, or of the identifier of a patient. Cutting one would make it another's."""

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_FHIR_USER = re.compile(
    r"(?:https?://[^\s?#]+/)?(Patient|RelatedPerson|Person|PractitionerRole|Practitioner)/[A-Za-z0-9\-.]{1,64}"
    r"(?:/_history/[A-Za-z0-9\-.]{1,64})?"
)
_PURPOSE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def patient_id(value: object) -> str | None:
    """The launch patient: a FHIR id."""
    if value is None:
        return None
    if not isinstance(value, str) or not _FHIR_ID.fullmatch(value):
        raise TokenInvalid("The patient claim of the access token is not a FHIR id.")
    return value


def fhir_user(value: object) -> tuple[str | None, str | None]:
    """The reference, and the type that its path names."""
    if value is None:
        return None, None
    found = _FHIR_USER.fullmatch(value) if isinstance(value, str) and len(value) <= 1024 else None
    if found is None or not found.group().isprintable():
        raise TokenInvalid("The fhirUser claim of the access token is not understood.")
    return found.group(), found.group(1)


def identifier(value: object) -> str | None:
    """An identifying text, whole: visible, without white space at its ends, bounded."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise _unknown_form()
    if len(value) > MAX_IDENTIFIER_LENGTH:
        raise _unknown_form()
    return value


def purpose_codes(value: object, *, systems: tuple[str | None, ...] = (None, *ACT_REASON_NAMES)) -> tuple[str, ...]:
    """Codes of v3-ActReason, bare or as Codings, each once. One of another system would be mistaken for one of ours.

    `systems`: those that a Coding may name; None: it may leave its system out, or be a bare code.
    """
    codes: list[str] = []
    for item in bounded_list(value):
        code = item if None in systems else None
        if isinstance(item, dict):
            code = item.get("code") if item.get("system") in systems else None
        if not isinstance(code, str) or not _PURPOSE.fullmatch(code):
            raise TokenInvalid("The purpose of use of the access token is not understood.")
        if code not in codes:
            codes.append(code)
    return tuple(codes)


def codings(value: object, *, system: str | None = None) -> tuple[Coding, ...]:
    """Roles: Codings, or codes of `system`. One without system or code says nothing that a rule could use."""
    found = []
    for item in bounded_list(value):
        if isinstance(item, str) and system is not None:
            item = {"system": system, "code": item}  # noqa: PLW2901 - the same role, written out
        if not isinstance(item, dict):
            raise _unknown_form()
        of, code = text(item.get("system")), text(item.get("code"))
        if of and code:
            found.append(Coding(of, code, text(item.get("display"))))
    return tuple(found)


def bounded_list(value: object) -> list[Any]:
    """Not more values than MAX_LIST_LENGTH; a single one stands for a list of one."""
    items = as_list(value)
    if len(items) > MAX_LIST_LENGTH:
        raise TokenInvalid("A claim of the access token has too many values.")
    return items


def as_list(value: object) -> list[Any]:
    """None is no value, and what is no list a single one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def table(value: object) -> Mapping[str, Any]:
    """An object; empty where it is absent."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unknown_form()
    return value


def at(claims: Mapping[str, Any], path: Sequence[str] | None) -> object:
    """The claim that `path` leads to, from the outermost object inwards; None if it is not there."""
    if path is None:
        return None
    here: Mapping[str, Any] = claims
    for name in path[:-1]:
        here = table(here.get(name))
    return here.get(path[-1])


def text(value: object) -> str | None:
    """A describing text: invisible characters removed, bounded; None if nothing is left."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise _unknown_form()
    visible = "".join(" " if character.isspace() else character for character in value if _is_kept(character))
    return visible.strip()[:MAX_TEXT_LENGTH] or None


def _is_kept(character: str) -> bool:
    return character.isprintable() or character.isspace()


def _unknown_form() -> TokenInvalid:
    return TokenInvalid("A claim of the access token has an unknown form.")
