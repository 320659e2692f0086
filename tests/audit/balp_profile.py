"""Checks an AuditEvent against the BALP profiles in `balp/snapshot-slim`, for tests.

Checked: cardinalities, unknown elements, primitive formats, fixed and pattern values, slicing by value (open, closed),
required bindings, literal reference targets, invariants, and the two BALP extensions wherever they stand. Not checked:
extensible bindings, display texts, other extensions, the content of `contained`. A construct of a profile that this
checker does not know raises `NotImplementedError`, so that nothing is passed over in silence.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent / "balp"
_BALP = "https://profiles.ihe.net/ITI/BALP/"
_TARGET = "http://hl7.org/fhir/StructureDefinition/"

_CORE_VALUE_SETS = {  # FHIR R4 4.0.1, the code-typed required bindings of AuditEvent and Identifier
    "http://hl7.org/fhir/ValueSet/audit-event-action": {"C", "R", "U", "D", "E"},
    "http://hl7.org/fhir/ValueSet/audit-event-outcome": {"0", "4", "8", "12"},
    "http://hl7.org/fhir/ValueSet/network-type": {"1", "2", "3", "4", "5"},
    "http://hl7.org/fhir/ValueSet/identifier-use": {"usual", "official", "temp", "secondary", "old"},
}

_URL = re.compile(r"\S+")
_PRIMITIVES: dict[str, re.Pattern[str]] = {  # FHIR R4 datatypes, 2.24.0.1
    "string": re.compile(r"[ \r\n\t\S]+"),
    "uri": _URL,
    "canonical": _URL,
    "http://hl7.org/fhirpath/System.String": _URL,
    "code": re.compile(r"[^\s]+(\s[^\s]+)*"),
    "base64Binary": re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
    "dateTime": re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?"),
    "instant": re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)"),
}
_COMPLEX: dict[str, dict[str, str]] = {  # element -> type; * marks a list
    "Coding": {"system": "uri", "version": "string", "code": "code", "display": "string", "userSelected": "boolean"},
    "CodeableConcept": {"coding": "Coding*", "text": "string"},
    "Identifier": {
        "use": "code",
        "type": "CodeableConcept",
        "system": "uri",
        "value": "string",
        "period": "Period",
        "assigner": "Reference",
    },
    "Reference": {"reference": "string", "type": "uri", "identifier": "Identifier", "display": "string"},
    "Period": {"start": "dateTime", "end": "dateTime"},
    "Meta": {
        "versionId": "string",
        "lastUpdated": "instant",
        "source": "uri",
        "profile": "canonical*",
        "security": "Coding*",
        "tag": "Coding*",
    },
}
_UNCHECKED = {"BackboneElement", "Extension", "Resource", "Narrative"}
_ALWAYS_ALLOWED = {"id", "extension", "modifierExtension"}


@dataclass
class _Element:
    """One ElementDefinition with those below it."""

    definition: dict[str, Any]
    children: dict[str, "_Element"] = field(default_factory=dict)
    slices: dict[str, "_Element"] = field(default_factory=dict)

    @property
    def types(self) -> list[str]:
        return [kind["code"] for kind in self.definition.get("type", [])]

    @property
    def pattern(self) -> Any:
        """The `pattern[x]` or `fixed[x]`, None without one."""
        for key, value in self.definition.items():
            if key.startswith(("pattern", "fixed")):
                return value
        return None


def problems(event: dict[str, Any], profile: str) -> list[str]:
    """What keeps `event` from conforming to the profile (canonical URL, or its last part); empty if nothing does."""
    root = _profile(profile)
    if event.get("resourceType") != "AuditEvent":
        return ["resourceType is not AuditEvent"]
    body = {key: value for key, value in event.items() if key != "resourceType"}
    return [*_below(root, body, "AuditEvent", event), *_extensions(event, "AuditEvent")]


def claimed_problems(event: dict[str, Any]) -> list[str]:
    """The same for every profile that the event's own `meta.profile` claims."""
    return [
        f"{profile.rpartition('/')[2]}: {problem}"
        for profile in event.get("meta", {}).get("profile", [])
        for problem in problems(event, profile)
    ]


@cache
def _profile(name: str) -> _Element:
    path = _DATA / "snapshot-slim" / f"snapshot-{name.rpartition('/')[2]}.json"
    definitions = json.loads(path.read_text())["element"]
    root = _Element(definitions[0])
    for definition in definitions[1:]:
        at = root
        *parents, last = definition["id"].split(".")[1:]
        for part in parents:
            name_, _, slice_name = part.partition(":")
            at = at.children[name_]
            at = at.slices[slice_name] if slice_name else at
        name_, _, slice_name = last.partition(":")
        if slice_name:
            at.children[name_].slices[slice_name] = _Element(definition)
        else:
            at.children[name_] = _Element(definition)
    return root


