"""Appends records. The only module that extends a tree or signs a head.

What a record says, and what is done when it cannot be written, is the caller's (`plugin.attempt`).
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakSet

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import (
    CheckpointInvalid,
    LedgerBroken,
    LedgerError,
    LedgerUnavailable,
    LedgerUnreadable,
    StorageFailed,
)
from plugin.ledger.group import GroupCommit
from plugin.ledger.key import SigningKey
from plugin.ledger.merkle import leaf_hash
from plugin.ledger.notes import NoteFile
from plugin.ledger.place import LedgerPlace
from plugin.ledger.purge import purges_of_tail, row_flaw
from plugin.ledger.record import Draft, Position, draft, encode_time, seconds_before
from plugin.ledger.rotation import current_key, key_chain_of
from plugin.ledger.store import FORMAT, OLDER_FORMATS, Batch, Head, Row, Store

TURN_SECONDS = 2.0
"""How long a thread waits until its commit begins before it says that the ledger is unavailable."""
START_RECORDS = 1_000
"""How many of the last records the start check reads: those that a crash can have hurt. It takes milliseconds."""


class Ledger:
    """The writing end of one ledger in this process. Safe to use from several threads, and after a fork."""

    def __init__(
        self,
        store: Store,
        key: SigningKey,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        kept: NoteFile | None = None,
    ) -> None:
        """`key` is the one whose `vkey` the store's meta names; `open` checks that.

        `kept` is where checkpoints are kept: of a ledger that went back, the one that it does not continue any more.
        """
        self._store = store
        self._key = key
        self._clock = clock
        self._kept = kept
        self._turn = threading.Lock()
        self._group: GroupCommit[Draft, Position] = GroupCommit(self._commit, self._taking_turn)
        self._seen: Head | None = None
        self._refusal: LedgerError | None = None
        self._observe: Callable[[int, float], None] = lambda _records, _back: None
        self._retiring: SigningKey | None = None
        """The key before this one, while the head is signed that hands over."""
        _ledgers.add(self)

    def append(self, body: Mapping[str, object], *, tenant: str, retention_class: str) -> Position:
        """Add a record at the end: `body`, a JSON object, with a nonce of ours added.

        When this returns the record survives a power failure. When it raises LedgerUnavailable the record may or may
        not be there, and the caller releases nothing; LedgerBroken and RecordInvalid: it is not there, and the caller
        releases nothing either. After StorageFailed or LedgerBroken every further append of this process is refused.
        """
        return self._group.submit(draft(body, tenant, retention_class), TURN_SECONDS)

    def rotate(self, body: Mapping[str, object], key: SigningKey, *, tenant: str, retention_class: str) -> Position:
        """Like `append`, of the record by which `key` takes over: the head that it leads to is signed by both keys.

        Other processes that have the old key append nothing after it: they find that the head is not theirs.
        """
        entry = draft(body, tenant, retention_class)
        with self._taking_turn():
            old, self._key, self._retiring = self._key, key, self._key
            try:
                (position,) = self._commit([entry])
            except LedgerError:
                self._key = old
                raise
            finally:
                self._retiring = None
        return position

    def observe(self, on_commit: Callable[[int, float], None]) -> None:
        """Call `on_commit(records, back)` after each commit of this process, while others wait.

        `back`: by how many seconds it is dated before the commit that it follows; 0.0 if it is not.
        """
        self._observe = on_commit

    def contains(self, record: str) -> bool:
        """True if a record with this id (`record` of its body) is there: for after a commit of unknown outcome.

        Raises LedgerUnavailable if that cannot be told.
        """
        with self._taking_turn():
            return self._store.contains(record)

    def check_start(self) -> None:
        """Check that the head fits its signature and the last records fit the head. Raises LedgerBroken.

        Reads at most START_RECORDS records: whether the older ones are intact is for `verify` to say.
        """
        with self._taking_turn():
            head, rows = self._store.tail(START_RECORDS)
        self._check_signature(head)
        first = head.size - min(head.size, START_RECORDS)
        if [row.position for row in rows] != list(range(first, head.size)):
            raise LedgerBroken(f"the last records are not those that lead to a head of {head.size}")
        purges = purges_of_tail(rows)
        for row in rows:
            wrong = row_flaw(purges, row.position, row.header, row.body, row.columns)
            if wrong is not None:
                raise LedgerBroken(wrong)

    def refuse(self, sentence: str) -> None:
        """Refuse every further append of this process: somebody learned that this history must not be continued."""
        with self._taking_turn():
            self._refusal = LedgerBroken(sentence)

    def close(self) -> None:
        """Let go of the file. A later append opens it anew."""
        with self._taking_turn():
            self._store.close()

    def _commit(self, entries: Iterable[Draft]) -> list[Position]:
        """Commit the entries together, in their order. Reads them once the store is locked. The caller has the turn."""
        batches: list[Batch] = []
        followed = ""

        def make_batch(head: Head) -> Batch:
            nonlocal followed
            self._check_continues(head)
            followed = head.time
            batches.append(self._batch(head, entries))
            return batches[-1]

        if self._refusal is not None:
            raise type(self._refusal)(str(self._refusal)) from self._refusal
        try:
            self._store.commit(make_batch)
        except StorageFailed as error:
            self._refusal = error
            raise
        except LedgerBroken as error:
            self._refusal = error
            self._keep_seen()
            raise
        batch = batches[-1]
        self._seen = batch.head
        self._observe(len(batch.rows), seconds_before(batch.head.time, followed))
        return [Position(row.position, batch.head.time) for row in batch.rows]

    def _batch(self, head: Head, entries: Iterable[Draft]) -> Batch:
        time = encode_time(self._clock())
        rows = []
        for position, entry in enumerate(entries, head.size):
            rows.append(Row(position, entry.header(position, time), entry.body, (time, *entry.facts)))
        edge = head.edge.extend(leaf_hash(row.header) for row in rows)
        signers = [key for key in (self._key, self._retiring) if key is not None]
        note = checkpoint.sign(Checkpoint(self._key.verifier.name, edge.size, edge.root()), *signers)
        return Batch(rows, Head(edge, note, time))

    def _check_continues(self, head: Head) -> None:
        """Only what our key signed is extended, and nothing that this process saw is ever taken back."""
        if head == self._seen:
            return
        if self._seen is not None and head.size <= self._seen.size:
            raise LedgerBroken(f"the head is at {head.size}, but this process saw one at {self._seen.size}")
        self._check_signature(head)

    def _keep_seen(self) -> None:
        """This process ends, and with it all that knows of what was cut; its successor looks there, and each start."""
        if self._kept is not None and self._seen is not None:
            with suppress(OSError):
                self._kept.append(self._seen.checkpoint)

    def _check_signature(self, head: Head) -> None:
        key = (self._retiring or self._key).verifier
        try:
            stated = checkpoint.verify(head.checkpoint, key)
        except CheckpointInvalid as error:
            raise LedgerBroken(f"the head's checkpoint: {error}") from error
        # The head that hands over has our signature behind that of the next key: what follows is not ours to sign.
        if not checkpoint.is_first_signer(head.checkpoint, key):
            raise LedgerBroken("the ledger goes on with another key than this process has")
        if (stated.size, stated.root) != (head.size, head.root):
            raise LedgerBroken("the head is not the one that its checkpoint states")

    @contextmanager
    def _taking_turn(self, seconds: float | None = None) -> Iterator[None]:
        if not self._turn.acquire(timeout=TURN_SECONDS if seconds is None else seconds):
            raise LedgerUnavailable("too many wait for the ledger")
        try:
            yield
        finally:
            self._turn.release()


def open(place: LedgerPlace, key_path: Path, *, upgrading: bool = False) -> Ledger:
    """The ledger at a place, ready to append; `upgrading`, its first append makes an older form the present.

    Raises LedgerMissing, NetworkFileSystem, KeyUnavailable (which names the key file), LedgerUnavailable, or
    LedgerBroken if what is there is no ledger of this form or was not made with this key.
    """
    store = place.store(upgrading=upgrading)
    meta = store.meta()
    if meta.format != FORMAT and not (upgrading and meta.format in OLDER_FORMATS):
        older = "; `vitrine audit upgrade` makes it one" if meta.format in OLDER_FORMATS else ", and knows no newer one"
        raise LedgerBroken(f"{place} is a ledger of form {meta.format}; this program continues form {FORMAT}{older}")
    try:
        with place.view() as view:
            chain = key_chain_of(view)
    except LedgerUnreadable as error:
        raise LedgerUnavailable(str(error)) from error
    return Ledger(store, current_key(key_path, chain), kept=NoteFile(place.kept))


# A connection must not cross a fork: SQLite in the child would claim locks that only the parent holds. So each fork
# waits for the append that is under way and closes the connection; parent and child open their own at the next append.
_ledgers: WeakSet[Ledger] = WeakSet()
_held: list[Ledger] = []


def _before_fork() -> None:
    for ledger in list(_ledgers):
        ledger._turn.acquire()
        _held.append(ledger)
        ledger._store.close()


def _after_fork() -> None:
    while _held:
        _held.pop()._turn.release()


def _after_fork_in_child() -> None:
    for ledger in _held:
        ledger._group.reset()
    _after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
