"""What every store promises to the writer, on each kind of store."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.ledger import postgres, sqlite
from plugin.ledger.errors import LedgerBroken, LedgerUnavailable
from plugin.ledger.merkle import Edge, leaf_hash
from plugin.ledger.postgres import PostgresStore
from plugin.ledger.record import SEARCH_COLUMNS
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.store import FORMAT, Batch, Head, Meta, Row, Store
from tests.postgres_server import new_place

EMPTY = Head(Edge(), "a note\n", "2026-11-25T09:00:00.000000Z")
META = Meta(FORMAT, "vitrine.example/ledger/0", "vkey")
WORDS = st.none() | st.text(max_size=10)


def facts(record: str | None = None) -> tuple[str | None, ...]:
    return tuple(record if name == "record" else None for name in SEARCH_COLUMNS)


def following(head: Head, *columns: tuple[str | None, ...]) -> Batch:
    """A batch of one row for each set of columns."""
    rows = [Row(at, b"header %d" % at, b"\0body \xff", values) for at, values in enumerate(columns, head.size)]
    edge = head.edge.extend(leaf_hash(row.header) for row in rows)
    return Batch(rows, Head(edge, f"a note of {edge.size}\n", "2026-11-25T09:00:01.000000Z"))


def add(store: Store, *columns: tuple[str | None, ...]) -> Batch:
    """Commit a batch that follows the newest head, and return it."""
    made: list[Batch] = []

    def make_batch(head: Head) -> Batch:
        made.append(following(head, *columns))
        return made[-1]

    store.commit(make_batch)
    return made[-1]


@dataclass
class SqliteKind:
    """An empty ledger in a file."""

    path: Path
    patience = (sqlite, "BUSY_SECONDS")

    def store(self) -> Store:
        return SqliteStore(self.path)

    def make(self) -> None:
        self.path.touch(0o600)
        sqlite.make(self.path, META, EMPTY)


@dataclass
class PostgresKind:
    """An empty ledger in a database."""

    dsn: postgres.Dsn
    patience = (postgres, "LOCK_SECONDS")

    def store(self) -> Store:
        return PostgresStore(self.dsn)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteKind | PostgresKind:
    """A new ledger, in each kind of store."""
    if request.param == "sqlite":
        made = SqliteKind(tmp_path / "ledger.sqlite")
        made.make()
        return made
    place = new_place()
    place.edit("UPDATE ledger.meta SET origin = %s, vkey = %s", (META.origin, META.vkey))
    place.edit("UPDATE ledger.head SET checkpoint = %s", (EMPTY.checkpoint,))
    return PostgresKind(place.dsn())


@pytest.fixture
def another(kind) -> Iterator[Callable[[], Store]]:
    """Makes stores of that ledger, as other processes would."""
    opened: list[Store] = []

    def make() -> Store:
        opened.append(kind.store())
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(another) -> Store:
    return another()


def test_a_new_ledger_says_what_it_was_made_with(store):
    """The writer compares it with its key."""
    assert store.meta() == META
    head, rows = store.tail(10)
    assert (head.edge, head.checkpoint, list(rows)) == (EMPTY.edge, EMPTY.checkpoint, [])


def test_what_was_committed_is_there_as_it_was_given(store, another):
    """Bytes and columns alike: `verify` compares both."""
    batch = add(store, facts("1.0"), facts("1.1"))
    assert another().tail(10) == (batch.head, batch.rows)


def test_a_batch_follows_the_newest_head_whoever_wrote_it(store, another):
    """Several processes share one sequence."""
    other = another()
    for number in range(3):
        add(store, facts(f"{number}.0"))
        add(other, facts(f"{number}.1"), facts(f"{number}.2"))
    head, rows = store.tail(100)
    assert head.size == 9
    assert [row.position for row in rows] == list(range(9))


@pytest.mark.parametrize(("count", "expected"), [(1, [4]), (3, [2, 3, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])])
def test_the_tail_is_the_last_rows_oldest_first(store, count, expected):
    """As the start check reads them."""
    add(store, *(facts(str(number)) for number in range(5)))
    assert [row.position for row in store.tail(count)[1]] == expected


def test_a_large_batch_is_one_commit(store):
    """What waits during a slow sync goes out together."""
    batch = add(store, *(facts(f"{number}.0") for number in range(3000)))
    assert store.tail(5000) == (batch.head, batch.rows)


def test_a_record_is_found_by_its_id(store):
    """Also where the id has a character that a database is particular about, or more than an index takes."""
    names = ["1.0", "a\0b", "\x1a", "\x1a0", "x" * 9000, "x" * 8999 + "y"]
    add(store, *map(facts, names))
    assert all(map(store.contains, names))
    assert not any(map(store.contains, ["2.0", "a", "a\x1a0b", "\0", "x" * 8999, ""]))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[WORDS] * len(SEARCH_COLUMNS)), min_size=1, max_size=4))
def test_any_text_is_kept(store, columns):
    """A body may hold every character, and the columns are derived from it."""
    batch = add(store, *columns)
    assert store.tail(len(columns)) == (batch.head, batch.rows)


def test_values_too_long_for_an_index_are_kept(store):
    """A refused look with a monstrous parameter is recorded as any other."""
    monstrous = (os.urandom(20_000).hex() for _ in SEARCH_COLUMNS[1:])
    batch = add(store, (EMPTY.time, *monstrous))
    assert store.tail(1) == (batch.head, batch.rows)


def test_what_making_a_batch_raises_passes_through_and_stores_nothing(store, another):
    """The writer refuses heads in there."""

    def refuse(head: Head) -> Batch:
        raise LedgerBroken(f"at {head.size}")

    add(store, facts("1.0"))
    with pytest.raises(LedgerBroken, match="at 1"):
        store.commit(refuse)
    assert add(another(), facts("2.0")).head.size == 2
    assert add(store, facts("3.0")).head.size == 3


def test_a_taken_position_stores_nothing_of_the_batch(store):
    """Not the rows before it, nor the head."""
    add(store, facts("1.0"))

    def overlap(head: Head) -> Batch:
        batch = following(head, facts("2.0"))
        return Batch([*batch.rows, Row(0, b"", b"", facts())], batch.head)

    with pytest.raises(LedgerBroken):
        store.commit(overlap)
    assert not store.contains("2.0")
    assert store.tail(10)[0].size == 1


def test_a_writer_waits_for_another_within_a_bound(kind, store, another, monkeypatch):
    """And goes on once the other is done."""
    monkeypatch.setattr(*kind.patience, 0.05)
    other = another()

    def meanwhile(head: Head) -> Batch:
        with pytest.raises(LedgerUnavailable):
            add(other, facts("other"))
        return following(head, facts("mine"))

    store.commit(meanwhile)
    assert add(other, facts("other")).head.size == 2


def test_a_closed_store_opens_again(store):
    """The writer closes it before each fork."""
    add(store, facts("1.0"))
    store.close()
    store.close()
    assert add(store, facts("2.0")).head.size == 2


def test_nothing_of_a_record_is_in_an_error(store):
    """Databases like to quote the row that they refuse; errors are logged with their causes."""
    add(store, facts("1.0"))

    def overlap(head: Head) -> Batch:
        return Batch([Row(0, b"secret", b"secret", ("secret",) * len(SEARCH_COLUMNS))], head)

    with pytest.raises(LedgerBroken) as raised:
        store.commit(overlap)
    error: BaseException | None = raised.value
    while error is not None:
        assert "secret" not in f"{error} {error.__context__ if not error.__suppress_context__ else ''}"
        error = error.__cause__


def _add_in_process(kind, name: str, count: int) -> None:
    store = kind.store()
    for number in range(count):
        add(store, facts(f"{name}.{number}"))
    store.close()


@pytest.mark.slow
def test_two_processes_race_for_one_sequence(kind, store):
    """The transaction is the lock: no position is given twice, none left out, nothing acknowledged is lost."""
    spawn = multiprocessing.get_context("spawn")
    racers = [spawn.Process(target=_add_in_process, args=(kind, name, 50)) for name in ("left", "right")]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0, 0]
    head, rows = store.tail(1000)
    assert [row.position for row in rows] == list(range(100))
    assert head.edge == Edge().extend(leaf_hash(row.header) for row in rows)
    assert all(store.contains(f"{name}.{number}") for name in ("left", "right") for number in range(50))


def test_a_fork_after_closing_leaves_both_a_store(store):
    """Parent and child each open a connection of their own."""
    add(store, facts("1.0"))
    store.close()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            add(store, facts("child"))
            store.close()
            status = 0
        finally:
            os._exit(status)
    add(store, facts("parent"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.tail(1)[0].size == 3
