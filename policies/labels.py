"""From the codes and labels of a resource to what a rule may know of it: sensitivity, confidentiality, kind of data.

A rule never sees a value. Unknown stays unlabelled: nothing is guessed.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from policies.coding import Contents, Pair

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

STRICTNESS = {"U": 0, "L": 1, "M": 2, "N": 3, "R": 4, "V": 5}
"""The order of v3-Confidentiality."""

SENSITIVITIES = frozenset(
    [
        "HIV",
        "STD",
        "SEX",
        "PREGNANT",
        "PSY",
        "PSYTHPN",
        "MH",
        "BH",
        "SUD",
        "ETH",
        "ETHUD",
        "OPIOIDUD",
        "SDV",
        "VIO",
        "MST",
        "GDIS",
        "SCA",
        "SICKLE",
        "TBOO",
        "COGN",
        "DVD",
        "EMOTDIS",
        "SPI",
        "ADOL",
        "CEL",
        "VIP",
        "EMP",
        "DEMO",
        "DIA",
        "LOCIS",
        "SSP",
        "PDS",
        "PHY",
        "PRS",
    ]
)
"""Sensitivity codes of v3-ActCode (view_only.md section 2)."""

DOCUMENTS = frozenset({"DocumentReference"})
"""Types whose content is a whole document."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The label signature of a resource: resources with equal ones are decided once."""

    type: str
    category: str
    confidentiality: str | None
    sensitivity: frozenset[str]
    document: bool

    def facts(self) -> dict[str, Any]:
        """The facts of action `show` that come from the resource."""
        return {
            "type": self.type,
            "category": self.category,
            "sensitivity": sorted(self.sensitivity),
            "document": self.document,
            "labelled": self.confidentiality is not None or bool(self.sensitivity),
            **({} if self.confidentiality is None else {"confidentiality": self.confidentiality}),
        }


def labels_of(resource_type: str, contents: Contents) -> Labels:
    """Labels of one resource, over every coding in it, components and contained resources included."""
    confidentiality: set[str] = set()
    sensitivity: set[str] = set()
    for system, code in contents.codings:
        if system == CONFIDENTIALITY and code in STRICTNESS:
            confidentiality.add(code)
        elif system == ACT_CODE and code in SENSITIVITIES:
            sensitivity.add(code)
        for row_sensitivity, row_confidentiality in _rows(system, code):
            sensitivity.add(row_sensitivity)
            confidentiality.add(row_confidentiality)
    return Labels(
        type=resource_type,
        category=category_of(resource_type, contents.codings),
        confidentiality=max(confidentiality, key=STRICTNESS.__getitem__, default=None),
        sensitivity=frozenset(sensitivity),
        document=resource_type in DOCUMENTS,
    )


def category_of(resource_type: str, found: frozenset[Pair]) -> str:
    """The kind of health data, by type and codes, from `tables/categories.toml`; else "unclassified"."""
    for codes, category in _categories().get(resource_type, ()):
        if codes is None or not codes.isdisjoint(found):
            return category
    return "unclassified"


def _rows(system: str, code: str) -> tuple[tuple[str, str], ...]:
    table = _sensitive().get(system)
    if table is None:
        return ()
    exact, prefixes = table
    return (*exact.get(code, ()), *(row for prefix, row in prefixes if code.startswith(prefix)))


_Row = tuple[str, str]


@cache
def _sensitive() -> dict[str, tuple[dict[str, list[_Row]], list[tuple[str, _Row]]]]:
    table: dict[str, tuple[dict[str, list[_Row]], list[tuple[str, _Row]]]] = {}
    for row in _table("labels.toml"):
        exact, prefixes = table.setdefault(row["system"], ({}, []))
        label = (row["sensitivity"], row["confidentiality"])
        for code in row.get("code", ()):
            exact.setdefault(code, []).append(label)
        prefixes.extend((prefix, label) for prefix in row.get("prefix", ()))
    return table


@cache
def _categories() -> dict[str, list[tuple[frozenset[tuple[str, str]] | None, str]]]:
    table: dict[str, list[tuple[frozenset[tuple[str, str]] | None, str]]] = {}
    for row in _table("categories.toml"):
        codes = (
            frozenset((s, c) for s, _, c in (text.rpartition("|") for text in row["code"])) if "code" in row else None
        )
        table.setdefault(row["type"], []).append((codes, row["category"]))
    return table


def _table(name: str) -> list[dict[str, Any]]:
    text = files("policies").joinpath("tables", name).read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["row"]
    return rows
