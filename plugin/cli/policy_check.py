"""`vitrine policy check` and `vitrine policy test`: whether the rules can be used, and say what they should."""

from pathlib import Path

import click

from plugin import assembly
from plugin.audit.characters import printable
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import settings_at
from plugin.cli.reload import unusable
from plugin.cli.rules import SHIPPED_SET, rules_at
from plugin.errors import StateUnavailable
from plugin.event import LOCAL_FEED
from plugin.settings.document import Settings
from policies.cases import MAX_CASES_BYTES, CasesInvalid, Tried, read, run
from policies.reachability import Site, findings
from policies.rulebook import Rulebook, cases_of
from policies.vocabulary.verdict import Permit


@click.command()
@SHIPPED_SET
@click.pass_obj
def check(path: Path, shipped_set: str | None) -> None:
    """Say whether the rules as they stand in their files can be used: syntax, facts, sentences, rules without effect.

    Says too whether they are the rules in force. Reads no log and changes nothing. Exit 1: they cannot be used, or a
    rule of the site has no effect.
    """
    settings = settings_at(path)
    rules = rules_at(settings, shipped_set)
    # What ships has an effect by itself; that a stricter rule of the site says the same too is no fault of either.
    own = set(rules.complete.ids) - set(rules_at(_without_site(settings), shipped_set).complete.ids)
    found = [each for each in findings(rules.complete, _site(settings, rules)) if each.rule.id in own]
    for each in found:
        click.echo(f"{printable(each.place)}: policy '{each.rule.id}': {each.why}")
    if found:
        raise Failure(f"{len(found)} of the site's {len(own)} rules have no effect", NO)
    click.echo(f"good: {len(rules.complete.ids)} rules, digest {rules.digest}")
    if shipped_set is None:
        click.echo(_in_force(settings, rules.digest))


def _in_force(settings: Settings, digest: str) -> str:
    """What running processes decide by, beside what the files say."""
    try:
        before = assembly.accepted_rules(settings).digest()
    except StateUnavailable as error:
        raise Failure(unusable(settings), CANNOT) from error
    if before is None:
        return "in force: none yet, `vitrine serve` was never started"
    return "in force: the same" if before == digest else f"in force: {before}, until `vitrine policy reload`"


def _site(settings: Settings, rules: Rulebook) -> Site:
    values = {
        "ehr": frozenset(ehr.id for ehr in settings.ehr),
        "network_zone": frozenset(settings.policies.network_zones),
    }
    return Site(rules.core.ids, frozenset({LOCAL_FEED, *(feed.id for feed in settings.feed)}), values)


def _without_site(settings: Settings) -> Settings:
    return settings.model_copy(update={"policies": settings.policies.model_copy(update={"directory": None})})


@click.command(name="test")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@SHIPPED_SET
@click.pass_obj
def try_cases(path: Path, files: tuple[Path, ...], shipped_set: str | None) -> None:
    """Put the cases in FILES to the rules; without files, those that ship for the set in use.

    Reads no log and changes nothing. Exit 1: the rules say something else than a case expects.
    """
    settings = settings_at(path)
    rules = rules_at(settings, shipped_set)
    try:
        if files:
            cases = [case for file in files for case in read(file.name, _text(file))]
        else:
            cases = read("shipped cases", cases_of(shipped_set or settings.policies.set))
    except CasesInvalid as error:
        raise Failure(str(error), CANNOT) from error
    tried = run(rules, cases)
    failed = [each for each in tried if not each.as_expected]
    for each in failed:
        click.echo(_line(each))
    if failed:
        raise Failure(f"{len(failed)} of {len(tried)} cases are not as expected", NO)
    click.echo(f"{len(tried)} cases, all as expected")


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        if len(content) > MAX_CASES_BYTES:
            raise Failure(f"{file} is larger than a file of cases can be", CANNOT)
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read, or is not UTF-8", CANNOT) from error


def _line(tried: Tried) -> str:
    said = "permit" if isinstance(tried.verdict, Permit) else "deny"
    expected = "permit" if tried.case.permit else "deny"
    by = f" by {', '.join(tried.case.rules)}" if tried.case.rules else ""
    name = printable(tried.case.name)
    got = f"{said} by {', '.join(tried.verdict.rules)}"
    return f"{printable(tried.case.place)}: {name}: expected {expected}{by}, got {got}"
