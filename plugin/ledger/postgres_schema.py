"""The tables of a ledger in PostgreSQL, who may do what to them, and whether they are as they were made.

They lie in a schema of their own, and every statement names it: what else a database holds, or a search path says,
cannot come between. What is kept in them is for `postgres`.
"""

from collections.abc import Mapping

from psycopg import errors, sql

from plugin.ledger.errors import LedgerBroken, LedgerExists, LedgerMissing, LedgerUnavailable
from plugin.ledger.own import END, PREFIX
from plugin.ledger.postgres_connection import NO_LEDGER, Connection, Dsn, connect, written
from plugin.ledger.record import SEARCH_COLUMNS
from plugin.ledger.store import Head, Meta

SAFE_SETTINGS = {"fsync": "on", "full_page_writes": "on", "data_sync_retry": "off"}
"""With any other value a power failure or a failed sync can take records back that were acknowledged."""
INDEXED_CHARACTERS = 512
"""Of a value. A B-tree entry has at most 2,704 bytes: a longer value would refuse the record. A search compares
`left(person, 512)` and `person`."""

_FACTS = ",\n  ".join(f'{name} text COLLATE "C"' for name in SEARCH_COLUMNS)
_TABLES = f"""
CREATE SCHEMA ledger;
CREATE TABLE ledger.meta (
  single smallint PRIMARY KEY CHECK (single = 0),
  format integer NOT NULL, origin text NOT NULL, vkey text NOT NULL
);
CREATE TABLE ledger.head (
  single smallint PRIMARY KEY CHECK (single = 0),
  size bigint NOT NULL, edge bytea NOT NULL, checkpoint text NOT NULL, time text NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE ledger.records (
  position bigint PRIMARY KEY,
  header bytea NOT NULL,
  body bytea,
  {_FACTS}
);
CREATE TABLE ledger.tiles (
  level integer, number bigint, root bytea NOT NULL, hashes bytea NOT NULL,
  PRIMARY KEY (level, number)
);
"""
# The head is written at each commit: a page with room keeps its versions together, so that none needs an index entry.

_KEPT = " AND ".join(f"(NEW.{name} IS NULL OR NEW.{name} = OLD.{name})" for name in SEARCH_COLUMNS)
IS_OWN = f"action >= '{PREFIX}' AND action < '{END}'"
"""Records by which the ledger explains itself."""
_FUNCTIONS = {
    "refuse": "BEGIN RAISE EXCEPTION 'records are append-only'; END",
    "only_purge": f"""BEGIN
  IF NEW.position = OLD.position AND NEW.header = OLD.header AND NEW.body IS NULL AND {_KEPT} THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'records are append-only, but for a purge of their bodies';
END""",
    "only_forward": """BEGIN
  IF NEW.size >= OLD.size THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'the head never goes back';
END""",
}
"""What the triggers run, by name. Word for word as PostgreSQL keeps it."""
_FUNCTIONS_MADE = "\n".join(
    f"CREATE FUNCTION ledger.{name}() RETURNS trigger LANGUAGE plpgsql AS $${source}$$;"
    for name, source in _FUNCTIONS.items()
)
# The triggers keep a slip of an administrator out, as the rights keep the gateway out; against intent is `verify`.
_AIDS = f"""
CREATE INDEX records_by_person ON ledger.records (left(person, {INDEXED_CHARACTERS}), time, position)
  WHERE person IS NOT NULL;
CREATE INDEX records_by_patient ON ledger.records (left(patient, {INDEXED_CHARACTERS}), time, position)
  WHERE patient IS NOT NULL;
CREATE INDEX records_by_outcome ON ledger.records (left(outcome, {INDEXED_CHARACTERS}), time, position);
CREATE INDEX records_by_action ON ledger.records (left(action, {INDEXED_CHARACTERS}), time, position);
CREATE INDEX records_by_time ON ledger.records (time, position);
CREATE INDEX records_by_request ON ledger.records (left(request, {INDEXED_CHARACTERS})) WHERE request IS NOT NULL;
CREATE INDEX records_by_record ON ledger.records (left(record, {INDEXED_CHARACTERS})) WHERE record IS NOT NULL;
CREATE INDEX records_of_the_ledger ON ledger.records (action, position) WHERE {IS_OWN};

{_FUNCTIONS_MADE}

CREATE TRIGGER records_are_never_changed BEFORE UPDATE ON ledger.records
  FOR EACH ROW EXECUTE FUNCTION ledger.only_purge();
CREATE TRIGGER records_are_never_deleted BEFORE DELETE ON ledger.records
  FOR EACH ROW EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER records_are_never_emptied BEFORE TRUNCATE ON ledger.records
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER tiles_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.tiles
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER head_never_goes_back BEFORE UPDATE ON ledger.head
  FOR EACH ROW EXECUTE FUNCTION ledger.only_forward();
CREATE TRIGGER head_is_never_removed BEFORE DELETE OR TRUNCATE ON ledger.head
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
"""