@cache
def _value_set(url: str) -> set[tuple[str | None, str]] | None:
    """(system, code) of a BALP value set. Raises NotImplementedError for one that is not here."""
    path = _DATA / "terminology" / f"ValueSet-{url.rpartition('/')[2]}.json"
    if not url.startswith(_BALP) or not path.exists():
        raise NotImplementedError(f"required binding to {url}")
    members: set[tuple[str | None, str]] = set()
    for include in json.loads(path.read_text())["compose"]["include"]:
        concepts = include.get("concept")
        if concepts is None:
            system = _DATA / "terminology" / f"CodeSystem-{include['system'].rpartition('/')[2]}.json"
            concepts = json.loads(system.read_text())["concept"]
        members |= {(include["system"], concept["code"]) for concept in concepts}
    return members


def _below(element: _Element, value: dict[str, Any], path: str, event: dict[str, Any]) -> Iterator[str]:
    """Problems in the children of `value`."""
    seen = set(_ALWAYS_ALLOWED)
    for name, child in element.children.items():
        key, found = _named(child, name, value)
        seen.add(key)
        yield from _count(child, len(found), f"{path}.{name}")
        # A slice may narrow a list to one; it stays a list in JSON.
        many = child.definition["max"] != "1"
        if key in value and ":" not in child.definition["id"] and many != isinstance(value[key], list):
            yield f"{path}.{name}: {'one value where a list' if many else 'a list where one value'} is meant"
        for index, item in enumerate(found):
            yield from _one(child, item, f"{path}.{name}[{index}]", event)
        yield from _sliced(child, found, f"{path}.{name}", event)
    for key in value.keys() - seen:
        yield f"{path}.{key}: no such element"


def _named(child: _Element, name: str, value: dict[str, Any]) -> tuple[str, list[Any]]:
    """The key under which an element stands (choice types carry their type in it), and its values."""
    key = name
    if name.endswith("[x]"):
        stem = name.removesuffix("[x]")
        options = [stem + kind[0].upper() + kind[1:] for kind in child.types]
        key = next((option for option in options if option in value), options[0])
    found = value.get(key, [])
    return key, found if isinstance(found, list) else [found]


def _count(element: _Element, number: int, path: str) -> Iterator[str]:
    low, high = element.definition["min"], element.definition["max"]
    if number < low:
        yield f"{path}: {number} where at least {low} must be"
    if high != "*" and number > int(high):
        yield f"{path}: {number} where at most {high} may be"


def _one(element: _Element, item: Any, path: str, event: dict[str, Any]) -> Iterator[str]:
    """Problems of one value: type, pattern, binding, reference target, invariants, children."""
    for kind in element.types[:1] if len(element.types) == 1 else []:
        yield from _typed(kind, item, path)
    if element.pattern is not None and not _matches(element.pattern, item):
        yield f"{path}: is not {element.pattern}"
    if not _bound(element, item):
        yield f"{path}: not in {element.definition['binding']['valueSet']}"
    yield from _target(element, item, path)
    for constraint in element.definition.get("constraint", []):
        holds = _INVARIANTS.get(constraint["expression"])
        if holds is None:
            raise NotImplementedError(f"invariant {constraint['expression']}")
        if not holds(item, event):
            yield f"{path}: {constraint['key']}: {constraint['human']}"
    if element.children and isinstance(item, dict):
        yield from _below(element, item, path, event)


def _typed(kind: str, item: Any, path: str) -> Iterator[str]:
    if kind in _UNCHECKED:
        if not isinstance(item, dict) or not item:
            yield f"{path}: is not a {kind}"
    elif kind == "boolean":
        if not isinstance(item, bool):
            yield f"{path}: is not a boolean"
    elif kind in _PRIMITIVES:
        if not isinstance(item, str) or not item or not _PRIMITIVES[kind].fullmatch(item):
            yield f"{path}: is not a {kind}"
    elif kind in _COMPLEX:
        yield from _complex(kind, item, path)
    else:
        raise NotImplementedError(f"type {kind}")


def _complex(kind: str, item: Any, path: str) -> Iterator[str]:
    if not isinstance(item, dict) or not item:
        yield f"{path}: is not a {kind}"
        return
    for key, value in item.items():
        if key in _ALWAYS_ALLOWED:
            continue
        inner = _COMPLEX[kind].get(key)
        if inner is None:
            yield f"{path}.{key}: no such element of {kind}"
            continue
        many = inner.endswith("*")
        if many != isinstance(value, list):
            yield f"{path}.{key}: {'one value where a list' if many else 'a list where one value'} is meant"
            continue
        for one in value if many else [value]:
            yield from _typed(inner.removesuffix("*"), one, f"{path}.{key}")


