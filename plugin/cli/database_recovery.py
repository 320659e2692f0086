"""`vitrine audit recover` where the ledger is in PostgreSQL: the owner of the tables sets the lost schema aside."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from plugin import assembly, places
from plugin.cli.custody import record
from plugin.cli.failure import NO, Failure
from plugin.cli.lost import lost_body, refuse_intact, what_is_known
from plugin.event import AuditAction, LostBody
from plugin.ledger import recovery
from plugin.ledger.database_recovery import Intent, aside_of
from plugin.ledger.errors import KeyUnavailable, LedgerBroken, LedgerMissing
from plugin.ledger.reader import Reader
from plugin.ledger.store import Opening
from plugin.settings.document import Settings

LOST = (LedgerMissing, LedgerBroken, KeyUnavailable)
"""What says that a ledger cannot be continued. A database that cannot be reached says nothing."""


def recover(settings: Settings, why: str, notes: Sequence[Path], owner: Path | None) -> None:
    """Begin a new ledger, or finish a recovery that was interrupted. Raises LedgerError, SettingsError, Failure.

    Reads as the owner: a gateway whose own role is let in no more has lost nothing.
    """
    view = places.owner_view(settings, owner)
    key_file = settings.ledger.key_file
    intent = Intent(key_file)
    lost = cast("LostBody | None", intent.pending(view))
    if lost is None:
        there = not isinstance(refuse_intact(settings, view, LOST), LedgerMissing)
        known = recovery.last_known(view, key_file, [places.place_of(settings).kept, *notes])
        if known is None and not there:
            raise Failure("nothing is known of a lost ledger; `vitrine audit init` makes a new one", NO)
        assembly.rulebook(settings)  # the first record names the rules
        aside = aside_of(datetime.now(UTC))
        lost = lost_body(why, known)
        if there:
            lost["schema"] = aside
        intent.write(cast("dict[str, object]", lost), view)
        places.create(settings, owner, key_file=intent.new_key_path, aside=aside)
    _finish(settings, view, intent, lost)


def _finish(settings: Settings, view: Opening, intent: Intent, lost: LostBody) -> None:
    """The key into its place, the first record, and what is to be said of both; each only if it is still to do."""
    intent.swap_keys(lost.get("schema", aside_of(datetime.now(UTC))))
    reader = Reader(view)
    if not reader.own(AuditAction.LEDGER_RECOVERED):
        ledger = assembly.open_ledger(settings)
        try:
            note = "the first record of a ledger that follows a lost one"
            record(assembly.recorder_of(settings, ledger), AuditAction.LEDGER_RECOVERED, note, {"lost": lost})
        finally:
            ledger.close()
    intent.forget()
    click.echo(reader.meta().vkey)
    left = f"what is left of it is kept as schema {lost['schema']}" if "schema" in lost else "nothing is left of it"
    click.echo(f"{what_is_known(lost)}; {left}; keep the line above elsewhere, to verify with", err=True)
