"""Bodies go by rule and by record; headers never go; and whatever only looks like it is found."""

from datetime import UTC, datetime, timedelta

import apsw
import orjson
import pytest

from plugin.ledger import disposal, writer
from plugin.ledger.errors import LedgerBroken, LedgerUnavailable
from plugin.ledger.hold import HELD, LIFTED, holds_of
from plugin.ledger.merkle import Edge, leaf_hash
from plugin.ledger.purge import PURGED
from plugin.ledger.reader import Reader
from plugin.ledger.record import SEARCH_COLUMNS
from plugin.ledger.retention import Due, Period
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.sqlite_eraser import SqliteEraser
from plugin.ledger.sqlite_view import opening, viewing
from plugin.ledger.verify import verify
from tests.ledger.conftest import body_of
from tests.ledger.retaining import hold, lift, planned, purge, record_own, record_purge

OLD = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FUTURE = "2030-01-01T00:00:00.000000Z"
PERIODS = {"consultation": "1-year"}
COUNT = 12


class Clock:
    now = OLD

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def old(place, clock):
    """COUNT records of two years ago, three of them refusals; the clock then says today."""
    ledger = writer.Ledger(SqliteStore(place.path), place.key(), clock=clock)
    for number in range(COUNT):
        kind = "refusal" if number in {3, 4, 8} else "consultation"
        ledger.append(body_of(number), tenant="hospital", retention_class=kind)
    clock.now = NOW
    yield ledger
    ledger.close()


def gone(place) -> list[int]:
    return [position for (position,) in place.ask("SELECT position FROM records WHERE body IS NULL ORDER BY position")]


def due(*ranges: list[int], retention_class: str = "consultation", before: str = FUTURE) -> list[Due]:
    return [Due(retention_class, None, "1-year", before, list(ranges))]


def test_a_purge_takes_what_is_due_and_verify_says_so(place, old):
    """The proof stays whole: headers, tree and checkpoint are as they were."""
    headers = place.ask("SELECT header FROM records ORDER BY position")
    assert purge(old, place.path, PERIODS, NOW) == COUNT - 3
    assert gone(place) == [0, 1, 2, 5, 6, 7, 9, 10, 11]
    assert place.ask("SELECT header FROM records ORDER BY position")[:COUNT] == headers
    report = place.verify()
    assert (report.problem, report.records, report.purged, report.unfinished) == (None, COUNT + 1, COUNT - 3, 0)
    edge = Edge().extend(leaf_hash(record.header) for record in Reader(place.path).records())
    assert edge.root() == Reader(place.path).head().root


def test_the_search_columns_go_with_the_body(place, old):
    """They say who looked at whom."""
    purge(old, place.path, PERIODS, NOW)
    columns = ", ".join(SEARCH_COLUMNS)
    rows = place.ask(f"SELECT {columns} FROM records WHERE body IS NULL")
    assert set(rows) == {(None,) * len(SEARCH_COLUMNS)}


def test_what_went_is_in_no_file_any_more(place, old):
    """Not in the database's free pages, nor in its log."""
    assert b"request-5" in b"".join(file.read_bytes() for file in place.path.parent.iterdir())
    purge(old, place.path, PERIODS, NOW)
    left = b"".join(file.read_bytes() for file in place.path.parent.iterdir())
    assert b"request-5" not in left
    assert b"request-4" in left


def test_a_second_purge_has_nothing_to_do(place, old):
    """It would name a record again."""
    purge(old, place.path, PERIODS, NOW)
    assert planned(place.path, PERIODS, NOW).due == []
    assert purge(old, place.path, {**PERIODS, "refusal": "6-months"}, NOW) == 3
    assert place.verify().problem is None


def test_the_period_of_one_tenant_takes_nothing_of_another(place, old):
    """Whose period it is stands in the purge record, and whose a record is stands in its header."""
    assert planned(place.path, {}, NOW).due == []
    of_another = {("consultation", "clinic"): Period.parse("1-year")}
    assert disposal.plan(opening(place.path), of_another, NOW).due == []
    (found,) = disposal.plan(opening(place.path), {("consultation", "hospital"): Period.parse("1-year")}, NOW).due
    assert (found.tenant, len(found.ranges)) == ("hospital", 3)


