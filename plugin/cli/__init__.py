"""`vitrine`: one file here per noun that the operator types. Data to stdout, talk to stderr, exit codes as promises."""

import errno
from pathlib import Path
from typing import Any

import click

from plugin import __version__
from plugin.cli.audit import audit
from plugin.cli.audit_export import export, report
from plugin.cli.config import config
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.feed import feed
from plugin.cli.given import CONFIG_VARIABLE
from plugin.cli.policy import policy
from plugin.cli.policy_check import check, try_cases
from plugin.cli.policy_explain import explain_request
from plugin.cli.policy_matrix import show_matrix
from plugin.cli.recovery import recover
from plugin.cli.reload import reload_command
from plugin.cli.retention import hold, purge
from plugin.cli.rotation import rotate
from plugin.cli.serve import serve
from plugin.cli.suspension import resume, suspend, suspended
from plugin.cli.token import token
from plugin.cli.upgrade import upgrade


class Commands(click.Group):
    """Says in one sentence, too, what the operating system refused at a place that nobody thought of."""

    def invoke(self, context: click.Context) -> Any:
        """See `click.Group`."""
        try:
            return super().invoke(context)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has seen enough: click ends quietly
                raise
            where = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{where}{error.strerror or type(error).__name__}", CANNOT) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vitrine")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=CONFIG_VARIABLE,
    default=Path("vitrine.toml"),
    show_default=True,
    help="The configuration file; else $VITRINE_CONFIG.",
)
@click.pass_context
def main(context: click.Context, path: Path) -> None:
    """Vitrine: look at outside results inside the EHR, import nothing, record every look.

    Exit codes: 0 yes, done, unbroken; 1 the answer is no; 2 could not tell or could not run.
    """
    context.obj = path


for command in (check, explain_request, try_cases, show_matrix, reload_command, suspend, resume, suspended):
    policy.add_command(command)
audit.add_command(purge)
audit.add_command(hold)
audit.add_command(rotate)
audit.add_command(recover)
audit.add_command(upgrade)
audit.add_command(export)
audit.add_command(report)
for command in (serve, config, feed, token, policy, audit):
    main.add_command(command)
