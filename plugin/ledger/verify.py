"""Re-reads a whole ledger and says whether it is what its key signed. Reveals no content.

A file that was put back whole to an earlier signed head passes, unless it is held against a checkpoint that was kept
elsewhere: only that shows it.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import CheckpointInvalid, KeyInvalid, LedgerBroken, LedgerError, LedgerUnreadable
from plugin.ledger.examine import (
    CHUNK,
    Examined,
    Problem,
    examine,
    examine_apart,
    stated_time,
    tile_problem,
)
from plugin.ledger.hold import holds_of
from plugin.ledger.key import VerifierKey, WitnessKey
from plugin.ledger.merkle import Edge
from plugin.ledger.own import OwnInvalid
from plugin.ledger.processes import prepare_process, undisturbed
from plugin.ledger.purge import Purges, purges_of
from plugin.ledger.retention import Hold
from plugin.ledger.rotation import ROTATED, KeyChain, key_chain
from plugin.ledger.sqlite_view import opening
from plugin.ledger.store import FORMAT, OLDER_FORMATS, Head, Meta, Opening, View
from plugin.ledger.tiles import WIDTH, root_of, stray
from plugin.ledger.tree import Tree

ALONE = 50_000
"""Records up to which one process is as fast as several: each needs a third of a second to begin."""
_AHEAD = 4
"""Pieces that wait for each process, so that none is idle and a ledger of any size takes little memory."""


@dataclass(frozen=True, slots=True)
class Report:
    """What verifying found."""

    records: int
    """How many were read and are sound by themselves; all of them if there is no problem."""
    since: str | None
    """The time that the first of them states; None if there is none."""
    root: str
    """The root that they come to, in hex; "" where more was read than is sound."""
    problem: Problem | None
    held: int | None = None
    """Records of the checkpoint given in `against`: the rest is proven by the ledger's own key alone."""
    purged: int = 0
    """Of the records, those without a body, each as a purge record says."""
    unfinished: int = 0
    """Those that a purge record names and that still have their body: a purge was interrupted."""
    kept: int = 0
    """The same, but for a hold that keeps them: they go once it is lifted."""
    form: int = FORMAT
    """Of an older one the indexes and triggers are not compared: it had others."""

    @property
    def cut(self) -> bool:
        """True if the problem is that it ends before `held`: what is there is sound by itself."""
        return self.problem is not None and self.problem.is_cut


class _Trail:
    """What was read so far, so that a problem can be reported with it."""

    def __init__(
        self, purges: Purges | None = None, misleading: OwnInvalid | None = None, holds: Sequence[Hold] = ()
    ) -> None:
        """`misleading`: the purge record that cannot be one, if there is one."""
        self.purges = purges or Purges()
        self.misleading = misleading
        self.holds = holds
        self.tiles = Edge()
        self.roots: list[bytes] = []
        self.rest: Sequence[bytes] = ()
        self.since: str | None = None
        self.form = FORMAT
        self.purged = self.unfinished = self.kept = 0

    def add(self, piece: Examined) -> None:
        """Take in the next piece."""
        self.tiles = self.tiles.extend(piece.roots)
        self.roots.extend(piece.roots)
        self.rest = piece.leaves
        self.purged += piece.purged
        self.unfinished += piece.unfinished
        self.kept += piece.kept

    def edge(self) -> Edge:
        """The edge over all that was read: tiles are full subtrees, so theirs is the upper part of it."""
        return Edge(self.tiles.size * WIDTH, self.tiles.hashes).extend(self.rest)

    def report(self, problem: Problem | None) -> Report:
        edge = self.edge()
        bad = None if problem is None else problem.position
        sound = edge.size if bad is None else min(bad, edge.size)
        since, root = self.since if sound else None, edge.root().hex() if sound == edge.size else ""
        counts = {"purged": self.purged, "unfinished": self.unfinished, "kept": self.kept}
        return Report(sound, since, root, problem, **counts, form=self.form)


