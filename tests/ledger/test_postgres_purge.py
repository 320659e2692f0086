"""A purge in PostgreSQL, by the role that may do nothing else."""

from datetime import UTC, datetime
from functools import partial

import pytest

from plugin.ledger import disposal, writer
from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.postgres import reading
from plugin.ledger.postgres_eraser import PostgresEraser
from plugin.ledger.record import SEARCH_COLUMNS
from plugin.ledger.retention import Period
from plugin.ledger.verify import verify
from tests.ledger.conftest import body_of
from tests.ledger.retaining import hold, lift, record_purge
from tests.postgres_server import GATEWAY, PURGE, DatabasePlace, new_place

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PERIODS = {("consultation", None): Period.parse("1-year")}


@pytest.fixture
def place() -> DatabasePlace:
    """A new, empty ledger."""
    return new_place()


@pytest.fixture
def ledger(place):
    """A ledger with five records."""
    opened = place.open()
    for number in range(5):
        opened.append(body_of(number), tenant="hospital", retention_class="consultation")
    yield opened
    opened.close()


def eraser(place: DatabasePlace, role: str = PURGE) -> PostgresEraser:
    return PostgresEraser(place.dsn(role))


def test_what_is_due_goes_and_the_rest_is_proven(place: DatabasePlace, ledger: writer.Ledger) -> None:
    """As in the embedded ledger: a hold is honoured, an interruption is finished, verify knows."""
    hold(ledger, "h", patient="https://ehr.example/fhir/Patient/p3")
    opened = partial(reading, place.dsn())
    with eraser(place).alone():
        (part,) = disposal.plan(opened, PERIODS, NOW).parts()
        record_purge(ledger, part)
        assert verify(opened, place.key().verifier, processes=1).unfinished == 4
        left = disposal.plan(opened, PERIODS, NOW).left
        assert disposal.erase(opened, eraser(place), left) == 4
        assert disposal.erase(opened, eraser(place), part[0].ranges) == 0
    report = verify(opened, place.key().verifier, processes=1)
    assert (report.problem, report.purged, report.unfinished) == (None, 4, 0)
    with opened() as view:
        for row in view.rows(0, 3):
            assert row[2:] == (None,) * (1 + len(SEARCH_COLUMNS))
        assert [record.position for record in view.records(0, 9, 9) if record.body is not None] == [3, 5, 6]
    ledger.close()
    ledger.check_start()


def test_a_hold_keeps_what_an_interrupted_purge_left(place: DatabasePlace, ledger: writer.Ledger) -> None:
    """As in the embedded ledger, also if it is placed after the purge was planned."""
    opened = partial(reading, place.dsn())
    (part,) = disposal.plan(opened, PERIODS, NOW).parts()
    record_purge(ledger, part)
    eraser(place).erase([[0]])
    hold(ledger, "h", patient="https://ehr.example/fhir/Patient/p3")
    plan = disposal.plan(opened, PERIODS, NOW)
    assert (plan.due, plan.left, plan.kept) == ([], [[1, 2], [4, 4]], 1)
    assert disposal.erase(opened, eraser(place), part[0].ranges) == 3
    report = verify(opened, place.key().verifier, processes=1)
    assert (report.problem, report.purged, report.unfinished, report.kept) == (None, 4, 0, 1)
    lift(ledger, "h")
    assert disposal.erase(opened, eraser(place), part[0].ranges) == 1


def test_the_gateway_cannot_purge(place: DatabasePlace, ledger: writer.Ledger) -> None:
    """Its role appends and reads: what it could empty, whoever breaks into it could too."""
    with pytest.raises(LedgerUnavailable, match="InsufficientPrivilege"):
        eraser(place, GATEWAY).erase([range(5)])


def test_only_one_purge_at_a_time(place: DatabasePlace, ledger: writer.Ledger) -> None:
    """On several machines, so the lock is the database's."""
    with eraser(place).alone(), pytest.raises(LedgerUnavailable, match="under way"), eraser(place).alone():
        pass
    with eraser(place).alone():
        pass
