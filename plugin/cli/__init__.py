"""`vitrine`: one file here per noun that the operator types. Data to stdout, talk to stderr, exit codes as promises."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BufferedWriter, FileIO, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import Any

import click

from plugin import __version__
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.given import CONFIG_VARIABLE

NOUNS = ("audit", "config", "feed", "policy", "serve", "token")
"""What follows `vitrine`; each stands in the module of its name."""
SILENT = frozenset({"serve"})
"""Those that print nothing, and so run without a standard output."""


class Commands(click.Group):
    """Loads what is typed alone: who serves, and each of its workers, needs no command that reads the log.

    Says in one sentence, too, what the operating system refused at a place that nobody thought of; and that an argument
    is no text, before any command has it.
    """

    def list_commands(self, context: click.Context) -> list[str]:
        """See `click.Group`."""
        return list(NOUNS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """See `click.Group`."""
        if name not in NOUNS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{name}"), name)
        return command

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """See `click.Group`; `arguments` are all that follow `vitrine`, those of the commands too."""
        for argument in arguments:
            try:
                argument.encode()
            except UnicodeEncodeError as error:
                shown = os.fsencode(argument).decode(errors="backslashreplace")
                raise Failure(f"an argument is not in UTF-8: {shown}", CANNOT) from error
        if not SILENT.intersection(arguments):
            _need_output()  # before what helps is printed
        with _in_one_sentence(context):  # what helps is written here
            return super().parse_args(context, arguments)

    def invoke(self, context: click.Context) -> Any:
        """See `click.Group`."""
        _take_whole_writes()
        with _in_one_sentence(context):
            return super().invoke(context)


@contextmanager
def _in_one_sentence(context: click.Context) -> Iterator[None]:
    """What ends a command and nobody thought of, and what could not be written: one sentence, and an exit code."""
    try:
        yield
        _flush()
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever read our output has seen enough
            context.exit(CANNOT)
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{where}{error.strerror or type(error).__name__}", CANNOT) from error
    except KeyboardInterrupt as error:  # click's own answer to it is 1, which is an answer
        raise Failure("interrupted", CANNOT) from error
    finally:
        try:
            _flush()
        except OSError:
            # It would fail again at the end of Python, which then has another exit code.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _need_output() -> None:
    """End the command where nothing that it prints could be read."""
    if sys.stdout is None:
        raise Failure("standard output is closed", CANNOT)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _take_whole_writes() -> None:
    """Where Python was told not to buffer, stdout may take a part of what it is given, and whoever wrote believes all.

    A pipe does so whose writer is stopped and goes on: an export would lack records and end as if it were whole.
    """
    if isinstance(getattr(sys.stdout, "buffer", None), RawIOBase):
        sys.stdout = TextIOWrapper(
            BufferedWriter(FileIO(sys.stdout.fileno(), "w", closefd=False)), sys.stdout.encoding, sys.stdout.errors
        )


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
    if context.invoked_subcommand not in SILENT:
        _need_output()
    context.obj = path
