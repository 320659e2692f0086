"""A ledger through any order of what can happen to it, against a list."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from plugin.ledger import checkpoint, evidence, origin, writer
from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.key import SigningKey, VerifierKey, load_private_key
from plugin.ledger.merkle import Edge, leaf_hash
from plugin.ledger.proof import check_consistency
from plugin.ledger.reader import Reader
from plugin.ledger.record import draft
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.verify import verify
from tests.ledger.faulty import FaultyStore

CHANGES = {
    "header": "UPDATE records SET header = x'7b7d' WHERE position = ?",
    "body": "UPDATE records SET body = x'7b7d' WHERE position = ?",
    "column": "UPDATE records SET record = 'x' WHERE position = ?",
    "row": "DELETE FROM records WHERE position = ?",
}


class LedgerMachine(RuleBasedStateMachine):
    """Two writers on one file, faults, restarts, a clock that jumps; proofs and verification at any time."""

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path, self.key_path = self.folder / "ledger", self.folder / "key"
        self.key = VerifierKey.parse(origin.create(self.path, self.key_path, "vitrine.example/ledger/00000000"))
        self.now = datetime(2026, 11, 25, tzinfo=UTC)
        self.names: list[str] = []
        self.seen: list[str] = []
        self.count = 0
        self.writers = [self.open(), self.open()]

    def open(self) -> writer.Ledger:
        key = SigningKey(self.key.name, load_private_key(self.key_path))
        return writer.Ledger(FaultyStore(self.path), key, clock=lambda: self.now)

    def name(self) -> str:
        self.count += 1
        return f"r{self.count}.0"

    @rule(at=st.integers(0, 1), size=st.sampled_from([1, 1, 2, 7, 130]))
    def append(self, at: int, size: int) -> None:
        names = [self.name() for _ in range(size)]
        positions = self.writers[at]._commit([draft({"record": name}, "h", "c") for name in names])
        assert [position.position for position in positions] == list(range(len(self.names), len(self.names) + size))
        self.names += names

    @rule(at=st.integers(0, 1), fault=st.sampled_from(["before", "after"]))
    def fail(self, at: int, fault: str) -> None:
        name = self.name()
        self.writers[at]._store.fault = fault
        with pytest.raises(LedgerUnavailable):
            self.writers[at].append({"record": name}, tenant="h", retention_class="c")
        assert self.writers[at].contains(name) is (fault == "after")
        if fault == "after":
            self.names.append(name)

    @rule(at=st.integers(0, 1))
    def restart(self, at: int) -> None:
        self.writers[at].close()
        self.writers[at] = self.open()
        self.writers[at].check_start()

    @rule(hours=st.integers(-48, 48))
    def set_clock(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def keep_a_checkpoint(self) -> None:
        self.seen.append(Reader(self.path).head().checkpoint)

    @rule(data=st.data())
    def prove(self, data) -> None:
        if not self.names:
            return
        position = data.draw(st.integers(0, len(self.names) - 1))
        proven = evidence.prove(Reader(self.path), position, self.key)
        assert proven.proof.verify(proven.header, self.key).size == len(self.names)

    @rule(data=st.data())
    def prove_growth(self, data) -> None:
        if not self.seen:
            return
        earlier = checkpoint.verify(data.draw(st.sampled_from(self.seen)), self.key)
        with Reader(self.path).tree() as tree:
            path = tree.consistency(earlier.size)
            check_consistency(earlier.size, earlier.root, tree.head.size, tree.head.root, path)

    @rule(data=st.data())
    def verify_against_what_was_seen(self, data) -> None:
        note = data.draw(st.sampled_from([None, *self.seen]))
        report = verify(self.path, self.key, against=note, processes=1)
        assert (report.records, report.problem) == (len(self.names), None)

    @rule(data=st.data(), change=st.sampled_from(sorted(CHANGES)))
    def find_a_change_in_a_copy(self, data, change: str) -> None:
        if not self.names:
            return
        position = data.draw(st.integers(0, len(self.names) - 1))
        copy = self.folder / "copy"
        for ledger in self.writers:
            ledger.close()  # the last one to close writes the log into the file
        shutil.copy(self.path, copy)
        store = SqliteStore(copy)
        connection = store._open()
        connection.execute("DROP TRIGGER records_are_never_changed; DROP TRIGGER records_are_never_deleted")
        connection.execute(CHANGES[change], (position,))
        store.close()
        problem = verify(copy, self.key, processes=1).problem
        assert problem is not None
        assert problem.position == position

    @invariant()
    def the_head_is_that_of_the_headers(self) -> None:
        if not hasattr(self, "path"):
            return
        head = Reader(self.path).head()
        assert head.size == len(self.names)

    def teardown(self) -> None:
        if not hasattr(self, "path"):
            return
        for ledger in self.writers:
            ledger.close()
        records = list(Reader(self.path).records())
        assert [orjson.loads(record.body)["record"] for record in records] == self.names
        assert Edge().extend(leaf_hash(record.header) for record in records).root() == Reader(self.path).head().root
        assert verify(self.path, self.key, processes=1).problem is None
        shutil.rmtree(self.folder)


LedgerMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
test_the_ledger_holds_through_any_order_of_events = LedgerMachine.TestCase
