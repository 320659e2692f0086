"""`vitrine audit` on a ledger in PostgreSQL: each command does there what it does on a file, or says why not."""

import json
import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from plugin import assembly
from plugin.audit import export
from plugin.ledger.postgres_connection import Dsn
from plugin.ledger.postgres_lock import locked
from plugin.ledger.rotation import prepare
from plugin.places import place_of
from tests.databased import DatabaseDeployment
from tests.ledger.conftest import body_of
from tests.postgres_server import DATABASE, GATEWAY, OWNER, PURGE, SUPERUSER

WHY = ("--reason", "a complaint")
OLD = datetime(2020, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def unmade(tmp_path: Path, around) -> DatabaseDeployment:
    """Configured, with keys for its links; no ledger yet."""
    made = DatabaseDeployment(tmp_path, around)
    assert made.do("config", "init").exit_code == 0
    return made


@pytest.fixture
def site(tmp_path: Path, around) -> DatabaseDeployment:
    """With a ledger and five old looks in it, behind its first record."""
    made = DatabaseDeployment(tmp_path, around).prepare()
    made.append(*(body_of(number) for number in range(5)), at=OLD)
    return made


def init(site: DatabaseDeployment, owner: str = "owner"):
    return site.do("audit", "init", "--owner-dsn-file", str(site.folder / "secrets" / f"{owner}.dsn"))


def told(done) -> str:
    """The one sentence on stderr of a command that ended badly."""
    (sentence,) = done.stderr.strip().splitlines()
    assert done.exit_code != 0
    return sentence


def test_a_ledger_is_made_with_its_key_and_its_first_record(unmade):
    """And the public key goes to stdout, to be kept elsewhere."""
    done = init(unmade)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == unmade.reader.meta().vkey
    assert "the ledger in PostgreSQL" in done.stderr
    assert [json.loads(each.body)["action"] for each in unmade.reader.records()] == ["ledger:opened"]
    assert unmade.do("config", "check").exit_code == 0
    again = init(unmade)
    assert (again.exit_code, unmade.reader.meta().vkey) == (1, done.stdout.strip())


def test_what_is_not_there_is_never_made_by_the_way(unmade):
    """Neither a ledger in a database that has none, nor by a database that is not reached."""
    for command in (("verify", "--key", "x+00000000+AQ=="), ("checkpoint",), ("list", *WHY), ("purge", *WHY)):
        assert unmade.do("audit", *command).exit_code == 2
    key = unmade.settings.ledger.key_file
    assert not key.exists()
    unmade.secret("gateway", f"host={unmade.folder} dbname={DATABASE} user={GATEWAY}")
    done = init(unmade)
    assert (done.exit_code, key.exists()) == (2, False)
    assert "no connection" in told(done)


@pytest.mark.slow
def test_a_key_without_its_ledger_is_a_lost_history_and_no_new_machine(site):
    """As with a file: `config check` must not call it a fresh start."""
    site.server.empty()
    assert "holds no ledger" in told(site.do("config", "check"))
    done = site.do("serve")
    assert (done.exit_code, "holds no ledger" in done.stderr) == (2, True)
    assert "exists already" in told(init(site))


@pytest.mark.parametrize(
    ("gateway", "purge", "owner", "words"),
    [
        (OWNER, PURGE, OWNER, "could change or delete"),
        (SUPERUSER, PURGE, OWNER, "could change or delete"),
        (PURGE, PURGE, OWNER, "could change or delete"),
        (GATEWAY, GATEWAY, OWNER, "could change or delete"),
        (GATEWAY, PURGE, GATEWAY, "InsufficientPrivilege"),
    ],
)
def test_three_roles_are_three_roles(unmade, gateway, purge, owner, words):
    """Whoever breaks into the gateway must not be able to remove what it recorded. Nothing is left of the attempt."""
    for name, role in (("gateway", gateway), ("purge", purge), ("owner", owner)):
        unmade.secret(name, unmade.server.dsn(DATABASE, role))
    assert words in told(init(unmade))
    assert not unmade.settings.ledger.key_file.exists()
    assert unmade.server.execute(DATABASE, "SELECT to_regnamespace('ledger')::text") == [(None,)]


def test_a_ledger_is_not_made_without_its_roles_named(unmade):
    """Each refusal names what is missing."""
    assert told(unmade.do("audit", "init")).startswith("vitrine: --owner-dsn-file: is needed")
    unmade.path.write_text(unmade.path.read_text().replace('purge_dsn_file = "secrets/purge.dsn"\n', ""))
    assert "ledger.purge_dsn_file: is needed" in told(init(unmade))


def test_an_owner_is_of_no_use_to_a_file(tmp_path, around):
    """An option that did nothing would let somebody believe that it did."""
    made = DatabaseDeployment(tmp_path, around, table="")
    assert made.do("config", "init").exit_code == 0
    assert "--owner-dsn-file" in told(init(made))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [("host=x password=pw-marker", "names no database"), ("postgresql://[pw-marker", "no connection string")],
)
def test_a_connection_string_that_is_none_is_refused_and_never_shown(site, text, words):
    """It may hold a password."""
    site.secret("gateway", text)
    for command in (("config", "check"), ("serve",), ("audit", "verify"), ("audit", "export", *WHY)):
        done = site.do(*command)
        assert words in told(done), command
        assert "pw-marker" not in done.output


