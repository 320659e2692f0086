"""`policy check`, `explain`, `test` and `matrix`: on the rules as their files stand, changing nothing."""

import csv
import io
import re
from pathlib import Path

import pytest

from plugin.settings.rules import PolicySettings
from policies import rulebook
from policies.facts import CATEGORIES
from policies.matrix import PROFESSIONS
from tests.cli.test_commands import CANNOT, NO, YES, vitrine

DOCS = Path(__file__).parents[2] / "docs" / "policies"
SETS = rulebook.sets()
GOOD = (
    '@id("{}") @en("E.") @fr("F.")\n'
    'forbid (principal, action == Action::"show", resource) when {{ context.document }};\n'
)
LOOK = ("--fact", "patient=launch", "--fact", "care_relation=launch", "--fact", "purpose=TREAT")


@pytest.fixture
def site(place):
    """The folder of the site's policies, configured and empty."""
    folder = place.folder / "site"
    folder.mkdir()
    place.path.write_text(place.path.read_text() + '\n[policies]\ndirectory = "site"\n')
    return folder


def test_the_sets_that_can_be_configured_are_those_that_ship():
    """A set that is offered and missing would stop the start."""
    offered = PolicySettings.model_fields["set"].annotation
    assert {name for name in SETS if name in str(offered)} == set(SETS)
    assert str(offered).count("'") == 2 * len(SETS)


@pytest.mark.parametrize("chosen", [(), *(("--set", name) for name in SETS)], ids=["none", *SETS])
def test_what_ships_is_checked_and_tried(place, chosen):
    """The first thing that a privacy officer types."""
    checked = vitrine(place.path, "policy", "check", *chosen).stdout
    assert re.match(r"good: \d+ rules, digest [0-9a-f]{64}\n", checked)
    assert ("in force: none yet" in checked) is (chosen == ())
    assert re.fullmatch(r"\d+ cases, all as expected\n", vitrine(place.path, "policy", "test", *chosen).stdout)


def test_the_configured_set_is_the_one_that_is_tried(place):
    """Without `--set` it is what `serve` would load."""
    by_option = vitrine(place.path, "policy", "check", "--set", "strict").stdout
    place.path.write_text(place.path.read_text() + '\n[policies]\nset = "strict"\n')
    assert vitrine(place.path, "policy", "check").stdout.startswith(by_option)
    assert (
        vitrine(place.path, "policy", "test").stdout == vitrine(place.path, "policy", "test", "--set", "strict").stdout
    )


COMMANDS = [("check",), ("test",), ("explain", *LOOK), ("matrix",)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_set_that_does_not_exist_is_no_set(place, command):
    """A mistyped name is told, with those that there are."""
    done = vitrine(place.path, "policy", *command, "--set", "strickt", code=CANNOT)
    assert "strict" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_bad_rules_are_an_answer_with_file_and_line(place, site, command):
    """The same sentence as at a start."""
    (site / "good.cedar").write_text(GOOD.format("a"))
    (site / "night.cedar").write_text("\n" + GOOD.format("b").replace("document", "diagnosis"))
    done = vitrine(place.path, "policy", *command, code=NO)
    assert "site/night.cedar:3: policy 'b'" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_none_of_them_leaves_a_trace(place, site, command):
    """They read files; the log and the state are not touched."""
    (site / "a.cedar").write_text(GOOD.format("a").replace("context.document", 'context.type == "Specimen"'))
    before = place.bodies()
    vitrine(place.path, "policy", *command)
    assert place.bodies() == before


def test_rules_without_effect_are_named_and_exit_1(place, site):
    """Whoever wrote one believes that it protects."""
    (site / "a.cedar").write_text(GOOD.format("twice") + GOOD.format("once-more"))
    done = vitrine(place.path, "policy", "check", code=NO)
    assert done.stdout == "site/a.cedar:3: policy 'once-more': 'twice' says the same wherever it applies\n"
    assert "1 of the site's 2 rules have no effect" in done.stderr


def test_a_missing_folder_is_an_answer(place):
    """A mistyped path is not an empty set."""
    place.path.write_text(place.path.read_text() + '\n[policies]\ndirectory = "nowhere"\n')
    assert "nowhere" in vitrine(place.path, "policy", "check", code=NO).stderr


CASES = '[[case]]\nname = "a"\nexpect = "{}"\nshow = true\n'


def test_cases_of_the_site_are_tried(place, tmp_path):
    """Each failed one with its line, what was expected, and what decided instead."""
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(CASES.format("permit"))
    bad.write_text("# A note.\n" + CASES.format("deny") + 'rules = ["mine"]\n')
    assert vitrine(place.path, "policy", "test", str(good)).stdout == "1 cases, all as expected\n"
    done = vitrine(place.path, "policy", "test", str(good), str(bad), code=NO)
    assert done.stdout == "bad.toml:2: a: expected deny by mine, got permit by show-by-default\n"
    assert "1 of 2 cases are not as expected" in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[[case", "bad.toml: is not TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "holds no"),
        (b'[[case]]\nname = "a"\nexpect = "deny"\ndiagnosis = "B20"\n', "bad.toml:1: there is no fact 'diagnosis'"),
        (b"#" * (1 << 20) + b"##", "larger than"),
        (None, "directory"),
    ],
    ids=["no TOML", "binary", "empty", "an unknown fact", "large", "a folder"],
)
def test_cases_that_cannot_be_read_are_no_answer(place, tmp_path, content, words):
    """Exit 2: nothing was tried."""
    path = tmp_path / "bad.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    done = vitrine(place.path, "policy", "test", str(path), code=CANNOT)
    assert words in done.stderr
    assert done.stdout == ""


