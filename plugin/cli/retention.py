"""`vitrine audit purge` and `vitrine audit hold`: what is past its period goes, and what a hold names stays.

A purge shows counts and times, never content; the list of holds names patients and persons, so it is a reading of the
log and is recorded as one.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from fhir_adapters.resource import is_id
from plugin.cli.custody import record, recorder_at, stated
from plugin.cli.failure import CANNOT, NO, Failure, failing
from plugin.cli.given import POSITION, patient_at, settings_at
from plugin.cli.reading import REASON, read
from plugin.event import GATEWAY_TENANT, AuditAction, DueBody, HoldBody, sole_tenant
from plugin.ledger import disposal
from plugin.ledger.hold import PlacedHold, holds_of
from plugin.ledger.retention import Due, Hold, Kept, Period, Ranges
from plugin.places import eraser_of, place_of
from plugin.settings.document import Settings
from plugin.settings.ledger import RetentionClass
from policies.vocabulary.consultation import AuditConsultation

_ADDRESS = re.compile(r"https?://\S+[^\s/]/Patient/([^/]+)")
_ISSUER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")

WHY = click.option("--reason", required=True, metavar="TEXT", help="Why; recorded.")


@click.command()
@WHY
@click.option("--dry-run", is_flag=True, help="Only say what would go, and record nothing.")
@click.pass_obj
def purge(path: Path, reason: str, dry_run: bool) -> None:
    """Remove what records say once their period of [ledger.retention] is over. Headers stay, and with them the proof.

    Prints class, tenant, count, first and last time, and how many a hold keeps. What is removed cannot be brought back.
    """
    why, settings = stated(reason), settings_at(path)
    with failing():
        place = place_of(settings)
        with place.alone():
            plan = disposal.plan(place.newest, _periods(settings), datetime.now(UTC))
            if not _periods(settings):
                click.echo("neither [ledger.retention] nor an [[ehr]] gives a period: everything is kept", err=True)
            for (retention_class, tenant), tally in plan.tallies.items():
                row = (retention_class, tenant, tally.due, tally.since or "-", tally.until or "-", f"{tally.held} held")
                click.echo("\t".join(map(str, row)))
            left, due = _count(plan.left), sum(_count(each.ranges) for each in plan.due)
            if plan.kept:
                _say(plan.kept, "that an earlier purge names are kept by a hold")
            if dry_run:
                _say(left, "left over from a purge that was interrupted")
                _say(due, "would be purged")
                return
            eraser = eraser_of(settings)
            finished = disposal.erase(place.newest, eraser, plan.left)
            if left:
                _say(finished, "of an interrupted purge were purged")
            purged = _purge(settings, eraser, plan, why)
            _say(purged, "were purged")
            if finished + purged < left + due:
                _say(left + due - finished - purged, "are kept by a hold that was placed meanwhile")


def _periods(settings: Settings) -> dict[Kept, Period]:
    """By class and tenant: those of an `[[ehr]]` come before those of `[ledger.retention]`."""
    chosen: list[tuple[str | None, Mapping[RetentionClass, str]]] = [(None, settings.ledger.retention)]
    chosen += [(each.id, each.retention) for each in settings.ehr]
    return {(name, tenant): Period.parse(text) for tenant, periods in chosen for name, text in periods.items()}


def _purge(settings: Settings, eraser: disposal.Eraser, plan: disposal.Plan, reason: str) -> int:
    """Record each part, then remove it; how many records."""
    purged, newest = 0, place_of(settings).newest
    recorder = recorder_at(settings)
    for part in plan.parts():
        count = sum(_count(each.ranges) for each in part)
        note = f"{count:,} records of class {part[0].retention_class} are purged"
        due = [_body(each) for each in part]
        record(recorder, AuditAction.LEDGER_PURGED, note, {"purge": {"reason": reason, "due": due}})
        purged += disposal.erase(newest, eraser, (named for each in part for named in each.ranges))
    return purged


def _body(due: Due) -> DueBody:
    return {
        "retention_class": due.retention_class,
        "tenant": due.tenant,
        "period": due.period,
        "before": due.before,
        "ranges": due.ranges,
    }


def _count(ranges: Ranges) -> int:
    return sum(last - first + 1 for first, last in ranges)


def _say(count: int, what: str) -> None:
    click.echo(f"{count:,} records {what}", err=True)


@click.group()
def hold() -> None:
    """Legal holds: what they name is kept, whatever its period; from the moment on at which one is placed."""


@hold.command()
@WHY
@click.option("--tenant", metavar="EHR", help="Only records of this [[ehr]], or of the gateway itself.")
@click.option("--patient", metavar="EHR/ID", help="Only those about this patient; or the whole address there.")
@click.option("--person", nargs=2, metavar="ISSUER SUBJECT", help="Only traces of this person.")
@click.option("--first", type=POSITION, help="Only from this position on.")
@click.option("--last", type=POSITION, help="Only to this position.")
@click.pass_obj
def add(
    path: Path,
    reason: str,
    tenant: str | None,
    patient: str | None,
    person: tuple[str, str] | None,
    first: int | None,
    last: int | None,
) -> None:
    """Keep the records that have all that is named, also those to come. Prints the hold's id, by which it is lifted."""
    why, settings = stated(reason), settings_at(path)
    held: HoldBody = {}
    if tenant is not None:
        held["tenant"] = _tenant(settings, tenant)
    if patient is not None:
        held["patient"] = _address(settings, patient)
    if person is not None:
        held["person"] = _person(*person)
    if first is not None and last is not None and first > last:
        raise Failure(f"no position is from --first {first} to --last {last}: it would keep nothing", CANNOT)
    if first is not None:
        held["first"] = first
    if last is not None:
        held["last"] = last
    if tenant is not None and patient is not None:
        of = _whose(settings, Hold("", None, held["patient"], None))
        if of not in (tenant, GATEWAY_TENANT):  # the latter: a whole address of an EHR that is configured no more
            raise Failure(f"--patient is of the EHR '{of}', and not of '{tenant}': it would keep nothing", CANNOT)
    if not held:
        raise Failure("a hold names a tenant, a patient, a person or positions", CANNOT)
    name = secrets.token_hex(4)
    whose = _whose(settings, Hold(name, held.get("tenant"), held.get("patient"), held.get("person")))
    _record(settings, AuditAction.LEDGER_HELD, "a legal hold is placed", {"id": name, "reason": why, **held}, whose)
    click.echo(name)


