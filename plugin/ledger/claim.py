"""Work on a ledger that only one of all processes and machines that share it should do at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plugin.ledger.errors import LedgerUnavailable


@contextmanager
def claimed(ledger: Path, work: str) -> Iterator[bool]:
    """True inside the block if nobody else does this work; False, at once, if somebody does.

    A lock on a file beside the ledger: its own may be opened by SQLite only. Raises LedgerUnavailable.
    """
    beside = ledger.with_name(f"{ledger.name}.{work}")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerUnavailable(f"{beside}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
