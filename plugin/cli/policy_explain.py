"""`vitrine policy explain`: what the rules say of one request, by which of them, on which facts."""

from pathlib import Path
from typing import Any

import click

from plugin import assembly
from plugin.audit.characters import printable
from plugin.authentication.credential import BearerToken
from plugin.authentication.identify import Identifier
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import settings_at, token_on_stdin
from plugin.cli.rules import LANGUAGE, SHIPPED_SET, facts_of, feed_of, rules_at
from plugin.errors import IssuerUnreachable, TokenInvalid
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from policies.decision import facts, facts_of_showing
from policies.described import ACTIONS, READ_LOG, SHOWING, Described, described
from policies.explanation import Explanation, explain
from policies.facts import FactInvalid
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation
from policies.vocabulary.identity import Identity
from policies.vocabulary.interactions import Delivery, Interaction, Level

_HEADINGS = {
    "fr": ("Règles :", "Faits :", "Inconnus, donc absents :"),
    "en": ("Rules:", "Facts:", "Not known, so absent:"),
}


@click.command(name="explain")
@click.option("--action", type=click.Choice(ACTIONS), default="search-type", show_default=True, help="What is tried.")
@click.option("--feed", metavar="ID", help="The feed that is asked; else the first one that is configured.")
@click.option("--fact", "stated", multiple=True, metavar="NAME=VALUE", help="A fact of docs/policies/facts.md.")
@click.option("--token", "by_token", is_flag=True, help="Read an access token from stdin; it says who asks.")
@SHIPPED_SET
@LANGUAGE
@click.pass_obj
def explain_request(
    path: Path,
    action: str,
    feed: str | None,
    stated: tuple[str, ...],
    by_token: bool,
    shipped_set: str | None,
    language: str,
) -> None:
    """Say what the rules say of a request, and why: the verdict, the rules, the facts and where each comes from.

    Who asks is described by --fact, or by a token on stdin, which is verified and never shown. Asks no feed, reads no
    log and changes nothing. Exit 0: permitted. 1: refused.
    """
    settings = settings_at(path)
    rules = rules_at(settings, shipped_set)
    given = facts_of(stated)
    feed = feed_of(settings, feed)
    question = _described(action, given, feed, "a-person")
    if by_token:
        identity = _identity(settings, feed)
        given = {**_facts_of_token(settings, identity, action, feed, given), **given}
        question = _described(action, given, feed, identity.person.key)
    explanation = explain(rules, question, language)
    for line in _lines(explanation, language):
        click.echo(printable(line))
    if not explanation.permitted:
        raise click.exceptions.Exit(NO)


def _described(action: str, given: dict[str, Any], feed: str, person: str) -> Described:
    try:
        return described(action, given, feed=feed, person=person)
    except FactInvalid as error:
        raise Failure(str(error), CANNOT) from error


def _identity(settings: Settings, feed: str) -> Identity:
    text = token_on_stdin()
    try:
        introspections = assembly.introspections(settings)
        identifier = Identifier(settings, assembly.issuers_of(settings), introspections=introspections)
        return identifier.identify(BearerToken(text, feed))
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error
    except TokenInvalid as error:
        raise Failure(f"the token would be refused before any rule: {error.text}", NO) from error
    except IssuerUnreachable as error:
        raise Failure(str(error), CANNOT) from error


def _facts_of_token(
    settings: Settings, identity: Identity, action: str, feed: str, given: dict[str, Any]
) -> dict[str, Any]:
    """What the token, the configuration and the stated request make known together."""
    if len(identity.purposes) > 1 and "purpose" not in given:
        raise Failure("the token names several purposes, each is decided by itself: say --fact purpose=…", CANNOT)
    purpose = {"purpose": identity.purposes[0]} if identity.purposes else {}
    if action == READ_LOG:
        return {"subject": str(identity.subject), "auditor": identity.auditor, **purpose}
    wanted = str(given.get("type", "Observation"))
    entry = next((each for each in settings.feed if each.id == feed), None)
    relation = "launch" if identity.launch_patient is not None and given.get("patient", "launch") == "launch" else None
    around = Circumstances(
        hour=int(given.get("hour", 12)),
        type_offered=entry is not None and wanted in entry.types,
        suspended=False,
        feed_wants_informed=entry is not None and entry.patient_informed,
        care_relation=relation,
    )
    interaction = Interaction.SEARCH_TYPE if action == SHOWING else Interaction(action)
    delivery = Delivery(given.get("delivery", "structured"))
    asked = ClinicalConsultation(feed, interaction, Level.TYPE, delivery, wanted)
    if action == SHOWING:
        return {**facts_of_showing(identity, asked, around), **purpose}
    known = {**facts(identity, asked, around), **purpose}
    for told_by_hand in ("suspended", "patient_informed", "break_glass", "hour"):
        if told_by_hand not in given:
            del known[told_by_hand]
    return known


def _lines(explanation: Explanation, language: str) -> list[str]:
    rules, facts_heading, absent = _HEADINGS[language]
    lines = [explanation.sentence, "", rules]
    lines += [f"  {name}{f' ({place})' if place else ''}: {text}" for name, text, place in explanation.rules]
    lines += ["", facts_heading]
    lines += [f"  {each.name} = {each.value}  ({each.source})" for each in explanation.facts]
    if explanation.absent:
        lines += ["", f"{absent} {', '.join(explanation.absent)}"]
    return lines
