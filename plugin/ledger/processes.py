"""What processes need that read a ledger side by side, each a share of it, for one that asked them to."""

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


def prepare_process() -> None:
    """For a process that does nothing else: what it reads makes no cycles, so looking for some is a tenth lost."""
    gc.disable()


@contextmanager
def undisturbed() -> Iterator[None]:
    """No SIGINT reaches a process that is started in the block: a terminal sends one to all, and who asked decides."""
    resource_tracker.ensure_running()  # its own start would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
