"""`vitrine`: one file here per noun that the operator types. Data to stdout, talk to stderr, exit codes as promises."""

from pathlib import Path

import click

from plugin import __version__
from plugin.cli.audit import audit
from plugin.cli.config import config
from plugin.cli.feed import feed
from plugin.cli.serve import serve
from plugin.cli.token import token


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vitrine")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="VITRINE_CONFIG",
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


for command in (serve, config, feed, token, audit):
    main.add_command(command)
