"""What commands are given: the configuration at the path of `--config`, and who types."""

import os
import pwd
import sys
from pathlib import Path

import click

from fhir_adapters.resource import is_id
from plugin.authentication.credential import LocalOperator
from plugin.cli.failure import CANNOT, Failure
from plugin.ledger.place import LedgerPlace
from plugin.places import place_of
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.file import load
from plugin.settings.ledger import OWNER_OPTION

CONFIG_VARIABLE = "VITRINE_CONFIG"
"""Names the file where no option does; `serve` tells its workers by it."""

OWNER = click.option(
    OWNER_OPTION,
    "owner",
    type=click.Path(path_type=Path, dir_okay=False),
    help="In PostgreSQL: the connection string of the role that makes the tables and owns them; it is not kept.",
)

MAX_TOKEN_INPUT = 65_536
"""Bytes; a token has at most some thousands."""

POSITION = click.IntRange(min=0, max=2**63 - 1)
"""Of a record; no store counts further."""


def settings_at(path: Path) -> Settings:
    """The settings, or the end of the command: it could not run."""
    try:
        return load(path)
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error


def place_at(settings: Settings) -> LedgerPlace:
    """Where the ledger is, or the end of the command."""
    try:
        return place_of(settings)
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error


def token_on_stdin() -> str:
    """An access token, whatever it is; or the end of the command."""
    given = b"" if sys.stdin is None else sys.stdin.buffer.read(MAX_TOKEN_INPUT)
    text = given.decode("ascii", errors="replace").strip()
    if not text:
        raise Failure("no token on stdin", CANNOT)
    return text


def patient_at(settings: Settings, text: str) -> tuple[str, str]:
    """The id of an `[[ehr]]` and of a patient there, of `EHR/ID`; or the end of the command."""
    ehr, _, identifier = text.partition("/")
    # No record is of a patient whose id is none: of `hospital/Patient/p1` the log would say that nobody looked.
    if not is_id(identifier) or ehr not in {each.id for each in settings.ehr}:
        raise Failure(f"--patient is EHR/ID, with the id of an [[ehr]] and a FHIR id; {text} is not", CANNOT)
    return ehr, identifier


def check_positions(first: int, last: int | None) -> None:
    """End the command if no position lies between them."""
    if last is not None and first > last:
        raise Failure(f"no position is from --first {first} to --last {last}", CANNOT)


def period_without_time(since: str | None, until: str | None) -> str:
    """Why a period is refused in which nothing can lie."""
    return f"--until {until} is not after --since {since}: no record can be between them"


def operator() -> LocalOperator:
    """The user of the operating system."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid-{uid}"
    return LocalOperator(name=name, uid=uid)
