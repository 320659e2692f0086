"""`vitrine audit recover`: a new ledger for one that cannot be continued, which says what it follows."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
import orjson

from plugin import assembly
from plugin.cli import database_recovery
from plugin.cli.custody import record, stated
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import OWNER, settings_at
from plugin.cli.lost import lost_body, refuse_intact, what_is_known
from plugin.errors import RecordUnavailable
from plugin.event import AuditAction, LostBody
from plugin.ledger import origin, recovery
from plugin.ledger.errors import LedgerError
from plugin.ledger.file_place import FilePlace
from plugin.ledger.reader import Reader
from plugin.ledger.recovery import NewPlace
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.ledger import OWNER_OPTION, FileSinkSettings


@click.command()
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")
@click.option(
    "--checkpoint",
    "kept",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A file of checkpoints that was kept elsewhere, besides those of the file sinks; may be repeated.",
)
@OWNER
@click.pass_obj
def recover(path: Path, reason: str, kept: tuple[Path, ...], owner: Path | None) -> None:
    """Begin a new ledger where the old one is lost. Stop the gateway first. Prints the new public key (C2SP vkey).

    What was lost and its key are kept aside, untouched, and the first record of the new one cites its last known head.
    A ledger that is unbroken is not lost: exit 1.
    """
    why, settings = stated(reason), settings_at(path)
    sinks = [sink.path for sink in settings.ledger.sinks if isinstance(sink, FileSinkSettings)]
    try:
        if settings.ledger.path is None:
            database_recovery.recover(settings, why, [*sinks, *kept], owner)
        elif owner is not None:
            raise Failure(f"{OWNER_OPTION}: is of a ledger in PostgreSQL, and ledger.path names a file", CANNOT)
        else:
            _recover(settings, settings.ledger.path, why, [*sinks, *kept])
    except (LedgerError, SettingsError, RecordUnavailable) as error:
        raise Failure(str(error), CANNOT) from error


def _recover(settings: Settings, file: Path, why: str, notes: Sequence[Path]) -> None:
    """Of a file."""
    key_file = settings.ledger.key_file
    new = NewPlace.beside(file, key_file)
    if _finished(settings, file, new):
        return
    _refuse_intact(settings, file)
    known = recovery.last_known(file, key_file, [FilePlace(file).kept, *notes])
    if known is None and not file.exists():
        raise Failure("nothing is known of a lost ledger; `vitrine audit init` makes a new one", NO)
    aside = recovery.aside_of(file, datetime.now(UTC))
    new.clear()
    lost = lost_body(why, known)
    if file.exists():
        lost["file"] = aside.name
    _begin(settings, new, lost)
    recovery.set_aside(file, key_file, aside)
    recovery.put_in_place(new, file, key_file)
    _say(file)


def _finished(settings: Settings, file: Path, new: NewPlace) -> bool:
    """Do the rest of a recovery that was interrupted after its record; False if there is none."""
    key_file = settings.ledger.key_file
    first = None if file.exists() else new.first_record()
    if first is None or first.body is None:
        return False
    lost: LostBody = orjson.loads(first.body)["lost"]
    aside = file.with_name(lost["file"]) if "file" in lost else recovery.aside_of(file, datetime.now(UTC))
    if new.key_path.exists():  # else that of the lost one is aside, and the new one is in its place
        recovery.set_aside(file, key_file, aside)
    recovery.put_in_place(new, file, key_file)
    _say(file)
    return True


def _say(file: Path) -> None:
    """The public key, and what the new ledger says of the lost one."""
    reader = Reader(file)
    (first,) = reader.records(0, 0)
    lost: LostBody = orjson.loads(first.body or b"")["lost"]
    click.echo(reader.meta().vkey)
    left = f"what is left of it is kept as {lost['file']}" if "file" in lost else "nothing is left of it"
    click.echo(f"{what_is_known(lost)}; {left}; keep the line above elsewhere, to verify with", err=True)


def _refuse_intact(settings: Settings, path: Path) -> None:
    """Raises Failure if the ledger is sound, or closed to this user; SettingsError if others read its key."""
    for file in (path, settings.ledger.key_file):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            raise Failure(f"{file} is not this user's: whether the ledger is lost cannot be told", CANNOT)
    refuse_intact(settings, path)


def _begin(settings: Settings, new: NewPlace, lost: LostBody) -> None:
    """Make the new ledger with its first record, where nobody looks for it yet."""
    host = urlsplit(settings.public_base).hostname or ""
    assembly.rulebook(settings)  # the first record names the rules
    origin.create(new.path, new.key_path, origin.new_origin(host))
    there = settings.ledger.model_copy(update={"path": new.path, "key_file": new.key_path})
    ledger = assembly.open_ledger(settings.model_copy(update={"ledger": there}))
    try:
        note = "the first record of a ledger that follows a lost one"
        record(assembly.recorder_of(settings, ledger), AuditAction.LEDGER_RECOVERED, note, {"lost": lost})
    finally:
        ledger.close()
