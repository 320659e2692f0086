"""Codings and references as they stand in a parsed resource: found in one walk, without a model of each type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

REPORTING = frozenset({"result", "hasMember", "derivedFrom", "entry", "target"})
"""Elements by which a resource reports another: what they name must be judged with it, or the referrer is not shown."""

_CONTAINERS = (dict, list)
"""Built once: this walk visits every element of every answer."""

Pair = tuple[str, str]
"""(system, code) or (system, value); an absent system is ""."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a resource holds, contained resources included."""

    codings: frozenset[Pair]
    references: frozenset[str]
    """Every literal reference."""
    logical: frozenset[Pair]
    """Every identifier by which a Reference names something."""
    reports: frozenset[str | None]
    """The literal references of reporting elements, without those to contained resources; None: one without a text."""
    identifiers: frozenset[Pair]
    """The resource's own business identifiers."""


def contents(resource: Mapping[str, Any]) -> Contents:
    """One walk over the tree, whatever its shape; what is not in FHIR's form is passed over."""
    codings, references, logical, reports = set[Pair](), set[str](), set[Pair](), set[str | None]()
    stack: list[Any] = [resource]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(each for each in node if isinstance(each, _CONTAINERS))
            continue
        for name, value in node.items():
            if isinstance(value, str):
                if name == "code":
                    codings.add((_text(node.get("system")), value))
                elif name == "reference":
                    references.add(value)
            elif isinstance(value, _CONTAINERS):
                stack.append(value)
                if name in REPORTING:
                    reports.update(_reported(value))
                elif name == "identifier" and isinstance(value, dict):
                    logical.update(_pairs([value]))
    return Contents(
        frozenset(codings),
        frozenset(references),
        frozenset(logical),
        frozenset(reports),
        frozenset(_pairs(resource.get("identifier"))),
    )


def _reported(value: Any) -> Iterator[str | None]:
    """What a reporting element names: itself, each of a list, or the `item` of each entry of a List."""
    for each in value if isinstance(value, list) else [value]:
        item = each.get("item", each) if isinstance(each, dict) else None
        if isinstance(item, dict) and not item.keys().isdisjoint({"reference", "identifier", "display"}):
            text = item.get("reference")
            if not isinstance(text, str):
                yield None
            elif not text.startswith("#"):  # contained: judged as a part of its container
                yield text


def references_at(resource: Mapping[str, Any], path: str) -> Iterator[str]:
    """The literal references of the element at `path`, names joined by dots; lists are entered."""
    nodes: list[Any] = [resource]
    for name in path.split("."):
        values = [node[name] for node in nodes if isinstance(node, dict) and name in node]
        nodes = [each for value in values for each in (value if isinstance(value, list) else [value])]
    for node in nodes:
        if isinstance(node, dict) and isinstance(text := node.get("reference"), str):
            yield text


def _pairs(identifiers: Any) -> Iterator[Pair]:
    for each in identifiers if isinstance(identifiers, list) else []:
        if isinstance(each, dict) and isinstance(value := each.get("value"), str):
            yield _text(each.get("system")), value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
