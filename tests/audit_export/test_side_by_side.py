"""Several processes, each a share: in order, none far ahead of who reads, and none lost without a word."""

import errno
import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from plugin.audit.side_by_side import side_by_side
from plugin.errors import LogUnreadable

MEGABYTE = 1 << 20
"""More than a pipe takes by itself."""


def counting(folder: Path, share: int) -> Iterator[tuple[int, bytes]]:
    for number in range(share, 20, 2):
        (folder / str(number)).touch()
        yield number, bytes([number]) * (MEGABYTE if number % 3 else 0)


def ending(share: int) -> Iterator[tuple[int, bytes]]:
    yield share, b"piece"
    if share == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    yield share + 2, b"piece"


def test_pieces_of_all_sizes_come_in_order(tmp_path: Path) -> None:
    found = [(told, bytes(piece)) for told, piece in side_by_side(partial(counting, tmp_path), 2)]
    assert found == [(number, bytes([number]) * (MEGABYTE if number % 3 else 0)) for number in range(20)]


def test_nobody_works_far_ahead_of_who_reads(tmp_path: Path) -> None:
    """A slow receiver of a large log would else fill the memory."""
    pieces = side_by_side(partial(counting, tmp_path), 2)
    for _ in range(3):
        next(pieces)
    time.sleep(0.5)
    made = len(list(tmp_path.iterdir()))
    pieces.close()  # type: ignore[attr-defined]
    assert 3 <= made <= 3 + 2 * 2  # pieces larger than a pipe


def test_a_process_that_is_lost_ends_the_stream_with_an_error() -> None:
    pieces = side_by_side(ending, 2)
    assert [told for told, _ in (next(pieces), next(pieces), next(pieces))] == [0, 1, 2]
    with pytest.raises(LogUnreadable, match="ended before its work"):
        next(pieces)


def failing(error: Exception, share: int) -> Iterator[tuple[int, bytes]]:
    yield share, b"piece"
    if share == 1:
        raise error
    yield share + 2, b"piece"


@pytest.mark.parametrize(
    ("error", "told"),
    [(OSError(errno.EMFILE, "Too many open files"), "Too many open files"), (MemoryError(), "Memory")],
)
def test_a_process_that_fails_says_why_and_prints_nothing(
    capfd: pytest.CaptureFixture[str], error: Exception, told: str
) -> None:
    """It was told as lost, below a traceback of its own."""
    with pytest.raises(LogUnreadable, match=f"A process of the export failed: {told}"):
        list(side_by_side(partial(failing, error), 2))
    assert capfd.readouterr() == ("", "")


def test_a_process_that_is_lost_within_a_piece_ends_the_stream_with_an_error(tmp_path: Path) -> None:
    pieces = side_by_side(lost_within, 2)
    next(pieces)
    time.sleep(0.5)  # its large piece is on its way
    with pytest.raises(LogUnreadable, match="ended before its work"):
        list(pieces)


def lost_within(share: int) -> Iterator[tuple[int, bytes]]:
    if share == 1:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
    yield share, b"piece" * MEGABYTE
    yield share + 2, b"piece" * MEGABYTE


def test_it_ends_where_nobody_may_be_terminated(tmp_path: Path) -> None:
    """Who starts a command with SIGTERM ignored hands that on to all below it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        pieces = side_by_side(partial(counting, tmp_path), 2)
        next(pieces)
        closing = threading.Thread(target=pieces.close, daemon=True)  # type: ignore[attr-defined]
        closing.start()
        closing.join(30.0)
        assert not closing.is_alive()
    finally:
        signal.signal(signal.SIGTERM, before)
