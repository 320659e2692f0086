"""Rules that can have no effect are found, and no rule is called so that has one."""

from pathlib import Path

import pytest

from policies import rulebook
from policies.reachability import Site, findings

CORE = rulebook.load(None, unlabelled_documents="withhold").core.ids
HEAD = '@id("{}") @en("E.") @fr("F.")\n'
CONSULT = '(principal, action in Action::"consult", resource)'
SHOW = '(principal, action == Action::"show", resource)'


def found(folder: Path, *rules: str, site: Site | None = None) -> dict[str, str]:
    """What is said of the site's rules, which are called a, b, c …"""
    text = "\n".join(HEAD.format("abc"[index]) + rule for index, rule in enumerate(rules))
    (folder / "x.cedar").write_text(text)
    loaded = rulebook.load(folder, unlabelled_documents="withhold")
    return {each.rule.id: each.why for each in findings(loaded.complete, site)}


@pytest.mark.parametrize("name", [None, *rulebook.sets()])
@pytest.mark.parametrize("documents", ["withhold", "show"])
def test_every_rule_that_ships_has_an_effect(name: str | None, documents: str) -> None:
    """A shipped set that its own check refuses would teach to pass over the check."""
    rules = rulebook.load(None, unlabelled_documents=documents, shipped_set=name)
    assert findings(rules.complete) == []


NEVER = {
    "a condition that is false": (f"forbid {CONSULT} when {{ false }};", "never true"),
    "unless true": (f"forbid {CONSULT} unless {{ true }};", "never true"),
    "a contradiction": (
        f"forbid {CONSULT} when {{ context.suspended }} unless {{ context.suspended }};",
        "contradict each other",
    ),
    "a contradiction within one condition": (
        f"forbid {CONSULT} when {{ context.hour > 3 && !(context.hour > 3) }};",
        "contradict each other",
    ),
    "a value that the fact never has": (
        f'forbid {CONSULT} when {{ context.delivery == "printed" }};',
        "'delivery' is never printed",
    ),
    "none of these values": (
        f'forbid {SHOW} when {{ ["labs", "xrays"].contains(context.category) }};',
        "'category' is never labs or xrays",
    ),
    "a sensitivity that there is not": (
        f'forbid {SHOW} when {{ context.sensitivity.contains("HVI") }};',
        "'sensitivity' is never HVI",
    ),
    "none of these sensitivities": (
        f'forbid {SHOW} when {{ context.sensitivity.containsAny(["HVI", "PSI"]) }};',
        "'sensitivity' is never HVI or PSI",
    ),
    "two values at once": (
        f'forbid {CONSULT} when {{ context.delivery == "rendered" && "structured" == context.delivery }};',
        "cannot be two things",
    ),
}


@pytest.mark.parametrize(("rule", "why"), NEVER.values(), ids=NEVER)
def test_a_rule_that_never_applies_is_found(rule: str, why: str, tmp_path: Path) -> None:
    """Whoever wrote it believes that it protects."""
    assert why in found(tmp_path, rule)["a"]


def test_a_permit_that_the_core_forbids_is_found(tmp_path: Path) -> None:
    """The author believes that writing is allowed."""
    said = found(tmp_path, 'permit (principal, action == Action::"create", resource);')
    assert said == {"a": "it never permits: 'view-only' forbids wherever it applies"}


def test_a_rule_that_another_says_as_well_is_found_once(tmp_path: Path) -> None:
    """Of two that are equal the later one; of a wider and a narrower one the narrower, wherever it stands."""
    wide = f"forbid {SHOW} when {{ context.hour > 20 }};"
    narrow = f"forbid {SHOW} when {{ context.hour > 20 && context.document }};"
    assert set(found(tmp_path, wide, wide)) == {"b"}
    assert set(found(tmp_path, narrow, wide)) == {"a"}
    assert set(found(tmp_path, wide, narrow)) == {"b"}


