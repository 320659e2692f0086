"""The files in which the processes of a gateway count: prometheus_client's multiprocess mode, which finds them by name.

They are written through memory, and a process that writes where the disk has no room left is killed by the kernel. So
the room is taken before anybody counts. Each process has a seat: its successor goes on with what it counted.
"""

import os
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The environment's name for where they are. The library looks for it as it is loaded."""
KINDS = ("counter", "histogram", "gauge_max", "gauge_mostrecent")
"""Of files, one each a seat."""
SUPERVISING = 0
"""The seat of the process that supervises; those of the workers follow."""
SEAT_BYTES = 65_536
FEED_BYTES = 1024
"""More than the four outcomes of its consultations take."""


def reserve(folder: Path, workers: int, feeds: int) -> None:
    """Take the room for so many, in an empty folder. Raises OSError."""
    for seat in range(SUPERVISING, workers + 1):
        for kind in KINDS:
            with (folder / f"{kind}_{seat}.db").open("xb") as file:
                os.posix_fallocate(file.fileno(), 0, SEAT_BYTES + feeds * FEED_BYTES)
