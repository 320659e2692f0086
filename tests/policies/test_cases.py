"""Cases in a file: what they say is put to the rules, and what cannot be a case is refused with file and line."""

import re
from pathlib import Path

import pytest

from policies import rulebook
from policies.cases import CasesInvalid, read, run
from policies.facts import LOOK, SHOW

RULES = rulebook.load(None, unlabelled_documents="withhold")
DOCS = Path(__file__).parents[2] / "docs" / "policies"
DEFAULTS = '[defaults]\npurpose = "TREAT"\npatient = "launch"\ncare_relation = "launch"\n'
SHIPPED = [None, *rulebook.sets()]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_cases_that_ship_are_as_the_rules_say(name: str | None) -> None:
    """They are what a site starts from."""
    rules = rulebook.load(None, unlabelled_documents="withhold", shipped_set=name)
    tried = run(rules, read("cases.toml", rulebook.cases_of(name)))
    assert [each.case.name for each in tried if not each.as_expected] == []


@pytest.mark.parametrize("name", rulebook.sets())
def test_every_rule_of_a_set_is_named_by_a_case(name: str) -> None:
    """A rule that no case names is unproven."""
    rules = rulebook.load(None, unlabelled_documents="withhold", shipped_set=name)
    own = {rule.id for rule in rules.complete.rules.values() if rule.statement.file.startswith("sets/")}
    named = {rule for case in read("cases.toml", rulebook.cases_of(name)) for rule in case.rules}
    assert own <= named


@pytest.mark.parametrize("name", SHIPPED)
def test_the_cases_that_ship_fail_under_rules_that_say_otherwise(name: str | None, tmp_path: Path) -> None:
    """Cases that nothing could fail would prove nothing."""
    (tmp_path / "closed.cedar").write_text('@id("closed") @en("E.") @fr("F.") forbid (principal, action, resource);')
    rules = rulebook.load(tmp_path, unlabelled_documents="withhold", shipped_set=name)
    tried = run(rules, read("cases.toml", rulebook.cases_of(name)))
    permits = [each for each in tried if each.case.permit]
    assert permits
    assert not any(each.as_expected for each in permits)


def test_a_case_fails_if_another_rule_decided() -> None:
    """That it is refused is not enough: for the right reason."""
    text = DEFAULTS + '[[case]]\nname = "x"\npurpose = "HRESCH"\nexpect = "deny"\nrules = ["suspended"]\n'
    assert not run(RULES, read("cases.toml", text))[0].as_expected


def test_what_a_case_does_not_state_is_absent_or_plain() -> None:
    """Nothing that permits is taken for granted but what `[defaults]` says."""
    case = read("cases.toml", '[[case]]\nname = "x"\nexpect = "deny"\n')[0]
    assert {name for name, fact in LOOK.items() if fact.optional} & set(case.question.facts) == set()
    shown = read("cases.toml", '[[case]]\nname = "x"\nexpect = "deny"\nshow = true\n')[0]
    assert {name for name, fact in SHOW.items() if not fact.optional} == set(shown.question.facts)


def test_a_case_names_its_line() -> None:
    """Whoever reads it has the file open."""
    text = DEFAULTS + '\n[[case]]\nname = "x"\nexpect = "deny"\n\n[[case]]\nname = "y"\nexpect = "deny"\n'
    assert [case.place for case in read("cases.toml", text)] == ["cases.toml:6", "cases.toml:10"]


CASE = '[[case]]\nname = "x"\nexpect = "deny"\n'
BAD = {
    "no TOML": ("[[case]", "cases.toml: is not TOML"),
    "nothing": ("", "no \\[\\[case\\]\\]"),
    "no case": (DEFAULTS, "no \\[\\[case\\]\\]"),
    "one case where many belong": ('[case]\nname = "x"\n', "no \\[\\[case\\]\\]"),
    "texts for cases": ('case = ["x"]', "a case is a table"),
    "another table": (CASE + "[other]\n", "no 'other'"),
    "no name": ('[[case]]\nexpect = "deny"\n', "cases.toml:1: a case has a name"),
    "no expectation": ('[[case]]\nname = "x"\n', "cases.toml:1: .*expects"),
    "another expectation": ('[[case]]\nname = "x"\nexpect = "maybe"\n', "cases.toml:1: .*expects"),
    "an unknown fact": (CASE + CASE + 'diagnosis = "B20"\n', "cases.toml:4: there is no fact 'diagnosis'"),
    "an unknown default": ("[defaults]\nfoo = 1\n" + CASE, "cases.toml:3: there is no fact 'foo'"),
    "a fact of another type": (CASE + 'hour = "noon"\n', "cases.toml:1: fact 'hour' is a whole number"),
    "a value that cannot be": (CASE + 'delivery = "printed"\n', "cases.toml:1: fact 'delivery' is never"),
    "a fact of a result on a look": (CASE + "opposed = true\n", "there is no fact 'opposed'"),
    "a fact of a look on a result": (CASE + 'show = true\nopposition = "all"\n', "there is no fact 'opposition'"),
    "an interaction that is none": (CASE + 'interaction = "steal"\n', "there is no action 'steal'"),
    "a result and an interaction": (CASE + 'show = true\ninteraction = "read"\n', "not both"),
    "a number for rules": (CASE + "rules = 3\n", "'rules' has another type"),
    "a truth as text": (CASE + 'show = "yes"\n', "'show' has another type"),
    "absent, and never there": (CASE + 'absent = ["purpose"]\n', "which is no default"),
    "deeply nested": ("a = " + "[" * 100_000, "is not TOML"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_a_case_is_refused(text: str, words: str) -> None:
    """A case that is passed over looks like one that holds."""
    with pytest.raises(CasesInvalid, match=words):
        read("cases.toml", text)


def test_the_examples_of_the_documentation_work(tmp_path: Path) -> None:
    """They are copied."""
    text = (DOCS / "README.md").read_text()
    rule = next(block for block in re.findall(r"```\n(.*?)```", text, re.DOTALL) if block.startswith("@id"))
    (tmp_path / "night.cedar").write_text(rule)
    rules = rulebook.load(tmp_path, unlabelled_documents="withhold")
    assert "night-needs-declaration" in rules.complete.ids
    cases = read("README.md", re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0])
    assert [each.as_expected for each in run(RULES, cases)] == [True, False]