EFFECTIVE = {
    "another feed": (
        'forbid (principal, action == Action::"show", resource == Feed::"a") when { context.document };',
        'forbid (principal, action == Action::"show", resource == Feed::"b") when { context.document };',
    ),
    "another action": (
        'forbid (principal, action == Action::"read", resource) when { context.hour > 20 };',
        'forbid (principal, action == Action::"search-type", resource) when { context.hour > 20 };',
    ),
    "the opposite": (
        f"forbid {SHOW} when {{ context.document && context.hour > 20 }};",
        f"forbid {SHOW} when {{ context.document && !(context.hour > 20) }};",
    ),
    "one of two": (
        f"forbid {SHOW} when {{ context.document || context.hour > 20 }};",
        f"forbid {SHOW} when {{ context.hour > 22 }};",
    ),
    "an open fact": (
        f'forbid {CONSULT} when {{ context.client == "a" }};',
        f'forbid {CONSULT} when {{ context has organisation && context.organisation == "b" }};',
    ),
    "a set that holds two": (
        f'forbid {SHOW} when {{ context.sensitivity.contains("HIV") && context.sensitivity.contains("PSY") }};',
        f'forbid {SHOW} when {{ context.sensitivity.containsAny(["HVI", "STD"]) && context.document }};',
    ),
    "a permit beside a narrower refusal": (
        f'permit {CONSULT} when {{ context has purpose && context.purpose == "BTG" }};',
        f'forbid {CONSULT} when {{ context has purpose && context.purpose == "BTG" && context.hour > 20 }};',
    ),
}


@pytest.mark.parametrize("rules", EFFECTIVE.values(), ids=EFFECTIVE)
def test_a_rule_that_has_an_effect_is_not_named(rules: tuple[str, str], tmp_path: Path) -> None:
    """A false finding would have a good rule deleted."""
    assert found(tmp_path, *rules) == {}


AT_THE_SITE = {
    "a feed that there is": ('forbid (principal, action in Action::"consult", resource == Feed::"lab");', None),
    "a mistyped feed": (
        'forbid (principal, action in Action::"consult", resource == Feed::"labb");',
        "it never applies: no feed has the id labb",
    ),
    "a zone that there is": (
        f'forbid {CONSULT} when {{ context has network_zone && context.network_zone == "ward" }};',
        None,
    ),
    "a mistyped zone": (
        f'forbid {CONSULT} when {{ context has network_zone && context.network_zone == "wardd" }};',
        "it never applies: 'network_zone' is never wardd",
    ),
    "a mistyped EHR": (f'forbid {SHOW} when {{ context.ehr == "hospitl" }};', "'ehr' is never hospitl"),
    "every other zone": (
        f'forbid {CONSULT} unless {{ context has network_zone && context.network_zone == "wardd" }};',
        None,
    ),
    "the log": (
        'permit (principal, action == Action::"read-log", resource) when { context.reason_given };',
        "the core alone decides who reads the log",
    ),
}


@pytest.mark.parametrize(("rule", "why"), AT_THE_SITE.values(), ids=AT_THE_SITE)
def test_a_rule_about_what_is_not_configured_is_found(rule: str, why: str | None, tmp_path: Path) -> None:
    """A mistyped id protects nothing, and reads as if it did."""
    site = Site(CORE, frozenset({"lab"}), {"ehr": frozenset({"hospital"}), "network_zone": frozenset({"ward"})})
    said = found(tmp_path, rule, site=site)
    assert [*said] == ([] if why is None else ["a"])
    assert (why or "") in said.get("a", "")


def test_a_finding_names_file_and_line(tmp_path: Path) -> None:
    """Whoever reads it has the file open."""
    (tmp_path / "x.cedar").write_text(f"// A note.\n\n{HEAD.format('a')}forbid {CONSULT} when {{ false }};")
    loaded = rulebook.load(tmp_path, unlabelled_documents="withhold")
    assert [each.place for each in findings(loaded.complete)] == [f"{tmp_path.name}/x.cedar:3"]
