"""The rule engine: Cedar policies, statically typed against our schema, asked with facts, answered with a verdict.

Which policies there are is `policies.rulebook`'s; which facts a request has is `policies.decision`'s.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import cedarpy
import orjson
from cedarpy import pst

from policies.actions import GROUP_OF, Group, groups_of
from policies.policy_text import Statement, statements
from policies.vocabulary.verdict import NO_RULE_PERMITS, Deny, Permit
from policies.withholding import OUTSIDE_THE_ANSWER, REFERS_TO_WITHHELD

EVALUATION_FAILED = "evaluation-failed"
"""Stands as the rule of a denial when Cedar could not decide: an error is never a permit."""


ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What a policy may be called: the name stands in records."""

RESERVED = frozenset(
    [
        NO_RULE_PERMITS,
        EVALUATION_FAILED,
        REFERS_TO_WITHHELD,
        OUTSIDE_THE_ANSWER,
        "break-glass",
        "cap",
        "contained-out-of-scope",
        "core",
        "handle",
        "log-by-search",
        "not-at-feed",
        "page-link",
        "quota",
        "scope",
        "shape",
        "too-costly",
    ]
)
"""Names that records give to what is no policy."""

LANGUAGES = ("fr", "en")
MAX_SENTENCE = 500

REMEMBERED = 2_048
"""Verdicts kept by one process, by facts of looks and kinds of results: no patient, no result is named, and no person
unless a rule names one."""

_NOBODY = ""
"""Who asks, where no rule of a set looks at who it is."""


class RulesInvalid(Exception):
    """A policy set cannot be used. The message names the policy and says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request to decide. Entity ids are free text; facts have the names and types of the schema."""

    principal: str
    action: str
    resource: tuple[str, str]
    """Entity type and id: ("Feed", "city-lab")."""
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy, as people name and read it."""

    id: str
    effect: str
    """"permit" or "forbid"."""
    sentences: Mapping[str, str]
    """"fr" and "en"."""
    statement: Statement
    tree: Any
    """Cedar's public syntax tree (`cedarpy.pst.Template`)."""


class PolicySet:
    """A validated set of policies. Safe to share between threads; immutable."""

    def __init__(self, texts: Mapping[str, str], schema: str) -> None:
        """Parse and validate `texts`, file name -> policies.

        Raises RulesInvalid, which names file and line: syntax, types, an unknown fact or action, a template, an id that
        is missing, doubled, reserved or not a word, no sentence in French or English.
        """
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in _rules(texts)}
        self.ids = tuple(self.rules)
        text = "\n".join(texts.values())
        try:
            self._schema = cedarpy.Schema.from_str(schema)
            # A policy that is about other actions can neither permit nor forbid, so it need not be looked at.
            self._parts = {group: cedarpy.PolicySet.from_str(self._about(group)) for group in Group}
        except ValueError as error:
            raise RulesInvalid(f"cannot be parsed: {error}") from error
        result = cedarpy.validate_policies(text, schema)
        if not result.validation_passed:
            raise _mistyped(result.errors[0], result.id_annotations_by_policy_id, self.rules)
        # With the schema, since the groups of actions stand in it: without them no rule on a group would ever fire.
        self._entities = cedarpy.Entities.from_json_str("[]", self._schema)
        self._names_persons = any(map(_names_persons, self.rules.values()))
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._decide_one)

    def _about(self, group: Group) -> str:
        """The text of the policies that an action of `group` can meet."""
        return "\n".join(rule.statement.text for rule in self.rules.values() if group in groups_of(rule.tree.action))

    def decide_again(self, question: Question) -> Permit | Deny:
        """As `decide`, remembering the verdict: for questions that the looks of an hour share.

        A verdict depends on nothing but the question and this set, which never changes; on who asks only if a rule
        names persons, so that otherwise what was decided for one is decided for all with the same facts.
        """
        try:
            # As text: what orjson returns keeps 8 KB for as long as it lives.
            facts = orjson.dumps(question.facts, option=orjson.OPT_SORT_KEYS).decode()
        except orjson.JSONEncodeError:
            return Deny((EVALUATION_FAILED,))
        principal = question.principal if self._names_persons else _NOBODY
        return self._remembered(principal, question.action, question.resource, facts)

    def _decide_one(self, principal: str, action: str, resource: tuple[str, str], facts: str) -> Permit | Deny:
        return self._decide(GROUP_OF.get(action), [_request(principal, action, resource, facts)])[0]

    def decide(self, questions: Sequence[Question]) -> list[Permit | Deny]:
        """A verdict for each question, in order."""
        verdicts: list[Permit | Deny] = []
        for group, asked in groupby(questions, lambda question: GROUP_OF.get(question.action)):
            together = list(asked)
            try:
                requests = [
                    _request(each.principal, each.action, each.resource, orjson.dumps(dict(each.facts)).decode())
                    for each in together
                ]
            except orjson.JSONEncodeError:
                verdicts += _failed(len(together))
            else:
                verdicts += self._decide(group, requests)
        return verdicts

    def _decide(self, group: Group | None, requests: list[dict[str, Any]]) -> list[Permit | Deny]:
        """The same, of Cedar's requests of one group; None: their action is unknown."""
        if group is None:
            return _failed(len(requests))
        try:
            results = cedarpy.is_authorized_batch(requests, self._parts[group], self._entities, self._schema)
        except ValueError:
            return _failed(len(requests))
        return [_verdict(result) for result in results]


