"""Codings and references as they stand in a parsed resource: found anywhere, without a model of each type."""

from collections.abc import Iterator
from typing import Any


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, the root and contained resources included."""
    stack = [tree]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            yield here
            stack.extend(value for value in here.values() if isinstance(value, dict | list))
        elif isinstance(here, list):
            stack.extend(value for value in here if isinstance(value, dict | list))


def codings(tree: Any) -> Iterator[tuple[str, str]]:
    """Every (system, code) anywhere in the tree; an absent system is ""."""
    for node in nodes(tree):
        code = node.get("code")
        if isinstance(code, str):
            system = node.get("system", "")
            yield (system if isinstance(system, str) else "", code)


def references(tree: Any) -> Iterator[str]:
    """Every literal reference anywhere in the tree."""
    for node in nodes(tree):
        reference = node.get("reference")
        if isinstance(reference, str):
            yield reference
