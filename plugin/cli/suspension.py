"""`vitrine policy suspend`, `resume`, `suspended`: a person, a client or a feed is stopped at once, and let go on.

Written to the shared state, where every consultation looks, and recorded with who typed it and why.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from plugin import assembly
from plugin.audit.characters import printable
from plugin.cli import custody
from plugin.cli.failure import CANNOT, NO, Failure, failing
from plugin.cli.given import settings_at
from plugin.errors import RecordUnavailable, StateUnavailable
from plugin.event import GATEWAY_TENANT, AuditAction, RetentionClass, SuspensionBody, sole_tenant
from plugin.ledger.record import encode_time
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.state.suspensions import Kind, Suspension, Suspensions

Answer = TypeVar("Answer")

MAX_REASON = 500
"""Characters: a sentence or two."""

_KIND = click.argument("kind", type=click.Choice([str(kind) for kind in Kind]))
_KEY = click.argument("key", metavar="KEY")
_WHY = click.option("--reason", required=True, metavar="TEXT", help="Why; recorded, and shown by `suspended`.")


@click.command()
@_KIND
@_KEY
@_WHY
@click.pass_obj
def suspend(path: Path, kind: str, key: str, reason: str) -> None:
    """Stop a person (ISSUER|SUBJECT), a client or a feed (its id) at once, in every running process."""
    settings, why, what = settings_at(path), _stated(reason), Kind(kind)
    name = _known(settings, what, key)
    since = encode_time(datetime.now(UTC))
    # First the stop, then its record: a ledger that takes no records must not keep somebody at work.
    if not _state(lambda standing: standing.suspend(Suspension(what, name, why, since)), settings):
        raise Failure(f"{kind} {printable(key)} is suspended already", NO)
    try:
        _record(settings, AuditAction.ACCESS_SUSPENDED, {"kind": kind, "name": name, "reason": why, "since": since})
    except (SettingsError, RecordUnavailable) as error:
        raise Failure(
            f"{kind} {printable(key)} is suspended, but this could not be recorded: {error}", CANNOT
        ) from error
    click.echo(f"{kind} {printable(key)} is suspended", err=True)


@click.command()
@_KIND
@_KEY
@_WHY
@click.pass_obj
def resume(path: Path, kind: str, key: str, reason: str) -> None:
    """Let a suspended person, client or feed go on."""
    settings, why, what = settings_at(path), _stated(reason), Kind(kind)
    name = _name(what, key)
    if not _state(lambda standing: standing.any_of((what, name)), settings):
        raise Failure(f"{kind} {printable(key)} is not suspended", NO)
    # First the record: nobody goes on without one.
    with failing():
        _record(settings, AuditAction.ACCESS_RESUMED, {"kind": kind, "name": name, "reason": why})
    _state(lambda standing: standing.resume(what, name), settings)
    click.echo(f"{kind} {printable(key)} is no longer suspended", err=True)


@click.command()
@click.pass_obj
def suspended(path: Path) -> None:
    """Show what is suspended, oldest first: kind, key, since when, why. From the state, so nothing is recorded."""
    for each in _state(lambda standing: standing.standing(), settings_at(path)):
        key = "|".join(each.name.split(" ", 1)) if each.kind is Kind.PERSON else each.name
        click.echo("\t".join([each.kind, printable(key), each.since, printable(each.reason)]))


def _stated(reason: str) -> str:
    why = custody.stated(reason)
    if len(why) > MAX_REASON:
        raise Failure(f"--reason is longer than {MAX_REASON} characters", CANNOT)
    return why


def _name(kind: Kind, key: str) -> str:
    """The name as consultations ask for it; or the end of the command."""
    if not key.isprintable() or not key.strip():
        raise Failure("KEY is not a name", CANNOT)
    if kind is not Kind.PERSON:
        return key
    issuer, bar, subject = key.partition("|")
    if not bar or not issuer or not subject or " " in issuer:
        raise Failure("the KEY of a person is ISSUER|SUBJECT", CANNOT)
    return f"{issuer} {subject}"


def _known(settings: Settings, kind: Kind, key: str) -> str:
    """The same, of something that the configuration knows: a mistyped name would stop nobody, unnoticed."""
    name = _name(kind, key)
    match kind:
        case Kind.PERSON:
            known = key.partition("|")[0] in {each.issuer for ehr in settings.ehr for each in ehr.issuer}
            what = "[[ehr.issuer]]"
        case Kind.CLIENT:
            known, what = bool(_tenants_of_client(settings, key)), "[[ehr.client]] or [ehr.launch]"
        case Kind.FEED:
            known, what = key in {feed.id for feed in settings.feed}, "[[feed]]"
    if not known:
        raise Failure(f"no {what} is named as {printable(key)} says, so nothing would be stopped", CANNOT)
    return name


def _tenants_of_client(settings: Settings, client: str) -> set[str]:
    found = {ehr.id for ehr in settings.ehr if client in {each.id for each in ehr.client}}
    return found | {ehr.id for ehr in settings.ehr if ehr.launch is not None and ehr.launch.client_id == client}


def _tenant(settings: Settings, suspension: SuspensionBody) -> str:
    """Of the record: the EHR whose person or client it is, since other EHRs' auditors have no business with it."""
    match suspension["kind"]:
        case Kind.PERSON:
            return settings.tenant_of(suspension["name"].partition(" ")[0])
        case Kind.CLIENT:
            return sole_tenant(_tenants_of_client(settings, suspension["name"]))
        case _:
            return GATEWAY_TENANT


def _state(ask: Callable[[Suspensions], Answer], settings: Settings) -> Answer:
    try:
        return ask(assembly.suspensions(settings))
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error
    except StateUnavailable as error:
        raise Failure(
            f"state_dir: the suspensions in {settings.state_dir} cannot be read or written by this user with the keys "
            "of key_file",
            CANNOT,
        ) from error


def _record(settings: Settings, action: AuditAction, suspension: SuspensionBody) -> None:
    """Make it durable. Raises SettingsError, RecordUnavailable."""
    note = f"a {suspension['kind']} is {'suspended' if action is AuditAction.ACCESS_SUSPENDED else 'resumed'}"
    assembly.operational_recorder(settings).append(
        custody.body(action, note, {"suspension": suspension}),
        tenant=_tenant(settings, suspension),
        retention_class=RetentionClass.OPERATION,
    )
