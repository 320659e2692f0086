"""The rule engine: Cedar policies, statically typed against our schema, asked with facts, answered with a verdict.

Which policies there are is `policies.rulebook`'s; which facts a request has is `policies.decision`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cedarpy
import orjson

from policies.vocabulary.verdict import NO_RULE_PERMITS, Deny, Permit

EVALUATION_FAILED = "evaluation-failed"
"""Stands as the rule of a denial when Cedar could not decide: an error is never a permit."""


REMEMBERED = 4_096
"""Verdicts on looks kept by one process; facts of persons and clients, none of a patient or a result."""


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


class PolicySet:
    """A validated set of policies. Safe to share between threads; immutable."""

    def __init__(self, text: str, schema: str) -> None:
        """Parse and validate. Raises RulesInvalid: syntax, types, a policy without `@id`, an id used twice."""
        try:
            self._schema = cedarpy.Schema.from_str(schema)
            self._policies = cedarpy.PolicySet.from_str(text)
            nodes = cedarpy.policies_to_pst(text)
        except ValueError as error:
            raise RulesInvalid(f"cannot be parsed: {error}") from error
        result = cedarpy.validate_policies(text, schema)
        if not result.validation_passed:
            first = result.errors[0]
            name = result.id_annotations_by_policy_id.get(first.policy_id, first.policy_id)
            raise RulesInvalid(f"policy '{name}': {first.error}")
        # With the schema, since the groups of actions stand in it: without them no rule on a group would ever fire.
        self._entities = cedarpy.Entities.from_json_str("[]", self._schema)
        self.ids = _ids(nodes)
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._decide_one)

    def decide_again(self, question: Question) -> Permit | Deny:
        """As `decide`, remembering the verdict: for questions that a person's looks within an hour share.

        A verdict depends on nothing but the question and this set, which never changes.
        """
        facts = orjson.dumps(question.facts, option=orjson.OPT_SORT_KEYS)
        return self._remembered(question.principal, question.action, question.resource, facts)

    def _decide_one(self, principal: str, action: str, resource: tuple[str, str], facts: bytes) -> Permit | Deny:
        return self.decide([Question(principal, action, resource, orjson.loads(facts))])[0]

    def decide(self, questions: Sequence[Question]) -> list[Permit | Deny]:
        """A verdict for each question, in order."""
        requests = [
            {
                "principal": {"type": "Person", "id": question.principal},
                "action": {"type": "Action", "id": question.action},
                "resource": {"type": question.resource[0], "id": question.resource[1]},
                "context": dict(question.facts),
            }
            for question in questions
        ]
        try:
            results = cedarpy.is_authorized_batch(requests, self._policies, self._entities, self._schema)
        except ValueError:
            return [Deny((EVALUATION_FAILED,))] * len(requests)
        return [_verdict(result) for result in results]


def _verdict(result: cedarpy.AuthzResult) -> Permit | Deny:
    diagnostics = result.diagnostics
    if diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
        return Deny((EVALUATION_FAILED,))
    rules = tuple(sorted(diagnostics.id_annotations_by_reason.values()))
    if result.decision is cedarpy.Decision.Allow and rules:
        return Permit(rules)
    return Deny(rules or (NO_RULE_PERMITS,))


def _ids(nodes: Any) -> tuple[str, ...]:
    if nodes.templates:
        raise RulesInvalid("policy templates are not used here")
    ids: list[str] = []
    for policy in nodes.static_policies.values():
        name = policy.annotations.get("id")
        if not name:
            raise RulesInvalid("a policy has no @id, so no record could name it")
        if name in ids:
            raise RulesInvalid(f"two policies have the id '{name}'")
        ids.append(name)
    return tuple(ids)