def _names_persons(rule: Rule) -> bool:
    """True unless the rule says `principal` nowhere but in its scope, and there of everybody."""
    return not isinstance(rule.tree.principal, pst.ScopeAny) or rule.statement.text.count("principal") != 1


def _failed(questions: int) -> list[Permit | Deny]:
    return [Deny((EVALUATION_FAILED,))] * questions


def _request(principal: str, action: str, resource: tuple[str, str], facts: str) -> dict[str, Any]:
    """Cedar's form of a question, its facts in JSON."""
    return {
        "principal": {"type": "Person", "id": principal},
        "action": {"type": "Action", "id": action},
        "resource": {"type": resource[0], "id": resource[1]},
        "context": facts,
    }


def _verdict(result: cedarpy.AuthzResult) -> Permit | Deny:
    diagnostics = result.diagnostics
    if diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
        return Deny((EVALUATION_FAILED,))
    rules = tuple(sorted(diagnostics.id_annotations_by_reason.values()))
    if result.decision is cedarpy.Decision.Allow and rules:
        return Permit(rules)
    return Deny(rules or (NO_RULE_PERMITS,))


def _rules(texts: Mapping[str, str]) -> list[Rule]:
    found: dict[str, Rule] = {}
    for file, text in texts.items():
        for rule in _rules_of(file, text):
            if rule.id in found:
                place, other = rule.statement.place_of(rule.id), found[rule.id].statement.place_of(rule.id)
                raise RulesInvalid(f"{place}: two policies have the id '{rule.id}'; the other is at {other}")
            found[rule.id] = rule
    return list(found.values())


def _rules_of(file: str, text: str) -> list[Rule]:
    """The policies of one file by itself: two files could otherwise make one between them that neither shows."""
    stated = statements(file, text)
    try:
        parsed = cedarpy.policies_to_pst(text)
    except ValueError as error:
        raise _unparsed(file, stated, error) from error
    if parsed.templates or len(parsed.static_policies) != len(stated):
        place = next(
            (each.place_of("") for each in stated if "?principal" in each.text or "?resource" in each.text), file
        )
        raise RulesInvalid(f"{place}: policy templates are not used here")
    return [_rule(statement, tree) for statement, tree in zip(stated, parsed.static_policies.values(), strict=True)]


def _rule(statement: Statement, tree: Any) -> Rule:
    name = tree.annotations.get("id")
    if not name:
        raise RulesInvalid(f"{statement.place_of('')}: a policy has no @id, so no record could name it")
    if not ID.fullmatch(name) or name in RESERVED:
        raise RulesInvalid(
            f"{statement.place_of('')}: '{ascii(name)[1:-1]}' cannot be an @id: it is reserved, or no word"
        )
    given = {each: text for each in LANGUAGES if (text := tree.annotations.get(each) or "").strip()}
    if not given or max(map(len, given.values())) > MAX_SENTENCE:
        raise RulesInvalid(
            f"{statement.place_of(name)}: policy '{name}' has no sentence that people can read, @en or @fr, of at most "
            f"{MAX_SENTENCE} characters"
        )
    # A site of one language has one to give.
    sentences = {each: given.get(each, next(iter(given.values()))) for each in LANGUAGES}
    return Rule(name, tree.effect, sentences, statement, tree)


def _unparsed(file: str, stated: Sequence[Statement], error: ValueError) -> RulesInvalid:
    """The first policy that does not parse by itself is the one."""
    for statement in stated:
        try:
            cedarpy.policies_to_pst(statement.text)
        except ValueError as own:
            return RulesInvalid(f"{statement.place_of(_named_in(str(own)))}: cannot be parsed: {own}")
    return RulesInvalid(f"{file}: cannot be parsed: {error}")


def _mistyped(error: Any, names: Mapping[str, str], rules: Mapping[str, Rule]) -> RulesInvalid:
    rule = rules.get(names.get(error.policy_id, ""))
    why = re.sub(r"^for policy `[^`]*`, ", "", error.error)
    if rule is None:
        return RulesInvalid(why)
    return RulesInvalid(f"{rule.statement.place_of(_named_in(why))}: policy '{rule.id}': {why}")


def _named_in(message: str) -> str:
    """The word that an error of Cedar is about: an attribute, an entity's id, a wrong keyword."""
    found = re.search(r'`(?:\w+::)?"?([\w-]+)"?`|: (\w+)$', message)
    return (found[1] or found[2]) if found else ""