def verify(
    place: Path | Opening,
    key: VerifierKey | str,
    progress: Callable[[int], None] = lambda _: None,
    *,
    against: str | None = None,
    witnesses: Sequence[WitnessKey | str] = (),
    processes: int | None = None,
) -> Report:
    """Read every record and compare with the head that `key` (or its `vkey`) signed, or the key that followed it.

    `place` is the file of an embedded ledger, or what opens a view of another one.
    `against` is a checkpoint that was kept elsewhere, as text: the ledger must continue it, and each of `witnesses`
    must have cosigned it. `progress` is called with the number of records read so far. `processes` None is one for
    each core. Raises LedgerUnreadable if the file is missing, is no ledger, or cannot be read; KeyInvalid if a key is
    no `vkey`; CheckpointInvalid if `against` is no checkpoint of this key, or not cosigned.
    """
    verifier = VerifierKey.parse(key) if isinstance(key, str) else key
    opened, trail = opening(place), _Trail()
    held = None if against is None else _held(against, _others(opened, verifier), witnesses)
    try:
        while True:
            trail = _Trail(*_purges(opened), _holds(opened))
            problem = (
                _problem(opened, verifier, trail, progress, processes)
                or _held_problem(opened, held)
                or _aids_problem(opened)
            )
            # Again if a purge was recorded meanwhile: what looks like a loss may be its work.
            if problem is None or trail.purges == _purges(opened)[0]:
                break
    except LedgerBroken as error:  # the database is damaged, or has no head
        problem = Problem(None, str(error))
    return replace(trail.report(problem), held=None if held is None else held.size)


def _purges(opened: Opening) -> tuple[Purges, OwnInvalid | None]:
    with opened() as view:
        view.meta()  # what has none is no ledger, rather than a broken one
        view.check_tables()
        return purges_of(view)


def _holds(opened: Opening) -> Sequence[Hold]:
    """Those in force, for what is counted only: none if their records cannot be read, which is for `purge` to tell."""
    try:
        with opened() as view:
            return [placed.hold for placed in holds_of(view)]
    except LedgerBroken:
        return ()


def _problem(
    opened: Opening, verifier: VerifierKey, trail: _Trail, progress: Callable[[int], None], processes: int | None
) -> Problem | None:
    with opened() as view:
        view.freeze()
        meta = view.meta()
        if meta.format != FORMAT and meta.format not in OLDER_FORMATS:
            return Problem(None, f"the ledger says that it is of form {meta.format}, which is unknown")
        trail.form = meta.format
        chain, misleading = _chain(view, meta)
        foreign = Problem(None, "the ledger was made with another key")
        if meta.origin != verifier.name:
            return foreign  # of this name a record that is not sound may keep from knowing it: that is looked for first
        view.check_tables()
        lowest, highest = view.bounds()
        trail.since = stated_time(view)
        head = _head(view.head)
    if lowest is not None and lowest < 0:
        return Problem(lowest, f"a record stands at position {lowest}, where none belongs")
    end = 0 if highest is None else highest + 1
    for piece in _pieces(opened, end, processes, trail):
        trail.add(piece)
        progress(trail.tiles.size * WIDTH + len(trail.rest))
        if piece.problem is not None:
            return _decided(opened, piece.problem, chain)
    if isinstance(head, LedgerBroken):
        raise head
    for record in (misleading, trail.misleading):
        if record is not None:
            return Problem(record.position, str(record))
    if verifier not in chain:
        return foreign
    return _head_problem(head, trail.edge(), chain.current) or _tiles_problem(opened, trail.roots)


def _decided(opened: Opening, problem: Problem, chain: KeyChain) -> Problem:
    """Of a header and its stored hash that differ the one is signed whose hash leads to the signed root."""
    if not problem.is_disputed or problem.position is None:
        return problem
    try:
        with opened() as view:
            view.freeze()
            head = view.head()
            checkpoint.verify(head.checkpoint, chain.current)
            Tree(head, view.shelf()).inclusion(problem.position)
    except (LedgerBroken, CheckpointInvalid, ValueError, IndexError):
        return problem
    return Problem(problem.position, f"record {problem.position} has another header than was signed")


def _chain(view: View, meta: Meta) -> tuple[KeyChain, OwnInvalid | None]:
    """The keys, as far as they hold together: without even the first of them, none."""
    try:
        return key_chain(meta, view.own(ROTATED))
    except KeyInvalid:
        return KeyChain(()), None


def _head(read: Callable[[], Head]) -> Head | LedgerBroken:
    """The head, or what is wrong with it: a bad record is the better answer, and is looked for first."""
    try:
        return read()
    except LedgerBroken as error:
        return error


