"""`vitrine token`: which identity an access token gives, or why it would be refused."""

from pathlib import Path

import click

from plugin import assembly
from plugin.audit.characters import printable
from plugin.authentication.explain import explain as explained
from plugin.cli.failure import CANNOT, NO, Failure, failing
from plugin.cli.given import settings_at, token_on_stdin


@click.group()
def token() -> None:
    """Access tokens."""


@token.command()
@click.pass_obj
def explain(path: Path) -> None:
    """Read a token from stdin and say, check by check, what it gives. Never shows the token."""
    settings = settings_at(path)
    text = token_on_stdin()
    with failing():
        introspections = assembly.introspections(settings)
        rules = assembly.rulebook(settings)
    findings = explained(settings, rules, assembly.issuers_of(settings), text, introspections=introspections)
    for finding in findings:
        click.echo(f"{'yes' if finding.passed else 'NO '}  {finding.check}: {printable(finding.text)}")
    if any(finding.undecided for finding in findings):
        raise Failure("it cannot be told whether the token would be accepted: its issuer cannot be reached", CANNOT)
    if not all(finding.passed for finding in findings):
        raise Failure("the token would be refused", NO)