def test_verify_names_a_purge_by_the_period_of_another_tenant(place, old):
    """Otherwise the shortest period of any tenant would hold for all."""
    record_purge(old, [Due("consultation", "clinic", "1-year", FUTURE, [[0, 2]])])
    problem = place.verify().problem
    assert problem is not None
    assert "names record 0, which is of tenant hospital" in problem.sentence


def test_a_purged_ledger_goes_on(place, old):
    """The start checks read the newest records, and these may be purged too."""
    purge(old, place.path, PERIODS, NOW)
    old.close()
    again = place.open()
    again.check_start()
    again.append(body_of(99), tenant="hospital", retention_class="consultation")
    again.close()
    assert place.verify().problem is None


def test_a_start_refuses_a_body_that_is_gone_without_a_purge(place, old):
    """As verify does."""
    purge(old, place.path, PERIODS, NOW)
    old.close()
    place.edit("UPDATE records SET body = NULL WHERE position = 4")
    again = place.open()
    with pytest.raises(LedgerBroken, match="the body of record 4 is missing"):
        again.check_start()
    again.close()


def test_a_record_is_found_by_nothing_once_it_is_purged(place, old):
    """And the one beside it is."""
    purge(old, place.path, PERIODS, NOW)
    reader = Reader(place.path)
    assert reader.find("request-5") == []
    assert [record.position for record in reader.find("request-4")] == [4]


def test_between_record_and_removal_a_crash_leaves_what_the_next_purge_finishes(place, old):
    """The record is durable first; verify tells that something is left to do."""
    plan = planned(place.path, PERIODS, NOW)
    (part,) = plan.parts()
    record_purge(old, part)
    report = place.verify()
    assert (report.problem, report.purged, report.unfinished) == (None, 0, COUNT - 3)
    again = planned(place.path, PERIODS, NOW)
    assert (again.due, again.left, again.kept) == ([], [[0, 2], [5, 7], [9, 11]], 0)
    assert disposal.erase(opening(place.path), SqliteEraser(place.path), again.left) == COUNT - 3
    report = place.verify()
    assert (report.problem, report.purged, report.unfinished) == (None, COUNT - 3, 0)


def test_a_crash_in_the_middle_of_the_removal_is_finished_too(place, old):
    """Some bodies are gone, some not."""
    (part,) = planned(place.path, PERIODS, NOW).parts()
    record_purge(old, part)
    SqliteEraser(place.path).erase([[0, 1]])
    assert (place.verify().purged, place.verify().unfinished) == (2, COUNT - 5)
    left = planned(place.path, PERIODS, NOW).left
    assert disposal.erase(opening(place.path), SqliteEraser(place.path), left) == COUNT - 5
    assert place.verify().problem is None


def test_a_hold_keeps_what_an_interrupted_purge_left(place, old):
    """That a purge record names a body is no reason to remove it: by then a court may have asked for it."""
    (part,) = planned(place.path, PERIODS, NOW).parts()
    record_purge(old, part)
    SqliteEraser(place.path).erase([[0, 1]])
    hold(old, "h", patient="https://ehr.example/fhir/Patient/p5")
    plan = planned(place.path, PERIODS, NOW)
    assert (plan.due, plan.left, plan.kept) == ([], [[2, 2], [6, 7], [9, 11]], 1)
    assert plan.tallies["consultation", "hospital"].held == 1
    assert disposal.erase(opening(place.path), SqliteEraser(place.path), plan.left) == COUNT - 6
    report = place.verify()
    assert (report.problem, report.purged, report.unfinished, report.kept) == (None, COUNT - 4, 0, 1)
    lift(old, "h")
    assert place.verify().unfinished == 1
    plan = planned(place.path, PERIODS, NOW)
    assert (plan.left, plan.kept) == ([[5, 5]], 0)
    assert disposal.erase(opening(place.path), SqliteEraser(place.path), plan.left) == 1
    assert (place.verify().problem, place.verify().purged) == (None, COUNT - 3)


