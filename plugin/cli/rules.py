"""What the commands on rules share: the rules as the configuration's folder has them now, and facts as typed."""

from typing import Any

import click

from plugin import assembly
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from policies.facts import LOG, LOOK, SHOW
from policies.rulebook import Rulebook, sets

LANGUAGE = click.option(
    "--lang", "language", type=click.Choice(["fr", "en"]), default="en", show_default=True, help="Of the sentences."
)
SHIPPED_SET = click.option(
    "--set",
    "shipped_set",
    type=click.Choice(sets()),
    help="A ready-made set in place of the one that the configuration names.",
)


def rules_at(settings: Settings, shipped_set: str | None = None) -> Rulebook:
    """The rules as their files stand now, whether in force or not; or the end of the command: exit 1, they are bad."""
    if shipped_set is not None:
        policies = settings.policies.model_copy(update={"set": shipped_set})
        settings = settings.model_copy(update={"policies": policies})
    try:
        return assembly.rulebook(settings)
    except SettingsError as error:
        raise Failure(str(error), NO) from error


def feed_of(settings: Settings, named: str | None) -> str:
    """The id of the feed that is asked: `named`, else the first that is configured; or the end of the command."""
    known = [each.id for each in settings.feed]
    if named is None:
        return known[0]
    if named not in known:
        raise Failure(f"no [[feed]] has the id {named!a}; there are {', '.join(known)}", CANNOT)
    return named


def facts_of(texts: tuple[str, ...]) -> dict[str, Any]:
    """`NAME=VALUE` as typed, each value as its fact has it; a set is written with commas. Ends the command."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        fact = LOOK.get(name) or SHOW.get(name) or LOG.get(name)
        if not equals or fact is None:
            raise Failure(f"--fact is NAME=VALUE with a fact of docs/policies/facts.md; {text!a} is not", CANNOT)
        if name in found:
            raise Failure(f"fact '{name}' is given twice", CANNOT)
        found[name] = _read(name, fact.kind, value)
    return found


def _read(name: str, kind: type, value: str) -> Any:
    if kind is bool:
        if value not in ("true", "false"):
            raise Failure(f"fact '{name}' is true or false", CANNOT)
        return value == "true"
    if kind is int:
        if not value.isascii() or not value.isdigit():
            raise Failure(f"fact '{name}' is a whole number", CANNOT)
        return int(value)
    return [each for each in value.split(",") if each] if kind is list else value
