"""The accepted set: kept whole, given back only as what was accepted, and swapped between requests."""

import json
from pathlib import Path

import pytest

from plugin.errors import StateUnavailable
from plugin.state.rules_in_force import FOLDER, IN_FORCE, AcceptedRules, RulesInForce
from policies import rulebook
from policies.rulebook import Rulebook

RULE = (
    '@id("{}") @en("E.") @fr("F.") forbid (principal, action == Action::"show", resource) when {{ context.hour > {} }};'
)


def rules(folder: Path, *hours: int) -> Rulebook:
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "a.cedar").write_text("\n".join(RULE.format(f"r{hour}", hour) for hour in hours))
    return rulebook.load(site, unlabelled_documents="withhold")


def accept(accepted: AcceptedRules, new: Rulebook) -> None:
    with accepted.changing():
        accepted.keep(new)
        accepted.accept(new.digest)


def test_what_was_accepted_is_given_back(tmp_path: Path) -> None:
    """To another process, too, and whatever the files of the site say by then."""
    accepted = AcceptedRules(tmp_path / "state")
    assert accepted.digest() is None
    new = rules(tmp_path, 20)
    accept(accepted, new)
    rules(tmp_path, 3)
    again = AcceptedRules(tmp_path / "state")
    assert again.digest() == new.digest
    assert (again.load().digest, again.load().texts) == (new.digest, new.texts)


def test_what_is_kept_is_not_in_force(tmp_path: Path) -> None:
    """Between the two stands the record."""
    accepted = AcceptedRules(tmp_path / "state")
    first, second = rules(tmp_path, 20), rules(tmp_path, 21)
    accept(accepted, first)
    with accepted.changing():
        accepted.keep(second)
    assert accepted.digest() == first.digest == accepted.load().digest


def test_the_last_set_stays_beside_the_present_one(tmp_path: Path) -> None:
    """A worker that looks in the moment of a change finds what it looks for; older ones go."""
    accepted = AcceptedRules(tmp_path / "state")
    sets = [rules(tmp_path, hour) for hour in (1, 2, 3, 4)]
    for each in sets:
        accept(accepted, each)
    kept = {path.stem for path in (tmp_path / "state" / FOLDER).glob("*.json")}
    assert kept == {sets[-1].digest, sets[-2].digest}


def _without(part: str):
    def change(stored: dict) -> None:
        del stored[part]

    return change


def _core_without_its_first_rule(stored: dict) -> None:
    stored["policies"]["core.cedar"] = stored["policies"]["core.cedar"].partition("\n\n")[2].partition("\n\n")[2]


def _looser(stored: dict) -> None:
    stored["policies"]["site/a.cedar"] = RULE.format("r20", 23)


TAMPERED = {
    "without the core": _core_without_its_first_rule,
    "a looser rule": _looser,
    "no policies": _without("policies"),
    "no tables": _without("tables"),
    "no schema": _without("schema"),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_set_that_is_not_what_was_accepted_is_not_used(change, tmp_path: Path) -> None:
    """The digest is that of what stands there, computed anew."""
    accepted = AcceptedRules(tmp_path / "state")
    accept(accepted, new := rules(tmp_path, 20))
    path = tmp_path / "state" / FOLDER / f"{new.digest}.json"
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(StateUnavailable):
        accepted.load()


def test_a_core_that_is_not_ours_is_not_used_under_its_own_digest_either(tmp_path: Path) -> None:
    """Whoever can write the state cannot switch the core off."""
    texts = rules(tmp_path, 20).texts
    core = texts.policies["core.cedar"].replace(
        "unless { context.type_offered }", "unless { context.type_offered || true }"
    )
    assert core != texts.policies["core.cedar"]
    foreign = rulebook.made_of(rulebook.Texts(texts.schema, {**texts.policies, "core.cedar": core}, texts.tables))
    accepted = AcceptedRules(tmp_path / "state")
    accept(accepted, foreign)
    assert accepted.digest() == foreign.digest
    with pytest.raises(StateUnavailable):
        accepted.load()


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"../" * 22, b"g" * 64, b"A" * 64, b"0" * 64])
def test_a_pointer_that_leads_nowhere_is_no_set(content: bytes, tmp_path: Path) -> None:
    """Not to know what is in force is not to have none."""
    accepted = AcceptedRules(tmp_path / "state")
    accept(accepted, rules(tmp_path, 20))
    (tmp_path / "state" / FOLDER / IN_FORCE).write_bytes(content)
    with pytest.raises(StateUnavailable):
        accepted.load()


def test_a_state_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """And says so."""
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(StateUnavailable), AcceptedRules(tmp_path / "state").changing():
        pytest.fail("it cannot be changed")


def test_who_asked_once_keeps_its_set(tmp_path: Path) -> None:
    """One request, one set."""
    first, second = rules(tmp_path, 20), rules(tmp_path, 21)
    in_force = RulesInForce(first)
    mine = in_force.now()
    in_force.replace(second)
    assert (mine, in_force.now()) == (first, second)
