"""Searching by columns, in each kind of store: the order, the snapshot, the way in, and what no search goes on with."""

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from plugin.ledger.criteria import Containing, Criteria, Hit, Mark, NoneOf, OneOf, SearchTooLong, Step
from plugin.ledger.errors import LedgerMissing
from plugin.ledger.postgres_eraser import PostgresEraser
from plugin.ledger.postgres_search import UNORDERED_PLANS, statement
from plugin.ledger.search import Searcher
from plugin.ledger.sqlite_eraser import SqliteEraser
from tests.audit_search.conftest import Kept, KeptInDatabase, Recorded, make, make_in_database, minute
from tests.postgres_server import PURGE


def body(number: int, outcome: str = "0", patient: str = "p1") -> dict[str, Any]:
    return {
        "action": "consultation:released",
        "record": f"r{number}.1",
        "request": f"r{number}",
        "outcome": outcome,
        "ehr": {"fhir_base": "https://ehr.example/fhir"},
        "patient": patient,
        "person": {"issuer": "https://login.example", "subject": f"s{number % 3}"},
    }


def positions(hits: Any) -> list[int]:
    return [hit.record.position for hit in hits]


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """An empty ledger in each kind of store."""
    return make(tmp_path) if request.param == "sqlite" else make_in_database()


@pytest.fixture
def searcher(kept: Kept) -> Searcher:
    outcomes = ("0", "0", "4", "8")
    kept.append(*(Recorded(body(n, outcomes[n % 4], f"p{n % 2}")) for n in range(300)))
    return Searcher(kept.where)


PATIENT = OneOf("patient", ("https://ehr.example/fhir/Patient/p1",))


def test_the_newest_come_first_and_the_oldest_on_request(searcher: Searcher) -> None:
    """Both across several chunks."""
    odd = [number for number in range(300) if number % 2]
    assert positions(searcher.hits(Criteria(PATIENT), size=300)) == odd[::-1]
    assert positions(searcher.hits(Criteria(PATIENT), size=300, newest_first=False)) == odd


@pytest.mark.parametrize("newest_first", [True, False])
def test_several_values_of_the_way_in_are_merged_in_order(searcher: Searcher, newest_first: bool) -> None:
    """An index is in order of time within one value only."""
    found = positions(searcher.hits(Criteria(OneOf("outcome", ("8", "4"))), size=300, newest_first=newest_first))
    assert found == sorted((n for n in range(300) if n % 4 > 1), reverse=newest_first)


def test_every_page_continues_where_the_last_one_ended(searcher: Searcher) -> None:
    """No record twice, none left out."""
    after: Mark | None = None
    seen: list[int] = []
    while True:
        page: list[Hit] = []
        for hit in searcher.hits(Criteria(OneOf("outcome", ("0", "4"))), size=300, after=after):
            page.append(hit)
            if len(page) == 7:
                break
        if not page:
            break
        seen += positions(page)
        after = page[-1].mark
    assert seen == [n for n in range(299, -1, -1) if n % 4 < 3]


def test_what_is_appended_meanwhile_is_no_part_of_the_search(kept: Kept, searcher: Searcher) -> None:
    """Not even where a clock that steps back puts it among what was there."""
    kept.append(Recorded(body(300, patient="p1"), at=minute(5.5)))
    assert 300 not in positions(searcher.hits(Criteria(PATIENT), size=300))
    assert 300 in positions(searcher.hits(Criteria(PATIENT), size=301))


def test_order_is_by_time_even_where_a_clock_stepped_back(kept: Kept) -> None:
    """Otherwise a page by date would leave out what the next one no longer looks for."""
    kept.append(*(Recorded(body(number), at=minute(late)) for number, late in enumerate([10, 20, 5, 20, 30])))
    searcher = Searcher(kept.where)
    assert positions(searcher.hits(Criteria(), size=5, newest_first=False)) == [2, 0, 1, 3, 4]
    twenty = Mark("2026-03-01T12:20:00.000000Z", 1)
    assert positions(searcher.hits(Criteria(), size=5, newest_first=False, after=twenty)) == [3, 4]
    assert positions(searcher.hits(Criteria(), size=5, after=twenty)) == [0, 2]


