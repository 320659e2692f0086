"""Who may do what in the database, and what even its owner does not do by mistake."""

import psycopg
import pytest

from plugin.ledger import postgres_schema
from plugin.ledger.errors import LedgerBroken, LedgerExists, LedgerUnavailable
from plugin.ledger.postgres import PostgresStore, reading
from plugin.ledger.postgres_connection import Dsn
from plugin.ledger.record import SEARCH_COLUMNS
from tests.postgres_server import DATABASE, GATEWAY, OWNER, PURGE, SUPERUSER, DatabasePlace, new_place

EMPTIED = ", ".join(f"{name} = NULL" for name in ("body", *SEARCH_COLUMNS))


@pytest.fixture
def place() -> DatabasePlace:
    """A new ledger with two records."""
    made = new_place()
    ledger = made.open()
    for number in range(2):
        ledger.append({"record": f"{number}.0"}, tenant="hospital", retention_class="consultation")
    ledger.close()
    return made


def said(place: DatabasePlace, role: str, sql: str) -> int:
    """How many rows a statement of this role's concerned."""
    with psycopg.connect(place.server.dsn(DATABASE, role), autocommit=True) as connection:
        return connection.execute(sql).rowcount


FORBIDDEN = [
    "UPDATE ledger.records SET header = ''",
    "UPDATE ledger.records SET position = position + 9",
    "UPDATE ledger.records SET body = 'other'",
    "UPDATE ledger.records SET person = 'other', body = NULL",
    "DELETE FROM ledger.records WHERE position = 1",
    "TRUNCATE ledger.records",
    "DELETE FROM ledger.head",
    "TRUNCATE ledger.head",
    "UPDATE ledger.head SET size = 1",
    "UPDATE ledger.tiles SET root = ''",
    "DELETE FROM ledger.tiles",
]


@pytest.mark.parametrize("role", [GATEWAY, PURGE, OWNER, SUPERUSER])
def test_no_role_changes_the_past_in_passing(place, role):
    """The two roles have no right to it; owner and superuser meet a trigger, which they would have to remove first."""
    for sql in FORBIDDEN:
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException)):
            said(place, role, sql)
    assert place.sound() == 2


@pytest.mark.parametrize(
    "sql",
    [
        f"UPDATE ledger.records SET {EMPTIED} WHERE position = 0",
        "UPDATE ledger.meta SET origin = 'x'",
        "INSERT INTO ledger.head VALUES (0, 0, '', '', '')",
        "DROP TABLE ledger.records",
        "ALTER TABLE ledger.records DISABLE TRIGGER ALL",
        "CREATE TABLE ledger.more ()",
    ],
)
def test_the_gateway_has_no_right_beyond_appending(place, sql):
    """Also when somebody speaks in its place."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        said(place, GATEWAY, sql)


def test_a_purge_empties_bodies_and_search_columns_and_nothing_else(place):
    """Headers stay, so that the proof does."""
    headers = place.ask("SELECT header FROM ledger.records ORDER BY position")
    assert said(place, PURGE, f"UPDATE ledger.records SET {EMPTIED} WHERE position = 0") == 1
    assert said(place, PURGE, "UPDATE ledger.records SET body = NULL WHERE position = 1") == 1
    assert place.ask("SELECT header FROM ledger.records ORDER BY position") == headers
    assert place.ask("SELECT position FROM ledger.records WHERE body IS NULL ORDER BY 1") == [(0,), (1,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        said(place, PURGE, "INSERT INTO ledger.records (position, header) VALUES (2, '')")


@pytest.mark.parametrize("role", [OWNER, SUPERUSER, PURGE])
def test_a_gateway_whose_role_could_change_records_does_not_start(place, role):
    """The same DSN for all would be the easy way, and nobody would notice."""
    with pytest.raises(LedgerUnavailable, match="could change or delete records"):
        PostgresStore(place.dsn(role)).meta()


@pytest.mark.parametrize(
    ("right", "call"),
    [
        ("INSERT ON ledger.records", lambda ledger: ledger.append({}, tenant="h", retention_class="c")),
        ("SELECT ON ledger.records", lambda ledger: ledger.contains("0.0")),
        ("SELECT ON ledger.head", lambda ledger: ledger.check_start()),
        ("USAGE ON SCHEMA ledger", lambda ledger: ledger.check_start()),
    ],
)
def test_a_gateway_without_its_rights_refuses_until_it_has_them(place, right, call):
    """An administrator's slip: mended without a restart."""
    place.ask(f"REVOKE {right} FROM {GATEWAY}")
    ledger = place.open()
    with pytest.raises(LedgerUnavailable, match="InsufficientPrivilege"):
        call(ledger)
    place.ask(postgres_schema.rights(GATEWAY, PURGE).as_string())
    call(ledger)
    ledger.close()


@pytest.mark.parametrize(
    ("right", "lacked"),
    [
        ("INSERT ON ledger.records", "INSERT ON ledger.records"),
        ("INSERT ON ledger.tiles", "INSERT ON ledger.tiles"),
        ("SELECT ON ledger.tiles", "SELECT ON ledger.tiles"),
        ("UPDATE (edge) ON ledger.head", "UPDATE ON ledger.head"),
    ],
)
def test_a_gateway_without_its_rights_does_not_start_and_names_them(place, right, lacked):
    """`config check` sees it before the first look would be refused."""
    place.ask(f"REVOKE {right} FROM {GATEWAY}")
    with pytest.raises(LedgerUnavailable, match=rf"lacks {lacked}$"):
        place.store().meta()
    place.ask(postgres_schema.rights(GATEWAY, PURGE).as_string())
    assert place.store().meta().origin


