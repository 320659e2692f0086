"""`vitrine audit upgrade`: an older ledger file becomes one of the form that this program continues."""

from pathlib import Path

import click

from plugin import assembly
from plugin.cli.custody import record, stated
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import settings_at
from plugin.errors import RecordUnavailable
from plugin.event import AuditAction, Body
from plugin.ledger.errors import LedgerBroken, LedgerError
from plugin.ledger.reader import Reader
from plugin.ledger.store import FORMAT
from plugin.places import place_of
from plugin.settings.errors import SettingsError


@click.command()
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")
@click.pass_obj
def upgrade(path: Path, reason: str) -> None:
    """Bring an older ledger to the form that this version continues, in one transaction. Stop the gateway first.

    Records and signatures stay as they are. Make a backup first: an older version refuses the ledger afterwards.
    """
    why, settings = stated(reason), settings_at(path)
    try:
        place = place_of(settings)
        before = Reader(place.view).meta().format
        if before == FORMAT:
            click.echo(f"the ledger is of form {FORMAT} already", err=True)
            return
        note = f"the ledger was upgraded from form {before} to {FORMAT}"
        with place.alone():
            ledger = assembly.open_ledger(settings, upgrading=True)
            try:
                facts: Body = {"upgraded": {"reason": why, "before": before, "after": FORMAT}}
                record(assembly.recorder_of(settings, ledger), AuditAction.LEDGER_UPGRADED, note, facts)
            finally:
                ledger.close()
    except LedgerBroken as error:
        raise Failure(f"broken: {error}", NO) from error
    except (LedgerError, SettingsError, RecordUnavailable) as error:
        raise Failure(str(error), CANNOT) from error
    click.echo(f"{note}; `vitrine audit verify` says whether it is unbroken", err=True)