@pytest.mark.slow
def test_a_connection_string_that_others_can_read_stops_the_start(site):
    """As with every secret."""
    (site.folder / "secrets" / "gateway.dsn").chmod(0o644)
    for command in (("config", "check"), ("serve",), ("audit", "verify")):
        assert "ledger.dsn_file" in site.do(*command).stderr


def test_what_serves_never_reads_the_secret_of_the_purge(site):
    """So that it can be kept from the user that the gateway runs as."""
    (site.folder / "secrets" / "purge.dsn").unlink()
    assert site.do("config", "check").exit_code == 0
    assert site.do("audit", "verify").exit_code == 0
    assert site.do("audit", "hold", "add", "--tenant", "hospital", *WHY).exit_code == 0
    assert "ledger.purge_dsn_file" in told(site.do("audit", "purge", *WHY))
    assert not site.reader.own("ledger:purged")


@pytest.mark.slow
def test_unsafe_settings_of_the_server_stop_the_start(site):
    """It would lose what it acknowledged when the power fails."""
    with site.server.configured(full_page_writes="off"):
        for command in (("serve",), ("config", "check")):
            done = site.do(*command)
            assert done.exit_code != 0
            assert "full_page_writes=off" in done.stderr
    assert site.do("config", "check").exit_code == 0


@pytest.mark.slow
def test_rights_that_the_role_was_given_since_stop_the_start(site):
    """An administrator's kindness would make the log worth less."""
    site.server.execute(DATABASE, f"GRANT DELETE ON ledger.records TO {GATEWAY}")
    done = site.do("serve")
    assert (done.exit_code, "could change or delete" in done.stderr) == (2, True)


def test_a_right_that_the_role_lost_is_named_before_the_start(site):
    """Every look would be refused."""
    site.server.execute(DATABASE, f"REVOKE INSERT ON ledger.records FROM {GATEWAY}")
    assert "lacks INSERT ON ledger.records" in told(site.do("config", "check"))
    site.server.execute(DATABASE, f"GRANT INSERT ON ledger.records TO {GATEWAY}")
    assert site.do("config", "check").exit_code == 0


@pytest.mark.parametrize("command", [("audit", "search", *WHY), ("serve",)])
def test_a_record_that_cannot_be_written_is_told_with_what_keeps_it(site, command):
    """Nothing was done, and the operator has to find out what to mend."""
    with psycopg.connect(site.server.dsn(DATABASE)) as administrator:
        administrator.execute("SELECT FROM ledger.head FOR UPDATE")
        done = site.do(*command)
    words = "vitrine: the record cannot be written: PostgreSQL: LockNotAvailable (55P03)"
    assert (done.exit_code, done.stderr.strip().splitlines()[-1]) == (2, words)


def test_verify_finds_what_was_changed_and_names_a_trigger_that_is_off(site):
    """Exit 0, then 1 with the position."""
    assert "6 records, unbroken" in site.do("audit", "verify").stdout
    site.server.execute(DATABASE, "ALTER TABLE ledger.records DISABLE TRIGGER records_are_never_changed")
    done = site.do("audit", "verify")
    assert (done.exit_code, "records_are_never_changed" in done.stderr) == (1, True)
    with psycopg.connect(site.server.dsn(DATABASE), autocommit=True) as connection:
        connection.execute("UPDATE ledger.records SET person = 'https://login.example other' WHERE position = 3")
    done = site.do("audit", "verify")
    assert (done.exit_code, "at position 3" in done.stderr) == (1, True)