def test_a_hold_placed_during_a_purge_keeps_what_the_next_batches_would_take(place, old, monkeypatch):
    """A purge of millions takes long, and a court does not wait for it."""
    monkeypatch.setattr(disposal, "BATCH", 2)
    (part,) = planned(place.path, PERIODS, NOW).parts()
    record_purge(old, part)

    class Interleaved(SqliteEraser):
        def erase(self, batches):
            def watched():
                for number, positions in enumerate(batches):
                    yield positions
                    if number == 0:
                        hold(old, "h", first=6, last=7)

            return super().erase(watched())

    assert disposal.erase(opening(place.path), Interleaved(place.path), part[0].ranges) == COUNT - 5
    assert {6, 7} & set(gone(place)) == set()
    assert (place.verify().problem, place.verify().kept) == (None, 2)


def test_a_record_that_is_left_and_was_damaged_is_not_purged(place, old):
    """By its columns a hold finds what it keeps."""
    record_purge(old, due([0, 1]))
    hold(old, "h", patient="https://ehr.example/fhir/Patient/p1")
    place.edit("UPDATE records SET patient = 'x' WHERE position = 1")
    with pytest.raises(LedgerBroken, match="search columns of record 1"):
        planned(place.path, PERIODS, NOW)


def test_records_that_alternate_with_others_go_in_few_transactions(place, old):
    """A transaction for each range took hours where classes alternate; a batch also ends before it spans too much."""
    assert list(disposal._pieces([[0, 0], [2, 2], [4, 5]])) == [[0, 2, 4, 5]]
    assert [len(piece) for piece in disposal._pieces([[0, 2 * disposal.BATCH]])] == [disposal.BATCH] * 2 + [1]
    assert list(disposal._pieces([[3, 3], [3 + disposal.CHUNK] * 2])) == [[3], [3 + disposal.CHUNK]]
    assert list(disposal._pieces([])) == []


def test_many_ranges_go_into_several_records(place, old, monkeypatch):
    """A record of boundless size would be refused by what exports it."""
    monkeypatch.setattr(disposal, "MAX_RANGES", 1)
    assert purge(old, place.path, PERIODS, NOW) == COUNT - 3
    assert len(place.ask(f"SELECT 1 FROM records WHERE action = '{PURGED}'")) == 3
    assert place.verify().problem is None


def test_only_one_purge_at_a_time(place, old):
    """Two plans made side by side would name the same records."""
    first, second = SqliteEraser(place.path), SqliteEraser(place.path)
    with first.alone(), pytest.raises(LedgerUnavailable, match="under way"), second.alone():
        pass
    with SqliteEraser(place.path).alone():
        pass


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE records SET body = NULL",
        "UPDATE records SET person = NULL",
        "UPDATE records SET {all}, header = x'00'",
        "UPDATE records SET {all}, position = position + 1000",
        "UPDATE records SET {all}, body = x'7b7d'",
        "UPDATE records SET {all}, person = 'somebody'",
        "DELETE FROM records",
    ],
)
def test_the_trigger_lets_a_purge_through_and_nothing_else(place, old, sql):
    """Body and columns to NULL, all of them together."""
    everything = ", ".join(f"{name} = NULL" for name in ("body", *SEARCH_COLUMNS) if f"}}, {name} =" not in sql)
    connection = apsw.Connection(str(place.path))
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        connection.execute(sql.format(all=everything))
    connection.close()


def test_a_ledger_from_before_there_were_purges_can_be_purged(place, old):
    """Its trigger refuses every change, and is replaced."""
    place.edit(
        "CREATE TRIGGER records_are_never_changed BEFORE UPDATE ON records"
        " BEGIN SELECT RAISE(ABORT, 'records are append-only'); END"
    )
    assert purge(old, place.path, PERIODS, NOW) == COUNT - 3
    connection = apsw.Connection(str(place.path))
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        connection.execute("UPDATE records SET body = x'00'")
    connection.close()


# what only looks like a purge


def problem(place):
    found = place.verify().problem
    assert found is not None
    return found.position, found.sentence


ERASE = "UPDATE records SET " + ", ".join(f"{name} = NULL" for name in ("body", *SEARCH_COLUMNS))


