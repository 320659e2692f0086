"""The HTTP server: granian with its limits, workers forked from the zygote. What they run is `plugin.cli.worker`."""

import resource
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer, WorkerProcess

from plugin.cli import worker
from plugin.cli.failure import CANNOT
from plugin.cli.zygote import STOP_SECONDS, Zygote, ZygoteEnded
from plugin.settings.document import Settings

THREADS = 24
"""Of one worker: three times those that may work at once, since most of them wait for a feed."""
BACKLOG = 256
CONNECTIONS = 1_000
"""Of one worker at a time, silent ones too. Granian's default is a worker's share of the backlog: as many clients that
say nothing would keep everybody out."""
HEADER_BUFFER = 65_536
"""Bytes that a request line with its headers may take before the server drops the connection."""
HEADER_SECONDS = 30
"""How long a client may take over them, and how long a connection is kept for its next request."""
LEFT_SECONDS = 9.0
"""Of the ten that a stop may take in all: for the workers, and for the last checkpoints after them."""


def _connections() -> int:
    """CONNECTIONS, or half of the descriptors that a process may have: it needs others, too."""
    may_have, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if may_have == resource.RLIM_INFINITY else min(CONNECTIONS, may_have // 2)


class Workers(MPServer):
    """Serving processes that share one port; those that end by themselves are replaced."""

    def __init__(
        self,
        zygote: Zygote,
        anew: SimpleQueue[bool],
        listen: tuple[str, int],
        settings: Settings,
        log: dict[str, Any],
    ) -> None:
        """`anew` gets True at each SIGHUP; `log`: for logging.config.dictConfig."""
        super().__init__(
            f"{worker.__name__}:application",
            factory=True,
            address=listen[0],
            port=listen[1],
            interface=Interfaces.WSGI,
            workers=settings.processes,
            blocking_threads=THREADS,
            backlog=BACKLOG,
            backpressure=_connections(),
            http=HTTPModes.http1,  # the limits below are those of HTTP/1.1
            http1_settings=HTTP1Settings(max_buffer_size=HEADER_BUFFER, header_read_timeout=HEADER_SECONDS * 1000),
            websockets=False,
            log_dictconfig=log,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_SECONDS,
        )
        self._zygote, self._anew, self._settings = zygote, anew, settings
        self._told: float | None = None

    def run(self) -> None:
        """Serve until a signal ends it. Raises OSError, SystemExit: it could not begin, or gives up."""
        try:
            self.serve()
        except ZygoteEnded:
            self.shutdown(CANNOT)  # type: ignore[no-untyped-call]

    def seconds_left(self) -> float:
        """Of LEFT_SECONDS, which begin with the first signal that ends it."""
        return LEFT_SECONDS if self._told is None else self._told + LEFT_SECONDS - time.monotonic()

    def code(self) -> int:
        """What the process ends with: 0 if a signal asked it to end."""
        return CANNOT if self._told is None else 0

    def signal_handler_interrupt(self, *_: object) -> None:
        """End. Asked again, no later."""
        if self._told is None:
            self._told = time.monotonic()
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def signal_handler_reload(self, *_: object) -> None:
        """Have the rules read anew, instead of granian's own answer: new workers, which drop what is under way."""
        self._anew.put(True)

    def _spawn_worker(  # type: ignore[override]
        self, idx: int, target: Callable[..., object], callback_loader: Callable[..., Any]
    ) -> WorkerProcess:
        process = super()._spawn_worker(idx, target, callback_loader)
        made = process.inner  # not started
        process.inner = self._zygote.worker(worker.seated, (idx + 1, self._settings, made._target, made._args))
        return process
