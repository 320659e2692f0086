"""`vitrine serve`: the start checks, the workers, and a clean stop. In the foreground; logs JSON lines to stderr."""

import multiprocessing
import os
import resource
import shutil
import signal
import socket
import threading
from datetime import timedelta
from pathlib import Path
from wsgiref.simple_server import WSGIServer

import click
import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from plugin import assembly
from plugin.alerts import alerts_of
from plugin.cli.alarms import Alarms
from plugin.cli.checkpoints import delivered
from plugin.cli.config import warnings_of
from plugin.cli.failure import CANNOT, Failure
from plugin.cli.given import CONFIG_VARIABLE, place_at, settings_at
from plugin.cli.operations import operations_server
from plugin.cli.reload import accept_at_start, reloaded
from plugin.cli.verification import Verification, command, verified
from plugin.cli.watch import Watch, watched
from plugin.errors import RecordUnavailable
from plugin.event import AuditAction
from plugin.ledger.place import LedgerPlace
from plugin.settings.document import Settings
from plugin.settings.errors import SettingsError
from plugin.settings.values import pair
from plugin.telemetry import LIBRARIES, configure_logging

THREADS = 24
"""Of one worker: three times those that may work at once, since most of them wait for a feed."""
BACKLOG = 256
HEADER_BUFFER = 65_536
"""Bytes that a request line with its headers may take before the server drops the connection."""
HEADER_SECONDS = 30
"""How long a client may take over them, and how long a connection is kept for its next request."""
STOP_SECONDS = 8
"""Given to requests under way, which have a deadline of as much; with what follows, a stop takes less than ten."""

FLUSH_SECONDS = 1.0
"""Given to alerts under way when the gateway stops."""

log = structlog.get_logger()


@click.command()
@click.pass_obj
def serve(path: Path) -> None:
    """Serve in the foreground until SIGTERM; SIGHUP reads the rules and the tables of codes anew."""
    settings = settings_at(path)
    anew = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: anew.set())
    configure_logging()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    os.environ[CONFIG_VARIABLE] = str(path.resolve())
    # glibc keeps what is freed apart for up to eight times as many threads as there are cores: of each answer's tree.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    listen = pair(settings.listen)
    _require_free("listen", listen)
    _metrics_folder(settings.state_dir)
    alarms = _alarms(settings)
    place = place_at(settings)
    watch = Watch(alarms, assembly.free_space(settings), place.view)
    operations = _operations(settings, listen, place, watch)
    _check(settings)
    threading.Thread(target=operations.serve_forever, daemon=True, name="operations").start()
    with (
        watched(watch),
        verified(_verification(settings, place, path, alarms)),
        delivered(settings, watch),
        reloaded(settings, path, anew),
    ):
        try:
            _serve(settings, listen, anew)
        except (OSError, SystemExit) as error:  # what granian raises when it could not begin, or gives up
            log.critical("the workers could not go on serving")
            raise SystemExit(CANNOT) from error
        finally:
            _record_stop(settings)
    alarms.flush(FLUSH_SECONDS)


def _alarms(settings: Settings) -> Alarms:
    try:
        return Alarms(settings, alerts_of(settings.alerts, settings.public_base))
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error


def _verification(settings: Settings, place: LedgerPlace, path: Path, alarms: Alarms) -> Verification | None:
    seconds = settings.ledger.verify_seconds()
    if seconds is None:
        return None
    return Verification(place, command(path), timedelta(seconds=seconds), alarms)


class _Server(MPServer):
    """Without granian's own answer to SIGHUP: new workers, which would drop what is under way."""

    anew: threading.Event

    def signal_handler_reload(self, *_: object) -> None:
        """Have the rules read anew."""
        self.anew.set()


def _serve(settings: Settings, listen: tuple[str, int], anew: threading.Event) -> None:
    # Workers start from nothing: a fork would copy locks that other threads hold, and clients that must not be shared.
    multiprocessing.set_start_method("spawn", force=True)
    server = _Server(
        "plugin.cli.worker:application",
        factory=True,
        address=listen[0],
        port=listen[1],
        interface=Interfaces.WSGI,
        workers=settings.workers or os.cpu_count() or 1,
        blocking_threads=THREADS,
        backlog=BACKLOG,
        http=HTTPModes.http1,  # the limits below are those of HTTP/1.1
        http1_settings=HTTP1Settings(max_buffer_size=HEADER_BUFFER, header_read_timeout=HEADER_SECONDS * 1000),
        websockets=False,
        log_dictconfig=LIBRARIES,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )
    server.anew = anew
    server.serve()


def _check(settings: Settings) -> None:
    """Everything that a worker will need, before one is started; and the record of the start."""
    try:
        assembled = assembly.assemble(settings)
        assembly.check_ledger(assembled.ledger)
        warnings = [*warnings_of(settings), *assembly.check_sinks(settings)]
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error
    for warning in warnings:
        log.warning(warning)
    note = "the gateway was started" + (f"; warned: {'; '.join(warnings)}" if warnings else "")
    try:
        accept_at_start(settings, assembled.gateway.rules.now())
        assembled.recorder.operational(AuditAction.GATEWAY_STARTED, note)
    except SettingsError as error:
        raise Failure(str(error), CANNOT) from error
    except RecordUnavailable as error:
        raise Failure(f"ledger: {error}", CANNOT) from error
    assembled.ledger.close()


def _record_stop(settings: Settings) -> None:
    try:
        assembly.operational_recorder(settings).operational(AuditAction.GATEWAY_STOPPED, "the gateway was stopped")
    except (SettingsError, RecordUnavailable):
        log.error("the stop could not be recorded")


def _require_free(key: str, listen: tuple[str, int]) -> None:
    """Workers share their port in a way that another gateway on this machine could share too, and take half of it."""
    try:
        family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        socket.create_server(listen, family=family).close()
    except OSError as error:
        raise _cannot_listen(key, f"{listen[0]}:{listen[1]}", error) from error


def _metrics_folder(state_dir: Path) -> None:
    """Where the metrics of all workers meet. The library that counts looks for it as it is loaded, in each of them."""
    folder = state_dir / "metrics"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"state_dir: cannot write {folder}: {error.strerror}", CANNOT) from error
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _operations(settings: Settings, served: tuple[str, int], place: LedgerPlace, watch: Watch) -> WSGIServer:
    listen = pair(settings.ops_listen)
    try:
        return operations_server(listen, served, place.view, watch)
    except OSError as error:
        raise _cannot_listen("ops_listen", settings.ops_listen, error) from error


def _cannot_listen(key: str, address: str, error: OSError) -> Failure:
    why = (error.strerror or "the address cannot be used").partition(" (")[0]
    return Failure(f"{key}: cannot listen at {address}: {why}", CANNOT)
