"""What holds of every set of rules, whoever writes it, and of every question: generated sets, generated facts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.consultation.permission import permission
from plugin.errors import ConsultError
from policies import rulebook
from policies.cedar import EVALUATION_FAILED, PolicySet, Question
from policies.code_tables import CodeTables, texts
from policies.decision import Signature, decide_core, decide_show, decide_site
from policies.facts import LOOK, SHOW, Fact
from policies.labels import Labels
from policies.rulebook import CORE, Rulebook, Texts, shipped
from policies.vocabulary import scopes
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Client, Identity, Subject
from policies.vocabulary.interactions import CONSULTING, SCOPE_LETTERS, Delivery, Interaction
from policies.vocabulary.verdict import NO_RULE_PERMITS, Deny, Permit
from tests.policies.asking import clinician, search

some = settings(max_examples=30)
"""Each example is a set of its own to parse and validate, which takes milliseconds."""

SCHEMA = shipped("vitrine.cedarschema")
ENTITIES = cedarpy.Entities.from_json_str("[]", cedarpy.Schema.from_str(SCHEMA))
RULES = rulebook.load(None, unlabelled_documents="withhold")
TABLES = CodeTables(texts(None))

LOOKS = ('action in Action::"consult"', 'action == Action::"read"', 'action == Action::"search-type"')
WIDE = ("action", 'action in [Action::"read", Action::"show"]', 'action in [Action::"consult", Action::"read-log"]')
WIDE_CONDITIONS = ('context.subject == "professional"', 'resource == Feed::"city-lab"')
LOOK_CONDITIONS = (
    "context.hour < 6",
    "context.break_glass",
    "context.client_renders_only",
    'context.delivery == "structured"',
    'context.roles.contains("s|1")',
    "context has organisation",
    'context has purpose && context.purpose == "TREAT"',
    'context has care_relation && context.care_relation == "launch"',
    'context has patient && context.patient == "named"',
    'context has opposition && context.opposition == "part"',
    'resource == Feed::"city-lab"',
)
SHOW_CONDITIONS = (
    "context.opposed",
    "context.document",
    "context.labelled",
    'context.category == "imaging"',
    'context.sensitivity.contains("PSY")',
    'context has confidentiality && ["R", "V"].contains(context.confidentiality)',
)


@dataclass(frozen=True)
class Rule:
    """A policy, to be put together."""

    effect: str
    action: str
    conditions: tuple[tuple[str, str], ...]

    def text(self, name: str) -> str:
        clauses = " ".join(f"{kind} {{ {condition} }}" for kind, condition in self.conditions)
        return f'@id("{name}") @en("E.") @fr("F.") {self.effect} (principal, {self.action}, resource) {clauses};'


def _rules(actions: tuple[str, ...], conditions: tuple[str, ...]) -> st.SearchStrategy[Rule]:
    clause = st.tuples(st.sampled_from(["when", "unless"]), st.sampled_from(conditions))
    clauses = st.lists(clause, max_size=3).map(tuple)
    return st.builds(Rule, st.sampled_from(["permit", "forbid"]), st.sampled_from(actions), clauses)


looking = _rules(LOOKS, LOOK_CONDITIONS)
showing = _rules(('action == Action::"show"',), SHOW_CONDITIONS)
wide = _rules(WIDE, WIDE_CONDITIONS)
sets = st.lists(looking | showing | wide, min_size=1, max_size=6)


def _values(fact: Fact) -> st.SearchStrategy[Any]:
    if fact.kind is bool:
        return st.booleans()
    if fact.kind is int:
        return st.integers(0, 23)
    words = st.sampled_from(sorted(fact.values)) if fact.values else st.sampled_from(["s|1", "TREAT", "a", ""])
    return st.lists(words, max_size=2, unique=True) if fact.kind is list else words


def _facts(known: Mapping[str, Fact]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: _values(fact) for name, fact in known.items() if not fact.optional},
        optional={name: _values(fact) for name, fact in known.items() if fact.optional},
    )


FEEDS = st.sampled_from(["city-lab", "imaging"])
look_questions = st.builds(
    lambda action, feed, facts: Question("a-person", action, ("Feed", feed), facts),
    st.sampled_from(["read", "search-type"]),
    FEEDS,
    _facts(LOOK),
)
show_questions = st.builds(lambda feed, facts: Question("a-person", "show", ("Feed", feed), facts), FEEDS, _facts(SHOW))
questions = look_questions | show_questions


def policy_set(rules: list[Rule]) -> PolicySet:
    return PolicySet({"x": "\n".join(rule.text(f"r{index}") for index, rule in enumerate(rules))}, SCHEMA)


def with_site(rules: list[Rule]) -> Rulebook:
    """The rules that ship, and these of a site."""
    site = "\n".join(rule.text(f"r{index}") for index, rule in enumerate(rules))
    whole = {**RULES.texts.policies, "site/a.cedar": site}
    return replace(RULES, complete=PolicySet(whole, SCHEMA), texts=Texts(SCHEMA, whole, RULES.texts.tables))


def undivided(rules: list[Rule], question: Question) -> bool:
    """What the engine says of the whole text at once."""
    said = cedarpy.is_authorized(
        {
            "principal": f'Person::"{question.principal}"',
            "action": f'Action::"{question.action}"',
            "resource": f'{question.resource[0]}::"{question.resource[1]}"',
            "context": dict(question.facts),
        },
        "\n".join(rule.text(f"r{index}") for index, rule in enumerate(rules)),
        ENTITIES,
        SCHEMA,
    )
    assert not said.diagnostics.errors
    return bool(said.allowed)


def fires(rule: Rule, question: Question) -> bool:
    """Asked alone: a permit permits; a forbid refuses where everything else permits."""
    everything = '@id("all") @en("E.") @fr("F.") permit (principal, action, resource);'
    alone = PolicySet({"x": rule.text("r") + (everything if rule.effect == "forbid" else "")}, SCHEMA)
    verdict = alone.decide([question])[0]
    return isinstance(verdict, Permit if rule.effect == "permit" else Deny)


@some
@given(sets, questions)
def test_forbid_always_wins_and_nothing_else_refuses(rules: list[Rule], question: Question) -> None:
    """The whole is what its rules say one by one: every refusal that fires, else every permission, else none."""
    verdict = policy_set(rules).decide([question])[0]
    firing = {index: rule for index, rule in enumerate(rules) if fires(rule, question)}
    forbids = tuple(f"r{index}" for index, rule in firing.items() if rule.effect == "forbid")
    permits = tuple(f"r{index}" for index, rule in firing.items() if rule.effect == "permit")
    if forbids:
        assert verdict == Deny(forbids)
    else:
        assert verdict == (Permit(permits) if permits else Deny((NO_RULE_PERMITS,)))
    assert isinstance(verdict, Permit) is undivided(rules, question)


@some
@given(sets, questions)
def test_removing_a_policy_that_permits_never_opens(rules: list[Rule], question: Question) -> None:
    """Whoever takes a permission back must be able to rely on it."""
    before = policy_set(rules).decide([question])[0]
    for index, rule in enumerate(rules):
        rest = rules[:index] + rules[index + 1 :]
        if rule.effect == "permit" and rest and isinstance(before, Deny):
            assert isinstance(policy_set(rest).decide([question])[0], Deny)


@some
@given(sets, looking | showing | wide, questions)
def test_adding_a_policy_that_forbids_never_opens(rules: list[Rule], added: Rule, question: Question) -> None:
    """A stricter set is stricter."""
    stricter = [*rules, replace(added, effect="forbid")]
    if isinstance(policy_set(rules).decide([question])[0], Deny):
        assert isinstance(policy_set(stricter).decide([question])[0], Deny)


SCOPES = (
    "patient/Observation.rs",
    "patient/Observation.r",
    "patient/*.s",
    "patient/*.rs",
    "user/*.cruds",
    "user/Observation.rs",
    "system/*.rs",
    "patient/DiagnosticReport.rs",
    "patient/Observation.rs?category=laboratory",
    "patient/Observation.rs?_id=1",
    "patient/Observation.write",
    "patient/Observation.sr",
    "launch",
    "openid",
)
scope_lists = st.lists(st.sampled_from(SCOPES), max_size=4)
PURPOSES = ("TREAT", "COC", "TREATDS", "ETREAT", "BTG", "HRESCH", "PATRQT")

identities: st.SearchStrategy[Identity] = st.builds(
    lambda subject, granted, patient, purposes, renders: clinician(
        subject=subject,
        grants=scopes.parse(granted),
        launch_patient=patient,
        purposes=tuple(purposes),
        client=Client("results-pane", renders_only=renders),
    ),
    st.sampled_from([Subject.PROFESSIONAL, Subject.PROFESSIONAL, Subject.PATIENT, Subject.MACHINE]),
    scope_lists,
    st.sampled_from(["p1", None]),
    st.lists(st.sampled_from(PURPOSES), max_size=2, unique=True),
    st.booleans(),
)
asked: st.SearchStrategy[ClinicalConsultation] = st.builds(
    lambda interaction, delivery, resource_type, patient: search(
        interaction=interaction, delivery=delivery, resource_type=resource_type, patient=patient
    ),
    st.sampled_from([*sorted(CONSULTING)] * 4 + sorted(Interaction)),
    st.sampled_from(list(Delivery)),
    st.sampled_from(["Observation", "DiagnosticReport", None]),
    st.sampled_from(["p1", "p2", None]),
)
circumstances: st.SearchStrategy[Circumstances] = st.builds(
    Circumstances,
    hour=st.integers(0, 23),
    type_offered=st.booleans(),
    suspended=st.booleans(),
    feed_wants_informed=st.booleans(),
    patient_informed=st.booleans(),
    care_relation=st.sampled_from(["launch", "declared", None]),
    opposition=st.sampled_from(["none", "part", "all", "unknown", None]),
    break_glass=st.booleans(),
)


@given(identities, asked, st.sampled_from([Permit(("core",)), Permit(("everything",))]))
def test_no_rule_permits_what_no_scope_grants(identity: Identity, look: ClinicalConsultation, said: Permit) -> None:
    """Whatever the rules say: without a scope for the type and the letter there is no permission."""
    letter = SCOPE_LETTERS.get(look.interaction)
    granted = (
        letter is not None
        and look.resource_type is not None
        and identity.grants.ceiling(
            look.resource_type, letter, launch_patient=identity.launch_patient is not None
        ).allowed
    )
    if granted:
        assert permission(identity, look, said).letter == letter
    else:
        with pytest.raises(ConsultError):
            permission(identity, look, said)


@some
@given(sets, identities, asked, circumstances)
def test_what_the_core_refuses_no_site_permits(
    rules: list[Rule], identity: Identity, look: ClinicalConsultation, around: Circumstances
) -> None:
    """The whole set refuses it too, and names the core's rules."""
    core = decide_core(RULES, identity, look, around)
    if isinstance(core, Deny):
        whole = decide_site(with_site(rules), identity, look, around)
        assert isinstance(whole, Deny)
        assert set(core.rules) <= set(whole.rules)


