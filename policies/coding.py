"""Codings and references as they stand in a parsed resource: found in one walk, without a model of each type."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

REPORTING = frozenset({"result", "hasMember", "derivedFrom", "entry", "target"})
"""Elements by which a resource reports another: what they name must be judged with it, or the referrer is not shown."""

_LEADING = frozenset({"meta", "attachment", "presentedForm", "photo", "form", "contentType"})
"""Elements that may lead to the source, or hold content that only the viewer shows; so may all `…Attachment`."""

_MARKING = frozenset({"resourceType", "contentType"})

_TELLING = REPORTING | _LEADING | {"identifier"}

Pair = tuple[str, str]
"""(system, code) or (system, value); an absent system is ""."""


_NONE: frozenset[Pair] = frozenset()
_OID = re.compile(r"[0-2](?:\.[0-9]+)+")
_LONGEST = 256
"""Characters of a system that is remembered: a source may write into it whatever it has, as long as an answer."""
_WEB = re.compile(r"https?://([^/]+)(.*)", re.IGNORECASE | re.DOTALL)


class Contents(NamedTuple):
    """What a resource holds, contained resources included."""

    codings: frozenset[Pair]
    """The systems as `system_of` has them; codes without the blanks around them that fixed columns leave: no code has
    any (R4 2.24.0.1)."""
    references: frozenset[str]
    """Every literal reference."""
    logical: frozenset[Pair]
    """Every identifier by which a Reference names something."""
    reports: frozenset[str | None]
    """The literal references of reporting elements, without those to contained resources; None: one without a text."""
    identifiers: frozenset[Pair]
    """The resource's own business identifiers."""
    resources: int
    """How many it is and holds: whatever has a type of its own, wherever that stands."""
    plain: bool
    """Nothing in it but its own `meta` leads to the source or holds a file: no other meta, attachment or address."""


def contents(resource: Mapping[str, Any]) -> Contents:
    """One walk over the tree, whatever its shape; what is not in FHIR's form is passed over.

    It visits every element of every answer: kinds are compared by identity, and most elements are texts without more.
    """
    seen = _Seen()
    codings: set[Pair] = set()
    references: set[str] = set()
    waiting: list[Any] = [resource]
    take, wait = waiting.pop, waiting.append
    while waiting:
        node = take()
        for name, value in node.items():
            kind = type(value)
            if kind is str:
                if name == "code":
                    system = node.get("system")
                    codings.add((system_of(system) if type(system) is str else "", value.strip()))
                elif name == "reference":
                    references.add(value)
                elif name in _MARKING:
                    seen.mark(name)
                continue
            if kind is dict:
                wait(value)
            elif kind is list:
                for each in value:
                    if type(each) is dict:
                        wait(each)
                    elif type(each) is list:  # not FHIR; walked all the same, as what it would be named
                        wait({name: each})
            if name in _TELLING or name[-10:] == "Attachment":
                seen.note(name, value, own=node is resource)
    own = resource.get("identifier")
    return Contents(
        frozenset(codings),
        frozenset(references),
        frozenset(seen.logical),
        frozenset(seen.reports),
        frozenset(_pairs(own)) if own is not None else _NONE,
        seen.resources,
        seen.plain and not any("://" in text for text in references),
    )


def system_of(text: str) -> str:
    """A code system in the one form in which systems are compared, however a source spells its address.

    Blanks around it, capitals of scheme and host, https for http, a slash at the end and an OID without `urn:oid:` name
    no other system; what is different beyond that does.
    """
    return _remembered(text) if len(text) <= _LONGEST else _spelt(text)


def _spelt(text: str) -> str:
    bare = text.strip().rstrip("/")
    if _OID.fullmatch(bare):
        return f"urn:oid:{bare}"
    web = _WEB.fullmatch(bare)
    if web is not None:
        return f"http://{web[1].lower()}{web[2]}"
    return f"urn:oid:{bare[8:]}" if bare[:8].lower() == "urn:oid:" else bare


_remembered = lru_cache(maxsize=1024)(_spelt)
"""An answer names a few systems over and over."""


class _Seen:
    """What the walk has come across beside codes and references."""

    def __init__(self) -> None:
        self.logical: set[Pair] = set()
        self.reports: set[str | None] = set()
        self.resources = 0
        self.plain = True

    def mark(self, name: str) -> None:
        """A text of MARKING: there is a resource, or a file."""
        if name == "resourceType":
            self.resources += 1
        else:
            self.plain = False

    def note(self, name: str, value: Any, *, own: bool) -> None:
        """An element that tells something; `own`: of the resource itself."""
        if name in REPORTING:
            self.reports.update(_reported(value))
        elif name == "identifier":
            if isinstance(value, dict):
                self.logical.update(_pairs([value]))
        elif name != "meta" or not own or not isinstance(value, dict):
            self.plain = False


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
