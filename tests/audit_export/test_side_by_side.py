"""Several processes, each a share: in order, none far ahead of who reads, and none lost without a word."""

import os
import signal
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
    assert 3 <= made <= 3 + 2 * 2  # one that is on its way, one that was begun after it


def test_a_process_that_is_lost_ends_the_stream_with_an_error() -> None:
    pieces = side_by_side(ending, 2)
    assert [told for told, _ in (next(pieces), next(pieces), next(pieces))] == [0, 1, 2]
    with pytest.raises(LogUnreadable, match="ended before its work"):
        next(pieces)
