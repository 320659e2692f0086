"""Each rule of the core seen to bite and to let pass, and what purposes, sites and missing facts can and cannot do."""

from pathlib import Path
from typing import Any

import cedarpy
import pytest

from policies import rulebook
from policies.cedar import EVALUATION_FAILED, PolicySet, Question
from policies.decision import Signature, decide_any, decide_core, decide_log, decide_show, decide_site
from policies.labels import Labels
from policies.rulebook import Rulebook
from policies.vocabulary.consultation import AuditConsultation, ClinicalConsultation
from policies.vocabulary.identity import Client, Identity, Subject
from policies.vocabulary.interactions import CONSULTING, Delivery, Interaction
from policies.vocabulary.verdict import NO_RULE_PERMITS, Deny, Permit
from tests.policies.asking import around, clinician, search

RULES = rulebook.load(None, unlabelled_documents="withhold")

PROGRAM = Client("importer", renders_only=False)
READ: dict[str, Any] = {"interaction": Interaction.READ, "resource_id": "o1"}
VIEWER = Delivery.RENDERED


def core(
    identity: Identity, asked: ClinicalConsultation, *, type_offered: bool = True, break_glass: bool = True
) -> Permit | Deny:
    known = around(type_offered=type_offered, care_relation=None, break_glass=break_glass)
    return decide_core(RULES, identity, asked, known)


def site(
    identity: Identity,
    asked: ClinicalConsultation,
    relation: str | None = "launch",
    rules: Rulebook = RULES,
    *,
    break_glass: bool = False,
) -> Permit | Deny:
    return decide_site(rules, identity, asked, around(care_relation=relation, break_glass=break_glass))


BITES = {
    "a write": (clinician(), search(interaction=Interaction.CREATE), ("view-only",)),
    "a machine": (clinician(subject=Subject.MACHINE), search(), ("natural-person",)),
    "a patient": (clinician(subject=Subject.PATIENT), search(), ("natural-person",)),
    "an operator": (clinician(subject=Subject.OPERATOR), search(), ("natural-person",)),
    "a machine that writes": (
        clinician(subject=Subject.MACHINE),
        search(interaction=Interaction.DELETE),
        ("natural-person", "view-only"),
    ),
    "structured data for a client not listed": (clinician(client=PROGRAM), search(), ("renders-only",)),
    "no patient": (clinician(launch_patient=None), search(), ("one-patient",)),
    "another patient": (clinician(), search(patient="p2"), ("patient-in-context",)),
    "a read without context": (clinician(launch_patient=None), search(patient="p1", **READ), ("read-needs-context",)),
    "no purpose": (clinician(purposes=(), purpose_source=None), search(), ("purpose-stated",)),
    "break-glass at the facade": (clinician(purposes=("BTG",)), search(), ("break-glass-in-the-viewer",)),
}

PASSES = {
    "a search": (clinician(), search()),
    "a read": (clinician(), search(**READ)),
    "the launch patient, named": (clinician(), search(patient="p1")),
    "a page for a client that stores": (clinician(client=PROGRAM), search(delivery=VIEWER)),
    "a named patient without context": (clinician(launch_patient=None), search(patient="p1")),
    "break-glass in the viewer": (clinician(purposes=("BTG",)), search(delivery=VIEWER)),
}


@pytest.mark.parametrize(("identity", "asked", "rules"), BITES.values(), ids=BITES)
def test_a_core_rule_bites(identity: Identity, asked: ClinicalConsultation, rules: tuple[str, ...]) -> None:
    """Named by its rule and nothing else, so that the record says why."""
    assert core(identity, asked) == Deny(rules)


@pytest.mark.parametrize(("identity", "asked"), PASSES.values(), ids=PASSES)
def test_the_core_lets_pass(identity: Identity, asked: ClinicalConsultation) -> None:
    """A rule that bites everything protects nobody: it would be switched off."""
    assert core(identity, asked) == Permit(("core",))


def test_a_type_that_the_feed_is_not_configured_for_is_refused() -> None:
    """The controller decides what a feed is asked for."""
    assert core(clinician(), search(), type_offered=False) == Deny(("allowed-types",))


