"""How a command that writes on and on is ended: between two writes, and within one only where nobody takes it."""

import errno
import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 5.0
"""Given to whoever reads standard output, once the end was asked for, to take what is being written."""
_OUTPUT = 1
"""Standard output, whatever Python has put in front of it."""


@contextmanager
def until_stopped() -> Iterator[Callable[[float], bool]]:
    """Waits for seconds; True once SIGTERM or SIGINT came, so that a batch is never left half said.

    Where standard output takes nothing then for PATIENCE_SECONDS, what is being written to it ends as if its reader
    were gone: with BrokenPipeError.
    """
    # By a pipe: an Event must not be set by a handler that may have interrupted the waiting for it.
    told, tell = os.pipe()

    def stop(*_: object) -> None:
        os.write(tell, b".")
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # who starts a command in the background may want it so
                signal.signal(number, stop)
        signal.signal(signal.SIGALRM, _give_up)
        yield lambda seconds: bool(select.select([told], [], [], seconds)[0])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        os.close(tell)


def _give_up(*_: object) -> None:
    """Unless standard output takes something, so that it is not what is waited for."""
    if select.select([], [_OUTPUT], [], 0)[1]:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _OUTPUT)  # what is left in buffers would be waited for at the end
    os.close(nowhere)
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