def test_a_case_cannot_write_on_the_terminal(place, tmp_path):
    """Its name is text of a file."""
    path = tmp_path / "a.toml"
    path.write_text('[[case]]\nname = "\\u001b[2J"\nexpect = "permit"\n')
    assert "\x1b" not in vitrine(place.path, "policy", "test", str(path), code=NO).output


def test_a_described_look_is_explained(place):
    """A sentence, then rules, facts, and what nobody knows."""
    done = vitrine(place.path, "policy", "explain", *LOOK)
    assert done.stdout.startswith("The look is permitted: A professional who treats the patient in context may look")
    assert "treatment-of-the-launch-patient (shipped.cedar:" in done.stdout
    assert "  purpose = TREAT  (the token, the person, or the client's default)" in done.stdout
    assert "Not known, so absent: organisation," in done.stdout


def test_a_refusal_is_exit_1_and_in_french_on_demand(place):
    """For a reader who signs for the rules in French."""
    facts = ("--fact", "purpose=HRESCH", "--fact", "patient=launch")
    done = vitrine(place.path, "policy", "explain", *facts, "--lang", "fr", code=NO)
    assert done.stdout.startswith("La consultation est refusée : Les résultats sont montrés pour les soins")
    assert "Règles :" in done.stdout


def test_the_example_of_the_documentation_is_what_is_said(place):
    """It is copied."""
    arguments, answer = re.search(
        r"\$ vitrine policy explain ([^\n]+)\n([^\n]+)", (DOCS / "README.md").read_text()
    ).groups()
    assert vitrine(place.path, "policy", "explain", *arguments.split(), code=NO).stdout.splitlines()[0] == answer


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fact", "diagnosis=B20"), "facts.md"),
        (("--fact", "purpose"), "facts.md"),
        (("--fact", "hour=noon"), "whole number"),
        (("--fact", "hour=-1"), "whole number"),
        (("--fact", f"hour={9**99}"), "0 to 23"),
        (("--fact", "suspended=1"), "true or false"),
        (("--fact", "delivery=printed"), "is never 'printed'"),
        (("--fact", "hour=1", "--fact", "hour=2"), "given twice"),
        (("--fact", "opposed=true"), "no fact 'opposed' here"),
        (("--action", "steal"), "steal"),
        (("--feed", "nowhere"), "no [[feed]] has the id 'nowhere'; there are city-lab"),
        (("--token", "--fact", "delivery=printed"), "is never 'printed'"),
        (("--token",), "no token"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_described_is_no_answer(place, arguments, words):
    """A question on something that does not exist has no verdict."""
    done = vitrine(place.path, "policy", "explain", *arguments, code=CANNOT)
    assert words in done.stderr
    assert done.stdout == ""


def test_a_token_says_who_asks_and_is_never_shown(place):
    """Verified as at the door; what it says is a fact, what it lacks is absent."""
    token = place.token(acr="eidas2")
    done = vitrine(place.path, "policy", "explain", "--token", stdin=token, code=YES)
    assert "  assurance = eidas2  (the token's login (acr))" in done.stdout
    assert "  care_relation = launch" in done.stdout
    assert "  type = Observation" in done.stdout
    assert not any(part in done.output for part in token.split("."))
    assert not any(part in done.output for part in ("dr-roy", "ehr-1001"))


def test_what_is_stated_stands_above_the_token(place):
    """What if the same person asked at night, about another patient, by a program that stores?"""
    asked = ("--token", "--fact", "patient=other", "--fact", "client_renders_only=false")
    done = vitrine(place.path, "policy", "explain", *asked, stdin=place.token(), code=NO)
    assert "patient-in-context (core.cedar:" in done.stdout
    assert "renders-only (core.cedar:" in done.stdout
    assert "care_relation =" not in done.stdout


def test_the_token_of_a_person_explains_what_is_shown_and_the_log(place):
    """One person, three questions."""
    shown = ("--token", "--action", "show", "--fact", "category=test-results")
    assert vitrine(place.path, "policy", "explain", *shown, stdin=place.token()).stdout.startswith(
        "The result is shown"
    )
    log = ("--token", "--action", "read-log")
    assert (
        "Reading the log is refused"
        in vitrine(place.path, "policy", "explain", *log, stdin=place.token(), code=NO).stdout
    )


@pytest.mark.parametrize("claims", [{"exp": 1}, {"aud": "https://elsewhere.example"}, {"jti": None}])
def test_a_token_that_is_refused_before_any_rule_is_an_answer(place, claims):
    """The rules are never asked."""
    done = vitrine(place.path, "policy", "explain", "--token", stdin=place.token(**claims), code=NO)
    assert done.stdout == ""
    assert "the token would be refused before any rule" in done.stderr


@pytest.mark.parametrize("given", [b"\xff\xfe", b"a.b.c", b"x" * 200_000], ids=["binary", "no token", "large"])
def test_what_is_no_token_is_refused(place, given):
    """One sentence, no traceback."""
    assert vitrine(place.path, "policy", "explain", "--token", stdin=given, code=NO).stdout == ""


@pytest.mark.parametrize("name", SETS)
def test_the_page_of_a_set_shows_its_matrix_and_names_its_rules(place, name):
    """Documentation that is drawn by hand is soon another set's."""
    page = (DOCS / f"{name}.md").read_text()
    computed = vitrine(place.path, "policy", "matrix", "--set", name).stdout.partition("\n\n")[0]
    assert f"```\n{computed}\n```" in page
    rules = rulebook.load(None, unlabelled_documents="withhold", shipped_set=name).complete.rules.values()
    own = [rule.id for rule in rules if rule.statement.file.startswith("sets/")]
    assert own
    assert [rule for rule in own if f"`{rule}`" not in page] == []


def test_the_matrix_is_a_table_for_a_spreadsheet(place):
    """Rows by profession, columns by category, and nothing that a spreadsheet would run."""
    text = vitrine(place.path, "policy", "matrix", "--format", "csv", "--set", "france-dmp-like", "--lang", "fr").stdout
    rows = list(csv.reader(io.StringIO(text)))
    assert [len(row) for row in rows] == [1 + len(CATEGORIES)] * (1 + len(PROFESSIONS))
    assert rows[1][0] == "Médecin"
    assert {cell for row in rows[1:] for cell in row[1:]} == {"oui", "non"}
    own = ("--role", "=1+1=urn:x|1")
    assert "name" in vitrine(place.path, "policy", "matrix", *own, code=CANNOT).stderr.lower()
    formula = vitrine(place.path, "policy", "matrix", "--format", "csv", "--role", "@SUM(1)=urn:x|1").stdout
    assert "\n'@SUM(1)," in formula.replace("\r", "")


def test_rows_of_the_site_take_the_place_of_ours(place):
    """Other countries name professions otherwise."""
    text = vitrine(
        place.path, "policy", "matrix", "--role", "Arzt=urn:oid:1.2.3|A", "--role", "Pflege=urn:oid:1.2.3|P"
    ).stdout
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["Arzt", "Pflege"]
    assert "Doctor" not in text


@pytest.mark.parametrize("role", ["Arzt", "=urn:x|1", "Arzt=urn:x", ""])
def test_a_row_that_is_none_is_refused(place, role):
    """NAME=SYSTEM|CODE."""
    assert "--role is NAME=SYSTEM|CODE" in vitrine(place.path, "policy", "matrix", "--role", role, code=CANNOT).stderr


def test_a_feed_that_is_not_configured_has_no_matrix(place):
    """A rule on that feed would be missed."""
    assert "nowhere" in vitrine(place.path, "policy", "matrix", "--feed", "nowhere", code=CANNOT).stderr


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_of_html_stands_by_itself_and_escapes_names(place, site, language):
    """No script, nothing from elsewhere; each rule that refuses has its sentence."""
    rule = (
        GOOD.format("no-imaging")
        .replace("context.document", 'context.category == "imaging"')
        .replace("F.", "<b>&F")
        .replace("E.", "<b>&E")
    )
    (site / "a.cedar").write_text(rule)
    arguments = ("--format", "html", "--lang", language, "--role", "<script>x</script>=urn:x|1")
    page = vitrine(place.path, "policy", "matrix", *arguments).stdout
    assert page.startswith(f'<!DOCTYPE html>\n<html lang="{language}">')
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(?:src|href)=|url\(|@import|http-equiv", page)
    sentence = "&lt;b&gt;&amp;" + ("F" if language == "fr" else "E")
    assert f"<dt><code>no-imaging</code></dt><dd>{sentence}</dd>" in page
    assert page.count('<td class="no" title="no-imaging">') == 1
    assert vitrine(place.path, "policy", "check").stdout.splitlines()[0].split()[-1] in page
