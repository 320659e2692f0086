"""`vitrine audit`: the log. Making and verifying it reveals nothing; reading its content is recorded in it."""

import secrets
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import orjson

from plugin import assembly, places
from plugin.audit import content
from plugin.audit.audit_event import to_audit_event
from plugin.audit.deleted import deleted_event
from plugin.audit.feed import LogRelease
from plugin.audit.search import SearchRefused, read_parameters
from plugin.audit.search_parameters import ValueInvalid, day
from plugin.audit.text import deleted_line, line
from plugin.cli.audit_export import export, report
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import OWNER, POSITION, check_positions, period_without_time, settings_at
from plugin.cli.proof import checkpoint, prove, verify
from plugin.cli.reading import REASON, read
from plugin.cli.recovery import recover
from plugin.cli.retention import hold, purge
from plugin.cli.rotation import rotate
from plugin.cli.upgrade import upgrade
from plugin.errors import ConsultError, RecordUnavailable, ShapeRefused
from plugin.event import AuditAction, Outcome
from plugin.ledger.errors import LedgerError, LedgerExists
from plugin.ledger.record import StoredRecord
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from policies.vocabulary.consultation import AuditConsultation

FORMATS = click.Choice(["text", "fhir", "ndjson"])


@click.group()
def audit() -> None:
    """The log of every look and every refusal."""


@audit.command()
@OWNER
@click.pass_obj
def init(path: Path, owner: Path | None) -> None:
    """Make the ledger and its key. Prints the public key (C2SP vkey): keep it elsewhere."""
    settings = settings_at(path)
    try:
        assembly.rulebook(settings)  # the first record names the rules: rather no ledger than one without it
        place = places.place_of(settings)
        vkey = places.create(settings, owner)
        try:
            recorder = assembly.operational_recorder(settings)
            recorder.operational(AuditAction.LEDGER_OPENED, "the first record of this ledger")
        finally:
            click.echo(vkey)  # whatever became of the record: nothing prints it again
    except LedgerExists as error:
        raise Failure(str(error), NO) from error
    except (LedgerError, SettingsError, RecordUnavailable) as error:
        raise Failure(str(error), CANNOT) from error
    click.echo(f"made {place} and {settings.ledger.key_file}; keep the line above elsewhere, to verify with", err=True)


@audit.command("list")
@REASON
@click.option("--format", "form", type=FORMATS, default="text", show_default=True, help="For people, or for programs.")
@click.option("--first", type=POSITION, default=0, help="Position to begin at.")
@click.option("--last", type=POSITION, help="Position to end at; the newest by default.")
@click.pass_obj
def list_(path: Path, reason: str, form: str, first: int, last: int | None) -> None:
    """Show the records in ledger order: for people, as FHIR AuditEvents, or as stored."""
    check_positions(first, last)
    if not _show(read(settings_at(path), AuditConsultation(reason, first, last)), form):
        click.echo("0 records", err=True)


@audit.command()
@click.argument("record")
@REASON
@click.option("--format", "form", type=FORMATS, default="fhir", show_default=True, help="For people, or for programs.")
@click.pass_obj
def show(path: Path, record: str, reason: str, form: str) -> None:
    """Show one record by its position, or those of a request by its X-Request-Id or record id."""
    asked = AuditConsultation(reason, name=record)
    if record.isdecimal() and len(record) < len(secrets.token_hex(8)):
        asked = AuditConsultation(reason, int(record), int(record))
    if not record or not _show(read(settings_at(path), asked), form):  # without a name the whole log would be meant
        raise Failure(f"there is no record {record or 'without a name'}", NO)


OUTCOMES = {
    "done": Outcome.SUCCESS,
    "refused": Outcome.REFUSED,
    "failed": Outcome.FAILED,
    "unavailable": Outcome.UNAVAILABLE,
}