_RIGHTS = """
REVOKE ALL ON SCHEMA ledger FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO {gateway}, {purge};
GRANT SELECT ON ledger.meta, ledger.head, ledger.records, ledger.tiles TO {gateway}, {purge};
GRANT INSERT ON ledger.records, ledger.tiles TO {gateway};
GRANT UPDATE (size, edge, checkpoint, time) ON ledger.head TO {gateway};
GRANT UPDATE (body, {facts}) ON ledger.records TO {purge};
"""
_MAY_CHANGE = """
SELECT bool_or(
  r.rolsuper OR r.rolcreaterole
  OR has_any_column_privilege(r.oid, 'ledger.records', 'UPDATE')
  OR has_table_privilege(r.oid, 'ledger.records', 'DELETE, TRUNCATE, TRIGGER')
  OR has_table_privilege(r.oid, 'ledger.head', 'INSERT, DELETE, TRUNCATE, TRIGGER')
  OR has_any_column_privilege(r.oid, 'ledger.meta', 'INSERT, UPDATE')
  OR EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'ledger' AND n.nspowner = r.oid)
  OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = 'ledger'::regnamespace AND c.relowner = r.oid)
) FROM pg_catalog.pg_roles r WHERE pg_has_role({role}::name, r.oid, 'MEMBER')
"""
"""Of the role and of each that it may become by SET ROLE. An owner that gave its rights up may take them back, and who
makes roles may, before PostgreSQL 16, become any other."""
_LACKED = """
SELECT r.name || ' ON ' || r.object FROM (VALUES
  ('SELECT', 'ledger.meta'), ('SELECT', 'ledger.head'), ('SELECT', 'ledger.records'), ('SELECT', 'ledger.tiles'),
  ('INSERT', 'ledger.records'), ('INSERT', 'ledger.tiles')
) AS r (name, object) WHERE NOT has_table_privilege(r.object, r.name)
UNION ALL SELECT 'UPDATE ON ledger.head' WHERE EXISTS (
  SELECT FROM unnest(array['size', 'edge', 'checkpoint', 'time']) AS changed
  WHERE NOT has_column_privilege('ledger.head', changed, 'UPDATE')
)
"""
"""Of what `_RIGHTS` gives the gateway."""

_COLUMNS = """
SELECT c.relname::text, a.attname::text, t.typname::text, a.attnotnull
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typnamespace = 'pg_catalog'::regnamespace
WHERE n.nspname = 'ledger' AND c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relhasrules AND NOT c.relrowsecurity
"""
"""Types by their own names: `format_type` quotes them for a role with `quote_all_identifiers`."""
_TRIGGERS = """
SELECT t.tgname::text, c.relname::text, p.proname::text, t.tgtype::integer, p.prosrc
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE n.nspname = 'ledger' AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
  AND t.tgqual IS NULL AND t.tgattr::text = ''
"""
_ROW, _BEFORE, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 8, 16, 32
"""Bits of `tgtype` (PostgreSQL's catalog/pg_trigger.h)."""
_EXPECTED_TRIGGERS = {
    name: (name, table, function, _BEFORE | kind, _FUNCTIONS[function])
    for name, table, function, kind in (
        ("records_are_never_changed", "records", "only_purge", _ROW | _UPDATE),
        ("records_are_never_deleted", "records", "refuse", _ROW | _DELETE),
        ("records_are_never_emptied", "records", "refuse", _TRUNCATE),
        ("tiles_are_never_changed", "tiles", "refuse", _UPDATE | _DELETE | _TRUNCATE),
        ("head_never_goes_back", "head", "only_forward", _ROW | _UPDATE),
        ("head_is_never_removed", "head", "refuse", _DELETE | _TRUNCATE),
    )
}
_EXPECTED = {
    ("meta", "single", "int2", True),
    ("meta", "format", "int4", True),
    ("meta", "origin", "text", True),
    ("meta", "vkey", "text", True),
    ("head", "single", "int2", True),
    ("head", "size", "int8", True),
    ("head", "edge", "bytea", True),
    ("head", "checkpoint", "text", True),
    ("head", "time", "text", True),
    ("records", "position", "int8", True),
    ("records", "header", "bytea", True),
    ("records", "body", "bytea", False),
    *(("records", name, "text", False) for name in SEARCH_COLUMNS),
    ("tiles", "level", "int4", True),
    ("tiles", "number", "int8", True),
    ("tiles", "root", "bytea", True),
    ("tiles", "hashes", "bytea", True),
}


