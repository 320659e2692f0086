"""From the codes and labels of a resource to what a rule may know of it: sensitivity, confidentiality, kind of data.

A rule never sees a value. Unknown stays unlabelled: nothing is guessed.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from policies.code_tables import CodeTables
from policies.coding import Contents, Pair, system_of
from policies.vocabulary.security_labels import (
    ACT_CODE_NAMES,
    CONFIDENTIALITY_NAMES,
    SENSITIVITIES,
    STRICTNESS,
)

DOCUMENTS = frozenset({"DocumentReference"})
"""Types whose content is a whole document."""

_TELLING = STRICTNESS["R"]
"""From here on a confidentiality tells of the content, and so is inherited by what reports it."""


class Labels(NamedTuple):
    """The label signature of a resource: resources with equal ones are decided once."""

    type: str
    category: str
    confidentiality: str | None
    sensitivity: frozenset[str]
    document: bool
    labelled: bool
    """Something speaks of its confidentiality or sensitivity; of a document, something of its own."""

    @property
    def is_inherited(self) -> bool:
        """Whether what reports such a resource is stricter for it."""
        return bool(self.sensitivity) or _strictness(self.confidentiality) >= _TELLING

    def facts(self) -> dict[str, Any]:
        """The facts of action `show` that come from the resource."""
        return {
            "type": self.type,
            "category": self.category,
            "sensitivity": sorted(self.sensitivity),
            "document": self.document,
            "labelled": self.labelled,
            **({} if self.confidentiality is None else {"confidentiality": self.confidentiality}),
        }


def labels_of(tables: CodeTables, resource_type: str, contents: Contents, documents: str | None = None) -> Labels:
    """Labels of one resource, over every coding in it, components and contained resources included.

    `documents` is the confidentiality that the feed's whole documents have at least, by configuration.
    """
    confidentiality: set[str] = set()
    sensitivity: set[str] = set()
    for system, code in contents.codings:
        if system in CONFIDENTIALITY_NAMES and code in STRICTNESS:
            confidentiality.add(code)
        elif system in ACT_CODE_NAMES and code in SENSITIVITIES:
            sensitivity.add(code)
        # Of a label too: a site may have a table of its own for codes that are retired, or its source's alone.
        for label in tables.labels(system, code):
            sensitivity.add(label.sensitivity)
            confidentiality.add(label.confidentiality)
    document = resource_type in DOCUMENTS
    if document and documents is not None:
        confidentiality.add(documents)
    sensitivity.discard("")
    confidentiality.discard("")
    return Labels(
        type=resource_type,
        category=category_of(resource_type, contents.codings),
        confidentiality=max(confidentiality, key=STRICTNESS.__getitem__, default=None),
        sensitivity=frozenset(sensitivity),
        document=document,
        labelled=bool(confidentiality or sensitivity),
    )


def confidentiality_of(label: Mapping[str, Any]) -> str | None:
    """The code of a label that is a confidentiality, however it is spelt; None for any other."""
    system, code = label.get("system"), label.get("code")
    if not isinstance(system, str) or not isinstance(code, str) or system_of(system) not in CONFIDENTIALITY_NAMES:
        return None
    return code.strip() if code.strip() in STRICTNESS else None


def inheriting(own: Labels, reported: Labels) -> Labels:
    """`own`, and what makes a resource stricter that it reports: its sensitivities, and confidentiality R or V.

    What is harmless is not inherited: that one result is normal says nothing of the others, nor of a document's text.
    """
    theirs = reported.confidentiality
    stricter = _strictness(theirs) >= _TELLING and _strictness(theirs) > _strictness(own.confidentiality)
    if not stricter and reported.sensitivity <= own.sensitivity:
        return own
    return own._replace(
        sensitivity=own.sensitivity | reported.sensitivity,
        confidentiality=theirs if stricter else own.confidentiality,
        labelled=own.labelled or not own.document,
    )


def _strictness(confidentiality: str | None) -> int:
    return -1 if confidentiality is None else STRICTNESS[confidentiality]


def category_of(resource_type: str, found: frozenset[Pair]) -> str:
    """The kind of health data, by type and codes, from `tables/categories.toml`; else "unclassified"."""
    for codes, category in _categories().get(resource_type, ()):
        if codes is None or not codes.isdisjoint(found):
            return category
    return "unclassified"


@cache
def _categories() -> dict[str, list[tuple[frozenset[tuple[str, str]] | None, str]]]:
    text = files("policies").joinpath("tables", "categories.toml").read_text(encoding="utf-8")
    table: dict[str, list[tuple[frozenset[tuple[str, str]] | None, str]]] = {}
    for row in tomllib.loads(text)["row"]:
        codes = (
            frozenset((system_of(s), c) for s, _, c in (text.rpartition("|") for text in row["code"]))
            if "code" in row
            else None
        )
        table.setdefault(row["type"], []).append((codes, row["category"]))
    return table
