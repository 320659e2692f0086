"""Appending, holding, purging, crashing and tampering in any order, against a list."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from plugin.ledger import disposal, origin, writer
from plugin.ledger.key import SigningKey, VerifierKey, load_private_key
from plugin.ledger.reader import Reader
from plugin.ledger.record import SEARCH_COLUMNS
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.sqlite_eraser import SqliteEraser
from plugin.ledger.sqlite_view import opening
from plugin.ledger.verify import verify
from tests.ledger.retaining import hold, lift, planned, record_purge

PERIODS = {"consultation": "30 days", "refusal": "1-year"}
TENANTS, CLASSES, PATIENTS = ["hospital", "clinic"], ["consultation", "refusal", "operation"], ["p1", "p2"]
ERASE = "UPDATE records SET " + ", ".join(f"{name} = NULL" for name in ("body", *SEARCH_COLUMNS))


class RetentionMachine(RuleBasedStateMachine):
    """Each record is known with its class, age, tenant and patient; what must be gone follows from these."""

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path, self.key_path = self.folder / "ledger", self.folder / "key"
        self.key = VerifierKey.parse(origin.create(self.path, self.key_path, "vitrine.example/ledger/00000000"))
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.records: list[tuple[str, datetime, str, str] | None] = []
        self.holds: dict[str, dict[str, object]] = {}
        self.gone: set[int] = set()
        self.named: set[int] = set()
        self.placed = 0
        signing = SigningKey(self.key.name, load_private_key(self.key_path))
        self.ledger = writer.Ledger(SqliteStore(self.path), signing, clock=lambda: self.now)

    @rule(
        count=st.integers(1, 12),
        kind=st.sampled_from(CLASSES),
        tenant=st.sampled_from(TENANTS),
        patient=st.sampled_from(PATIENTS),
    )
    def append(self, count: int, kind: str, tenant: str, patient: str) -> None:
        for _ in range(count):
            body = {"action": "x:y", "patient": patient, "ehr": {"fhir_base": "https://e"}}
            self.ledger.append(body, tenant=tenant, retention_class=kind)
            self.records.append((kind, self.now, tenant, f"https://e/Patient/{patient}"))

    @rule(days=st.integers(-20, 400))
    def pass_time(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(data=st.data())
    def place_a_hold(self, data) -> None:
        self.placed += 1
        by = data.draw(st.sampled_from(["tenant", "patient", "positions"]))
        held: dict[str, object] = {}
        if by == "tenant":
            held["tenant"] = data.draw(st.sampled_from(TENANTS))
        elif by == "patient":
            held["patient"] = f"https://e/Patient/{data.draw(st.sampled_from(PATIENTS))}"
        else:
            held["first"] = data.draw(st.integers(0, 30))
        name = f"h{self.placed}"
        hold(self.ledger, name, **held)
        self.records.append(None)
        self.holds[name] = held

    @rule(data=st.data())
    def lift_a_hold(self, data) -> None:
        if not self.holds:
            return
        name = data.draw(st.sampled_from(sorted(self.holds)))
        lift(self.ledger, name)
        self.records.append(None)
        del self.holds[name]

    def due(self) -> set[int]:
        """What must go now, and was not named before, by the words of the promise."""
        ages = {"consultation": timedelta(days=30), "refusal": None}
        found = set()
        for position, known in enumerate(self.records):
            if known is None or position in self.named or known[0] == "operation":
                continue
            kind, time, _, _ = known
            age = ages[kind]
            before = self.now - age if age is not None else _a_year_before(self.now)
            if time < before and not self.is_held(position):
                found.add(position)
        return found

    def left(self) -> set[int]:
        """What an interrupted purge left and no hold keeps by now."""
        return {position for position in self.named - self.gone if not self.is_held(position)}

    def is_held(self, position: int) -> bool:
        known = self.records[position]
        assert known is not None
        _, _, tenant, patient = known
        return any(
            facts.get("tenant", tenant) == tenant
            and facts.get("patient", patient) == patient
            and facts.get("first", 0) <= position  # type: ignore[operator]
            for facts in self.holds.values()
        )

    @rule(how_far=st.sampled_from(["plan", "record", "half", "whole", "whole"]))
    def purge(self, how_far: str) -> None:
        """Wholly, or ended on the way as by a crash."""
        eraser = SqliteEraser(self.path)
        plan = planned(self.path, PERIODS, self.now)
        due = self.due()
        assert {p for each in plan.due for first, last in each.ranges for p in range(first, last + 1)} == due
        assert sum(tally.due for tally in plan.tallies.values()) == len(due)
        left = self.left()
        assert {p for first, last in plan.left for p in range(first, last + 1)} == left
        assert plan.kept == len(self.named - self.gone - left)
        if how_far == "plan":
            return
        assert disposal.erase(opening(self.path), eraser, plan.left) == len(left)
        self.gone |= left
        for part in plan.parts():
            record_purge(self.ledger, part)
            self.records.append(None)
            named = [p for each in part for first, last in each.ranges for p in range(first, last + 1)]
            self.named |= set(named)
            if how_far == "half":
                eraser.erase([named[:1]])
                self.gone.add(named[0])
                return
            if how_far == "whole":
                for each in part:
                    disposal.erase(opening(self.path), eraser, each.ranges)
                self.gone |= set(named)

    @rule()
    def start_again(self) -> None:
        self.ledger.close()
        self.ledger.check_start()

    @rule(data=st.data())
    def find_a_loss_in_a_copy(self, data) -> None:
        """A body that nobody recorded as purged, taken as a purge takes it."""
        there = sorted(set(range(len(self.records))) - self.named)
        if not there:
            return
        position = data.draw(st.sampled_from(there))
        self.ledger.close()
        copy = self.folder / "copy"
        shutil.copy(self.path, copy)
        store = SqliteStore(copy)
        store._open().execute(f"{ERASE} WHERE position = ?", (position,))
        store.close()
        problem = verify(copy, self.key, processes=1).problem
        assert problem is not None
        assert problem.position is not None
        assert problem.position <= position  # a purge record explains what stands before it

    @invariant()
    def everything_that_remains_is_proven(self) -> None:
        if not hasattr(self, "path"):
            return
        report = verify(self.path, self.key, processes=1)
        assert (report.problem, report.records) == (None, len(self.records))
        left = len(self.left())
        kept = len(self.named) - len(self.gone) - left
        assert (report.purged, report.unfinished, report.kept) == (len(self.gone), left, kept)
        without = {record.position for record in Reader(self.path).records() if record.body is None}
        assert without == self.gone

    def teardown(self) -> None:
        if hasattr(self, "path"):
            self.ledger.close()
            shutil.rmtree(self.folder)


def _a_year_before(now: datetime) -> datetime:
    try:
        return now.replace(year=now.year - 1)
    except ValueError:  # the 29th of February
        return now.replace(year=now.year - 1, day=28)


RetentionMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
test_retention_holds_through_any_order_of_events = pytest.mark.slow(RetentionMachine.TestCase)
