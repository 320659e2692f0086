"""Whether the state that all processes share can be written: for who supervises them and uses none of it."""

from collections.abc import Iterator
from pathlib import Path

from plugin.errors import StateUnavailable
from plugin.state import handles, openings, quotas, suspensions, views
from plugin.state.database import Database

_NAMES = tuple(each.FILE for each in (suspensions, quotas, views, openings, handles))


def unusable(folder: Path) -> Iterator[str]:
    """Names of the files in `folder` (`state_dir`) that cannot be written. One that is not there is still to come."""
    for name in _NAMES:
        if (folder / name).exists():
            try:
                Database(folder / name, "").check()
            except StateUnavailable:
                yield name