def test_a_period_includes_its_beginning_and_not_its_end(searcher: Searcher) -> None:
    since, until = "2026-03-01T12:03:00.000000Z", "2026-03-01T12:06:00.000000Z"
    found = positions(searcher.hits(Criteria(since=since, until=until), size=300, newest_first=False))
    assert found == [3, 4, 5]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (Criteria(positions=(7, 3, 999)), [3, 7]),
        (Criteria(positions=()), []),
        (Criteria(OneOf("outcome", ())), []),
        (Criteria(others=(OneOf("outcome", ()),)), []),
        (Criteria(OneOf("request", ("r8", "r8"))), [8]),
        (Criteria(PATIENT, (NoneOf("outcome", ("0", "8")),)), []),
        (Criteria(positions=(0, 1, 2), others=(NoneOf("outcome", ()),)), [0, 1, 2]),
        (Criteria(others=(Containing(("r17.1", "r18.1")),)), [17, 18]),
        (Criteria(others=(Containing(()),)), []),
    ],
)
def test_conditions_say_which_records(searcher: Searcher, criteria: Criteria, expected: list[int]) -> None:
    assert positions(searcher.hits(criteria, size=300, newest_first=False)) == expected


def test_a_search_whose_time_is_over_is_given_up_and_not_cut_short(searcher: Searcher) -> None:
    """Whoever counts what was found must know that it is not all."""
    with pytest.raises(SearchTooLong):
        list(searcher.hits(Criteria(), size=300, give_up_at=time.monotonic() - 1))


def test_texts_are_found_as_they_were_given(kept: Kept) -> None:
    """Also those that no text of PostgreSQL can hold, and those that are longer than an index takes."""
    odd = ["nul\0", "mark\x1a", "mark\x1a0", "%_'\\", "é", "n" * 3_000 + "1", "n" * 3_000 + "2"]
    kept.append(*(Recorded({**body(number), "request": name}) for number, name in enumerate(odd)))
    searcher = Searcher(kept.where)
    for number, name in enumerate(odd):
        assert positions(searcher.hits(Criteria(OneOf("request", (name,))), size=9)) == [number]
        assert number not in positions(searcher.hits(Criteria(others=(NoneOf("request", (name,)),)), size=9))
        assert positions(searcher.hits(Criteria(others=(Containing((f'"r{number}.1"',)),)), size=9)) == [number]


def test_what_was_purged_is_found_by_nothing(kept: Kept) -> None:
    """Its columns are gone too; a search that goes through all records meets it."""
    kept.append(*(Recorded(body(number)) for number in range(3)))
    if isinstance(kept, KeptInDatabase):
        PostgresEraser(kept.database.dsn(PURGE)).erase([[1]])
    else:
        SqliteEraser(kept.path).erase([[1]])
    assert positions(Searcher(kept.where).hits(Criteria(), size=3)) == [2, 0]


def test_in_postgresql_each_way_in_has_its_index() -> None:
    """A search of millions of records must not read them all: `search_columns` chooses among these columns."""
    kept = make_in_database()
    kept.append(*(Recorded(body(number)) for number in range(30)))
    for name in ("person", "patient", "outcome", "action"):
        sql, values = statement(Step(Criteria(OneOf(name, ("x",))), "x", 30, True, None, 64))
        with psycopg.connect(kept.database.dsn().text) as connection:
            for setting in UNORDERED_PLANS:
                connection.execute(f"SET {setting} = off")
            plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {sql}", values))
        assert f"records_by_{name}" in plan, plan
        assert "Sort" not in plan, plan


def test_only_search_columns_are_ever_part_of_a_statement(searcher: Searcher) -> None:
    """Values are bound; names cannot be."""
    with pytest.raises(ValueError, match="no search column"):
        list(searcher.hits(Criteria(OneOf("1=1 --", ("x",))), size=300))


def test_a_search_never_makes_a_ledger(tmp_path: Any) -> None:
    with pytest.raises(LedgerMissing):
        Searcher(tmp_path / "none.sqlite").size()
    assert list(tmp_path.iterdir()) == []
