"""Re-reads a whole ledger and says whether it is what its key signed. Reveals no content.

A file that was put back whole to an earlier signed head passes here: only a checkpoint held elsewhere shows that.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from plugin.ledger import checkpoint
from plugin.ledger.errors import CheckpointInvalid, LedgerBroken, LedgerMissing
from plugin.ledger.key import VerifierKey
from plugin.ledger.merkle import Edge, leaf_hash
from plugin.ledger.record import flaw
from plugin.ledger.sqlite import ROW, check_tables, read_head, read_meta, reading
from plugin.ledger.store import FORMAT, Head, Meta

CHUNK = 4_096
"""Records between two calls of `progress`."""
_ALL = f"SELECT {ROW} FROM records ORDER BY position"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing found that is not as it was signed."""

    position: int | None
    """The record it shows at; None if it shows in the whole only."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying found."""

    records: int
    """How many were read and are sound by themselves; all of them if there is no problem."""
    since: str | None
    """The time that the first of them states; None if there is none."""
    root: str
    """The root that they come to, in hex."""
    problem: Problem | None


class _Trail:
    """What was read so far, so that a problem can be reported with it."""

    def __init__(self) -> None:
        self.edge = Edge()
        self.since: str | None = None

    def read(self, rows: Iterable[tuple], progress: Callable[[int], None]) -> Problem | None:  # type: ignore[type-arg]
        """Take the rows in, up to the first that is wrong."""
        rows = iter(rows)
        while chunk := list(islice(rows, CHUNK)):
            if self.since is None:
                self.since = _stated_time(chunk[0][1])
            leaves: list[bytes] = []
            problem = _examine(chunk, self.edge.size, leaves)
            self.edge = self.edge.extend(leaves)
            progress(self.edge.size)
            if problem is not None:
                return problem
        return None

    def report(self, problem: Problem | None) -> Report:
        return Report(self.edge.size, self.since if self.edge.size else None, self.edge.root().hex(), problem)


def verify(path: Path, key: VerifierKey | str, progress: Callable[[int], None] = lambda _: None) -> Report:
    """Read every record, at one moment, and compare with the head that `key` (or its `vkey`) signed.

    `progress` is called with the number of records read so far. Raises LedgerUnreadable if the file is missing, is no
    ledger, or cannot be read; KeyInvalid if `key` is no `vkey`.
    """
    verifier = VerifierKey.parse(key) if isinstance(key, str) else key
    if not path.is_file():
        raise LedgerMissing(f"{path}: there is no ledger")
    trail = _Trail()
    try:
        with reading(path) as connection:
            connection.execute("BEGIN")
            wrong = _meta_flaw(read_meta(connection), verifier)
            if wrong is not None:
                return trail.report(Problem(None, wrong))
            check_tables(connection)
            problem = trail.read(connection.execute(_ALL), progress)
            if problem is None:
                problem = _head_problem(read_head(connection), trail.edge, verifier)
            return trail.report(problem)
    except LedgerBroken as error:  # the database is damaged, or has no head
        return trail.report(Problem(None, str(error)))


def _examine(chunk: list[tuple], first: int, leaves: list[bytes]) -> Problem | None:  # type: ignore[type-arg]
    """Add the leaf of each sound row to `leaves`; stop at the first that is not."""
    for expected, row in enumerate(chunk, first):
        position, header, body, *columns = row
        if position < expected:
            return Problem(position, f"a record stands at position {position}, where none belongs")
        if position > expected:
            return Problem(expected, f"record {expected} is missing")
        wrong = flaw(position, header, body, tuple(columns))
        if wrong is not None:
            return Problem(position, wrong)
        leaves.append(leaf_hash(header))
    return None


def _meta_flaw(meta: Meta, verifier: VerifierKey) -> str | None:
    if meta.format != FORMAT:
        return f"the ledger says that it is of form {meta.format}, which is unknown"
    if meta.vkey != verifier.text or meta.origin != verifier.name:
        return "the ledger was made with another key"
    return None


def _head_problem(head: Head, read: Edge, verifier: VerifierKey) -> Problem | None:
    try:
        stated = checkpoint.verify(head.checkpoint, verifier)
    except CheckpointInvalid as error:
        return Problem(None, f"the newest checkpoint: {error}")
    if read.size < stated.size:
        return Problem(read.size, f"record {read.size} is missing: the newest checkpoint states {stated.size} records")
    if read.size > stated.size:
        return Problem(stated.size, f"record {stated.size} stands behind the {stated.size} of the newest checkpoint")
    if read.root() != stated.root:
        return Problem(None, "the headers are not those that the newest checkpoint was signed over")
    if head.edge != read:
        return Problem(None, "the stored head is not the one that its checkpoint states")
    return None


def _stated_time(header: bytes) -> str | None:
    try:
        fields = orjson.loads(header)
    except orjson.JSONDecodeError:
        return None
    return fields.get("time") if isinstance(fields, dict) else None
