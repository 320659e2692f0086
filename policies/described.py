"""A request that is described rather than made: what a privacy officer puts to the rules to see what they say.

Nothing is left open: a fact that a rule needs and nobody states gets the plainest value, which NEUTRAL names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.cedar import PolicySet, Question
from policies.facts import LOG, LOOK, SHOW, Fact, FactInvalid, checked
from policies.rulebook import Rulebook
from policies.vocabulary.interactions import CONSULTING, Interaction
from policies.vocabulary.verdict import Deny, Permit

READ_LOG = "read-log"
SHOWING = "show"
ACTIONS = (*(str(each) for each in Interaction), SHOWING, READ_LOG)

NEUTRAL: Mapping[str, Any] = {
    "subject": "professional",
    "roles": [],
    "client": "a-client",
    "client_renders_only": False,
    "ehr": "an-ehr",
    "suspended": False,
    "delivery": "rendered",
    "type_offered": True,
    "patient_informed": False,
    "feed_wants_informed": False,
    "break_glass": False,
    "hour": 12,
    "purpose": "TREAT",
    "opposed": False,
    "category": "other",
    "sensitivity": [],
    "document": False,
    "auditor": False,
    "reason_given": False,
}
"""Stands in for required facts that are not described. Optional ones stay absent."""


@dataclass(frozen=True, slots=True)
class Described:
    """A question to the rules, and which of its facts were stated."""

    action: str
    feed: str
    person: str
    facts: Mapping[str, Any]
    stated: frozenset[str]

    def decide(self, rules: Rulebook) -> Permit | Deny:
        """What the rules say: of a look all of them, of the log the core alone."""
        policies: PolicySet = rules.core if self.action == READ_LOG else rules.complete
        resource = ("Log", "ledger") if self.action == READ_LOG else ("Feed", self.feed)
        return policies.decide([Question(self.person, self.action, resource, self.facts)])[0]


def known_to(action: str) -> Mapping[str, Fact]:
    """The facts that rules on `action` may ask about. Raises FactInvalid for an action that there is not."""
    if action not in ACTIONS:
        raise FactInvalid(f"there is no action '{action}'; there are {', '.join(ACTIONS)}")
    return {SHOWING: SHOW, READ_LOG: LOG}.get(action, LOOK)


def described(
    action: str, facts: Mapping[str, Any], *, feed: str = "a-feed", person: str = "a-person", lenient: bool = False
) -> Described:
    """A question with `facts`. Raises FactInvalid: an unknown action or fact, a value of another kind.

    `lenient`: facts of other actions are passed over, so that one description serves a look and what it shows.
    """
    known = known_to(action)
    whole: dict[str, Any] = {}
    for name, value in facts.items():
        if lenient and name not in known and any(name in each for each in (LOOK, SHOW, LOG)):
            continue
        whole[name] = checked(known, name, value)
    stated = frozenset(whole)
    for name, fact in known.items():
        if not fact.optional and name not in whole:
            whole[name] = _plain(name, action, whole)
    return Described(action, feed, person, whole, stated)


def _plain(name: str, action: str, whole: Mapping[str, Any]) -> Any:
    if name == "labelled":
        return "confidentiality" in whole or bool(whole.get("sensitivity"))
    if name == "type":
        return "DocumentReference" if whole.get("document") else "Observation"
    return NEUTRAL[name]


def is_look(action: str) -> bool:
    """Whether `action` is one that can be permitted at a feed."""
    return action in {str(each) for each in CONSULTING}
