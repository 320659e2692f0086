"""Another set of rules: validated and recorded before it is in force, once, and never in place of a good one."""

import re
import threading
from pathlib import Path

import pytest
import structlog

from plugin import assembly
from plugin.alerts import alerts_of
from plugin.cli.alarms import Alarms
from plugin.cli.follow import Follower
from plugin.cli.reload import Change, accept_at_start, bring_into_force, reload_rules
from plugin.errors import RecordUnavailable, StateUnavailable
from plugin.event import AuditAction, Outcome
from plugin.recorder import Recorder
from plugin.settings.file import load
from plugin.state.rules_in_force import FOLDER, IN_FORCE, AcceptedRules, RulesInForce
from tests.cli.test_commands import CANNOT, NO, bodies, vitrine

RULE = '@id("{}") @en("E.") @fr("F.")\nforbid (principal, action == Action::"show", resource) when {{ context.{} }};\n'


@pytest.fixture
def site(place):
    """The folder of the site's policies, with one, which is in force."""
    folder = place.folder / "site"
    folder.mkdir()
    (folder / "a.cedar").write_text(RULE.format("a", "document"))
    place.path.write_text(place.path.read_text() + '\n[policies]\ndirectory = "site"\n')
    start(place)
    return folder


def start(place):
    """What `serve` does with the rules before it has workers."""
    settings = load(place.path)
    accept_at_start(settings, assembly.rulebook(settings))


def in_force(place) -> str | None:
    return AcceptedRules(place.folder / "state").digest()


def loaded(place):
    return bodies(place, "policy:loaded")


def test_a_reload_brings_the_files_into_force_and_records_it_once(place, site):
    """Who, from which set to which; a second reload changes nothing and records nothing."""
    before = in_force(place)
    (site / "b.cedar").write_text(RULE.format("b", "hour > 20"))
    done = vitrine(place.path, "policy", "reload")
    after = in_force(place)
    assert after != before
    assert done.stdout == f"in force: {after}\n"
    assert before in done.stderr
    again = vitrine(place.path, "policy", "reload")
    assert again.stdout == done.stdout
    assert "already" in again.stderr
    [record] = loaded(place)
    assert record["rule_set"] == {"before": before, "after": after}
    assert record["outcome"] == Outcome.SUCCESS
    assert record["person"]["kind"] == "operator"
    assert record["gateway"]["policies"] == before