AROUND: dict[str, tuple[dict[str, Any], Delivery, str]] = {
    "suspended": ({"suspended": True}, VIEWER, "suspended"),
    "the patient opposes everything": ({"opposition": "all"}, VIEWER, "patient-opposition"),
    "no answer about opposition": ({"opposition": "unknown"}, VIEWER, "patient-opposition"),
    "a word for opposition that nobody knows": ({"opposition": "maybe"}, VIEWER, "patient-opposition"),
    "broken glass before an opposition": ({"opposition": "all", "break_glass": True}, VIEWER, "patient-opposition"),
    "an uninformed patient": ({"feed_wants_informed": True}, VIEWER, "informed-patient"),
    "an uninformed patient in an emergency": (
        {"feed_wants_informed": True, "break_glass": True},
        VIEWER,
        "informed-patient",
    ),
    "an informed patient, as data": (
        {"feed_wants_informed": True, "patient_informed": True},
        Delivery.STRUCTURED,
        "informed-patient",
    ),
}


@pytest.mark.parametrize(("changes", "delivery", "rule"), AROUND.values(), ids=AROUND)
def test_the_core_minds_the_circumstances(changes: dict[str, Any], delivery: Delivery, rule: str) -> None:
    """Whatever the purpose, and whoever asks."""
    asked, known = search(delivery=delivery), around(**changes)
    assert decide_core(RULES, clinician(), asked, known) == Deny((rule,))
    assert decide_site(RULES, clinician(), asked, known) == Deny((rule,))


@pytest.mark.parametrize(
    "changes",
    [
        {"opposition": "none"},
        {"opposition": "part"},
        {"feed_wants_informed": True, "patient_informed": True},
        {"patient_informed": True},
        {"break_glass": True},
    ],
)
def test_the_core_lets_pass_what_the_circumstances_allow(changes: dict[str, Any]) -> None:
    """An opposition to a part is minded result by result."""
    assert isinstance(decide_core(RULES, clinician(), search(delivery=VIEWER), around(**changes)), Permit)


def test_an_opposed_result_is_not_shown_in_an_emergency_either() -> None:
    """The patient's word stands above every rule of a site."""
    plain = Labels("Observation", "test-results", None, frozenset(), document=False, labelled=False)
    for known in (around(), around(break_glass=True)):
        verdicts = decide_show(
            RULES, clinician(), search(), known, [Signature(plain, opposed=True), Signature(plain, opposed=False)]
        )
        assert verdicts == [Deny(("patient-opposition-part",)), Permit(("show-by-default",))]


def test_a_suspended_auditor_does_not_read_the_log() -> None:
    """Suspension is of a person, whatever they ask for."""
    auditor = clinician(auditor=True, purposes=("HCOMPL",))
    assert decide_log(RULES, auditor, AuditConsultation("review"), suspended=True) == Deny(("suspended",))


def test_every_shipped_refusal_has_been_seen_to_bite() -> None:
    """A rule added to the core without a line above would be unproven."""
    seen = {rule for _, _, rules in BITES.values() for rule in rules}
    around_it = {rule for _, _, rule in AROUND.values()}
    assert {*seen, *around_it, "allowed-types", "care-only", "log-for-oversight", "patient-opposition-part"} == set(
        RULES.core.ids
    )


@pytest.mark.parametrize("interaction", sorted(set(Interaction) - CONSULTING))
def test_everything_but_reading_and_searching_is_a_change(interaction: Interaction) -> None:
    """One allow-list: an interaction that the schema did not place would be decided by nobody."""
    for rules in (
        core(clinician(), search(interaction=interaction)),
        site(clinician(), search(interaction=interaction)),
    ):
        assert isinstance(rules, Deny)
        assert "view-only" in rules.rules


@pytest.mark.parametrize("purpose", ["TREAT", "COC", "TREATDS"])
def test_care_is_permitted(purpose: str) -> None:
    """The rule for TREAT covers coordination and data sharing for treatment."""
    assert core(clinician(purposes=(purpose,)), search()) == Permit(("core",))
    assert site(clinician(purposes=(purpose,)), search()) == Permit(("treatment-of-the-launch-patient",))


@pytest.mark.parametrize(
    "purpose", ["CLINTRL", "POPHLTH", "HRESCH", "HMARKT", "HPAYMT", "PATRQT", "HOPERAT", "treat", ""]
)
def test_other_purposes_are_refused_by_the_core(purpose: str) -> None:
    """A parent never covers these children, and secondary use is not for a site to permit."""
    assert core(clinician(purposes=(purpose,)), search()) == Deny(("care-only",))


@pytest.mark.parametrize("other", ["HRESCH", "CLINTRL", "ETREAT"])
def test_of_several_purposes_each_must_be_permitted(other: str) -> None:
    """A token that says treatment and research asks for both."""
    both = clinician(purposes=("TREAT", other))
    refusals = [verdict for verdict in (core(both, search()), site(both, search())) if isinstance(verdict, Deny)]
    assert refusals
    assert other == "ETREAT" or all(verdict.rules == ("care-only",) for verdict in refusals)