def _matches(pattern: Any, item: Any) -> bool:
    """FHIR's pattern: everything in it is in the value too; lists in any order."""
    if isinstance(pattern, dict):
        return isinstance(item, dict) and all(key in item and _matches(pattern[key], item[key]) for key in pattern)
    if isinstance(pattern, list):
        return isinstance(item, list) and all(any(_matches(wanted, one) for one in item) for wanted in pattern)
    return type(pattern) is type(item) and bool(pattern == item)


def _bound(element: _Element, item: Any) -> bool:
    """Whether a required binding holds; true where there is none."""
    binding = element.definition.get("binding", {})
    if binding.get("strength") != "required":
        return True
    url = binding["valueSet"].partition("|")[0]
    if url in _CORE_VALUE_SETS:
        return item in _CORE_VALUE_SETS[url]
    codings = item.get("coding", []) if isinstance(item, dict) and "coding" in item else [item]
    return any((one.get("system"), one.get("code")) in (_value_set(url) or ()) for one in codings)


def _target(element: _Element, item: Any, path: str) -> Iterator[str]:
    """A literal reference of the form …/Type/id names a type that the profile allows."""
    targets = [
        target.rpartition("/")[2]
        for kind in element.definition.get("type", [])
        if kind["code"] == "Reference"
        for target in kind.get("targetProfile", [])
        if target.startswith(_TARGET)
    ]
    if not targets or "Resource" in targets or not isinstance(item, dict) or "reference" not in item:
        return
    found = re.search(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.\-]{1,64}(?:/_history/\S+)?$", item["reference"])
    if not item["reference"].startswith("#") and (found is None or found.group(1) not in targets):
        yield f"{path}: refers to {item['reference']}, not to one of {targets}"


def _sliced(element: _Element, found: list[Any], path: str, event: dict[str, Any]) -> Iterator[str]:
    slicing = element.definition.get("slicing")
    if slicing is None:
        return
    members: dict[str, list[Any]] = {name: [] for name in element.slices}
    for index, item in enumerate(found):
        names = [name for name, part in element.slices.items() if _in_slice(part, slicing, item)]
        for name in names:
            members[name].append(item)
        if not names and slicing["rules"] == "closed":
            yield f"{path}[{index}]: in no slice, and the slicing is closed"
    for name, part in element.slices.items():
        yield from _count(part, len(members[name]), f"{path}:{name}")
        for item in members[name]:
            yield from _one(part, item, f"{path}:{name}", event)


def _in_slice(part: _Element, slicing: dict[str, Any], item: Any) -> bool:
    """Whether every discriminator's pattern or required binding in the slice holds for the value."""
    for discriminator in slicing["discriminator"]:
        if discriminator["type"] not in ("value", "pattern"):
            raise NotImplementedError(f"discriminator {discriminator}")
        if discriminator["path"] == "$this":
            decider, value = part, item
        else:
            decider, value = part.children[discriminator["path"]], item.get(discriminator["path"])
        bound = decider.definition.get("binding", {}).get("strength") == "required"
        if decider.pattern is None and not bound:
            raise NotImplementedError(f"slice {part.definition['id']} has nothing to tell it by")
        if value is None or (decider.pattern is not None and not _matches(decider.pattern, value)):
            return False
        if not _bound(decider, value):
            return False
    return True


def _extensions(value: Any, path: str) -> Iterator[str]:
    """Problems of the BALP extensions, anywhere below."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _extensions(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for extension in value.get("extension", []):
            if extension.get("url", "").startswith(_BALP):
                yield from _below(_profile(extension["url"]), extension, f"{path}.extension", {})
                yield from _value_type(extension, path)
        for key, item in value.items():
            yield from _extensions(item, f"{path}.{key}")


def _value_type(extension: dict[str, Any], path: str) -> Iterator[str]:
    for key, value in extension.items():
        if key.startswith("value"):
            yield from _typed(key.removeprefix("value"), value, f"{path}.extension.{key}")


_INVARIANTS: dict[str, Callable[[Any, dict[str, Any]], bool]] = {
    "name.empty() or query.empty()": lambda entity, _: not ("name" in entity and "query" in entity),
    "$this.who = %resource.source.observer": lambda agent, event: agent.get("who") == event["source"].get("observer"),
}
