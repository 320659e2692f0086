"""`vitrine serve`: the start checks, the workers, and a clean stop. In the foreground; logs JSON lines to stderr."""

import multiprocessing
import os
import resource
import shutil
import threading
from pathlib import Path

import click
import structlog
from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings

from plugin import assembly
from plugin.cli.config import warnings_of
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.given import settings_at
from plugin.cli.operations import serve_operations
from plugin.cli.worker import CONFIG_VARIABLE
from plugin.errors import RecordUnavailable
from plugin.event import AuditAction
from plugin.settings import Settings, SettingsError
from plugin.telemetry import configure_logging

THREADS = 16
"""Of one worker: twice those that may work at once, so that a refusal never waits for a place."""
BACKLOG = 256
HEADER_BUFFER = 65_536
"""Bytes that a request line with its headers may take before the server drops the connection."""
STOP_SECONDS = 6
"""Given to requests under way; with what follows, a stop takes less than ten."""

log = structlog.get_logger()


@click.command()
@click.pass_obj
def serve(path: Path) -> None:
    """Serve in the foreground until SIGTERM."""
    settings = settings_at(path)
    configure_logging()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    os.environ[CONFIG_VARIABLE] = str(path.resolve())
    _check(settings)
    _operations(settings)
    host, _, port = settings.listen.rpartition(":")
    # Workers start from nothing: a fork would copy locks that other threads hold, and clients that must not be shared.
    multiprocessing.set_start_method("spawn", force=True)
    server = Granian(
        "plugin.cli.worker:application",
        factory=True,
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=settings.workers or os.cpu_count() or 1,
        blocking_threads=THREADS,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(max_buffer_size=HEADER_BUFFER),
        websockets=False,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )
    server.serve()
    _record(settings, AuditAction.GATEWAY_STOPPED, "the gateway was stopped")


def _check(settings: Settings) -> None:
    """Everything that a worker will need, before one is started; and the record of the start."""
    try:
        assembled = assembly.assemble(settings)
        assembly.check_ledger(assembled.ledger)
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error
    warnings = warnings_of(settings)
    for warning in warnings:
        log.warning(warning)
    note = "the gateway was started" + (f"; warned: {'; '.join(warnings)}" if warnings else "")
    try:
        assembled.recorder.operational(AuditAction.GATEWAY_STARTED, note)
    except RecordUnavailable as error:
        raise Failure(str(error), CANNOT) from error
    assembled.ledger.close()


def _record(settings: Settings, action: AuditAction, note: str) -> None:
    try:
        assembly.operational_recorder(settings).operational(action, note)
    except (SettingsError, RecordUnavailable):
        log.error("the stop could not be recorded")


def _operations(settings: Settings) -> None:
    """Metrics of all workers meet in a folder; the port for them is served beside the workers."""
    folder = settings.state_dir / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    listen, served = _pair(settings.ops_listen), _pair(settings.listen)
    threading.Thread(
        target=serve_operations, args=(listen, served, settings.ledger.path), daemon=True, name="operations"
    ).start()


def _pair(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)
