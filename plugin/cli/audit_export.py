"""`vitrine audit export` and `vitrine audit report`: the log's content for other programs, and for a patient.

Both ask the gateway, as any reader does, so each reading is recorded with its reason and what was selected.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from plugin.audit.export import FORMS, Export, OutputFailed
from plugin.audit.feed import LogRelease
from plugin.audit.forward import (
    SYSLOG_TLS_PORT,
    Forwarder,
    ForwardError,
    Receiver,
    Resume,
    StreamReceiver,
    TlsSyslogReceiver,
    tls_context,
)
from plugin.audit.report import page
from plugin.audit.report.entries import Naming, findings
from plugin.audit.report.words import LANGUAGES, Language, Word
from plugin.audit.selection import Selection, beginning, ending
from plugin.cli.failure import CANNOT, NO, Failure
from plugin.cli.given import POSITION, check_positions, patient_at, period_without_time, place_at, settings_at
from plugin.cli.reading import REASON, read, reader
from plugin.cli.stopping import until_stopped
from plugin.errors import ConsultError, LogUnreadable
from plugin.ledger.errors import LedgerError
from plugin.ledger.reader import Reader
from plugin.settings.document import Settings
from policies.vocabulary.consultation import AuditConsultation

FOLLOW_SECONDS = 10.0
"""Between looks for new records. Each reading leaves a record, so at most 8,640 of them a day."""

_FILE = click.Path(path_type=Path, dir_okay=False)
SINCE = click.option("--since", metavar="DATE", help="First day, or instant with its offset.")
UNTIL = click.option("--until", metavar="DATE", help="Last day (included), or first instant that is too late.")


@click.command()
@REASON
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMS)),
    default="ndjson",
    show_default=True,
    help="FHIR AuditEvents, a table, or ATNA syslog messages; one record a line.",
)
@click.option("--first", type=POSITION, default=0, help="Position to begin at, to go on where one ended.")
@click.option("--last", type=POSITION, help="Position to end at; the newest by default.")
@click.option(
    "--person", "persons", nargs=2, multiple=True, metavar="ISSUER SUBJECT", help="Only traces of this person; several."
)
@SINCE
@UNTIL
@click.option("--follow", is_flag=True, help="Go on with new records until stopped.")
@click.option("--state", type=_FILE, help="File that keeps how far --follow came.")
@click.option("--to", metavar="HOST[:PORT]", help="Send to this syslog receiver over TLS (with --follow, atna).")
@click.option("--ca-file", type=_FILE, help="Who vouches for the receiver; the system's authorities by default.")
@click.option("--certificate", type=_FILE, help="Our certificate towards the receiver.")
@click.option("--certificate-key", type=_FILE, help="Its key.")
@click.pass_obj
def export(
    path: Path,
    reason: str,
    form: str,
    first: int,
    last: int | None,
    persons: tuple[tuple[str, str], ...],
    since: str | None,
    until: str | None,
    follow: bool,
    state: Path | None,
    to: str | None,
    ca_file: Path | None,
    certificate: Path | None,
    certificate_key: Path | None,
) -> None:
    """Write the log as FHIR AuditEvents, CSV or ATNA syslog, between a head and a foot that say what is in it.

    Dates are of UTC. Exit 1: records are missing from the log. A stream without foot was cut: go on with --first.
    """
    selection = _selection(UTC, since, until, persons=frozenset(persons))
    check_positions(first, last)
    if not to and (ca_file or certificate or certificate_key):
        raise Failure("--ca-file, --certificate and --certificate-key belong to --to", CANNOT)
    settings = settings_at(path)
    if not follow:
        if to or state:
            raise Failure("--to and --state belong to --follow", CANNOT)
        _export(_consult(settings, reason, selection, first, last), selection, form)
        return
    if last is not None:
        raise Failure("--follow has no --last", CANNOT)
    if to and (form != "atna" or state is None):
        raise Failure("--to needs --format atna and --state", CANNOT)
    try:
        receiver: Receiver
        if to:
            receiver = TlsSyslogReceiver(*_host_port(to), tls_context(ca_file, certificate, certificate_key))
        else:
            out = sys.stdout.buffer
            receiver = StreamReceiver(getattr(out, "raw", out), FORMS[form].end)
        forwarder = Forwarder(
            _size(settings),
            _asking(settings, reason, selection),
            receiver,
            selection,
            form,
            resume=Resume(state) if state else None,
            first=first,
            say=lambda sentence: click.echo(f"vitrine: {sentence}", err=True),
        )
        with until_stopped() as stopped:
            forwarder.run(stopped, FOLLOW_SECONDS)
    except ForwardError as error:
        raise Failure(str(error), CANNOT) from error


@click.command()
@REASON
@click.option("--patient", required=True, metavar="EHR/ID", help="Id of the [[ehr]], and the patient's id there.")
@click.option("--lang", "language", type=click.Choice(LANGUAGES), required=True, help="Language of the report.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "json"]),
    default="html",
    show_default=True,
    help="A page for the patient, or data for a portal.",
)
@click.option(
    "--naming",
    type=click.Choice([each.value for each in Naming]),
    default=Naming.ROLE.value,
    show_default=True,
    help="How staff are named: by person, by role and organisation, by organisation only.",
)
@SINCE
@UNTIL
@click.option("--zone", default="UTC", show_default=True, help="Time zone of the report, as in Europe/Paris.")
@click.pass_obj
def report(
    path: Path,
    reason: str,
    patient: str,
    language: Language,
    form: str,
    naming: str,
    since: str | None,
    until: str | None,
    zone: str,
) -> None:
    """Write a patient's report: who looked at outside results, when, at which kinds, why, and from where."""
    settings = settings_at(path)
    ehr, identifier = patient_at(settings, patient)
    where = _zone(zone)
    selection = _selection(where, since, until, patient=(ehr, identifier))
    release = _consult(settings, reason, selection, 0, None)
    try:
        found = findings(release, selection, where)
    except ConsultError as error:
        raise Failure(str(error), CANNOT) from error
    frame = page.Frame(
        ehr=ehr,
        patient=identifier,
        language=language,
        naming=Naming(naming),
        zone=zone,
        made=datetime.now(where),
        since=_instant(selection.since, where),
        until=_instant(selection.until, where),
        titles={each.id: Word(each.title.fr, each.title.en) for each in settings.feed if each.title is not None},
        first=release.first,
        last=release.last,
        checkpoint=release.checkpoint,
    )
    written = page.as_json(found, frame) if form == "json" else page.as_html(found, frame).encode()
    sys.stdout.buffer.write(written)
    if found.missing:
        raise Failure(f"{found.missing} records are missing from the log: run `vitrine audit verify`", NO)