@pytest.mark.parametrize(
    ("change", "back"),
    [
        (f"GRANT {OWNER} TO {GATEWAY}", f"REVOKE {OWNER} FROM {GATEWAY}"),
        (
            f"ALTER ROLE {GATEWAY} NOINHERIT; GRANT {PURGE} TO {GATEWAY}",
            f"ALTER ROLE {GATEWAY} INHERIT; REVOKE {PURGE} FROM {GATEWAY}",
        ),
        (f"ALTER ROLE {GATEWAY} CREATEROLE", f"ALTER ROLE {GATEWAY} NOCREATEROLE"),
        (f"GRANT pg_write_all_data TO {GATEWAY}", f"REVOKE pg_write_all_data FROM {GATEWAY}"),
        (
            f"ALTER TABLE ledger.tiles OWNER TO {GATEWAY}; REVOKE ALL ON ledger.tiles FROM {GATEWAY}",
            f"ALTER TABLE ledger.tiles OWNER TO {OWNER}",
        ),
    ],
)
def test_a_role_that_could_take_the_rights_for_itself_is_refused(place, change, back):
    """By becoming another role, or by giving itself back what it gave up."""
    place.ask(change)
    try:
        with pytest.raises(LedgerUnavailable, match="could change or delete"):
            place.store().meta()
    finally:
        place.ask(back)


def test_a_ledger_is_not_made_over_another(place):
    """It would be a second history."""
    store = place.store()
    meta, head = store.meta(), store.tail(1)[0]
    store.close()
    with pytest.raises(LedgerExists):
        postgres_schema.make(place.dsn(OWNER), meta, head, gateway=GATEWAY, purge=PURGE)
    assert place.sound() == 2


@pytest.mark.parametrize(
    ("gateway", "words"), [(OWNER, "could change or delete"), ("nobody_at_all", "UndefinedObject")]
)
def test_a_ledger_is_not_made_for_a_role_that_may_too_much_or_is_not_there(place, gateway, words):
    """And nothing of it is left behind."""
    store = place.store()
    meta, head = store.meta(), store.tail(1)[0]
    store.close()
    place.server.empty()
    with pytest.raises(LedgerUnavailable, match=words):
        postgres_schema.make(place.dsn(OWNER), meta, head, gateway=gateway, purge=PURGE)
    assert place.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'ledger'") == [(0,)]


def test_a_database_of_another_encoding_is_refused(place):
    """It would refuse the first record with a letter that it does not know."""
    place.ask("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'")
    dsn = Dsn(place.server.dsn("latin", OWNER))
    store = place.store()
    meta, head = store.meta(), store.tail(1)[0]
    store.close()
    try:
        with pytest.raises(LedgerUnavailable, match="UTF8"):
            postgres_schema.make(dsn, meta, head, gateway=GATEWAY, purge=PURGE)
    finally:
        place.ask("DROP DATABASE latin WITH (FORCE)")


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE ledger.records SET UNLOGGED",
        "ALTER TABLE ledger.records ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE ledger.records ALTER COLUMN person TYPE varchar(9)",
        "ALTER TABLE ledger.records ALTER COLUMN header DROP NOT NULL",
        "ALTER TABLE ledger.records ADD COLUMN note text",
        "CREATE RULE lost AS ON INSERT TO ledger.records DO INSTEAD NOTHING",
        "ALTER TABLE ledger.records RENAME TO old; CREATE VIEW ledger.records AS SELECT * FROM ledger.old",
        "DROP TABLE ledger.head",
    ],
)
def test_other_tables_are_no_ledger(place, sql):
    """A table emptied by a crash, one that hides rows, one that swallows them, one that cuts them."""
    place.edit(sql)
    with pytest.raises(LedgerBroken):
        place.store().meta()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("DROP TRIGGER records_are_never_deleted ON ledger.records", "records_are_never_deleted is missing"),
        ("ALTER TABLE ledger.head DISABLE TRIGGER head_never_goes_back", "head_never_goes_back is missing or switched"),
        (
            "CREATE OR REPLACE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
            "is not as it was made",
        ),
        (
            "DROP TRIGGER records_are_never_changed ON ledger.records; CREATE TRIGGER records_are_never_changed"
            " BEFORE UPDATE OF time ON ledger.records FOR EACH ROW EXECUTE FUNCTION ledger.only_purge()",
            "records_are_never_changed is missing or switched",
        ),
        (
            "CREATE TRIGGER extra BEFORE INSERT ON ledger.records EXECUTE FUNCTION ledger.refuse()",
            "what no ledger has: extra",
        ),
    ],
)
def test_a_trigger_that_was_dropped_or_made_harmless_is_named(place, change, sentence):
    """By the view that verifying asks, which needs no more than the gateway's rights."""
    with reading(place.dsn()) as view:
        view.check_aids()
    said(place, OWNER, change)
    with reading(place.dsn()) as view, pytest.raises(LedgerBroken, match=sentence):
        view.check_aids()
