"""Why the rules say what they say: a verdict in sentences that a lawyer reads, in French or English."""

from collections.abc import Iterator
from dataclasses import dataclass

from policies.cedar import EVALUATION_FAILED
from policies.described import READ_LOG, SHOWING, Described, known_to
from policies.rulebook import Rulebook
from policies.vocabulary.verdict import NO_RULE_PERMITS, Deny, Permit

_OPENINGS = {
    ("fr", "look", True): "La consultation est permise",
    ("fr", "look", False): "La consultation est refusée",
    ("fr", SHOWING, True): "Le résultat est montré",
    ("fr", SHOWING, False): "Le résultat n'est pas montré",
    ("fr", READ_LOG, True): "La lecture du journal est permise",
    ("fr", READ_LOG, False): "La lecture du journal est refusée",
    ("en", "look", True): "The look is permitted",
    ("en", "look", False): "The look is refused",
    ("en", SHOWING, True): "The result is shown",
    ("en", SHOWING, False): "The result is not shown",
    ("en", READ_LOG, True): "Reading the log is permitted",
    ("en", READ_LOG, False): "Reading the log is refused",
}

_UNSPOKEN = {
    ("fr", NO_RULE_PERMITS): "Aucune règle ne le permet.",
    ("en", NO_RULE_PERMITS): "No rule permits it.",
    ("fr", EVALUATION_FAILED): "Les règles n'ont pas pu être évaluées ; dans le doute, c'est un refus.",
    ("en", EVALUATION_FAILED): "The rules could not be evaluated; in doubt it is a refusal.",
}

_BECAUSE = {"fr": " : ", "en": ": "}
_PLAIN = {"fr": "supposé : non décrit", "en": "assumed: not described"}
_YES_NO = {"fr": ("oui", "non"), "en": ("yes", "no")}


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact that was put to the rules."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict, the rules behind it and the facts before it, in one language."""

    permitted: bool
    sentence: str
    rules: tuple[tuple[str, str, str], ...]
    """Id, sentence, `file:line` ("" for what is no policy)."""
    facts: tuple[KnownFact, ...]
    absent: tuple[str, ...]
    """Facts that a rule could ask about and that nobody knows."""


def explain(rules: Rulebook, question: Described, language: str) -> Explanation:
    """Put `question` to `rules`; `language` is "fr" or "en"."""
    verdict = question.decide(rules)
    named = tuple(_named(rules, verdict, language))
    kind = question.action if question.action in (SHOWING, READ_LOG) else "look"
    opening = _OPENINGS[language, kind, isinstance(verdict, Permit)]
    sentence = opening + _BECAUSE[language] + " ".join(text for _, text, _ in named)
    known = known_to(question.action)
    facts = tuple(
        KnownFact(
            name,
            _shown(question.facts[name], language),
            (fact.source_fr if language == "fr" else fact.source) if name in question.stated else _PLAIN[language],
        )
        for name, fact in known.items()
        if name in question.facts
    )
    return Explanation(
        isinstance(verdict, Permit), sentence, named, facts, tuple(name for name in known if name not in question.facts)
    )


def _named(rules: Rulebook, verdict: Permit | Deny, language: str) -> Iterator[tuple[str, str, str]]:
    for each in verdict.rules:
        rule = rules.complete.rules.get(each)
        if rule is None:
            yield each, _UNSPOKEN.get((language, each), each), ""
        else:
            yield each, rule.sentences[language], rule.statement.place_of(each)


def _shown(value: object, language: str) -> str:
    if isinstance(value, bool):
        return _YES_NO[language][0 if value else 1]
    return ", ".join(value) or "-" if isinstance(value, list) else str(value)
