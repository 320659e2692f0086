"""An explanation is the verdict of the rules themselves, in one sentence, with what it rests on and what is missing."""

import pytest

from policies import rulebook
from policies.described import NEUTRAL, READ_LOG, SHOWING, described
from policies.explanation import explain
from policies.facts import LOG, LOOK, SHOW, FactInvalid
from policies.vocabulary.verdict import Permit

RULES = rulebook.load(None, unlabelled_documents="withhold")
GOOD = {"patient": "launch", "care_relation": "launch", "purpose": "TREAT"}


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "The look is permitted: A professional who treats the patient in context may look at that patient's"),
        ("fr", "La consultation est permise : Le professionnel qui soigne le patient ouvert peut consulter"),
    ],
)
def test_a_permission_is_explained_by_its_rule(language: str, sentence: str) -> None:
    """In the language of the reader."""
    said = explain(RULES, described("search-type", GOOD), language)
    assert said.permitted
    assert said.sentence.startswith(sentence)
    assert [name for name, _, _ in said.rules] == ["treatment-of-the-launch-patient"]
    assert said.rules[0][2].startswith("shipped.cedar:")


def test_a_refusal_names_every_rule_that_refuses() -> None:
    """Mending one of two would not help."""
    said = explain(RULES, described("search-type", GOOD | {"suspended": True, "purpose": "HRESCH"}), "en")
    assert not said.permitted
    assert [name for name, _, _ in said.rules] == ["care-only", "suspended"]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "The look is refused: No rule permits it."), ("fr", "La consultation est refusée : Aucune règle ne le")],
)
def test_where_no_rule_speaks_that_is_said(language: str, sentence: str) -> None:
    """The absence of a permission is a reason."""
    said = explain(RULES, described("search-type", GOOD | {"purpose": "BTG", "break_glass": True}), language)
    assert said.sentence.startswith(sentence)


def test_facts_are_told_apart_as_stated_assumed_and_absent() -> None:
    """A verdict on what nobody said is no answer to what was asked."""
    said = explain(RULES, described("search-type", GOOD), "en")
    sources = {fact.name: fact.source for fact in said.facts}
    assert sources["purpose"] == LOOK["purpose"].source
    assert sources["hour"] == "assumed: not described"
    assert {"organisation", "assurance", "opposition"} <= set(said.absent)
    assert set(sources) | set(said.absent) == set(LOOK)
    assert not set(sources) & set(said.absent)


def test_a_result_and_the_log_are_explained_too() -> None:
    """Each by its own rules."""
    shown = explain(RULES, described(SHOWING, {"document": True}), "fr")
    assert shown.sentence.startswith("Le résultat n'est pas montré : Un document sans étiquette")
    read = explain(RULES, described(READ_LOG, {"auditor": True, "purpose": "HCOMPL"}), "en")
    assert read.sentence.startswith("Reading the log is permitted: ")


def test_what_is_assumed_permits_nothing_by_itself() -> None:
    """Whoever describes nothing gets a refusal, for a look and for the log."""
    assert not explain(RULES, described("search-type", {}), "en").permitted
    assert not explain(RULES, described(READ_LOG, {}), "en").permitted


def test_the_verdict_is_the_one_of_the_rules() -> None:
    """No second opinion."""
    for purpose in ("TREAT", "COC", "BTG", "HRESCH", "ETREAT"):
        for relation in ("launch", "declared"):
            question = described("read", GOOD | {"purpose": purpose, "care_relation": relation})
            assert explain(RULES, question, "en").permitted is isinstance(question.decide(RULES), Permit)


def test_the_plain_values_are_of_required_facts() -> None:
    """An optional fact that is not described stays absent."""
    required = {name for known in (LOOK, SHOW, LOG) for name, fact in known.items() if not fact.optional}
    # `purpose` is required of a result only, `type` and `labelled` follow from the others.
    assert required - {"type", "labelled"} == set(NEUTRAL)


@pytest.mark.parametrize(("action", "facts"), [("steal", {}), ("show", {"opposition": "all"}), ("read", {"x": 1})])
def test_what_cannot_be_described_is_refused(action: str, facts: dict[str, object]) -> None:
    """An action or a fact that there is not."""
    with pytest.raises(FactInvalid):
        described(action, facts)
