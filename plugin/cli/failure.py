"""How a command ends badly: one sentence on stderr, and an exit code that is a promise."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from plugin.errors import ConsultError, RecordUnavailable
from plugin.ledger.errors import LedgerBroken, LedgerError
from plugin.settings.errors import SettingsError

NO = 1
"""The answer is no: broken, refused, invalid."""
CANNOT = 2
"""It could not be told, or the command could not run."""


class Failure(click.ClickException):
    """Ends the command with `sentence` and `exit_code`."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: object = None) -> None:
        """Print the sentence."""
        click.echo(f"vitrine: {self.message}", err=True)


def cannot_listen(key: str, address: str, error: OSError) -> Failure:
    """`key` names an address that cannot be listened at."""
    why = (error.strerror or "the address cannot be used").partition(" (")[0]
    return Failure(f"{key}: cannot listen at {address}: {why}", CANNOT)


@contextmanager
def failing() -> Iterator[None]:
    """Whatever stops a command that works on the ledger, in one sentence. A broken ledger is an answer: exit 1."""
    try:
        yield
    except LedgerBroken as error:
        raise Failure(f"broken: {error}", NO) from error
    except (LedgerError, SettingsError, RecordUnavailable, ConsultError) as error:
        raise Failure(str(error), CANNOT) from error