@audit.command()
@REASON
@click.option("--patient", metavar="EHR/ID", help="As for a report; an ID alone is meant at every [[ehr]].")
@click.option("--person", metavar="ISSUER|SUBJECT", help="Who looked; a subject alone is found too, slowly.")
@click.option("--since", metavar="TIME", help="A FHIR date or time, such as 2026-03 or 2026-03-01T08:00Z; included.")
@click.option("--until", metavar="TIME", help="The same; included to its end.")
@click.option("--outcome", type=click.Choice(list(OUTCOMES)), multiple=True, help="How it ended; may be repeated.")
@click.option("--where", "others", metavar="NAME=VALUE", multiple=True, help="Any parameter of GET /fhir/AuditEvent.")
@click.option("--format", "form", type=FORMATS, default="text", show_default=True, help="For people, or for programs.")
@click.pass_obj
def search(
    path: Path,
    reason: str,
    patient: str | None,
    person: str | None,
    since: str | None,
    until: str | None,
    outcome: Sequence[str],
    others: Sequence[str],
    form: str,
) -> None:
    """Show all records that meet every condition, oldest first. Where there is none, nothing is printed."""
    settings = settings_at(path)
    given = {
        "patient": None if patient is None else _patient(settings, patient),
        "agent.identifier": person,
        "outcome": ",".join(OUTCOMES[each] for each in outcome) or None,
    }
    pairs = [(name, value) for name, value in given.items() if value is not None]
    pairs += [("date", f"{prefix}{value}") for prefix, value in (("ge", since), ("le", until)) if value is not None]
    pairs += [(name, value) for name, _, value in (each.partition("=") for each in others)]
    if {"_count", "_sort"}.intersection(name for name, _ in pairs):
        raise Failure("--where: all records are shown, oldest first", CANNOT)
    for option, value in (("--since", since), ("--until", until)):
        _check_time(option, value)
    try:
        wanted = replace(
            read_parameters(pairs, [each.fhir_base for each in settings.ehr]), newest_first=False, count=None
        )
    except SearchRefused as refusal:
        raise Failure(str(ShapeRefused(refusal.objection)), CANNOT) from refusal
    if since is not None and until is not None:
        _check_period(since, until)
    found = _show(read(settings, AuditConsultation(reason, search=wanted)), form)
    click.echo(f"{found:,} records", err=True)


for command in (verify, checkpoint, prove, export, report, purge, hold, rotate, recover, upgrade):
    audit.add_command(command)


def _patient(settings: Settings, text: str) -> str:
    """`EHR/ID`, as lists show it, as the patient's address there; anything else as it is."""
    ehr, _, identifier = text.partition("/")
    bases = {each.id: each.fhir_base for each in settings.ehr}
    return f"{bases[ehr]}/Patient/{identifier}" if ehr in bases else text


def _check_time(option: str, value: str | None) -> None:
    try:
        if value is not None:
            day(value)
    except ValueInvalid as error:
        raise Failure(f"{option} is one FHIR date or time, such as 2026-03 or 2026-03-01T08:00Z", CANNOT) from error


def _check_period(since: str, until: str) -> None:
    """End the command if nothing can lie between them."""
    if day(since).stretch.start >= day(until).stretch.end:
        raise Failure(period_without_time(since, until), CANNOT)


def _show(release: LogRelease, form: str) -> int:
    """Print the records, many to a write; how many there were."""
    out = sys.stdout.buffer
    count = 0
    try:
        for record in release.records():
            out.write(_line(record, form) + b"\n")
            count += 1
    except ConsultError as error:
        raise Failure(str(error), CANNOT) from error
    finally:
        out.flush()
    return count


def _line(record: StoredRecord, form: str) -> bytes:
    if form == "ndjson":
        return orjson.dumps(content.as_stored(record))
    header, is_deleted = content.header(record), record.body is None
    if form == "fhir":
        return orjson.dumps(deleted_event(header) if is_deleted else to_audit_event(header, content.body(record)))
    return (deleted_line(header) if is_deleted else line(header, content.body(record))).encode()
