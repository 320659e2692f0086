"""A bad file of the site stops the load, with its name; a good set is named by its digest."""

import re
from pathlib import Path

import pytest

import plugin
from plugin.consultation import break_glass, compartment
from policies import rulebook, withholding
from policies.cedar import RESERVED, RulesInvalid

GOOD = (
    '@id("{}") @fr("F.") @en("E.") forbid (principal, action == Action::"show", resource) when {{ context.document }};'
)

BAD = {
    "syntax": ("forbid (principal", "cannot be parsed"),
    "a type": (
        '@id("x") @fr("F.") @en("E.") '
        'forbid (principal, action == Action::"show", resource) when { context.document == 3 };',
        "'x'",
    ),
    "a fact that no action has": (
        '@id("x") @fr("F.") @en("E.") '
        'forbid (principal, action == Action::"show", resource) when { context.diagnosis == "B20" };',
        "'x'",
    ),
    "an optional fact asked without `has`": (
        '@id("x") @fr("F.") @en("E.") '
        'forbid (principal, action == Action::"show", resource) when { context.confidentiality == "R" };',
        "'x'",
    ),
    "an action that does not exist": (
        '@id("x") @fr("F.") @en("E.") permit (principal, action == Action::"export", resource);',
        "'x'",
    ),
    "no id": ('forbid (principal, action == Action::"show", resource);', "no @id"),
    "an empty id": (
        '@id("") @fr("F.") @en("E.") forbid (principal, action == Action::"show", resource);',
        "no @id",
    ),
    "an id twice": (GOOD.format("x") + GOOD.format("x"), "two policies"),
    "an id of the core": (GOOD.format("view-only"), "two policies"),
    "an id of a shipped rule": (GOOD.format("show-by-default"), "two policies"),
    "a template": (
        '@id("x") @fr("F.") @en("E.") permit (principal == ?principal, action, resource);',
        "templates",
    ),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_a_bad_file_stops_the_load(text: str, words: str, tmp_path: Path) -> None:
    """Half a rule set would show what the missing half withholds."""
    (tmp_path / "good.cedar").write_text(GOOD.format("good"))
    (tmp_path / "bad.cedar").write_text(text)
    with pytest.raises(RulesInvalid, match=words):
        rulebook.load(tmp_path, unlabelled_documents="withhold")


def test_the_message_names_the_file(tmp_path: Path) -> None:
    """A site has many."""
    (tmp_path / "night.cedar").write_text("forbid (")
    with pytest.raises(RulesInvalid, match=r"night\.cedar"):
        rulebook.load(tmp_path, unlabelled_documents="withhold")


def test_the_mark_that_some_editors_put_in_front_of_utf8_changes_nothing(tmp_path: Path) -> None:
    text = GOOD.format("x")
    digests = set()
    for mark in ("", "\ufeff"):
        (tmp_path / "1.cedar").write_bytes(f"{mark}{text}".encode())
        digests.add(rulebook.load(tmp_path, unlabelled_documents="withhold").digest)
    assert len(digests) == 1


def test_two_files_do_not_make_one_policy_between_them(tmp_path: Path) -> None:
    """Whoever reviews one file must see all of what it says."""
    whole = GOOD.format("x")
    (tmp_path / "1.cedar").write_text(whole[:40])
    (tmp_path / "2.cedar").write_text(whole[40:])
    with pytest.raises(RulesInvalid, match=r"1\.cedar"):
        rulebook.load(tmp_path, unlabelled_documents="withhold")


@pytest.mark.parametrize("content", [b"\xff\xfe", None], ids=["not UTF-8", "a folder"])
def test_a_file_that_cannot_be_read_stops_the_load(content: bytes | None, tmp_path: Path) -> None:
    """Left out, it would be missed by nobody."""
    path = tmp_path / "x.cedar"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(RulesInvalid, match=r"x\.cedar.*: cannot be read"):
        rulebook.load(tmp_path, unlabelled_documents="withhold")


def test_a_folder_that_is_missing_or_too_large_stops_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped path is not an empty rule set."""
    with pytest.raises(RulesInvalid):
        rulebook.load(tmp_path / "missing", unlabelled_documents="withhold")
    monkeypatch.setattr(rulebook, "MAX_SITE_BYTES", 10)
    (tmp_path / "a.cedar").write_text(GOOD.format("x"))
    with pytest.raises(RulesInvalid, match="more than policies"):
        rulebook.load(tmp_path, unlabelled_documents="withhold")


def test_only_cedar_files_count(tmp_path: Path) -> None:
    """A README beside the rules is welcome."""
    (tmp_path / "README.md").write_text("forbid (")
    assert rulebook.load(tmp_path, unlabelled_documents="withhold").digest == _digest()


def test_the_digest_changes_with_any_rule(tmp_path: Path) -> None:
    """It stands in every record: which rules were in force."""
    (tmp_path / "a.cedar").write_text(GOOD.format("x"))
    with_site = rulebook.load(tmp_path, unlabelled_documents="withhold").digest
    shown = rulebook.load(None, unlabelled_documents="show").digest
    assert len({with_site, shown, _digest()}) == 3
    assert _digest() == _digest()


def _digest() -> str:
    return rulebook.load(None, unlabelled_documents="withhold").digest


PLACES = {
    "a typo": ("forbidd (principal, action, resource);", 6, "forbidd"),
    "an unknown attribute": (
        '@id("y") @fr("F.") @en("E.")\nforbid (principal, action == Action::"show", resource)\nwhen {\n'
        '  context.diagnosis == "B20"\n};',
        9,
        "diagnosis",
    ),
    "an unknown action": (
        '@id("y") @fr("F.") @en("E.")\npermit (principal, action == Action::"shw", resource);',
        7,
        "shw",
    ),
    "a duplicate": ('@id("x") @fr("F.") @en("E.")\npermit (principal, action, resource);', 6, r"site/b\.cedar:4"),
    "no sentence": ('@id("y")\npermit (principal, action, resource);', 6, "@en or @fr"),
    "a blank sentence": ('@id("y") @en("  ")\npermit (principal, action, resource);', 6, "@en or @fr"),
    "an unclosed string": ('@id("y) @fr("F.")', 6, "cannot be parsed"),
    "a name that no record takes": (
        '@id("Alma Roy") @fr("F.") @en("E.")\npermit (principal, action, resource);',
        6,
        "@id",
    ),
    "a reserved name": ('@id("quota") @fr("F.") @en("E.")\npermit (principal, action, resource);', 6, "reserved"),
}


@pytest.mark.parametrize(("text", "line", "words"), PLACES.values(), ids=PLACES)
def test_the_message_names_file_and_line(text: str, line: int, words: str, tmp_path: Path) -> None:
    """Whoever reads it has the file open; a semicolon in a comment or a string ends nothing."""
    site = tmp_path / "site"
    site.mkdir()
    before = '// A note; with marks.\n\n// @id("z");\n@id("x") @fr("Un; deux.") @en("E.")\n'
    before += "forbid (principal, action, resource);\n"
    (site / "b.cedar").write_text(before + text)
    with pytest.raises(RulesInvalid, match=rf"(?s)^site/b\.cedar:{line}: .*{words}"):
        rulebook.load(site, unlabelled_documents="withhold")


def test_a_policy_cannot_take_a_name_that_the_gateway_itself_puts_into_records() -> None:
    """A record that names it would not tell who refused: the site's rule, or the gateway."""
    sources = Path(plugin.__file__).parent.rglob("*.py")
    named = {name for each in sources for name in re.findall(r'rules=\("([a-z-]+)",', each.read_text(encoding="utf-8"))}
    named |= {compartment.OUT_OF_SCOPE, compartment.CONTAINED_OUT_OF_SCOPE, break_glass.RULE}
    named |= {withholding.REFERS_TO_WITHHELD, withholding.OUTSIDE_THE_ANSWER}
    core = Path(rulebook.__file__).parent / "rules" / "core.cedar"
    ids = set(re.findall(r'@id\("(.+?)"\)', core.read_text(encoding="utf-8")))
    assert "scope" in named
    assert named <= RESERVED | ids


def test_a_set_that_does_not_exist_is_named() -> None:
    """A mistyped set is no empty set."""
    with pytest.raises(RulesInvalid, match="there is no set 'strickt'"):
        rulebook.load(None, unlabelled_documents="withhold", shipped_set="strickt")


@pytest.mark.parametrize("name", rulebook.sets())
def test_each_set_loads_and_has_a_digest_of_its_own(name: str) -> None:
    """A set that ships is validated like a site's."""
    assert rulebook.load(None, unlabelled_documents="withhold", shipped_set=name).digest != _digest()
