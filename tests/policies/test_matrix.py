"""The matrix says what the rules say, cell by cell, and changes when they do."""

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from policies import rulebook
from policies.cases import read, run
from policies.facts import CATEGORIES
from policies.labels import category_of
from policies.matrix import GLASS, NO, PROFESSIONS, TYPES, YES, Matrix, compute

RULE = '@id("{}") @en("E.") @fr("F.") {}'


def matrix(folder: Path | None = None, shipped_set: str | None = None, delivery: str = "rendered") -> Matrix:
    rules = rulebook.load(folder, unlabelled_documents="withhold", shipped_set=shipped_set)
    return compute(rules, delivery=delivery, feed="city-lab")


def values(found: Matrix, category: str) -> dict[str, str]:
    column = found.categories.index(category)
    return {each.en: row[column].value for each, row in zip(found.professions, found.cells, strict=True)}


def test_there_is_a_cell_for_every_profession_and_category() -> None:
    """A missing column would be a question that nobody asks."""
    found = matrix()
    assert found.categories == CATEGORIES == tuple(TYPES)
    assert [len(row) for row in found.cells] == [len(CATEGORIES)] * len(PROFESSIONS)


def test_each_column_asks_for_a_type_in_which_its_category_is_found() -> None:
    """Asking for a type that no such result has would show what no look shows."""
    table = files("policies").joinpath("tables", "categories.toml").read_text(encoding="utf-8")
    rows = {(row["category"], row["type"]) for row in tomllib.loads(table)["row"]}
    assert set(TYPES.items()) - rows == {("unclassified", "Observation")}
    assert category_of("Observation", frozenset()) == "unclassified"


def test_a_site_rule_changes_its_cells_and_no_other(tmp_path: Path) -> None:
    """It is computed from the rules, not drawn."""
    nurse = PROFESSIONS[4].roles[0]
    rule = (
        'forbid (principal, action == Action::"show", resource) '
        f'when {{ context.category == "imaging" && context.roles.contains("{nurse}") }};'
    )
    (tmp_path / "a.cedar").write_text(RULE.format("no-images-for-nurses", rule))
    before, after = matrix(), matrix(tmp_path)
    assert before.digest != after.digest
    changed = [
        (profession.en, category, cell.value, cell.rules)
        for profession, old, row in zip(after.professions, before.cells, after.cells, strict=True)
        for category, was, cell in zip(after.categories, old, row, strict=True)
        if was != cell
    ]
    assert changed == [("Nurse", "imaging", NO, ("no-images-for-nurses",))]


def test_what_only_a_broken_glass_opens_is_told_apart(tmp_path: Path) -> None:
    """The look itself needs a rule for the emergency, and the result one that gives way."""
    forbid = 'forbid (principal, action == Action::"show", resource) when {{ context.category == "{}" }}{};'
    rules = [
        RULE.format(
            "glass",
            'permit (principal, action in Action::"consult", resource) when '
            '{ context has purpose && context.purpose == "BTG" && context.break_glass };',
        ),
        RULE.format("gives-way", forbid.format("imaging", " unless { context.break_glass }")),
        RULE.format("stands", forbid.format("reimbursement", "")),
    ]
    (tmp_path / "a.cedar").write_text("\n".join(rules))
    found = matrix(tmp_path)
    assert set(values(found, "imaging").values()) == {GLASS}
    assert set(values(found, "reimbursement").values()) == {NO}
    assert set(values(found, "prescription").values()) == {YES}


def test_a_look_that_is_refused_leaves_nothing_to_show(tmp_path: Path) -> None:
    """A result that nobody may look for is not shown, though a rule would show it."""
    (tmp_path / "a.cedar").write_text(
        RULE.format("closed", 'forbid (principal, action == Action::"search-type", resource);')
    )
    assert {cell.value for row in matrix(tmp_path).cells for cell in row} == {NO}


def test_data_and_pages_have_tables_of_their_own() -> None:
    """A history is shown as a page only."""
    assert values(matrix(shipped_set="insurer-history"), "reimbursement")["Doctor"] == YES
    assert values(matrix(shipped_set="insurer-history", delivery="structured"), "reimbursement")["Doctor"] == NO


@pytest.mark.parametrize("name", rulebook.sets())
def test_the_matrix_and_the_cases_of_a_set_say_the_same(name: str) -> None:
    """Two views of one set."""
    rules = rulebook.load(None, unlabelled_documents="withhold", shipped_set=name)
    found = compute(rules, delivery="rendered", feed="a-feed")
    for tried in run(rules, read("cases.toml", rulebook.cases_of(name))):
        facts = tried.case.question.facts
        ordinary = facts.get("confidentiality", "N") == "N" and not facts.get("sensitivity")
        if tried.case.question.action != "show" or not ordinary or facts.get("delivery") != "rendered":
            continue
        if facts["purpose"] != "TREAT":
            continue
        codes = {role.rpartition("|")[2] for role in facts["roles"]}
        for profession, row in zip(found.professions, found.cells, strict=True):
            if {role.rpartition("|")[2] for role in profession.roles} == codes:
                cell = row[found.categories.index(facts["category"])]
                assert (cell.value == YES) is tried.case.permit, (tried.case.name, profession)
