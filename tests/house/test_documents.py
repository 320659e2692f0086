"""The documents say what is there: commands, settings, and nothing of any machine."""

import importlib
import json
import re
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from plugin.alerts import AlertKind
from plugin.cli import main
from plugin.settings.document import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
LOCKS = [
    *sorted((ROOT / "requirements").glob("*.txt")),
    *sorted((ROOT / "tests" / "interop").rglob("requirements.txt")),
]


def under(group: click.Group, name: str) -> click.Command:
    """Its command of that name."""
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        return [leaf for name in command.list_commands(context) for leaf in leaves(under(command, name), (*path, name))]
    return [path]


def keys_of(model: type[BaseModel]) -> set[str]:
    """Every key of the file, at any depth."""
    found = set()
    for name, each in model.model_fields.items():
        found.add(name)
        for module, part in re.findall(r"(plugin\.settings\.\w+)\.(\w+)", str(each.annotation)):
            found |= keys_of(getattr(importlib.import_module(module), part))
    return found


def found(command: tuple[str, ...]) -> click.Command:
    """The command of that name."""
    here: click.Command = main
    for name in command:
        assert isinstance(here, click.Group)
        here = under(here, name)
    return here


@pytest.mark.parametrize("command", leaves(main), ids=" ".join)
def test_every_command_has_help_that_says_what_it_does(command: tuple[str, ...]) -> None:
    here = found(command)
    assert here.help
    assert all(isinstance(each, click.Argument) or getattr(each, "help", None) for each in here.params)


@pytest.mark.parametrize("command", leaves(main), ids=" ".join)
def test_every_command_is_documented_with_its_options(command: tuple[str, ...]) -> None:
    """Who runs it at night has the page, and not the machine."""
    here = found(command)
    row = re.search(rf"^\| `{' '.join(command)}(?: [^`]*)?` \|(.*?) \|", COMMANDS.replace(r"\|", "/"), re.MULTILINE)
    assert row is not None
    known = {max(each.opts, key=len) for each in here.params if isinstance(each, click.Option)}
    assert set(re.findall(r"`(--[a-z-]+)", row[1])) == known


def test_no_command_is_documented_that_there_is_not() -> None:
    rows = re.findall(r"^\| `([a-z ]+[a-z])", COMMANDS, re.MULTILINE)
    assert sorted(rows) == sorted(" ".join(each) for each in leaves(main))


def test_commands_that_the_readme_types_exist() -> None:
    known = {" ".join(leaf) for leaf in leaves(main)}
    typed = set(re.findall(r"vitrine ((?:serve|[a-z]+ [a-z]+))\b", README))
    assert typed
    assert typed <= known


@pytest.mark.parametrize("key", sorted(keys_of(Settings)))
def test_every_setting_is_documented(key: str) -> None:
    assert re.search(rf"\b{key}\b", CONFIGURATION), key


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z]+)\b", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_locks_pin_with_hashes_and_without_addresses(lock: Path) -> None:
    text = lock.read_text()
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links", text)


@pytest.mark.parametrize("lock", sorted((ROOT / "tests").rglob("package-lock.json")), ids=lambda lock: lock.parent.name)
def test_locks_of_npm_too(lock: Path) -> None:
    packages = {name: each for name, each in json.loads(lock.read_text())["packages"].items() if name}
    assert packages
    assert all(each.get("integrity") and "resolved" not in each for each in packages.values())


@pytest.mark.parametrize("kind", list(AlertKind))
def test_the_runbook_has_a_section_for_every_alarm(kind: AlertKind) -> None:
    """Whoever is woken by it searches for its name."""
    assert re.search(rf"^## {kind}$", RUNBOOK, re.MULTILINE), kind
    assert f"(#{kind})" in RUNBOOK


def test_the_runbook_links_to_its_own_sections() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^## (.+)$", RUNBOOK, re.M)
    }
    assert set(re.findall(r"\(#([a-z0-9-]+)\)", RUNBOOK)) <= headings
