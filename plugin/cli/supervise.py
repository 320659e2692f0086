"""The process that supervises `vitrine serve`: the start checks, the workers, and a clean stop. Logs JSON to stderr."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from wsgiref.simple_server import WSGIServer

import structlog

from plugin import assembly
from plugin.alerts import FLUSH_SECONDS, alerts_of
from plugin.cli.alarms import Alarms
from plugin.cli.certificates import ends_of
from plugin.cli.checkpoints import delivered
from plugin.cli.config import warnings_of
from plugin.cli.failure import CANNOT, Failure, cannot_listen
from plugin.cli.given import place_at
from plugin.cli.listening import address_of
from plugin.cli.operations import operations_server
from plugin.cli.reload import accept_at_start, reloaded
from plugin.cli.verification import Verification, command, verified
from plugin.cli.watch import Watch, watched
from plugin.cli.workers import Workers
from plugin.cli.zygote import Zygote
from plugin.errors import RecordUnavailable
from plugin.event import AuditAction, Outcome
from plugin.ledger.place import LedgerPlace
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.state.usable import unusable
from plugin.telemetry import LIBRARIES, configure_logging

SPARE_SECONDS = 0.5
"""Beyond those that a stop is given, for sinks that used up theirs."""

log = structlog.get_logger()


def supervise(settings: Settings, path: Path, listen: tuple[str, int], anew: SimpleQueue[bool]) -> None:
    """Serve at `listen`, an address and port, until a signal ends it.

    `anew` gets True for the rules to be read anew; `path` is where `settings` were read.

    Ends with a Failure, or with its exit code, where it cannot serve.
    """
    configure_logging()
    place = place_at(settings)
    # Before anything is opened or a thread begins: what the workers are forked from has neither.
    zygote = Zygote()
    alarms = _alarms(settings)
    certificates = _certificates(settings)
    unwritable = partial(unusable, settings.state_dir)
    watch = Watch(alarms, assembly.free_space(settings), place.glance, unwritable, certificates)
    operations = _operations(settings, listen, place, watch)
    assembled, warnings = _checked(settings, certificates)
    workers = Workers(zygote, anew, listen, settings, LIBRARIES)
    # From the record of the start on, a stop is one in order, with a record of its own.
    signal.signal(signal.SIGTERM, workers.signal_handler_interrupt)
    _record_start(settings, assembled, warnings)
    threading.Thread(target=operations.serve_forever, daemon=True, name="operations").start()
    with (
        watched(watch),
        verified(_verification(settings, place, path, alarms, watch.verified)),
        delivered(settings, watch, workers.seconds_left),
        reloaded(settings, path, anew),
    ):
        try:
            workers.run()
        except (OSError, SystemExit) as error:  # what granian raises when it could not begin, or gives up
            log.critical("the workers could not go on serving")
            raise SystemExit(CANNOT) from error
        finally:
            _end_in_time(workers)
            alarms.record(AuditAction.GATEWAY_STOPPED, "the gateway was stopped", Outcome.SUCCESS)
    alarms.flush(FLUSH_SECONDS)
    # Whoever looks after processes would find it left over, and kill it.
    zygote.end()


def _alarms(settings: Settings) -> Alarms:
    try:
        return Alarms(settings, alerts_of(settings.alerts, settings.public_base))
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error


def _certificates(settings: Settings) -> dict[str, datetime]:
    try:
        return ends_of(settings)
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error


def _verification(
    settings: Settings, place: LedgerPlace, path: Path, alarms: Alarms, found: Callable[[str | None], None]
) -> Verification | None:
    seconds = settings.ledger.verify_seconds()
    if seconds is None:
        return None
    return Verification(place, command(path), timedelta(seconds=seconds), alarms, found)


def _checked(settings: Settings, certificates: Mapping[str, datetime]) -> tuple[assembly.Assembled, list[str]]:
    """Everything that a worker will need, before one is started; and what is warned of."""
    try:
        assembled = assembly.assemble(settings)
        assembly.check_ledger(assembled.ledger)
        return assembled, [*warnings_of(settings, certificates), *assembly.check_sinks(settings)]
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error


def _record_start(settings: Settings, assembled: assembly.Assembled, warnings: list[str]) -> None:
    for warning in warnings:
        log.warning(warning)
    note = "the gateway was started" + (f"; warned: {'; '.join(warnings)}" if warnings else "")
    try:
        accept_at_start(settings, assembled.gateway.rules.now())
        assembled.recorder.operational(AuditAction.GATEWAY_STARTED, note)
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error
    except RecordUnavailable as error:
        raise Failure(str(error), CANNOT) from error
    assembled.ledger.close()


def _end_in_time(workers: Workers) -> None:
    """Whatever the end still waits for by then is left: a database that says nothing must not hold it up."""

    def leave() -> None:
        log.error("the stop took too long; what it still waited for was left")
        os._exit(workers.code())

    timer = threading.Timer(workers.seconds_left() + SPARE_SECONDS, leave)
    timer.daemon = True
    timer.start()


def _operations(settings: Settings, served: tuple[str, int], place: LedgerPlace, watch: Watch) -> WSGIServer:
    listen = address_of("ops_listen", settings.ops_listen)
    try:
        return operations_server(listen, served, place.glance, watch)
    except OSError as error:
        raise cannot_listen("ops_listen", settings.ops_listen, error) from error