def test_a_body_that_is_gone_without_a_purge_record_is_found(place, old):
    """Though body and columns went as in a purge."""
    place.edit(f"{ERASE} WHERE position = 6")
    assert problem(place) == (6, "the body of record 6 is missing")


def test_a_body_beside_those_of_a_purge_is_found(place, old):
    """The ranges are exact."""
    purge(old, place.path, PERIODS, NOW)
    place.edit(f"{ERASE} WHERE position = 4")
    assert problem(place) == (4, "the body of record 4 is missing")


def test_a_purged_row_that_still_has_columns_is_found(place, old):
    """Whom it was about would still be there to read."""
    purge(old, place.path, PERIODS, NOW)
    place.edit("UPDATE records SET patient = 'p5' WHERE position = 5")
    assert problem(place) == (5, "record 5 was purged, but not its search columns")


def test_a_purge_record_that_was_purged_is_found(place, old):
    """What it explained is then a loss."""
    purge(old, place.path, PERIODS, NOW)
    place.edit(f"{ERASE} WHERE position = {COUNT}")
    assert problem(place) == (0, "the body of record 0 is missing")


def test_a_purge_record_hidden_from_its_column_explains_nothing(place, old):
    """The first record that it explained is named."""
    purge(old, place.path, PERIODS, NOW)
    place.edit(f"UPDATE records SET action = 'x' WHERE position = {COUNT}")
    assert problem(place)[0] == 0


def test_another_record_does_not_become_a_purge_by_its_column(place, old):
    """What a column says is compared with the body."""
    place.edit(f"{ERASE} WHERE position = 6")
    place.edit(f"UPDATE records SET action = '{PURGED}' WHERE position = 10")
    assert problem(place) == (6, "the body of record 6 is missing")


def test_a_purge_record_whose_body_was_widened_is_found(place, old):
    """Its header names the body that was signed."""
    record_purge(old, due([0, 1]))
    SqliteEraser(place.path).erase([[0, 1, 2]])
    place.edit(
        f"UPDATE records SET body = CAST(replace(body, '[0,1]', '[0,2]') AS BLOB) WHERE position = {COUNT}",
    )
    assert problem(place)[0] == 0


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([due([0, 2]), due([2, 2])], "names record 2 again"),
        ([due([5, 6]), due([0, 7])], "names record 5 again"),
        ([due([0, 1], [1, 2])], "names record 1 again"),
        ([due([0, COUNT])], "names itself"),
        ([due([COUNT + 5, COUNT + 5])], "names itself"),
        ([due([2, 0])], "a range that is none"),
        ([due([-1, 0])], "a range that is none"),
        ([due([0, 0], retention_class="ledger")], "explain the ledger"),
    ],
)
def test_a_purge_record_that_cannot_be_one_is_found(place, old, parts, words):
    """Signed or not: ranges never overlap an earlier one's, nor reach the purge itself."""
    for each in parts:
        position = record_purge(old, each)
    found = problem(place)
    assert found[0] == position
    assert words in found[1]


@pytest.mark.parametrize("erased", [True, False])
@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (due([3, 3]), "which is of class refusal"),
        (due([2, 2], before="2023-01-01T00:00:00.000000Z"), "younger than it says"),
    ],
)
def test_a_purge_that_does_not_fit_its_own_rule_is_found(place, old, claim, words, erased):
    """Each missing body went by a rule: class and age are in the header that stays."""
    record_purge(old, claim)
    if erased:
        SqliteEraser(place.path).erase([range(COUNT)])
        place.edit(f"UPDATE records SET body = body WHERE position = {COUNT}")
    where, sentence = problem(place)
    if erased:
        assert where == 0
    else:
        assert where == claim[0].ranges[0][0]
        assert words in sentence


def test_a_record_of_another_class_is_no_purge(place, old):
    """It could be purged itself one day."""
    facts = {"action": PURGED, "purge": {"reason": "test", "due": [{**orjson.loads(orjson.dumps(due([0, 1])[0]))}]}}
    at = old.append(facts, tenant="gateway", retention_class="operation").position
    assert problem(place) == (at, f"record {at}, which explains the ledger, is of class operation")


