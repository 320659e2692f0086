"""The facts in words, in the schema and in the documentation are the same; nothing else can be described."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policies import rulebook
from policies.decision import facts, facts_of_showing
from policies.facts import LOG, LOOK, SHOW, Fact, FactInvalid, checked
from policies.labels import Labels
from tests.policies.asking import around, clinician, search

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "policies" / "facts.md").read_text()
SCHEMA = rulebook.shipped("vitrine.cedarschema")

CEDAR_KINDS = {"String": str, "Bool": bool, "Long": int, "Set<String>": list}
SHOWN_KINDS = {str: "text", bool: "true or false", int: "number", list: "set"}
TABLES = {"look": LOOK, "show": SHOW, "log": LOG}


def in_schema(opening: str) -> dict[str, tuple[type, bool]]:
    """Name -> (kind, may be absent) of the record that follows `opening`."""
    record = SCHEMA.partition(opening)[2]
    record = record.partition("context: {" if opening.startswith("action") else "{")[2].partition("}")[0]
    lines = [re.match(r"\s*(\w+)(\??): ([\w<>]+)", line) for line in record.splitlines()]
    return {each[1]: (CEDAR_KINDS[each[3]], bool(each[2])) for each in lines if each}


SCHEMAS = {
    "look": in_schema("type Facts = "),
    "show": in_schema('action "show"'),
    "log": in_schema('action "read-log"'),
}


def in_document() -> list[list[tuple[str, ...]]]:
    """The rows of each table."""
    tables: list[list[tuple[str, ...]]] = []
    for line in DOCUMENT.splitlines():
        cells = tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        if cells[:1] == ("fact",):
            tables.append([])
        elif cells and cells[0].startswith("`"):
            tables[-1].append(cells)
    return tables


@pytest.mark.parametrize("name", TABLES)
def test_the_facts_are_those_of_the_schema(name: str) -> None:
    """The schema decides what a rule may ask."""
    assert {fact.name: (fact.kind, fact.optional) for fact in TABLES[name].values()} == SCHEMAS[name]


@pytest.mark.parametrize("name", TABLES)
def test_the_documentation_is_the_table_of_facts(name: str) -> None:
    """Each fact with all its values, where it comes from, and when it is absent."""
    rows = in_document()[list(TABLES).index(name)]
    assert [row[0].strip("`") for row in rows] == list(TABLES[name])
    for (_, meaning, values, source, absent), fact in zip(rows, TABLES[name].values(), strict=True):
        assert meaning
        assert source == fact.source
        assert (absent != "never") is fact.optional
        assert set(re.findall(r"`([^`]+)`", values)) == _told(fact)
        assert fact.values is not None or values == SHOWN_KINDS[fact.kind]


def _told(fact: Fact) -> set[str]:
    return set() if fact.values is None or fact.name == "type" else set(fact.values)


@pytest.mark.parametrize("known", [LOOK, SHOW, LOG], ids=TABLES)
def test_every_fact_says_in_both_languages_where_it_comes_from(known: Mapping[str, Fact]) -> None:
    """`policy explain` tells it."""
    assert all(fact.source and fact.source_fr and fact.source != fact.source_fr for fact in known.values())


def test_what_is_put_to_the_rules_is_within_the_table() -> None:
    """The words are of what happens, not of another schema."""
    known = around(opposition="part", network_zone="ward")
    for name, value in (facts(clinician(), search(), known) | {"purpose": "TREAT"}).items():
        assert checked(LOOK, name, value) == value
    labels = Labels("Observation", "test-results", "R", frozenset({"PSY"}), document=False, labelled=True)
    shown = facts_of_showing(clinician(), search(), known) | labels.facts() | {"opposed": True, "purpose": "TREAT"}
    for name, value in shown.items():
        assert checked(SHOW, name, value) == value


BAD: dict[str, tuple[str, Any, str]] = {
    "no fact": ("diagnosis", "B20", "no fact 'diagnosis'"),
    "a text for a truth": ("suspended", "false", "true or false"),
    "a truth for a number": ("hour", True, "a whole number"),
    "a number for a text": ("client", 3, "a text"),
    "a text for a set": ("roles", "doctor", "a list of texts"),
    "a set of numbers": ("roles", [10], "a list of texts"),
    "a value that it never has": ("delivery", "printed", "rendered, structured"),
    "an hour that no clock shows": ("hour", 24, "0 to 23"),
    "a negative hour": ("hour", -1, "0 to 23"),
    "no resource type": ("type", "observation", "is never"),
}


@pytest.mark.parametrize(("name", "value", "words"), BAD.values(), ids=BAD)
def test_a_fact_that_cannot_be_is_refused(name: str, value: Any, words: str) -> None:
    """A misspelt fact, passed over, would prove the opposite of what was meant."""
    with pytest.raises(FactInvalid, match=words):
        checked(LOOK, name, value)
