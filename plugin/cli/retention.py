"""`vitrine audit purge` and `vitrine audit hold`: what is past its period goes, and what a hold names stays.

A purge shows counts and times, never content; the list of holds names patients and persons, so it is a reading of the
log and is recorded as one.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from plugin import assembly
from plugin.cli.custody import record, stated
from plugin.cli.failure import CANNOT, NO, Failure, failing
from plugin.cli.given import patient_at, settings_at
from plugin.cli.reading import REASON, read
from plugin.event import AuditAction, DueBody, HoldBody
from plugin.ledger import disposal
from plugin.ledger.hold import PlacedHold, holds_of
from plugin.ledger.retention import Due, Kept, Period
from plugin.places import eraser_of, place_of
from plugin.settings.document import Settings
from plugin.settings.ledger import RetentionClass
from policies.vocabulary.consultation import AuditConsultation

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
            plan = disposal.plan(place.view, _periods(settings), datetime.now(UTC))
            if not _periods(settings):
                click.echo("neither [ledger.retention] nor an [[ehr]] gives a period: everything is kept", err=True)
            for (retention_class, tenant), tally in plan.tallies.items():
                row = (retention_class, tenant, tally.due, tally.since or "-", tally.until or "-", f"{tally.held} held")
                click.echo("\t".join(map(str, row)))
            if dry_run:
                _say(plan.unfinished, "left over from a purge that was interrupted")
                _say(_count(plan.due), "would be purged")
                return
            eraser = eraser_of(settings)
            if plan.unfinished:
                _say(disposal.finish(place.view, eraser), "of an interrupted purge were purged")
            _say(_purge(settings, eraser, plan, why), "were purged")


def _periods(settings: Settings) -> dict[Kept, Period]:
    """By class and tenant: those of an `[[ehr]]` come before those of `[ledger.retention]`."""
    chosen: list[tuple[str | None, Mapping[RetentionClass, str]]] = [(None, settings.ledger.retention)]
    chosen += [(each.id, each.retention) for each in settings.ehr]
    return {(name, tenant): Period.parse(text) for tenant, periods in chosen for name, text in periods.items()}


def _purge(settings: Settings, eraser: disposal.Eraser, plan: disposal.Plan, reason: str) -> int:
    """Record each part, then remove it; how many records."""
    purged = 0
    recorder = assembly.operational_recorder(settings)
    for part in plan.parts():
        note = f"{_count(part):,} records of class {part[0].retention_class} are purged"
        due = [_body(each) for each in part]
        record(recorder, AuditAction.LEDGER_PURGED, note, {"purge": {"reason": reason, "due": due}})
        purged += disposal.erase(eraser, part)
    return purged


def _body(due: Due) -> DueBody:
    return {
        "retention_class": due.retention_class,
        "tenant": due.tenant,
        "period": due.period,
        "before": due.before,
        "ranges": due.ranges,
    }


def _count(due: Sequence[Due]) -> int:
    return sum(last - first + 1 for each in due for first, last in each.ranges)


def _say(count: int, what: str) -> None:
    click.echo(f"{count:,} records {what}", err=True)


@click.group()
def hold() -> None:
    """Legal holds: what they name is kept, whatever its period."""


@hold.command()
@WHY
@click.option("--tenant", metavar="EHR", help="Only records of this [[ehr]].")
@click.option("--patient", metavar="EHR/ID", help="Only those about this patient; or the whole address there.")
@click.option("--person", nargs=2, metavar="ISSUER SUBJECT", help="Only traces of this person.")
@click.option("--first", type=click.IntRange(min=0), help="Only from this position on.")
@click.option("--last", type=click.IntRange(min=0), help="Only to this position.")
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
        held["tenant"] = tenant
    if patient is not None:
        held["patient"] = _address(settings, patient)
    if person is not None:
        held["person"] = " ".join(person)
    if first is not None:
        held["first"] = first
    if last is not None:
        held["last"] = last
    if not held:
        raise Failure("a hold names a tenant, a patient, a person or positions", CANNOT)
    name = secrets.token_hex(4)
    _record(settings, AuditAction.LEDGER_HELD, "a legal hold is placed", {"id": name, "reason": why, **held})
    click.echo(name)


@hold.command()
@click.argument("hold_id", metavar="ID")
@WHY
@click.pass_obj
def lift(path: Path, hold_id: str, reason: str) -> None:
    """Lift the hold of this id: what it kept goes with the next purge."""
    why, settings = stated(reason), settings_at(path)
    with failing():
        known = {placed.hold.id for placed in _holds(settings)}
    if hold_id not in known:
        raise Failure(f"no hold of the id {hold_id} is in force", NO)
    _record(settings, AuditAction.LEDGER_HOLD_LIFTED, "a legal hold is lifted", {"id": hold_id, "reason": why})


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
    with place_of(settings).view() as view:
        return holds_of(view)


def _named(placed: PlacedHold) -> str:
    named = ("tenant", "patient", "person", "first", "last")
    facts = [(name, getattr(placed.hold, name)) for name in named]
    return ", ".join(f"{name} {fact}" for name, fact in facts if fact is not None)


def _record(settings: Settings, action: AuditAction, note: str, held: HoldBody) -> None:
    """While no purge is under way: one that was planned before would not honour it."""
    with failing(), place_of(settings).alone():
        record(assembly.operational_recorder(settings), action, note, {"hold": held})


def _address(settings: Settings, patient: str) -> str:
    """As the search column of a record has it."""
    if "://" in patient:
        return patient
    ehr, identifier = patient_at(settings, patient)
    bases = {each.id: each.fhir_base for each in settings.ehr}
    return f"{bases[ehr]}/Patient/{identifier}"
