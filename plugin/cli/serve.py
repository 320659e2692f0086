"""`vitrine serve`: what must hold before anything is loaded; the rest is `plugin.cli.supervise`."""

import ctypes
import os
import resource
import shutil
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import NoReturn

import click

from plugin import tallies
from plugin.cli.failure import CANNOT, Failure, cannot_listen
from plugin.cli.given import settings_at
from plugin.cli.listening import address_of
from plugin.settings.document import Settings

MOST_ARENAS = 2
"""glibc keeps what is freed apart for up to eight times as many threads as there are cores: of each answer's tree."""
M_ARENA_MAX = -8
"""In glibc's malloc.h."""
NO_HUGE_PAGES = ("MIMALLOC_ALLOW_THP", "0")
"""The allocator of the HTTP client that asks feeds rounds up what each thread uses to huge pages: 30 MB a worker."""


@click.command()
@click.pass_obj
def serve(path: Path) -> None:
    """Serve in the foreground until SIGTERM; SIGHUP reads the rules and the tables of codes anew."""
    signal.signal(signal.SIGTERM, _not_begun)
    # Some that start others ignore it, and whom they start does then: what became of a child could not be told.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _hold_little_memory()
    settings = settings_at(path)
    # No Event: what sets it may hold its lock as the next signal comes, and would wait for itself.
    anew: SimpleQueue[bool] = SimpleQueue()
    signal.signal(signal.SIGHUP, lambda *_: anew.put(True))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    listen = address_of("listen", settings.listen)
    _require_free("listen", listen)
    _metrics_folder(settings)
    import_module("plugin.cli.supervise").supervise(settings, path, listen, anew)


def _not_begun(*_: object) -> NoReturn:
    """A stop before the start is recorded: nothing has begun that would have to be ended."""
    sys.exit(0)


def _hold_little_memory() -> None:
    """Of what is freed. Before anything is loaded that allocates by itself."""
    os.environ.setdefault(*NO_HUGE_PAGES)
    with suppress(AttributeError):  # another library than glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, MOST_ARENAS)


def _require_free(key: str, listen: tuple[str, int]) -> None:
    """Workers share their port in a way that another gateway on this machine could share too, and take half of it."""
    try:
        family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        socket.create_server(listen, family=family).close()
    except OSError as error:
        raise cannot_listen(key, f"{listen[0]}:{listen[1]}", error) from error


def _metrics_folder(settings: Settings) -> None:
    """Where the metrics of all processes meet. Before the library that counts is loaded."""
    folder = settings.state_dir / "metrics"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tallies.reserve(folder, settings.processes, len(settings.feed) + len(settings.ehr))
    except OSError as error:
        raise Failure(f"state_dir: cannot write {folder}: {error.strerror}", CANNOT) from error
    os.environ[tallies.FOLDER_VARIABLE] = str(folder)