@hold.command()
@click.argument("hold_id", metavar="ID")
@WHY
@click.pass_obj
def lift(path: Path, hold_id: str, reason: str) -> None:
    """Lift the hold of this id: what it kept goes with the next purge."""
    why, settings = stated(reason), settings_at(path)
    with failing():
        known = {placed.hold.id: placed.hold for placed in _holds(settings)}
    if hold_id not in known:
        raise Failure(f"no hold of the id {hold_id} is in force", NO)
    whose = _whose(settings, known[hold_id])
    _record(settings, AuditAction.LEDGER_HOLD_LIFTED, "a legal hold is lifted", {"id": hold_id, "reason": why}, whose)


@hold.command("list")
@REASON
@click.pass_obj
def list_(path: Path, reason: str) -> None:
    """Show the holds in force, oldest first: id, since when, what they name, why."""
    why, settings = stated(reason), settings_at(path)
    with failing():
        read(settings, AuditConsultation(why))
        for placed in _holds(settings):
            click.echo("\t".join([placed.hold.id, placed.since, _named(placed), placed.reason]))


def _holds(settings: Settings) -> list[PlacedHold]:
    with place_of(settings).newest() as view:
        return holds_of(view)


def _named(placed: PlacedHold) -> str:
    named = ("tenant", "patient", "person", "first", "last")
    facts = [(name, getattr(placed.hold, name)) for name in named]
    return ", ".join(f"{name} {fact}" for name, fact in facts if fact is not None)


def _record(settings: Settings, action: AuditAction, note: str, held: HoldBody, tenant: str) -> None:
    """Also while a purge is under way, which looks holds up before each batch that it removes."""
    with failing():
        record(recorder_at(settings), action, note, {"hold": held}, tenant=tenant)


def _whose(settings: Settings, held: Hold) -> str:
    """The tenant of the record: the EHR whose patient or person it names. Auditors of others have no business with it,
    and see it nowhere; what is of none, or of several, only the operator sees (`plugin.audit.search.Reach`)."""
    if held.tenant is not None:
        return held.tenant
    if held.patient is None:
        return settings.tenant_of((held.person or "").partition(" ")[0])
    base = held.patient.rpartition("/Patient/")[0]
    return sole_tenant({ehr.id for ehr in settings.ehr if ehr.fhir_base == base})


def _tenant(settings: Settings, tenant: str) -> str:
    """One whose records there can be; or the end of the command."""
    if tenant not in {GATEWAY_TENANT, *(each.id for each in settings.ehr)}:
        raise Failure(f"--tenant is the id of an [[ehr]], or {GATEWAY_TENANT}; {tenant} is not", CANNOT)
    return tenant


def _person(issuer: str, subject: str) -> str:
    """As the search column of a record has it. The issuer may be one that is not configured any more."""
    if _ISSUER.fullmatch(issuer) is None or not subject.strip():
        raise Failure("--person is ISSUER SUBJECT, the issuer being a URI as its tokens have it", CANNOT)
    return f"{issuer} {subject}"


def _address(settings: Settings, patient: str) -> str:
    """As the search column of a record has it. The EHR of a whole address may be configured no more."""
    if "://" in patient:
        found = _ADDRESS.fullmatch(patient)
        if found is None or not is_id(found.group(1)):
            raise Failure(f"--patient: {patient} is no address of a patient, <fhir_base>/Patient/<id>", CANNOT)
        return patient
    ehr, identifier = patient_at(settings, patient)
    bases = {each.id: each.fhir_base for each in settings.ehr}
    return f"{bases[ehr]}/Patient/{identifier}"