def test_several_good_purposes_are_permitted() -> None:
    """Care has several names."""
    assert isinstance(site(clinician(purposes=("TREAT", "COC")), search()), Permit)


EMERGENCY = """
@id("site-emergency") @fr("F.") @en("E.") permit (principal, action in Action::"consult", resource)
when {{ context has purpose && context.purpose == "{}" }};
"""


@pytest.mark.parametrize("purpose", ["ETREAT", "ERTREAT", "BTG"])
def test_emergencies_need_a_rule_of_the_site(purpose: str, tmp_path: Path) -> None:
    """A rule for treatment would otherwise silently allow break-glass."""
    urgent, asked = clinician(purposes=(purpose,)), search(delivery=VIEWER)
    assert core(urgent, asked) == Permit(("core",))
    assert site(urgent, asked, break_glass=True) == Deny((NO_RULE_PERMITS,))
    (tmp_path / "site.cedar").write_text(EMERGENCY.format(purpose))
    rules = rulebook.load(tmp_path, unlabelled_documents="withhold")
    assert site(urgent, asked, rules=rules, break_glass=True) == Permit(("site-emergency",))


def test_a_purpose_in_a_token_does_not_break_the_glass() -> None:
    """Nobody was asked why, nothing was recorded before, and no half hour ends it."""
    urgent, asked = clinician(purposes=("BTG",)), search(delivery=VIEWER)
    assert core(urgent, asked, break_glass=False) == Deny(("break-glass-in-the-viewer",))


@pytest.mark.parametrize("circumstances", [{"opposition": "all"}, {"opposition": "unknown"}, {"suspended": True}])
def test_no_opening_where_every_look_under_it_would_be_refused(circumstances: dict[str, Any], tmp_path: Path) -> None:
    """The core and the patient's opposition never give way; the rule that refused is the one that is named."""
    (tmp_path / "site.cedar").write_text(EMERGENCY.format("BTG"))
    rules = rulebook.load(tmp_path, unlabelled_documents="withhold")
    urgent, asked = clinician(purposes=("BTG",)), search(delivery=VIEWER)
    good, bad = around(break_glass=True), around(break_glass=True, **circumstances)
    verdict = decide_any(rules, urgent, [(asked, bad), (asked, bad)])
    assert isinstance(verdict, Deny)
    assert not verdict.silent
    assert decide_any(rules, urgent, [(asked, bad), (asked, good)]) == Permit(("site-emergency",))
    assert decide_any(rules, urgent, []) == Deny((NO_RULE_PERMITS,))
    assert decide_any(RULES, urgent, [(asked, good)]) == Deny((NO_RULE_PERMITS,))


def test_without_a_launch_only_a_rule_of_the_site_permits(tmp_path: Path) -> None:
    """`user/` scopes alone would let one person walk through all patients."""
    roaming, asked = clinician(launch_patient=None), search(patient="p9")
    assert site(roaming, asked, None) == Deny((NO_RULE_PERMITS,))
    (tmp_path / "site.cedar").write_text(
        '@id("on-duty") @fr("F.") @en("E.") permit (principal, action == Action::"search-type", resource);'
    )
    rules = rulebook.load(tmp_path, unlabelled_documents="withhold")
    assert site(roaming, asked, None, rules) == Permit(("on-duty",))


@pytest.mark.parametrize(("identity", "asked", "rules"), BITES.values(), ids=BITES)
def test_a_site_that_permits_everything_does_not_widen_the_core(
    identity: Identity, asked: ClinicalConsultation, rules: tuple[str, ...], tmp_path: Path
) -> None:
    """`forbid` wins, in the core set and in the complete one."""
    (tmp_path / "wide.cedar").write_text('@id("everything") @fr("F.") @en("E.") permit (principal, action, resource);')
    wide = rulebook.load(tmp_path, unlabelled_documents="withhold")
    assert decide_core(wide, identity, asked, around()) == Deny(rules)
    verdict = site(identity, asked, "launch", wide)
    assert isinstance(verdict, Deny)
    assert set(rules) <= set(verdict.rules)


def test_a_site_can_narrow(tmp_path: Path) -> None:
    """By hour, role, type or anything that the schema knows."""
    (tmp_path / "a.cedar").write_text(
        '@id("not-at-night") @fr("F.") @en("E.") '
        'forbid (principal, action in Action::"consult", resource) when { context.hour < 6 };'
    )
    rules = rulebook.load(tmp_path, unlabelled_documents="withhold")
    assert decide_site(rules, clinician(), search(), around(hour=5)) == Deny(("not-at-night",))
    assert isinstance(decide_site(rules, clinician(), search(), around(hour=6)), Permit)


