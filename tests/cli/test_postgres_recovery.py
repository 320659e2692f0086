"""`vitrine audit recover` in PostgreSQL: the lost schema stays, the new one cites it, the same command finishes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plugin.ledger import postgres_schema
from plugin.ledger.database_recovery import Intent
from plugin.ledger.errors import LedgerUnavailable
from plugin.ledger.postgres import PostgresStore
from tests.databased import DatabaseDeployment
from tests.ledger.conftest import body_of
from tests.postgres_server import DATABASE, GATEWAY, PURGE

pytestmark = pytest.mark.slow

WHY = ("--reason", "the disk was lost")
OLD = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path, around) -> DatabaseDeployment:
    """Six records, delivered to the sink."""
    made = DatabaseDeployment(tmp_path, around).prepare()
    made.append(*(body_of(number) for number in range(5)), at=OLD)
    made.do("audit", "rotate", "--reason", "delivers")
    yield made
    for name in lost_schemas(made):
        made.server.execute(DATABASE, "SET client_min_messages = warning", f"DROP SCHEMA {name} CASCADE")


def lost_schemas(site: DatabaseDeployment) -> list[str]:
    found = site.server.execute(DATABASE, "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'ledger_lost_%'")
    return [name for (name,) in found]


def break_it(site: DatabaseDeployment) -> None:
    site.server.execute(
        DATABASE, "SET session_replication_role = replica", "UPDATE ledger.records SET header = 'x' WHERE position = 6"
    )


def recover(site: DatabaseDeployment):
    owner = str(site.folder / "secrets" / "owner.dsn")
    return site.do("audit", "recover", "--owner-dsn-file", owner, *WHY)


def first(site: DatabaseDeployment) -> dict:
    return json.loads(next(site.reader.records(0, 0)).body)


def test_a_new_ledger_cites_the_lost_one_which_stays_as_it_is(site):
    """Its schema is renamed, nobody but its owner may enter it, and its key is kept beside the new one."""
    old, key = site.reader.meta(), site.settings.ledger.key_file.read_bytes()
    break_it(site)
    done = recover(site)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == site.reader.meta().vkey != old.vkey
    lost = first(site)["lost"]
    assert (lost["origin"], lost["size"], lost["reason"]) == (old.origin, 7, WHY[1])
    assert [lost["schema"]] == lost_schemas(site)
    assert site.server.execute(DATABASE, f"SELECT count(*) FROM {lost['schema']}.records") == [(7,)]
    for role in (GATEWAY, PURGE):
        may = f"SELECT has_schema_privilege('{role}', '{lost['schema']}', 'USAGE')"
        assert site.server.execute(DATABASE, may) == [(False,)]
    kept = site.settings.ledger.key_file.with_name(f"checkpoint.key.{lost['schema']}")
    assert kept.read_bytes() == key
    assert site.do("audit", "verify").exit_code == 0
    assert site.do("config", "check").exit_code == 0
    assert not list(kept.parent.glob("*.recovering*"))


def test_a_ledger_that_is_sound_is_not_lost(site):
    """Nor is one whose gateway is let in no more, or whose key others can read: that is mended."""
    done = recover(site)
    assert (done.exit_code, "nothing to recover" in done.stderr) == (1, True)
    site.settings.ledger.key_file.chmod(0o644)
    assert recover(site).exit_code == 2
    site.settings.ledger.key_file.chmod(0o600)
    site.secret("gateway", f"host={site.folder} dbname={DATABASE} user={GATEWAY}")
    done = recover(site)
    assert done.exit_code != 0
    assert lost_schemas(site) == []


def test_without_the_owner_nothing_is_done(site):
    """The gateway's role cannot rename what it must not change."""
    break_it(site)
    done = site.do("audit", "recover", *WHY)
    assert (done.exit_code, "--owner-dsn-file" in done.stderr) == (2, True)
    site.secret("owner", site.server.dsn(DATABASE, GATEWAY))
    done = recover(site)
    assert done.exit_code == 2, done.output
    assert lost_schemas(site) == []


def test_a_database_that_is_gone_altogether_is_cited_from_the_sink(site):
    """A new server, an empty database: the first record says what the sink holds."""
    old = site.reader.meta()
    site.server.empty()
    done = recover(site)
    assert (done.exit_code, "nothing is left of it" in done.stderr) == (0, True), done.output
    lost = first(site)["lost"]
    assert (lost["origin"], lost["size"], "schema" in lost) == (old.origin, 7, False)
    assert lost["found_in"].startswith("file ")


@pytest.mark.parametrize("where", ["make", "swap_keys", "commit", "forget"])
def test_a_recovery_that_was_interrupted_is_finished_by_the_same_command(site, where):
    """Wherever it ended: one new ledger, one record that cites the lost one, and no other."""
    old = site.reader.meta()
    break_it(site)

    def fail(*_: object, **__: object) -> None:
        raise LedgerUnavailable("the power failed")

    owner = {"make": postgres_schema, "commit": PostgresStore}.get(where, Intent)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(owner, where, fail)
        assert recover(site).exit_code == 2
    done = recover(site)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == site.reader.meta().vkey != old.vkey
    assert len(site.reader.own("ledger:recovered")) == 1
    assert first(site)["lost"]["origin"] == old.origin
    assert len(lost_schemas(site)) == 1
    assert site.do("audit", "verify").exit_code == 0
