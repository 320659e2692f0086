"""Which files of the shared state cannot be written."""

import subprocess
import sys
from pathlib import Path

from plugin.state.quotas import FILE as QUOTAS
from plugin.state.suspensions import FILE, Kind, Suspension, Suspensions
from plugin.state.usable import unusable

WITHOUT_ROOM = """
import resource, signal, sys
from pathlib import Path
from plugin.state.usable import unusable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
print(*unusable(Path(sys.argv[1])))
"""


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    """What is not there is not made either: whoever needs it knows its tables."""
    assert list(unusable(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
    suspensions = Suspensions(tmp_path, [b"k" * 32])
    suspensions.suspend(Suspension(Kind.FEED, "city-lab", "x", "2026-03-03T08:00:00.000Z"))
    assert list(unusable(tmp_path)) == []
    assert suspensions.any_of((Kind.FEED, "city-lab"))


def test_a_damaged_file_and_one_that_cannot_grow_are_named(tmp_path: Path) -> None:
    """A disk without room, to a program that writes, is one that takes no more bytes."""
    Suspensions(tmp_path, [b"k" * 32]).standing()
    (tmp_path / QUOTAS).write_bytes(b"not a database, whatever its name says" * 99)
    assert list(unusable(tmp_path)) == [QUOTAS]
    command = [sys.executable, "-c", WITHOUT_ROOM, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.splitlines()[-1] == f"{FILE} {QUOTAS}"
