"""Another set of rules comes into force: at a start, by SIGHUP to `serve`, by `vitrine policy reload`.

The set is read and validated as a whole before anything changes, and its record is durable before anybody is judged
by it. The workers see by themselves what is in force (`follow`).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import click
import structlog

from plugin import assembly
from plugin.cli import custody
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.given import settings_at
from plugin.cli.rules import rules_at
from plugin.errors import RecordUnavailable, StateUnavailable
from plugin.event import GATEWAY_TENANT, AuditAction, Body, Outcome, RetentionClass
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.file import load
from plugin.state.rules_in_force import FOLDER
from policies.rulebook import Rulebook

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """Digests of the set that was in force, and of the one that is."""

    before: str | None
    """None: none was accepted yet."""
    after: str

    @property
    def note(self) -> str:
        """In our own words."""
        return f"another set of rules is in force: {self.after}, before: {self.before or 'none that is known'}"

    @property
    def facts(self) -> Body:
        """The facts of its record."""
        return {"rule_set": {"before": self.before, "after": self.after}}


def bring_into_force(settings: Settings, rules: Rulebook, record: Callable[[Change], None]) -> Change | None:
    """Accept `rules`, once `record` has returned; None where they are in force already.

    Raises StateUnavailable, and what `record` raises: then the set before is still in force.
    """
    accepted = assembly.accepted_rules(settings)
    with accepted.changing():
        before = accepted.digest()
        accepted.keep(rules)
        if before == rules.digest:
            return None
        change = Change(before, rules.digest)
        record(change)
        accepted.accept(rules.digest)
    return change


def accept_at_start(settings: Settings, rules: Rulebook) -> None:
    """Bring into force what the files say; the ledger is known to be sound. Raises SettingsError, RecordUnavailable.

    The first set of all is named by the record of the start.
    """
    try:
        bring_into_force(
            settings,
            rules,
            lambda change: None if change.before is None else _record(settings, change),
        )
    except StateUnavailable as error:
        raise SettingsError(unusable(settings)) from error


def unusable(settings: Settings) -> str:
    """What to do about an accepted set that cannot be read or kept."""
    folder = settings.state_dir / FOLDER
    return f"state_dir: the rules in force cannot be read or kept in {folder}; removed, a start makes it anew"


@contextmanager
def reloaded(settings: Settings, path: Path, asked: SimpleQueue[bool]) -> Iterator[None]:
    """Read the rules anew whenever `asked` gets True, as long as the block lasts; once for all that came meanwhile."""

    def run() -> None:
        while asked.get():
            for _ in range(asked.qsize()):
                if not asked.get():
                    return
            reload_rules(settings, path)

    thread = threading.Thread(target=run, name="rules", daemon=True)
    thread.start()
    try:
        yield
    finally:
        asked.put(False)
        thread.join()


def reload_rules(settings: Settings, path: Path) -> None:
    """Once, of what `[policies]` at `path` names now. Raises nothing: the log of the process says what came of it."""
    try:
        policies = load(path).policies
        rules = assembly.rulebook(settings.model_copy(update={"policies": policies}))
        change = bring_into_force(settings, rules, lambda found: _record(settings, found))
    except (SettingsError, RecordUnavailable) as error:
        log.error("the rules were not reloaded, the set before stays in force", problem=str(error))
    except StateUnavailable:
        log.error("the rules were not reloaded, the set before stays in force", problem=unusable(settings))
    else:
        if change is None:
            log.info("the rules were read anew and are the same", digest=rules.digest)
        else:
            log.info("another set of rules is in force", before=change.before, after=change.after)


@click.command(name="reload")
@click.pass_obj
def reload_command(path: Path) -> None:
    """Bring the rules into force as their files stand now; running processes decide by them within a second.

    They are validated first, and the change is recorded. Exit 1: they cannot be used, and those before stay in force.
    """
    settings = settings_at(path)
    rules = rules_at(settings)
    try:
        change = bring_into_force(settings, rules, lambda found: _record_operator(settings, found))
    except StateUnavailable as error:
        raise Failure(unusable(settings), CANNOT) from error
    except (SettingsError, RecordUnavailable) as error:
        raise Failure(f"the set before stays in force: {error}", CANNOT) from error
    click.echo(f"in force: {rules.digest}")
    if change is None:
        click.echo("it was in force already", err=True)
    else:
        click.echo(f"before: {change.before or 'none that is known'}", err=True)


def _record(settings: Settings, change: Change) -> None:
    body: Body = {
        "action": AuditAction.POLICY_LOADED,
        "outcome": Outcome.SUCCESS,
        "reason": None,
        "note": change.note,
        **change.facts,
    }
    _append(settings, body)


def _record_operator(settings: Settings, change: Change) -> None:
    _append(settings, custody.body(AuditAction.POLICY_LOADED, change.note, change.facts))


def _append(settings: Settings, body: Body) -> None:
    """Raises SettingsError, RecordUnavailable."""
    ledger = assembly.open_ledger(settings)
    try:
        assembly.recorder_of(settings, ledger).append(
            body, tenant=GATEWAY_TENANT, retention_class=RetentionClass.OPERATION
        )
    finally:
        ledger.close()