@some
@given(sets, identities, asked, circumstances, scope_lists)
def test_widening_a_token_never_defeats_a_forbid(
    rules: list[Rule], identity: Identity, look: ClinicalConsultation, around: Circumstances, more: list[str]
) -> None:
    """More scopes and further purposes: every rule that refused still does."""
    site = with_site(rules)
    before = decide_site(site, identity, look, around)
    wider = replace(identity, grants=scopes.parse([*identity.grants.text, *more]))
    assert decide_site(site, wider, look, around) == before
    for purpose in PURPOSES if identity.purposes else ():
        wider = replace(wider, purposes=(*identity.purposes, purpose))
        after = decide_site(site, wider, look, around)
        if isinstance(before, Deny):
            assert isinstance(after, Deny)
            assert before.silent or set(before.rules) <= set(after.rules)


labels: st.SearchStrategy[Labels] = st.builds(
    Labels,
    type=st.sampled_from(["Observation", "DocumentReference"]),
    category=st.sampled_from(["test-results", "imaging", "unclassified"]),
    confidentiality=st.sampled_from([None, "N", "R", "V"]),
    sensitivity=st.sampled_from([frozenset[str](), frozenset({"PSY"}), frozenset({"PSY", "HIV"})]),
    document=st.booleans(),
    labelled=st.booleans(),
)