def test_the_log_is_read_in_every_form(site):
    """list, show, search, export and report; each reading leaves its record."""
    size = site.reader.head().size
    assert len(site.do("audit", "list", *WHY).stdout.splitlines()) == size
    assert "AuditEvent" in site.do("audit", "show", "request-3", *WHY).stdout
    assert site.do("audit", "show", "nothing", *WHY).exit_code == 1
    found = site.do("audit", "search", "--person", "https://login.example|s2", "--format", "ndjson", *WHY)
    assert [json.loads(line)["position"] for line in found.stdout.splitlines()] == [3]
    assert site.do("audit", "search", "--where", "outcome=0", "--until", "2020-12", *WHY).stdout.count("\n") == 5
    exported = site.do("audit", "export", "--last", "5", *WHY)
    assert exported.stdout.count('{"resourceType":"AuditEvent"') == 6
    report = site.do("audit", "report", "--patient", "hospital/p1", "--lang", "fr", "--format", "json", *WHY)
    assert report.exit_code == 0, report.output
    readings = [json.loads(each.body)["action"] for each in site.reader.records(size)]
    assert readings == ["log:read"] * len(readings)
    assert len(readings) == 7
    assert site.do("audit", "verify").exit_code == 0


def test_each_process_of_an_export_reads_its_part_by_a_connection_of_its_own(site, monkeypatch):
    alone = site.do("audit", "export", "--last", "5", *WHY).stdout.splitlines()
    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr(export, "PARALLEL_FROM", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    shared = site.do("audit", "export", "--last", "5", *WHY)
    assert shared.exit_code == 0, shared.output
    assert shared.stdout.splitlines()[1:-1] == alone[1:-1]


def test_a_proof_stands_alone(site, tmp_path):
    """`checkpoint` and `prove`, without content."""
    assert site.do("audit", "checkpoint").stdout.startswith(site.reader.meta().origin)
    done = site.do("audit", "prove", "3", "--output", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "3.tlog-proof").read_text().startswith("c2sp.org/tlog-proof@v1")
    assert site.do("audit", "prove", "99", "--output", str(tmp_path)).exit_code == 1


def test_a_purge_removes_what_is_due_and_not_what_is_held(site):
    """By the role of the purge; `verify` proves the rest, and that each missing body went by rule."""
    hold = site.do("audit", "hold", "add", "--person", "https://login.example", "s4", *WHY).stdout.strip()
    dry = site.do("audit", "purge", "--dry-run", *WHY)
    assert (dry.exit_code, "4 records would be purged" in dry.stderr) == (0, True)
    done = site.do("audit", "purge", *WHY)
    assert (done.exit_code, "4 records were purged" in done.stderr) == (0, True), done.output
    assert [each.position for each in site.reader.records() if each.body is None] == [1, 2, 3, 4]
    assert "4 of them purged by rule" in site.do("audit", "verify").stdout
    assert hold in site.do("audit", "hold", "list", *WHY).stdout
    assert site.do("audit", "hold", "lift", hold, *WHY).exit_code == 0
    assert "1 records were purged" in site.do("audit", "purge", *WHY).stderr
    assert site.do("audit", "verify").exit_code == 0


def test_one_purge_or_rotation_at_a_time_on_all_machines(site):
    """The lock is the database's. A hold does not wait for it: a purge looks holds up before each batch."""
    with place_of(site.settings).alone():
        for command in (("purge",), ("rotate",)):
            assert "is under way" in told(site.do("audit", *command, *WHY))
        assert site.do("audit", "hold", "add", "--tenant", "hospital", *WHY).exit_code == 0


def test_one_machine_verifies_at_a_time(site):
    """A scheduled verification reads everything: once is enough."""
    place, other = place_of(site.settings), Dsn(site.server.dsn(DATABASE, PURGE))
    with place.claimed("verifying") as mine:
        assert mine
        with locked(other, "verifying") as theirs:
            assert not theirs
        with locked(other, "purging") as another_work:
            assert another_work
    with locked(other, "verifying") as theirs:
        assert theirs


def test_what_is_let_go_of_is_free_before_the_connection_is_gone(site, monkeypatch):
    """A server ends a connection in its own time: whoever comes next does not have to wait for that."""
    database = Dsn(site.server.dsn(DATABASE, PURGE))
    close = psycopg.Connection.close
    with ExitStack() as later, monkeypatch.context() as patched:
        patched.setattr(psycopg.Connection, "close", lambda connection: later.callback(close, connection))
        with locked(database, "verifying"):
            pass
        with locked(database, "verifying") as mine:
            assert mine


def test_the_key_is_changed_and_the_sinks_follow(site):
    """What either key signed verifies."""
    old = site.reader.meta().vkey
    done = site.do("audit", "rotate", *WHY)
    assert done.exit_code == 0, done.output
    new = done.stdout.strip()
    assert new != old
    assert (site.folder / "elsewhere" / "checkpoints").read_text().count("/ledger/") >= 1
    for key in (old, new):
        assert site.do("audit", "verify", "--key", key).exit_code == 0


def test_a_key_is_not_replaced_while_the_change_to_it_may_still_be_committed(site):
    """A rotation whose connection was lost may be at its commit yet. With its key the ledger would be lost."""
    prepare(site.settings.ledger.key_file)
    prepared = site.settings.ledger.key_file.with_name("checkpoint.key.next")
    before = prepared.read_bytes()
    with psycopg.connect(site.server.dsn(DATABASE)) as committing:
        committing.execute("SELECT FROM ledger.head FOR UPDATE")
        assert "may or may not be recorded" in told(site.do("audit", "rotate", *WHY))
        assert prepared.read_bytes() == before
    assert site.do("audit", "rotate", *WHY).exit_code == 0


def test_what_is_removed_or_signed_anew_is_not_decided_by_a_standby(site):
    """It may lag behind a hold or a change of key. What only reads goes on with one."""
    with site.server.configured(default_transaction_read_only="on"):
        read_only = "it takes no writes: it is a standby"
        assert read_only in told(site.do("audit", "purge", "--dry-run", *WHY))
        assert read_only in told(site.do("audit", "hold", "lift", "1a2b3c4d", *WHY))
        assert read_only in told(site.do("audit", "rotate", *WHY))
        assert site.do("audit", "verify").exit_code == 0
    assert "5 records would be purged" in site.do("audit", "purge", "--dry-run", *WHY).stderr


@pytest.mark.slow
def test_a_cut_tail_is_told_by_the_sink(site):
    """Whoever owns the server can put an older state of it in place; a checkpoint elsewhere says so."""
    tables = ("meta", "head", "records", "tiles")
    site.server.execute(DATABASE, *(f"CREATE TABLE older_{name} AS TABLE ledger.{name}" for name in tables))
    site.append(body_of(9), at=OLD)
    assembly.deliveries(site.settings).deliver()
    with psycopg.connect(site.server.dsn(DATABASE), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for name in tables:
            connection.execute(f"DELETE FROM ledger.{name}; INSERT INTO ledger.{name} TABLE older_{name}")
            connection.execute(f"DROP TABLE older_{name}")
    done = site.do("audit", "verify")
    assert (done.exit_code, "at position 6" in told(done)) == (1, True)
    assert "vitrine: ledger: " in told(site.do("serve")), "it is kept here, too"
    place_of(site.settings).kept.unlink()
    assert "ledger.sinks" in told(site.do("serve"))


def test_what_has_no_meaning_there_says_so(site):
    """There is nothing to upgrade."""
    done = site.do("audit", "upgrade", *WHY)
    assert (done.exit_code, "already" in done.stderr) == (0, True)
    site.server.execute(DATABASE, "UPDATE ledger.meta SET format = 1")
    assert "never was an older form" in told(site.do("audit", "upgrade", *WHY))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('path = "a"\ndsn_file = "b"', "ledger.path: "),
        ('path = "a"\npurge_dsn_file = "b"', "ledger.purge_dsn_file: "),
        ('purge_dsn_file = "b"', "ledger.purge_dsn_file: "),
        ("dsn_file = 7", "ledger.dsn_file"),
        ('dsn_file = ""', "ledger.dsn_file"),
    ],
)
def test_a_ledger_is_in_one_place(tmp_path, around, table, words):
    """Two would be two histories, or one that nobody meant."""
    made = DatabaseDeployment(tmp_path, around, table=f"[ledger]\n{table}\n")
    assert words in told(made.do("config", "check"))
