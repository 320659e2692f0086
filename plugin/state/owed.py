"""What a process that ends owes the log, where that takes nothing: the next one that begins takes it over.

A file for each, since processes end side by side. It names records by their ids, and so neither a person nor a patient.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from plugin.errors import StateUnavailable

FOLDER = "owed"
"""In `state_dir`."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Nothing was released for any of it."""

    records: list[str] = field(default_factory=list)
    """Ids of records whose commit had an unknown outcome."""
    beyond: int = 0
    """How many more were refused, of which no id is known."""

    def __bool__(self) -> bool:
        """False if nothing is owed."""
        return bool(self.records or self.beyond)


class Debts:
    """Of the processes of this machine that have ended. Safe to use from several processes."""

    def __init__(self, state_dir: Path) -> None:
        """Opens nothing yet."""
        self._folder = state_dir / FOLDER

    def leave(self, owed: Owed) -> Path:
        """Keep it for the next process; where it lies. Raises StateUnavailable."""
        name = secrets.token_hex(8)
        unfinished = self._folder / f"{name}.new"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            unfinished.write_bytes(orjson.dumps({"records": owed.records, "beyond": owed.beyond}))
            return unfinished.rename(self._folder / f"{name}.json")
        except OSError as error:
            raise StateUnavailable from error

    def take(self) -> Owed:
        """All that was left. It is the caller's now: nobody else gets it, and it is no longer kept."""
        records: list[str] = []
        beyond = 0
        for left in sorted(self._folder.glob("*.json")):
            mine = left.with_suffix(f".{os.getpid()}")
            with suppress(OSError, ValueError, KeyError, TypeError):  # another process was first; or it is none of ours
                left.rename(mine)
                found = orjson.loads(mine.read_bytes())
                records += [str(record) for record in found["records"]]
                beyond += int(found["beyond"])
            mine.unlink(missing_ok=True)
        return Owed(records, beyond)