@some
@given(sets, identities, asked, circumstances, st.lists(labels, min_size=1, max_size=4))
def test_what_the_patient_opposes_is_shown_under_no_set(
    rules: list[Rule], identity: Identity, look: ClinicalConsultation, around: Circumstances, seen: list[Labels]
) -> None:
    """And each signature is judged as if it were alone."""
    site = with_site(rules)
    signatures = [Signature(each, opposed=opposed) for each in seen for opposed in (True, False)]
    verdicts = decide_show(site, identity, look, around, signatures)
    for signature, verdict in zip(signatures, verdicts, strict=True):
        assert verdict == decide_show(site, identity, look, around, [signature])[0]
        if signature.opposed:
            assert isinstance(verdict, Deny)


WRONG: dict[type, tuple[Any, ...]] = {
    str: (3, True, ["a"], {"a": "b"}, None),
    bool: ("true", 1, [True]),
    int: ("9", True, 1.5, 2**64),
    list: ("s|1", 3, [3], [["s|1"]]),
}
ALL = '@id("all") @en("E.") @fr("F.") permit (principal, action, resource);'
OPEN = PolicySet({"x": ALL}, SCHEMA)


@given(questions, st.data())
def test_any_error_of_evaluation_is_a_denial(question: Question, data: st.DataObject) -> None:
    """A fact of a wrong type, one that is missing, one that nobody knows: even where everything is permitted."""
    known = SHOW if question.action == "show" else LOOK
    assert isinstance(OPEN.decide([question])[0], Permit)
    name = data.draw(st.sampled_from(sorted(known)))
    broken = dict(question.facts)
    match data.draw(st.sampled_from(["wrong", "missing", "unknown"])):
        case "wrong":
            broken[name] = data.draw(st.sampled_from(WRONG[known[name].kind]))
        case "missing":
            required = sorted(each for each, fact in known.items() if not fact.optional)
            del broken[data.draw(st.sampled_from(required))]
        case _:
            broken["diagnosis"] = "B20"
    asked_again = replace(question, facts=broken)
    assert OPEN.decide([asked_again]) == [Deny((EVALUATION_FAILED,))]
    assert all(isinstance(verdict, Deny) for verdict in OPEN.decide([asked_again, asked_again]))


@some
@given(questions, st.integers(min_value=2**62, max_value=2**63 - 1))
def test_a_rule_that_overflows_denies(question: Question, number: int) -> None:
    """An error inside a forbid must not switch that forbid off."""
    kind = "show" if question.action == "show" else "consult"
    action = f'action == Action::"{kind}"' if kind == "show" else f'action in Action::"{kind}"'
    condition = f"context.hour * {number} * 4 > 5"
    overflow = f'@id("sum") @en("E.") @fr("F.") forbid (principal, {action}, resource) when {{ {condition} }};'
    rules = PolicySet({"x": ALL + overflow}, SCHEMA)
    verdict = rules.decide([question])[0]
    if question.facts["hour"] == 0:
        assert verdict == Permit(("all",))
    else:
        assert verdict == Deny((EVALUATION_FAILED,))


def test_the_core_file_alone_permits_no_look() -> None:
    """Only refusals stand in it, but for the log."""
    effects = {(rule.effect, rule.id) for rule in RULES.core.rules.values() if rule.effect == "permit"}
    assert effects == {("permit", "log-for-oversight")}
    assert CORE in RULES.texts.policies