def _export(release: LogRelease, selection: Selection, form: str) -> None:
    stream = Export(release, selection, form, workers=len(os.sched_getaffinity(0)))
    try:
        with until_stopped() as stopped:
            whole = stream.write(sys.stdout.buffer, partial(stopped, 0))
    except ConsultError as error:
        raise Failure(f"{error} Go on with --first {stream.next}.", CANNOT) from error
    except OutputFailed as error:
        more = f"no more than what stands before position {stream.next} is whole: go on with --first {stream.next}"
        raise Failure(f"{error}; {more}", CANNOT) from error
    if not whole:
        raise Failure(f"interrupted; go on with --first {stream.next}", CANNOT)
    counts = stream.counts
    click.echo(
        f"positions {release.first} to {release.last}: {counts.written:,} written, {counts.not_selected:,} not"
        f" selected, {counts.without_body:,} deleted after their period; go on with --first {stream.next}",
        err=True,
    )
    if not stream.whole:
        raise Failure(f"{counts.missing:,} records are missing from the log: run `vitrine audit verify`", NO)


def _selection(
    zone: tzinfo,
    since: str | None,
    until: str | None,
    *,
    persons: frozenset[tuple[str, str]] = frozenset(),
    patient: tuple[str, str] | None = None,
) -> Selection:
    try:
        selection = Selection(
            persons,
            patient,
            beginning(since, zone) if since is not None else None,
            ending(until, zone) if until is not None else None,
        )
    except ValueError as error:
        raise Failure("--since and --until are dates (2026-03-31) or instants with their offset", CANNOT) from error
    # Nothing would be found, and a patient would read that nobody looked.
    if selection.since is not None and selection.until is not None and selection.since >= selection.until:
        raise Failure(period_without_time(since, until), CANNOT)
    return selection


def _consult(settings: Settings, reason: str, selection: Selection, first: int, last: int | None) -> LogRelease:
    """Ask the gateway, once."""
    release = read(settings, AuditConsultation(reason, first, last, query=selection.query()))
    if first > (size := int(release.checkpoint.split("\n")[1])):
        raise Failure(f"--first {first}: the log has {size:,} records", NO)
    return release


def _asking(settings: Settings, reason: str, selection: Selection) -> Callable[[int], LogRelease]:
    """Asks the gateway each time; ConsultErrors pass, since following outlives them."""
    ask = reader(settings, reason)
    return lambda first: ask(AuditConsultation(reason, first, query=selection.query()))


def _size(settings: Settings) -> Callable[[], int]:
    place = place_at(settings)

    def size() -> int:
        try:
            return Reader(place.view).head().size
        except LedgerError as error:
            raise LogUnreadable from error

    return size


def _host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(SYSLOG_TLS_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise Failure(f"--to {text}: no port", CANNOT)
    host = host.strip("[]")
    if not _is_host(host):
        raise Failure(f"--to {text}: no name of a host", CANNOT)
    return host, int(port)


def _is_host(host: str) -> bool:
    """False of what a connection could not even look up."""
    try:
        return host.encode("idna") != b""  # of labels of 1 to 63 octets
    except UnicodeError:
        return False


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Failure(f"--zone {name}: there is no such time zone here", CANNOT) from error


def _instant(time: str | None, zone: tzinfo) -> datetime | None:
    return datetime.fromisoformat(time).astimezone(zone) if time is not None else None