@pytest.mark.parametrize(
    "left_out",
    [
        "subject",
        "type_offered",
        "client_renders_only",
        "delivery",
        "hour",
        "roles",
        "suspended",
        "feed_wants_informed",
        "patient_informed",
        "break_glass",
    ],
)
def test_a_missing_fact_can_never_allow(left_out: str) -> None:
    """Without the schema, a forbid that stumbles over a missing attribute is skipped, and the permit would stand."""
    facts: dict[str, Any] = {
        "subject": "machine",
        "roles": [],
        "client": "c",
        "client_renders_only": False,
        "ehr": "hospital",
        "delivery": "structured",
        "type_offered": False,
        "suspended": False,
        "feed_wants_informed": False,
        "patient_informed": False,
        "break_glass": False,
        "hour": 9,
        "purpose": "TREAT",
        "care_relation": "launch",
        "patient": "launch",
    }
    del facts[left_out]
    question = Question("someone", "search-type", ("Feed", "city-lab"), facts)
    assert RULES.complete.decide([question]) == [Deny((EVALUATION_FAILED,))]
    assert RULES.complete.decide_again(question) == Deny((EVALUATION_FAILED,))


@pytest.mark.parametrize(
    "question",
    [
        Question("someone", "no-such-action", ("Feed", "city-lab"), {}),
        Question("someone", "read-log", ("Feed", "city-lab"), {}),
        Question("someone", "show", ("Feed", "city-lab"), {"subject": 3}),
    ],
)
def test_what_cannot_be_evaluated_is_denied(question: Question) -> None:
    """An error is never a permit, and spoils no other question into one."""
    assert all(isinstance(verdict, Deny) for verdict in RULES.complete.decide([question]))


def test_a_rule_that_fails_to_evaluate_denies() -> None:
    """An overflow inside a forbid must not switch that forbid off."""
    schema = (Path(rulebook.__file__).parent / "rules" / "vitrine.cedarschema").read_text()
    rules = PolicySet(
        {
            "x": '@id("all") @fr("F.") @en("E.") permit (principal, action, resource);'
            '@id("sum") @fr("F.") @en("E.") forbid (principal, action in Action::"consult", resource)'
            " when { context.hour + 9223372036854775807 > 5 };"
        },
        schema,
    )
    facts = {"subject": "professional", "roles": [], "client": "c", "client_renders_only": True, "ehr": "h"}
    facts |= {"delivery": "structured", "type_offered": True, "hour": 9, "suspended": False, "break_glass": False}
    facts |= {"feed_wants_informed": False, "patient_informed": False}
    assert rules.decide([Question("x", "read", ("Feed", "f"), facts)]) == [Deny((EVALUATION_FAILED,))]


def show(labels: Labels, rules: Rulebook = RULES, **changes: Any) -> Permit | Deny:
    return decide_show(rules, clinician(**changes), search(), around(), [Signature(labels, opposed=False)])[0]


DOCUMENT = Labels("DocumentReference", "unclassified", None, frozenset(), document=True, labelled=False)


def test_unlabelled_documents_are_withheld_unless_configured() -> None:
    """No rule can look into a document; a site that takes the risk says so."""
    assert show(DOCUMENT) == Deny(("unlabelled-document",))
    assert show(DOCUMENT, rulebook.load(None, unlabelled_documents="show")) == Permit(("show-by-default",))
    assert show(Labels("DocumentReference", "imaging", "N", frozenset(), document=True, labelled=True)) == Permit(
        ("show-by-default",)
    )
    assert show(Labels("Observation", "unclassified", None, frozenset(), document=False, labelled=False)) == Permit(
        ("show-by-default",)
    )


def test_a_resource_must_be_shown_for_each_purpose(tmp_path: Path) -> None:
    """As a look must be permitted for each; without any purpose nothing is shown."""
    (tmp_path / "a.cedar").write_text(
        '@id("not-for-coordination") @fr("F.") @en("E.") forbid (principal, action == Action::"show", resource)'
        ' when { context.purpose == "COC" && context.sensitivity.contains("HIV") };'
    )
    rules = rulebook.load(tmp_path, unlabelled_documents="withhold")
    hiv = Labels("Observation", "test-results", "R", frozenset({"HIV"}), document=False, labelled=True)
    assert show(hiv, rules, purposes=("TREAT",)) == Permit(("show-by-default",))
    assert show(hiv, rules, purposes=("TREAT", "COC")) == Deny(("not-for-coordination",))
    assert show(hiv, rules, purposes=()) == Deny((NO_RULE_PERMITS,))


