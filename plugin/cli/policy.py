"""`vitrine policy`: the rules, and who is stopped whatever they say. Its commands stand in files of their own."""

import click

from plugin.cli.policy_check import check, try_cases
from plugin.cli.policy_explain import explain_request
from plugin.cli.policy_matrix import show_matrix
from plugin.cli.reload import reload_command
from plugin.cli.suspension import resume, suspend, suspended


@click.group()
def policy() -> None:
    """Who may look at what, and who is stopped at once."""


for command in (check, explain_request, try_cases, show_matrix, reload_command, suspend, resume, suspended):
    policy.add_command(command)
