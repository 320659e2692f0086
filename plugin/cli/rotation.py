"""`vitrine audit rotate`: a new key for the ledger's checkpoints, vouched for by the old one."""

from pathlib import Path

import click

from plugin import assembly
from plugin.cli.custody import body, recorder_at, stated
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import settings_at
from plugin.errors import RecordUnavailable
from plugin.event import AuditAction, Body
from plugin.ledger.errors import LedgerBroken, LedgerError
from plugin.ledger.key import SigningKey, VerifierKey
from plugin.ledger.reader import Reader
from plugin.ledger.rotation import current_key, interrupted, prepare, rotation_note, swap
from plugin.places import place_of
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError


@click.command()
@click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")
@click.pass_obj
def rotate(path: Path, reason: str) -> None:
    """Replace the key that signs checkpoints. Prints the new public key (C2SP vkey): keep it elsewhere, beside the old.

    What the old key signed still verifies. Workers that serve end and begin anew; witnesses must be told of the key.
    """
    why, settings = stated(reason), settings_at(path)
    try:
        with place_of(settings).alone():
            key = _rotate(settings, why)
        click.echo(key.text)
        for problem in _deliver(settings):
            click.echo(f"not delivered: {problem}", err=True)
    except LedgerBroken as error:
        raise Failure(f"broken: {error}", NO) from error
    except RecordUnavailable as error:
        sentence = "the change of key may or may not be recorded; the same command goes on from where it ended"
        raise Failure(f"{error}; {sentence}", CANNOT) from error
    except (LedgerError, SettingsError) as error:
        raise Failure(str(error), CANNOT) from error


def _rotate(settings: Settings, reason: str) -> VerifierKey:
    """The new key, recorded and in its place; that of an interrupted rotation, if there was one."""
    key_file, reader = settings.ledger.key_file, Reader(place_of(settings).newest)
    if interrupted(key_file, chain := reader.keys()):
        return current_key(key_file, chain).verifier
    recorder = recorder_at(settings)
    # A database may still be at the commit of an earlier attempt, whose key lies where a new one is prepared: to look a
    # record up waits for the end of that.
    recorder.has("")
    if interrupted(key_file, chain := reader.keys()):
        return current_key(key_file, chain).verifier
    old = current_key(key_file, chain)
    new = SigningKey(chain.current.name, prepare(key_file))
    note = "checkpoints are signed with a new key"
    facts: Body = {"rotation": {"reason": reason, "note": rotation_note(old, new)}}
    recorder.rotate(body(AuditAction.LEDGER_KEY_ROTATED, note, facts), new)
    swap(key_file)
    return new.verifier


def _deliver(settings: Settings) -> list[str]:
    """Give each sink the checkpoint that both keys signed, so that it can follow; what went wrong."""
    deliveries = assembly.deliveries(settings)
    deliveries.deliver()
    return [f"{status.name}: {status.problem}" for status in deliveries.status() if status.problem is not None]
