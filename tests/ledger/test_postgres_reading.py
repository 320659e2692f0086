"""Reading a ledger in PostgreSQL, and what the string that leads there must and must not say."""

import pytest

from plugin.ledger.errors import LedgerBroken, LedgerUnavailable, LedgerUnreadable
from plugin.ledger.postgres import PostgresStore, reading
from plugin.ledger.postgres_connection import Dsn
from tests.postgres_server import DATABASE, DatabasePlace, new_place


def numbered(ledger, number):
    return ledger.append({"record": f"{number}.0"}, tenant="hospital", retention_class="consultation")


@pytest.fixture
def place() -> DatabasePlace:
    """A new, empty ledger."""
    return new_place()


@pytest.fixture
def ledger(place):
    """A ledger with one record."""
    opened = place.open()
    numbered(opened, 0)
    yield opened
    opened.close()


def test_a_reader_sees_one_moment_once_it_asks(place, ledger):
    """Verifying takes a while, and the log grows meanwhile."""
    with reading(place.dsn()) as view:
        view.freeze()
        assert view.head().size == 1
        numbered(ledger, 1)
        assert (view.head().size, len(list(view.rows(0, 9)))) == (1, 1)
    with reading(place.dsn()) as view:
        assert (view.head().size, view.bounds()) == (2, (0, 1))
        assert [row[0] for row in view.rows(1, 2)] == [1]
        assert [record.position for record in view.records(0, 9, 1)] == [0]
        assert [record.position for record in view.records(1, 9, 5)] == [1]
        assert [record.position for record in view.find("1.0")] == [1]
        assert view.find("9.0") == []
        assert view.meta() == place.store().meta()
        view.check_tables()


def test_a_reader_writes_nothing(place):
    """Whoever reads may hold a role that could."""
    with pytest.raises(LedgerUnreadable, match="ReadOnly"), reading(place.dsn()) as view:
        view._connection.execute("UPDATE ledger.head SET size = size")


def test_a_search_column_that_no_record_can_have_is_damage(place, ledger):
    """Characters that PostgreSQL's text cannot hold are written in a way that has one reading only."""
    place.edit("UPDATE ledger.records SET person = chr(26) || 'x'")
    with pytest.raises(LedgerBroken, match="search column"), reading(place.dsn()) as view:
        list(view.rows(0, 1))


def test_a_database_without_a_ledger_is_unreadable(place):
    """As any other that an operator may point at."""
    place.server.empty()
    with pytest.raises(LedgerUnreadable, match="holds no ledger"), reading(place.dsn()) as view:
        view.head()


@pytest.mark.parametrize("table", ["records", "head", "tiles"])
def test_a_ledger_that_lacks_a_table_is_broken_and_not_absent(place, table):
    """`audit init makes one` is no help to whoever lost a part of one."""
    place.ask(f"ALTER TABLE ledger.{table} RENAME TO old_{table}")
    with pytest.raises(LedgerBroken, match="not those of a ledger"), reading(place.dsn()) as view:
        view.freeze()
        view._connection.execute(f"SELECT 1 FROM ledger.{table}")


def test_a_connection_string_is_shown_by_nothing(place):
    """It may hold a password, and errors are logged with their causes."""
    wrong = Dsn(
        f"host=127.0.0.1 port={place.server.port} dbname={DATABASE} user=gateway password=pw-marker sslmode=disable"
    )
    with pytest.raises(LedgerUnavailable, match="let nobody in") as raised:
        PostgresStore(wrong).meta()
    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None
    shown = [str(raised.value), repr(wrong), str(wrong), repr(PostgresStore(wrong))]
    assert not [text for text in shown if "marker" in text or "gateway" in text]


@pytest.mark.parametrize(
    "text",
    ["", "host=db user=gateway", "postgresql://gateway:pw-marker x@db", "pw-marker", "host=db dbname='pw-marker"],
)
def test_a_text_that_names_no_database_is_refused(text):
    """libpq would fill the gaps from the environment, and begin a second history somewhere."""
    with pytest.raises(LedgerUnreadable) as raised:
        Dsn(text)
    assert "marker" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_tls_is_asked_for_unless_the_connection_string_says_otherwise(place):
    """libpq alone would send records in the clear to whoever answers."""
    with pytest.raises(LedgerUnavailable, match="speaks no TLS"):
        PostgresStore(Dsn(f"host=127.0.0.1 port={place.server.port} dbname={DATABASE} user=gateway password=x")).meta()
    assert "sslmode=require" in Dsn("host=db dbname=x sslmode=require").text


def test_a_password_is_asked_for_in_words_that_help(place):
    """The operator forgot it."""
    dsn = Dsn(f"host=127.0.0.1 port={place.server.port} dbname={DATABASE} user=gateway sslmode=disable")
    with pytest.raises(LedgerUnavailable, match="asks for a password"):
        PostgresStore(dsn).meta()