def make(owner: Dsn, meta: Meta, head: Head, *, gateway: str, purge: str, aside: str | None = None) -> None:
    """Make tables, triggers, rights and the first head of a new ledger in an existing database.

    `owner` may create a schema there and is neither of the two roles, which exist already: `gateway` gets what
    appending and reading need, `purge` may empty bodies and search columns. With `aside` a ledger that is there, and
    lost, is renamed to it in the same transaction. Raises LedgerExists if there is a ledger, or LedgerUnavailable; then
    nothing was made.
    """
    with written():
        connection = connect(owner, writes=True)
        try:
            check_server(connection)
            connection.execute("BEGIN; SET LOCAL synchronous_commit = on", prepare=False)
            if aside is not None:
                _set_aside(connection, aside)
            connection.execute(_TABLES + _AIDS, prepare=False)
            connection.execute(rights(gateway, purge))
            connection.execute("INSERT INTO ledger.meta VALUES (0, %s, %s, %s)", (meta.format, meta.origin, meta.vkey))
            connection.execute(
                "INSERT INTO ledger.head VALUES (0, %s, %s, %s, %s)",
                (head.size, head.edge.to_bytes(), head.checkpoint, head.time),
            )
            check_role(connection, gateway)
            connection.execute("COMMIT")
        except errors.DuplicateSchema:
            raise LedgerExists("the database holds a schema `ledger` already") from None
        finally:
            connection.close()


def _set_aside(connection: Connection, name: str) -> None:
    """Rename a ledger's schema, if there is one, and let nobody into it but its owner."""
    if connection.execute("SELECT to_regnamespace('ledger')").fetchone() != (None,):
        renamed = sql.Identifier(name)
        connection.execute(sql.SQL("ALTER SCHEMA ledger RENAME TO {name}").format(name=renamed))
        found = connection.execute(
            "SELECT DISTINCT grantee::regrole::text FROM pg_catalog.pg_namespace, aclexplode(nspacl)"
            " WHERE nspname = %s AND grantee <> nspowner AND grantee <> 0",
            (name,),
        )
        for (role,) in found.fetchall():
            connection.execute(
                sql.SQL("REVOKE ALL ON SCHEMA {name} FROM {role}").format(name=renamed, role=sql.SQL(role))
            )


def rights(gateway: str, purge: str) -> sql.Composed:
    """What the two roles are granted; for an administrator who makes the roles anew."""
    facts = sql.SQL(", ").join(map(sql.Identifier, SEARCH_COLUMNS))
    return sql.SQL(_RIGHTS).format(gateway=sql.Identifier(gateway), purge=sql.Identifier(purge), facts=facts)


def check_role(connection: Connection, role: str | None = None) -> None:
    """Raises LedgerUnavailable if the role (None: our own) could change or delete records. Or psycopg.Error."""
    name = sql.SQL("current_user") if role is None else sql.Literal(role)
    (may_change,) = connection.execute(sql.SQL(_MAY_CHANGE).format(role=name)).fetchone() or (True,)
    if may_change:
        raise LedgerUnavailable(
            "the gateway's role in PostgreSQL could change or delete records: give it one of its own"
        )


def check_may_append(connection: Connection) -> None:
    """Raises LedgerUnavailable if our role lacks a right that a commit needs. Or psycopg.Error."""
    lacked = [name for (name,) in connection.execute(_LACKED).fetchall()]
    if lacked:
        raise LedgerUnavailable(f"the gateway's role in PostgreSQL lacks {', '.join(lacked)}")


def check_server(connection: Connection) -> None:
    """Raises LedgerUnavailable if the server could lose what it acknowledges, or cannot keep every text.

    Or psycopg.Error.
    """
    names = [*SAFE_SETTINGS, "server_encoding"]
    found = connection.execute("SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", (names,))
    settings = dict(found.fetchall())
    if settings.pop("server_encoding") != "UTF8":
        raise LedgerUnavailable("the database does not keep text as UTF8")
    check_settings(settings)


def check_settings(found: Mapping[str, str]) -> None:
    """Raises LedgerUnavailable unless each of SAFE_SETTINGS has its safe value."""
    for name, value in found.items():
        if value != SAFE_SETTINGS[name]:
            raise LedgerUnavailable(f"PostgreSQL runs with {name}={value}: it could lose what it acknowledges")


def check_tables(connection: Connection) -> None:
    """Raises LedgerMissing if there is none, LedgerBroken unless the tables are ours. Or psycopg.Error."""
    found = set(connection.execute(_COLUMNS))
    if not found:
        raise LedgerMissing(NO_LEDGER)
    if found != _EXPECTED:
        raise LedgerBroken("the tables are not those of a ledger")


def check_aids(connection: Connection) -> None:
    """Raises LedgerBroken, which names the first that is amiss, unless the triggers are as they were made.

    Or psycopg.Error. Indexes are the administrator's: they keep nothing out.
    """
    found = {row[0]: row for row in connection.execute(_TRIGGERS)}
    for name, expected in _EXPECTED_TRIGGERS.items():
        if name not in found:
            raise LedgerBroken(f"the trigger {name} is missing or switched off")
        if found[name] != expected:
            raise LedgerBroken(f"the trigger {name} is not as it was made")
    strange = found.keys() - _EXPECTED_TRIGGERS.keys()
    if strange:
        raise LedgerBroken(f"the tables have what no ledger has: {min(strange)}")