BAD = {
    "a typo": (RULE.format("b", "document").replace("forbid", "forbidd"), "site/b.cedar:2"),
    "an unknown fact": (RULE.format("b", "diagnosis"), "site/b.cedar:2"),
    "a doubled id": (RULE.format("a", "hour > 20"), "site/b.cedar:1: two policies have the id 'a'"),
    "no sentence": (
        RULE.format("b", "document").replace('@en("E.") @fr("F.")', ""),
        "site/b.cedar:1: policy 'b' has no sentence",
    ),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_a_bad_file_never_replaces_a_good_set(place, site, text, words):
    """Exit 1 with file and line; what is in force stays, and nothing is recorded."""
    before = in_force(place)
    (site / "b.cedar").write_text(text)
    done = vitrine(place.path, "policy", "reload", code=NO)
    assert words in done.stderr
    assert done.stdout == ""
    assert (in_force(place), loaded(place)) == (before, [])
    with structlog.testing.capture_logs() as lines:
        reload_rules(load(place.path), place.path)
    assert [line["log_level"] for line in lines] == ["error"]
    assert words in lines[0]["problem"]
    assert (in_force(place), loaded(place)) == (before, [])


def test_tables_of_codes_are_part_of_the_set(place, site):
    """A bad one is refused with its line, a good one makes another set."""
    tables = place.folder / "tables"
    tables.mkdir()
    place.path.write_text(place.path.read_text() + 'tables = "tables"\n')
    head = (
        "# source: s\n# version: 1\n# date: 2026-01-01\n# author: a\nsystem,codes,sensitivity,confidentiality,comment\n"
    )
    (tables / "own.csv").write_text(f"{head}nowhere,1,PSY,R,x\n")
    before = in_force(place)
    assert "own.csv" in vitrine(place.path, "policy", "reload", code=NO).stderr
    assert in_force(place) == before
    (tables / "own.csv").write_text(f"{head}icd-10,F20,PSY,V,x\n")
    vitrine(place.path, "policy", "reload")
    assert in_force(place) != before
    assert AcceptedRules(place.folder / "state").load().texts.tables["own.csv"].endswith("x\n")


def test_check_tells_whether_the_files_are_in_force(place, site):
    """So that the operator can compare, and a monitor can."""
    assert vitrine(place.path, "policy", "check").stdout.endswith("in force: the same\n")
    before = in_force(place)
    (site / "b.cedar").write_text(RULE.format("b", "hour > 20"))
    assert vitrine(place.path, "policy", "check").stdout.endswith(
        f"in force: {before}, until `vitrine policy reload`\n"
    )


def test_without_a_record_nothing_changes(place, site):
    """Nobody is judged by rules that no record names."""
    before = in_force(place)
    (site / "b.cedar").write_text(RULE.format("b", "hour > 20"))
    place.ledger.rename(place.folder / "elsewhere")
    assert "ledger" in vitrine(place.path, "policy", "reload", code=CANNOT).stderr
    with structlog.testing.capture_logs() as lines:
        reload_rules(load(place.path), place.path)
    assert [line["log_level"] for line in lines] == ["error"]
    assert in_force(place) == before

    def fail(change: Change) -> None:
        raise RecordUnavailable

    settings = load(place.path)
    with pytest.raises(RecordUnavailable):
        bring_into_force(settings, assembly.rulebook(settings), fail)
    assert in_force(place) == before


def test_two_reloads_at_once_are_one_change(place, site):
    """The signal and the command in the same moment."""
    (site / "b.cedar").write_text(RULE.format("b", "hour > 20"))
    settings = load(place.path)
    rules = assembly.rulebook(settings)
    changes, recorded = [], []
    threads = [
        threading.Thread(target=lambda: changes.append(bring_into_force(settings, rules, recorded.append)))
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(recorded) == 1
    assert sorted(change is None for change in changes) == [False, True, True, True]


def test_a_signal_reads_what_the_configuration_names_now(place, site):
    """Its `[policies]` alone: everything else waits for a restart. Recorded without a person, who is not known."""
    settings, before = load(place.path), in_force(place)
    place.path.write_text(place.path.read_text() + 'set = "strict"\n')
    with structlog.testing.capture_logs() as lines:
        reload_rules(settings, place.path)
    assert lines[0]["event"] == "another set of rules is in force"
    assert "strict-launch-only" in AcceptedRules(place.folder / "state").load().complete.ids
    [record] = loaded(place)
    assert record["rule_set"]["before"] == before
    assert "person" not in record


def test_a_signal_with_a_broken_configuration_changes_nothing(place, site):
    """It is told, and the set stays."""
    settings, before = load(place.path), in_force(place)
    place.path.write_text("[policies")
    with structlog.testing.capture_logs() as lines:
        reload_rules(settings, place.path)
    assert "not TOML" in lines[0]["problem"]
    assert in_force(place) == before


def test_a_start_with_other_rules_than_the_last_is_a_change(place, site):
    """The first start of all names its set itself."""
    assert loaded(place) == []
    (site / "a.cedar").write_text(RULE.format("a", "hour > 20"))
    start(place)
    assert len(loaded(place)) == 1
    start(place)
    assert len(loaded(place)) == 1


def test_what_is_recorded_meanwhile_names_the_set_in_force(place, site):
    """Also while the files of the site are bad: an alarm must not be lost over a typo."""
    (site / "a.cedar").write_text("forbid (")
    settings = load(place.path)
    alarms = Alarms(settings, alerts_of(settings.alerts, settings.public_base))
    assert alarms.record(AuditAction.SPACE_LOW, "x", Outcome.FAILED)
    assert bodies(place, "space:low")[0]["gateway"]["policies"] == in_force(place)


@pytest.mark.parametrize("command", ["check", "reload"])
def test_a_state_that_cannot_be_read_is_no_answer(place, site, command):
    """Not to know what is in force is not to have nothing in force."""
    (place.folder / "state" / FOLDER / IN_FORCE).write_text("?")
    assert "state_dir" in vitrine(place.path, "policy", command, code=CANNOT).stderr


class Remembering(Recorder):
    """Knows by which set it was told to record."""

    def __init__(self) -> None:
        self.digests: list[str] = []

    def decide_by(self, digest: str) -> None:
        self.digests.append(digest)


def follower(place) -> tuple[Follower, RulesInForce, Remembering]:
    accepted, recorder = AcceptedRules(place.folder / "state"), Remembering()
    in_use = RulesInForce(accepted.load())
    return Follower(accepted, in_use, recorder), in_use, recorder


def test_a_worker_follows_what_is_in_force(place, site):
    """And what it records, without being asked again."""
    follow, in_use, recorder = follower(place)
    assert follow.look()
    assert recorder.digests == []
    (site / "b.cedar").write_text(RULE.format("b", "hour > 20"))
    vitrine(place.path, "policy", "reload")
    assert follow.look()
    assert in_use.now().digest == in_force(place)
    assert recorder.digests == [in_force(place)]
    assert follow.look()
    assert len(recorder.digests) == 1


@pytest.mark.parametrize("what", ["pointer", "set", "folder"])
def test_a_worker_that_cannot_read_the_set_stays_with_the_last_and_says_so_once(place, site, what):
    """A state in pieces neither opens nor stops anything."""
    follow, in_use, recorder = follower(place)
    before = in_use.now()
    (site / "b.cedar").write_text(RULE.format("b", "hour > 20"))
    vitrine(place.path, "policy", "reload")
    folder = place.folder / "state" / FOLDER
    path = folder / (IN_FORCE if what == "pointer" else f"{in_force(place)}.json")
    kept = path.read_bytes()
    path.write_bytes(b"?")
    if what == "folder":
        folder.rename(folder.with_name("gone"))
    with structlog.testing.capture_logs() as lines:
        looks = [follow.look() for _ in range(3)]
    assert in_use.now() is before
    if what == "folder":  # nothing is in force: nothing to follow
        assert (looks, lines) == ([True] * 3, [])
        return
    assert looks == [False] * 3
    assert [line["log_level"] for line in lines] == ["critical"]
    path.write_bytes(kept)
    assert follow.look()
    assert in_use.now().digest == in_force(place)
    assert recorder.digests == [in_force(place)]


def test_the_accepted_set_is_what_a_worker_starts_with(place, site):
    """A successor of a worker does not decide by files that somebody is editing."""
    (site / "a.cedar").write_text("forbid (")
    settings = load(place.path)
    rules = assembly.accepted_rules(settings).load()
    assembled = assembly.assemble(settings, rules=rules)
    assert assembled.gateway.rules.now() is rules
    assembled.ledger.close()


def test_nothing_is_accepted_where_the_state_cannot_be_written(place, site, monkeypatch):
    """The record says that it was tried; the set before stays in force."""
    before = in_force(place)
    (site / "b.cedar").write_text(RULE.format("b", "hour > 20"))

    def fail(self: AcceptedRules, rules: object) -> None:
        raise StateUnavailable

    monkeypatch.setattr(AcceptedRules, "keep", fail)
    assert "state_dir" in vitrine(place.path, "policy", "reload", code=CANNOT).stderr
    assert (in_force(place), loaded(place)) == (before, [])


def test_the_digest_of_the_record_is_the_one_that_check_prints(place, site):
    """An auditor compares the two."""
    (site / "b.cedar").write_text(RULE.format("b", "hour > 20"))
    vitrine(place.path, "policy", "reload")
    printed = re.search(r"digest ([0-9a-f]{64})", vitrine(place.path, "policy", "check").stdout)
    assert printed is not None
    assert loaded(place)[0]["rule_set"]["after"] == printed[1]
    assert Path(place.folder, "state", FOLDER, f"{printed[1]}.json").exists()