def test_one_verdict_for_each_signature_in_order() -> None:
    """Verdicts are laid beside resources by position."""
    plain = Labels("Observation", "test-results", None, frozenset(), document=False, labelled=False)
    two = clinician(purposes=("TREAT", "COC"))
    verdicts = decide_show(
        RULES, two, search(), around(), [Signature(each, opposed=False) for each in (plain, DOCUMENT, plain)]
    )
    assert [type(verdict) for verdict in verdicts] == [Permit, Deny, Permit]
    assert decide_show(RULES, two, search(), around(), []) == []


@pytest.mark.parametrize(
    ("changes", "reason", "permitted"),
    [
        ({}, "yearly review", True),
        ({"auditor": False}, "yearly review", False),
        ({}, "", True),
        ({"subject": Subject.OPERATOR}, "yearly review", True),
        ({"subject": Subject.OPERATOR}, "  ", False),
        ({"subject": Subject.MACHINE}, "yearly review", False),
        ({"subject": Subject.PATIENT}, "yearly review", False),
        ({"purposes": ("TREAT",)}, "yearly review", False),
        ({"purposes": ()}, "yearly review", False),
        ({"purposes": ("HCOMPL", "TREAT")}, "yearly review", False),
        ({"purposes": ("PATRQT",)}, "the patient asks", True),
    ],
)
def test_the_log_is_read_by_auditors_for_oversight_and_at_the_machine_with_a_reason(
    changes: dict[str, Any], reason: str, permitted: bool
) -> None:
    """Reading the log is a look at patients too. The reason of a token is its purpose of use."""
    auditor = clinician(**{"auditor": True, "purposes": ("HCOMPL",), **changes})
    assert isinstance(
        decide_log(RULES, auditor, AuditConsultation(reason), suspended=False), Permit if permitted else Deny
    )


def test_no_site_rule_opens_the_log(tmp_path: Path) -> None:
    """The log is decided by the core alone."""
    (tmp_path / "a.cedar").write_text('@id("open") @fr("F.") @en("E.") permit (principal, action, resource);')
    rules = rulebook.load(tmp_path, unlabelled_documents="withhold")
    assert decide_log(rules, clinician(), AuditConsultation("curious"), suspended=False) == Deny((NO_RULE_PERMITS,))


@pytest.mark.parametrize("name", ["core", "shipped", "unlabelled_documents"])
def test_every_shipped_rule_says_what_it_does_in_english_and_french(name: str) -> None:
    """A privacy officer reads the sentence, not the Cedar; and no id names a disease."""
    text = (Path(rulebook.__file__).parent / "rules" / f"{name}.cedar").read_text(encoding="utf-8")
    for policy in cedarpy.policies_to_pst(text).static_policies.values():
        assert policy.annotations["en"].endswith(".")
        assert policy.annotations["fr"].endswith(".")
        assert policy.annotations["en"] != policy.annotations["fr"]


@pytest.mark.parametrize("given", ['@en("Nobody looks.")', '@fr(" ") @en("Nobody looks.")', '@fr("Nobody looks.")'])
def test_a_sentence_in_one_language_stands_for_both(given: str) -> None:
    """A site whose people speak one language has one to give."""
    schema = (Path(rulebook.__file__).parent / "rules" / "vitrine.cedarschema").read_text()
    rules = PolicySet({"x": f'@id("shut") {given} forbid (principal, action, resource);'}, schema)
    assert rules.rules["shut"].sentences == {"fr": "Nobody looks.", "en": "Nobody looks."}


@pytest.mark.parametrize(
    "rule",
    [
        'forbid (principal == Person::"eve", action, resource);',
        'forbid (principal, action, resource) when { principal == Person::"eve" };',
    ],
)
def test_a_rule_that_names_a_person_is_remembered_for_that_person_alone(rule: str) -> None:
    """Where no rule does, what was decided for one is decided for all with the same facts."""
    schema = (Path(rulebook.__file__).parent / "rules" / "vitrine.cedarschema").read_text()
    everybody = '@id("all") @fr("F.") @en("E.") permit (principal, action, resource);'
    rules = PolicySet({"x": everybody + f'@id("not-eve") @fr("F.") @en("E.") {rule}'}, schema)
    facts = {"subject": "professional", "suspended": False, "auditor": True, "reason_given": True}
    asked = [Question(who, "read-log", ("Log", "ledger"), facts) for who in ("adam", "eve", "noah", "eve")]
    permitted, forbidden = Permit(("all",)), Deny(("not-eve",))
    assert [rules.decide_again(each) for each in asked] == [permitted, forbidden, permitted, forbidden]
