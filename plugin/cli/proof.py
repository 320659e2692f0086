"""`vitrine audit verify`, `checkpoint` and `prove`: what anybody may know of the log. They reveal no content."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import POSITION, settings_at
from plugin.cli.kept import CheckpointsKept
from plugin.ledger import evidence
from plugin.ledger.deliveries import check_continued
from plugin.ledger.errors import KeyInvalid, LedgerBroken, LedgerError
from plugin.ledger.key import SigningKey, VerifierKey, WitnessKey, load_private_key
from plugin.ledger.reader import Reader
from plugin.ledger.sink_file import FileSink
from plugin.ledger.store import FORMAT
from plugin.ledger.verify import Report
from plugin.ledger.verify import verify as verified
from plugin.places import place_of
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.secret import read_secret

LOWEST = 19
"""The niceness of what may wait; disks serve it last too."""

KEY = click.option(
    "--key", "vkey", metavar="VKEY", help="The public key that `audit init` printed; else that of key_file."
)


@click.command("verify")
@KEY
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of checkpoints that was kept elsewhere; by default those of the file sinks. Each of them counts.",
)
@click.option("--witness", "witnesses", metavar="VKEY", multiple=True, help="Must have cosigned it; may be repeated.")
@click.option("--gently", is_flag=True, help="Take what time others leave: one process, of the lowest priority.")
@click.pass_obj
def verify(path: Path, vkey: str | None, against: Path | None, witnesses: tuple[str, ...], gently: bool) -> None:
    """Re-read the whole ledger and say whether it is unbroken. Exit 0: it is; 1: broken; 2: could not tell."""
    settings = settings_at(path)
    try:
        key = _key(settings, vkey)
        keys = _chain_of(settings, key)
        kept = CheckpointsKept.of(settings, against, keys)
        note = kept.largest
        for witness in witnesses:
            _check_witness(witness)
        if witnesses and note is None:
            raise Failure("--witness: there is no checkpoint elsewhere that it could have cosigned", CANNOT)
        with _progress(settings) as progress:
            if gently:
                os.nice(LOWEST)
            processes = 1 if gently else None
            place = place_of(settings)
            view = place.view
            report = verified(view, key, progress, against=note, witnesses=witnesses, processes=processes)
        refuted = kept.refutation(Reader(view)) if report.problem is None else None
        if refuted is not None:
            raise Failure(
                f"broken: {refuted}; the {report.records:,} records that are there are sound by themselves", NO
            )
        if report.problem is None:  # what was delivered from here vouches for nothing, but may tell of a cut
            check_continued(Reader(view), [FileSink(place.kept, keys[0])])
        earlier = kept.earlier_state(Reader(view)) if report.cut else None
    except LedgerBroken as error:
        raise Failure(f"broken: {error}", NO) from error
    except (LedgerError, SettingsError, ValueError) as error:
        raise Failure(str(error), CANNOT) from error
    _tell(report, earlier)
    for silent in kept.silent:
        click.echo(silent, err=True)
    held = report.held or 0
    if held < report.records:
        unasked = "no checkpoint elsewhere " + ("says anything of it" if kept.silent else "was asked")
        newer = f"from position {held} on" if held else unasked
        click.echo(f"vouched for by our own key only: {newer}", err=True)


@click.command("checkpoint")
@KEY
@click.pass_obj
def checkpoint(path: Path, vkey: str | None) -> None:
    """Print the newest checkpoint (c2sp.org/tlog-checkpoint), with the cosignatures that it has."""
    settings = settings_at(path)
    try:
        key = _chain_of(settings, _key(settings, vkey))[0]
        place = place_of(settings)
        note = evidence.newest(Reader(place.view), key, place.kept)
    except LedgerBroken as error:
        raise Failure(f"broken: {error}", NO) from error
    except (LedgerError, SettingsError) as error:
        raise Failure(str(error), CANNOT) from error
    click.echo(note, nl=False)


@click.command("prove")
@click.argument("position", type=POSITION)
@KEY
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder to write to; else this one.",
)
@click.pass_obj
def prove(path: Path, position: int, vkey: str | None, output: Path) -> None:
    """Write POSITION.tlog-proof and POSITION.header, which together prove that record to anybody."""
    settings = settings_at(path)
    try:
        key = _chain_of(settings, _key(settings, vkey))[0]
        place = place_of(settings)
        found = evidence.prove(Reader(place.view), position, key, place.kept)
        files = {
            output / f"{position}.tlog-proof": found.proof.text().encode(),
            output / f"{position}.header": found.header,
        }
        for file, content in files.items():
            file.write_bytes(content)
    except LedgerBroken as error:
        raise Failure(f"broken: {error}", NO) from error
    except ValueError as error:
        raise Failure(f"there is no record {position}", NO) from error
    except (LedgerError, SettingsError) as error:
        raise Failure(str(error), CANNOT) from error
    except OSError as error:
        raise Failure(f"cannot write {error.filename or output}: {error.strerror}", CANNOT) from error
    for file in files:
        click.echo(file)


def _key(settings: Settings, vkey: str | None) -> VerifierKey:
    """The key that is named, or the public half of the configured one, under the ledger's own name."""
    if vkey:
        try:
            return VerifierKey.parse(vkey)
        except KeyInvalid as error:
            raise Failure(f"--key: {error}", CANNOT) from error
    read_secret(settings.ledger.key_file, "ledger.key_file")
    name = Reader(place_of(settings).view).meta().origin
    return SigningKey(name, load_private_key(settings.ledger.key_file)).verifier


def _check_witness(vkey: str) -> None:
    try:
        WitnessKey.parse(vkey)
    except KeyInvalid as error:
        raise Failure(f"--witness: {error}", CANNOT) from error


def _chain_of(settings: Settings, key: VerifierKey) -> Sequence[VerifierKey]:
    """All keys of the ledger, the newest first, if this is one of them; else this one, for which nothing will fit."""
    try:
        chain = Reader(place_of(settings).view).keys()
    except LedgerBroken:  # what is wrong is told by what reads the rest
        return (key,)
    return chain.keys[::-1] if key in chain else (key,)


@contextmanager
def _progress(settings: Settings) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    size = Reader(place_of(settings).view).head().size
    with click.progressbar(length=size, label="verifying", file=sys.stderr) as bar:
        yield lambda read: bar.update(read - bar.pos)


def _tell(report: Report, cut: str | None) -> None:
    if report.problem is not None:
        where = "" if report.problem.position is None else f" at position {report.problem.position}"
        more = "" if cut is None else f"; {cut}"
        raise Failure(
            f"broken{where}: {report.problem.sentence}; {report.records:,} records before it are sound{more}", NO
        )
    since = f"unbroken since {report.since[:10]}" if report.since else "nothing recorded yet"
    purged = f" ({report.purged:,} of them purged by rule)" if report.purged else ""
    click.echo(f"{report.records:,} records{purged}, {since}, head {report.root[:4]}…{report.root[-4:]}")
    if report.form != FORMAT:
        older = f"the log is of form {report.form}, whose indexes and triggers are not compared"
        click.echo(f"{older}: `vitrine audit upgrade` makes it form {FORMAT}", err=True)
    if report.unfinished:
        click.echo(f"a purge was interrupted: `audit purge` removes {report.unfinished:,} more", err=True)
    if report.kept:
        click.echo(f"a hold keeps {report.kept:,} more that a purge names: they go once it is lifted", err=True)
