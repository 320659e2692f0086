"""`vitrine audit verify`, `checkpoint` and `prove`: what anybody may know of the log. They reveal no content."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import settings_at
from plugin.ledger import evidence
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import LedgerBroken, LedgerError
from plugin.ledger.key import SigningKey, VerifierKey, load_private_key
from plugin.ledger.notes import NoteFile
from plugin.ledger.reader import Reader
from plugin.ledger.verify import Report
from plugin.ledger.verify import verify as verified
from plugin.places import place_of
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.ledger import FileSinkSettings
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
    help="A file of checkpoints that was kept elsewhere; by default those of the file sinks. The newest counts.",
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
        note = _kept_elsewhere(against, keys) if against is not None else _from_sinks(settings, keys)
        if witnesses and note is None:
            raise Failure("--witness: there is no checkpoint elsewhere that it could have cosigned", CANNOT)
        with _progress(settings) as progress:
            if gently:
                os.nice(LOWEST)
            processes = 1 if gently else None
            view = place_of(settings).view
            report = verified(view, key, progress, against=note, witnesses=witnesses, processes=processes)
    except LedgerBroken as error:
        raise Failure(f"broken: {error}", NO) from error
    except (LedgerError, SettingsError, ValueError) as error:
        raise Failure(str(error), CANNOT) from error
    _tell(report, _earlier_state(settings, _files(settings, against), keys) if report.cut else None)
    held = report.held or 0
    if held < report.records:
        newer = f"from position {held} on" if held else "no checkpoint elsewhere was asked"
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
@click.argument("position", type=click.IntRange(min=0))
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
        raise Failure(f"cannot write {error.filename}: {error.strerror}", CANNOT) from error
    for file in files:
        click.echo(file)


def _key(settings: Settings, vkey: str | None) -> VerifierKey:
    """The key that is named, or the public half of the configured one, under the ledger's own name."""
    if vkey:
        return VerifierKey.parse(vkey)
    read_secret(settings.ledger.key_file, "ledger.key_file")
    name = Reader(place_of(settings).view).meta().origin
    return SigningKey(name, load_private_key(settings.ledger.key_file)).verifier


def _chain_of(settings: Settings, key: VerifierKey) -> Sequence[VerifierKey]:
    """All keys of the ledger, the newest first, if this is one of them; else this one, for which nothing will fit."""
    try:
        chain = Reader(place_of(settings).view).keys()
    except LedgerBroken:  # what is wrong is told by what reads the rest
        return (key,)
    return chain.keys[::-1] if key in chain else (key,)


def _newest(file: Path, keys: Sequence[VerifierKey], most: int | None = None) -> tuple[Checkpoint, str] | None:
    """The newest checkpoint in a file of them, such as a sink's; with `most`, of those of at most so many records."""
    try:
        notes = (
            next((each for each in NoteFile(file).newest_first(key) if most is None or each[0].size <= most), None)
            for key in keys
        )
        return max((note for note in notes if note is not None), key=lambda each: each[0].size, default=None)
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}", CANNOT) from error


def _kept_elsewhere(file: Path, keys: Sequence[VerifierKey]) -> str:
    """The newest checkpoint of our keys there."""
    found = _newest(file, keys)
    if found is None:
        raise Failure(f"{file} holds no checkpoint of this ledger", CANNOT)
    return found[1]


def _from_sinks(settings: Settings, keys: Sequence[VerifierKey]) -> str | None:
    """The newest checkpoint that a configured file sink holds; None without one. The other kinds show nothing back."""
    found = [newest for file in _files(settings, None) if (newest := _newest(file, keys)) is not None]
    return max(found, key=lambda each: each[0].size)[1] if found else None


def _files(settings: Settings, against: Path | None) -> Sequence[Path]:
    """The files of checkpoints to compare with: the one that was named, or those of the file sinks that are there."""
    if against is not None:
        return [against]
    sinks = (sink.path for sink in settings.ledger.sinks if isinstance(sink, FileSinkSettings))
    return [path for path in sinks if path.exists()]


@contextmanager
def _progress(settings: Settings) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    size = Reader(place_of(settings).view).head().size
    with click.progressbar(length=size, label="verifying", file=sys.stderr) as bar:
        yield lambda read: bar.update(read - bar.pos)


def _earlier_state(settings: Settings, files: Sequence[Path], keys: Sequence[VerifierKey]) -> str:
    """Of a ledger that ends before a checkpoint held elsewhere: whether what is there is what was there before."""
    with Reader(place_of(settings).view).tree() as tree:
        earlier = [found for file in files if (found := _newest(file, keys, tree.head.size)) is not None]
        for stated, _ in earlier:
            if not tree.continues(stated):
                return f"the first {stated.size:,} are not those of an earlier checkpoint: not an earlier state of it"
    if not earlier:
        return "no earlier checkpoint is held elsewhere: whether this is an earlier state of it cannot be told"
    size = max(stated.size for stated, _ in earlier)
    return f"the first {size:,} are proven by an earlier checkpoint: an earlier state of it, a backup or a cut"


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
    if report.unfinished:
        click.echo(f"a purge was interrupted: `audit purge` removes {report.unfinished:,} more", err=True)
