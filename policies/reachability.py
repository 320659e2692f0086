"""Rules that can have no effect: never true, or always beside another that says as much. A reviewer's help, no proof.

What is found is certain; what is not found may still be unreachable.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cedarpy import pst

from policies.actions import MEMBERS, Group, actions_of
from policies.cedar import PolicySet, Rule
from policies.facts import LOG, LOOK, SHOW, Fact


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule, and why it has no effect."""

    rule: Rule
    why: str

    @property
    def place(self) -> str:
        """`file:line`"""
        return self.rule.statement.place_of(self.rule.id)


@dataclass(frozen=True, slots=True)
class Site:
    """What a configuration tells of its rules."""

    core: Collection[str]
    """The rules that decide on the log."""
    feeds: frozenset[str]
    values: Mapping[str, frozenset[str]]
    """Of facts that have no others: the ids of what is configured."""


def findings(policies: PolicySet, site: Site | None = None) -> list[Finding]:
    """What has no effect, in the order of the rules; with `site` also what has none beside its configuration."""
    parts = [_Parts(rule) for rule in policies.rules.values()]
    return [Finding(each.rule, why) for each in parts if (why := _why(each, parts, site)) is not None]


class _Parts:
    """A rule taken apart: the actions that it is on, who and what it is about, and what must all hold."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.actions = actions_of(rule.tree.action)
        self.scope = (rule.tree.principal, rule.tree.resource)
        self.conditions: frozenset[tuple[bool, str]] = frozenset()
        self.terms: list[tuple[bool, object]] = []
        for clause in rule.tree.clauses:
            self.terms.extend(_terms(clause.expr, holds=isinstance(clause, pst.When)))
        self.conditions = frozenset((holds, repr(term)) for holds, term in self.terms)

    def covers(self, other: "_Parts") -> bool:
        """Whether this rule fires wherever `other` does."""
        return (
            self.actions >= other.actions
            and all(
                isinstance(mine, pst.ScopeAny) or mine == its for mine, its in zip(self.scope, other.scope, strict=True)
            )
            and self.conditions <= other.conditions
        )


def _why(each: _Parts, parts: Sequence[_Parts], site: Site | None) -> str | None:
    if site is not None and each.actions <= MEMBERS[Group.READ_LOG] and each.rule.id not in site.core:
        return "the core alone decides who reads the log"
    impossible = _impossible(each, site)
    if impossible is not None:
        return f"it never applies: {impossible}"
    for other in parts:
        if other is each or not other.covers(each):
            continue
        if other.rule.effect == "forbid" and each.rule.effect == "permit":
            return f"it never permits: '{other.rule.id}' forbids wherever it applies"
        if other.rule.effect == each.rule.effect and (not each.covers(other) or parts.index(other) < parts.index(each)):
            return f"'{other.rule.id}' says the same wherever it applies"
    return None


def _impossible(each: _Parts, site: Site | None) -> str | None:
    feed = _feed(each.rule.tree.resource)
    if site is not None and feed is not None and feed not in site.feeds:
        return f"no feed has the id {feed}"
    values: dict[str, set[str]] = {}
    for holds, term in each.terms:
        if isinstance(term, pst.BoolLit) and term.value is not holds:
            return "a condition is never true"
        if (not holds, repr(term)) in each.conditions:
            return "two of its conditions contradict each other"
        wanted = (_wanted(term) or _member(term)) if holds else None
        if wanted is None:
            continue
        name, allowed = wanted
        possible = [fact.values for fact in _facts(name, each.actions) if fact.values is not None]
        if site is not None and name in site.values:
            possible.append(site.values[name])
        if possible and not any(allowed & every for every in possible):
            return f"'{name}' is never {' or '.join(sorted(allowed))}"
        if _member(term) is not None:
            continue  # a set holds several
        values[name] = values.get(name, allowed) & allowed
        if not values[name]:
            return f"'{name}' cannot be two things at once"
    return None


def _feed(constraint: object) -> str | None:
    """The id of the one feed that a rule is about."""
    if isinstance(constraint, pst.ScopeEq) and isinstance(constraint.entity, pst.EntityUid):
        return constraint.entity.id if constraint.entity.type.basename == "Feed" else None
    return None


def _facts(name: str, actions: frozenset[str]) -> Iterator[Fact]:
    looks = MEMBERS[Group.CONSULT] | MEMBERS[Group.CHANGE]
    tables = ((SHOW, MEMBERS[Group.SHOW]), (LOG, MEMBERS[Group.READ_LOG]), (LOOK, looks))
    for table, theirs in tables:
        if name in table and actions & theirs:
            yield table[name]


def _wanted(term: object) -> tuple[str, set[str]] | None:
    """The fact that a term is on, and the values that it may have for the term to hold."""
    if not isinstance(term, pst.BinaryOp):
        return None
    if term.op == "eq":
        for fact, literal in ((term.left, term.right), (term.right, term.left)):
            if (name := _context(fact)) is not None and isinstance(literal, pst.StringLit):
                return name, {literal.value}
    if term.op == "contains" and isinstance(term.left, pst.Set) and (name := _context(term.right)) is not None:
        texts = [each.value for each in term.left.elements if isinstance(each, pst.StringLit)]
        return (name, set(texts)) if len(texts) == len(term.left.elements) else None
    return None


def _member(term: object) -> tuple[str, set[str]] | None:
    """The set that a term is on, and the values of which it must hold one."""
    if not isinstance(term, pst.BinaryOp) or (name := _context(term.left)) is None:
        return None
    if term.op == "contains" and isinstance(term.right, pst.StringLit):
        return name, {term.right.value}
    if term.op == "contains_any" and isinstance(term.right, pst.Set):
        texts = {each.value for each in term.right.elements if isinstance(each, pst.StringLit)}
        return (name, texts) if len(texts) == len(term.right.elements) else None
    return None


def _context(expression: object) -> str | None:
    if (
        isinstance(expression, pst.GetAttr)
        and isinstance(expression.base, pst.Var)
        and expression.base.name == "context"
    ):
        return expression.attr
    return None


def _terms(expression: object, *, holds: bool) -> Iterator[tuple[bool, object]]:
    """What must hold, or must not, for the whole to hold (or not)."""
    if isinstance(expression, pst.UnaryOp) and expression.op == "not":
        yield from _terms(expression.arg, holds=not holds)
    elif isinstance(expression, pst.BinaryOp) and expression.op == ("and" if holds else "or"):
        yield from _terms(expression.left, holds=holds)
        yield from _terms(expression.right, holds=holds)
    else:
        yield holds, expression