def test_a_purge_while_verify_reads_is_no_loss(place, old):
    """Verify looks once more at what is recorded before it calls a missing body a loss."""
    done: list[int] = []

    def purge_once(_: int) -> None:
        if not done:
            done.append(purge(old, place.path, PERIODS, NOW))

    # The first piece is read whole before `progress` is called, so one more that is not there yet is needed.
    class Late:
        def __init__(self) -> None:
            self.count = 0

        def __call__(self):
            self.count += 1
            if self.count == 3:  # after the purge records were read, before the records are
                purge_once(0)
            return opening(place.path)()

    report = verify(Late(), place.vkey, processes=1)
    assert done == [COUNT - 3]
    assert (report.problem, report.purged) == (None, COUNT - 3)


def test_several_processes_see_the_same(place, old):
    """Covers travel with the pieces."""
    purge(old, place.path, PERIODS, NOW)
    old.close()
    assert verify(place.path, place.vkey, processes=2) == place.verify()


# what a plan refuses to destroy


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE records SET patient = 'x' WHERE position = 5", "search columns of record 5"),
        ("UPDATE records SET body = x'7b7d' WHERE position = 5", "the body of record 5"),
        ("UPDATE records SET header = x'00' WHERE position = 5", "the header of record 5"),
        (f"{ERASE} WHERE position = 5", "the body of record 5 is missing"),
    ],
)
def test_damaged_records_are_not_purged(place, old, sql, words):
    """They may be evidence."""
    place.edit(sql)
    with pytest.raises(LedgerBroken, match=words):
        planned(place.path, PERIODS, NOW)


def test_a_hold_that_was_hidden_stops_the_purge(place, old):
    """Else editing one column would destroy what a court asked to keep."""
    at = hold(old, "h", first=5, last=5)
    place.edit("UPDATE records SET action = 'x' WHERE position = ?", (at,))
    with pytest.raises(LedgerBroken, match=f"search columns of record {at}"):
        planned(place.path, PERIODS, NOW)


# holds


def test_a_hold_keeps_its_records_until_it_is_lifted(place, old):
    """Then the next purge takes them."""
    hold(old, "case-7", patient="https://ehr.example/fhir/Patient/p5")
    hold(old, "case-8", person="https://login.example s6")
    assert purge(old, place.path, PERIODS, NOW) == COUNT - 5
    assert not {5, 6} & set(gone(place))
    lift(old, "case-7")
    assert purge(old, place.path, PERIODS, NOW) == 1
    assert 5 in gone(place)
    assert 6 not in gone(place)
    assert place.verify().problem is None


def test_holds_in_force_are_listed_with_their_reason(place, old):
    """Placed, lifted, placed again under the same name: in force."""
    hold(old, "a", tenant="hospital")
    hold(old, "b", first=2, last=3)
    lift(old, "b")
    hold(old, "c", person="p")
    lift(old, "c")
    hold(old, "c", person="q")
    with viewing(place.path) as view:
        found = holds_of(view)
    assert [(each.hold.id, each.hold.tenant, each.hold.person, each.reason) for each in found] == [
        ("a", "hospital", None, "test"),
        ("c", None, "q", "test"),
    ]


@pytest.mark.parametrize("action", [HELD, LIFTED])
def test_a_record_of_a_hold_that_cannot_be_read_stops_the_purge(place, old, action):
    """What cannot be understood keeps everything."""
    record_own(old, action, hold={"reason": "no id"})
    with pytest.raises(LedgerBroken, match="not in its form"):
        planned(place.path, PERIODS, NOW)


def test_records_of_the_ledger_itself_are_found_by_an_index(place, old):
    """A verify of ten million records would else begin with reading them all for this."""
    plan = place.ask(
        "EXPLAIN QUERY PLAN SELECT position, header, body FROM records WHERE action = 'ledger:purged'"
        " AND action >= 'ledger:' AND action < 'ledger;' ORDER BY position"
    )
    assert "records_of_the_ledger" in str(plan)


def test_a_due_part_is_what_a_record_of_it_says():
    """Parts lose nothing."""
    whole = due([0, 1], [3, 3], [5, 9])[0]
    plan = disposal.Plan([whole], {}, [], 0)
    assert list(plan.parts()) == [[whole]]