def _pieces(opened: Opening, end: int, processes: int | None, trail: _Trail) -> Iterator[Examined]:
    """All pieces, in order. Raises what `examine` raises."""
    ends = ((first, min(first + CHUNK, end)) for first in range(0, end, CHUNK))
    ranges = ((first, last, trail.purges.within(first, last), trail.holds) for first, last in ends)
    count = len(os.sched_getaffinity(0)) if processes is None else processes
    if count == 1 or (processes is None and end <= ALONE):
        for piece in ranges:
            yield examine(opened, *piece)
        return
    # Spawned, not forked: whoever calls this may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=prepare_process) as pool:
        waiting: deque[Future[Examined | tuple[type[LedgerError], str]]] = deque()
        try:
            for piece in ranges:
                with undisturbed():  # who is handed a piece may be started by it
                    waiting.append(pool.submit(examine_apart, opened, *piece))
                if len(waiting) > count * _AHEAD:
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        except BrokenProcessPool as error:
            raise LedgerUnreadable("a process that read the ledger was ended") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _result(done: "Future[Examined | tuple[type[LedgerError], str]]") -> Examined:
    result = done.result()
    if isinstance(result, tuple):
        kind, sentence = result
        raise kind(sentence)
    return result


def _others(opened: Opening, verifier: VerifierKey) -> Sequence[VerifierKey]:
    """The key, and those before and after it, any of which may have signed what was kept elsewhere."""
    try:
        with opened() as view:
            chain, _ = _chain(view, view.meta())
    except LedgerBroken:
        return (verifier,)
    return (verifier, *(key for key in chain.keys if verifier in chain and key.text != verifier.text))


def _held(note: str, keys: Sequence[VerifierKey], witnesses: Sequence[WitnessKey | str]) -> Checkpoint:
    """What the checkpoint that was kept elsewhere states. Raises CheckpointInvalid or KeyInvalid."""
    stated = _stated(note, keys)
    for witness in witnesses:
        key = WitnessKey.parse(witness) if isinstance(witness, str) else witness
        try:
            checkpoint.verify_note(note, key)
        except CheckpointInvalid as error:
            raise CheckpointInvalid(f"the checkpoint is not cosigned by {key.name}: {error}") from error
    return stated


def _stated(note: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """What a checkpoint states that one of the keys signed. Raises CheckpointInvalid as the first of them has it."""
    for key in keys[1:]:
        try:
            return checkpoint.verify(note, key)
        except CheckpointInvalid:
            continue
    return checkpoint.verify(note, keys[0])


def _held_problem(opened: Opening, held: Checkpoint | None) -> Problem | None:
    """Asked last: what is stored is known to be sound by itself."""
    if held is None:
        return None
    with opened() as view:
        view.freeze()
        tree = Tree(view.head(), view.shelf())
        if tree.head.size < held.size:
            sentence = f"record {tree.head.size} is missing: a checkpoint held elsewhere states {held.size} records"
            return Problem(tree.head.size, sentence, is_cut=True)
        if not tree.continues(held):
            return Problem(None, f"the first {held.size} records are not those of a checkpoint held elsewhere")
    return None


def _aids_problem(opened: Opening) -> Problem | None:
    """Asked after everything else: the records are sound, and no slip is kept from changing them any more."""
    with opened() as view:
        if view.meta().format != FORMAT:
            return None  # an older one has fewer
        try:
            view.check_aids()
        except LedgerBroken as error:
            return Problem(None, str(error))
    return None


def _tiles_problem(opened: Opening, roots: list[bytes]) -> Problem | None:
    """The stored hashes above the lowest level; those were compared with the records."""
    with opened() as view:
        view.freeze()
        shelf, level = view.shelf(), 1
        strange = stray(shelf, view.head().size)
        if strange is not None:
            return Problem(None, strange)
        while len(roots) >= WIDTH:
            tiles = [roots[at * WIDTH : (at + 1) * WIDTH] for at in range(len(roots) // WIDTH)]
            roots = [root_of(hashes) for hashes in tiles]
            for number, (hashes, root) in enumerate(zip(tiles, roots, strict=True)):
                problem = tile_problem(shelf, level, number, hashes, root)
                if problem is not None:
                    return problem
            level += 1
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
        return _unsigned(head, read, stated) or Problem(
            None, "the headers are not those that the newest checkpoint was signed over"
        )
    if head.edge != read:
        return Problem(None, "the stored head is not the one that its checkpoint states")
    return None


def _unsigned(head: Head, read: Edge, stated: Checkpoint) -> Problem | None:
    """Where the first header lies that was not signed, as near as the roots in a stored head tell that lead to the
    signed one; None if they do not."""
    if head.edge.size != stated.size or head.edge.root() != stated.root:
        return None
    first = 0
    for signed, found in zip(head.edge.hashes, read.hashes, strict=True):
        count = 1 << (stated.size - first).bit_length() - 1
        if signed != found:
            last = first + count - 1
            which = f"record {first}" if count == 1 else f"one of the records {first} to {last}"
            return Problem(first, f"{which} has another header than was signed")
        first += count
    return None
