"""Faults of PostgreSQL, in pairs: a record was refused, or refused though it was written. Neither is taken for done."""

import gc
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from plugin.ledger import postgres, postgres_connection, writer
from plugin.ledger.errors import LedgerBroken, LedgerUnavailable, LedgerUnreadable
from plugin.ledger.postgres import PostgresStore, reading
from plugin.ledger.postgres_connection import Dsn, role_of
from plugin.ledger.store import Batch, Head
from tests.feeds.authority import Authority
from tests.postgres_server import DATABASE, GATEWAY, DatabasePlace, new_place, wait_for_setting

pytestmark = pytest.mark.slow


class WatchedStore(PostgresStore):
    """The real store, which does something in the middle of a commit: the head is locked, nothing is written."""

    def __init__(self, dsn: Dsn) -> None:
        super().__init__(dsn)
        self.meanwhile: Callable[[int], None] = lambda backend: None

    def commit(self, make_batch):
        def watched(head: Head) -> Batch:
            batch = make_batch(head)
            self.meanwhile(self._connection.info.backend_pid)
            return batch

        super().commit(watched)


DAY = timedelta(days=1)


@pytest.fixture
def place() -> DatabasePlace:
    """A new, empty ledger."""
    return new_place()


@pytest.fixture
def store(place) -> WatchedStore:
    return WatchedStore(place.dsn())


@pytest.fixture
def ledger(place, store) -> Iterator[writer.Ledger]:
    """A ledger over a WatchedStore, with one record."""
    opened = writer.Ledger(store, place.key())
    numbered(opened, 0)
    yield opened
    opened.close()


def numbered(ledger, number):
    return ledger.append({"record": f"{number}.0"}, tenant="hospital", retention_class="consultation")


@contextmanager
def delayed_commit(place) -> Iterator[None]:
    """Each commit waits in the server until the advisory lock 7 is free: a place between COMMIT and its end."""
    place.edit(
        "CREATE FUNCTION ledger.delay() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END'"
    )
    place.edit(
        "CREATE CONSTRAINT TRIGGER delay AFTER INSERT ON ledger.records DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION ledger.delay()"
    )
    with psycopg.connect(place.server.dsn(DATABASE), autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        yield
    place.edit("DROP TRIGGER delay ON ledger.records")


def test_a_session_ended_before_the_commit_leaves_nothing(place, ledger, store):
    """The caller releases nothing, asks, and goes on over a new connection."""
    store.meanwhile = lambda backend: place.ask(f"SELECT pg_terminate_backend({backend}, 30000)")
    with pytest.raises(LedgerUnavailable):
        numbered(ledger, 1)
    store.meanwhile = lambda backend: None
    assert not ledger.contains("1.0")
    assert numbered(ledger, 2).position == 1
    assert place.sound() == 2


def test_a_server_process_killed_before_the_commit_leaves_nothing(place, ledger, store):
    """kill -9 makes the server end all sessions and recover from its log."""
    store.meanwhile = place.server.kill
    with pytest.raises(LedgerUnavailable):
        numbered(ledger, 1)
    store.meanwhile = lambda backend: None
    assert not ledger.contains("1.0")
    assert numbered(ledger, 2).position == 1
    assert place.sound() == 2


def test_a_record_whose_commit_was_not_heard_of_is_there(place, ledger, store, monkeypatch):
    """Refused, but happened: the network took the answer. The ledger can tell, and goes on behind it."""

    class DeafConnection(postgres_connection.Connection):
        def execute(self, query, *args, **options):
            done = super().execute(query, *args, **options)
            if query == "COMMIT":
                raise psycopg.OperationalError("server closed the connection unexpectedly")
            return done

    ledger.close()
    with monkeypatch.context() as patch:
        patch.setattr(postgres_connection, "Connection", DeafConnection)
        with pytest.raises(LedgerUnavailable, match="lost"):
            numbered(ledger, 1)
        ledger.close()
    assert ledger.contains("1.0")
    assert numbered(ledger, 2).position == 2
    assert place.sound() == 3


def test_whether_a_record_is_there_waits_for_the_commit_under_way(place, ledger, store, monkeypatch):
    """A server may still be at the commit whose connection is gone: "not there" would be wrong a moment later."""
    backends: list[int] = []
    store.meanwhile = backends.append
    with delayed_commit(place), monkeypatch.context() as patch:
        patch.setattr(postgres_connection.Connection, "answer_seconds", 0.3)
        with pytest.raises(LedgerUnavailable):
            numbered(ledger, 1)
        with pytest.raises(LedgerUnavailable):
            ledger.contains("1.0")
    assert ledger.contains("1.0")
    assert numbered(ledger, 2).position == 2
    assert place.sound() == 3


def test_a_server_process_killed_in_the_commit_leaves_all_or_nothing(place, ledger, store):
    """Whichever it is, the ledger can tell."""
    backends: list[int] = []
    store.meanwhile = backends.append
    with delayed_commit(place):
        thread = threading.Thread(target=_refused, args=(ledger, 1, []))
        thread.start()
        place.server.wait_for("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 1)
        place.server.kill(backends[0])
        thread.join()
    there = ledger.contains("1.0")
    assert numbered(ledger, 2).position == (2 if there else 1)
    assert place.sound() == (3 if there else 2)


def _refused(ledger, number, refused):
    with pytest.raises(LedgerUnavailable) as raised:
        numbered(ledger, number)
    refused.append(raised.value)


def test_a_restarted_server_is_found_again_without_a_refusal(place, ledger):
    """The connection from before is of no use, but nothing was said over it: nobody need notice."""
    place.server.stop()
    place.server.start()
    assert numbered(ledger, 1).position == 1
    assert place.sound() == 2


def test_a_stopped_server_refuses_and_a_started_one_goes_on(place, ledger):
    """No process need be restarted."""
    place.server.stop(signal.SIGQUIT)
    try:
        for _ in range(2):
            with pytest.raises(LedgerUnavailable, match="no connection: nothing answers"):
                numbered(ledger, 1)
        with pytest.raises(LedgerUnreadable), reading(place.dsn()):
            pass
    finally:
        place.server.start()
    assert not ledger.contains("1.0")
    assert numbered(ledger, 2).position == 1
    assert place.sound() == 2


def test_a_server_that_says_nothing_is_an_error_within_a_bound(place, ledger, store, monkeypatch):
    """A frozen machine must not hang every request."""
    stopped: list[int] = []

    def freeze(backend: int) -> None:
        os.kill(backend, signal.SIGSTOP)
        stopped.append(backend)

    store.meanwhile = freeze
    monkeypatch.setattr(postgres_connection.Connection, "answer_seconds", 0.2)
    try:
        with pytest.raises(LedgerUnavailable, match="in time"):
            numbered(ledger, 1)
    finally:
        for backend in stopped:
            os.kill(backend, signal.SIGCONT)
    monkeypatch.undo()
    store.meanwhile = lambda backend: None
    there = ledger.contains("1.0")
    assert place.sound() == (2 if there else 1)


def test_a_writer_that_froze_lets_the_others_go_on(place, ledger, monkeypatch):
    """Its transaction, and with it the head, is taken from it."""
    monkeypatch.setattr(postgres, "IDLE_SECONDS", 0.2)
    frozen = WatchedStore(place.dsn())
    frozen.meanwhile = lambda backend: place.server.wait_for(
        f"SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}", 0
    )
    with pytest.raises(LedgerUnavailable):
        numbered(writer.Ledger(frozen, place.key()), 1)
    assert numbered(ledger, 2).position == 1
    assert place.sound() == 2


@pytest.mark.parametrize(("name", "value"), [("fsync", "off"), ("full_page_writes", "off")])
def test_unsafe_settings_refuse_the_start_and_each_commit(place, ledger, store, name, value):
    """A power failure would take back what was acknowledged. A reload can turn them off at any time."""
    with place.server.configured(**{name: value}):
        with pytest.raises(LedgerUnavailable, match=f"{name}=off"):
            place.store().meta()
        wait_for_setting(store, name, value)
        with pytest.raises(LedgerUnavailable, match=f"{name}=off"):
            numbered(ledger, 1)
    wait_for_setting(store, name, "on")
    assert numbered(ledger, 2).position == 1


def test_a_role_that_commits_lazily_by_default_is_overruled(place, ledger, store):
    """`synchronous_commit=off` of a role or a database loses the last moments in a crash."""
    place.ask("ALTER ROLE gateway SET synchronous_commit = off")
    try:
        ledger.close()
        found: list[str] = []
        store.meanwhile = lambda _: found.extend(store._connection.execute("SHOW synchronous_commit").fetchone())
        numbered(ledger, 1)
    finally:
        place.ask("ALTER ROLE gateway RESET synchronous_commit")
    assert found == ["on"]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("host=nowhere.invalid", "the name of its host is not known here"),
        ("sslmode=perhaps", "says what cannot be"),
        ("host=/nowhere", "so it is down, or elsewhere"),
        ("host=127.0.0.1 port=1", "so it is down, or elsewhere"),
    ],
)
def test_a_connection_string_that_leads_nowhere_is_told_without_being_quoted(place, part, words):
    """No log of a server could say why."""
    with pytest.raises(LedgerUnavailable, match=words) as refused:
        role_of(Dsn(f"{place.dsn().text} {part}"))
    assert part.partition("=")[2] not in str(refused.value)


@pytest.mark.parametrize(
    ("sql", "undo", "words"),
    [
        ("CONNECTION LIMIT 0", "CONNECTION LIMIT -1", "no connection left"),
        ("NOLOGIN", "LOGIN", "its role may not log in"),
    ],
)
def test_a_server_that_lets_nobody_in_is_told_with_its_reason(place, ledger, sql, undo, words):
    """A server that is full, and one that is down, are mended by different people."""
    ledger.close()
    place.ask(f"ALTER ROLE gateway {sql}")
    try:
        with pytest.raises(LedgerUnavailable, match=words):
            numbered(ledger, 1)
    finally:
        place.ask(f"ALTER ROLE gateway {undo}")
    numbered(ledger, 2)


def test_tables_are_a_ledger_s_also_to_a_role_that_quotes_all_names(place, store):
    """A setting of how PostgreSQL prints names made of a sound ledger a broken one, at a verify and a start."""
    place.ask("ALTER ROLE gateway SET quote_all_identifiers = on")
    try:
        store.close()
        store.meta()
        with reading(place.dsn()) as view:
            view.check_tables()
    finally:
        place.ask("ALTER ROLE gateway RESET quote_all_identifiers")


@pytest.fixture(params=["notice", "error"])
def told_from(request, place, ledger) -> Iterator[None]:
    """What the role is told by default: from this severity on."""
    place.ask(f"ALTER ROLE gateway SET client_min_messages = {request.param}")
    ledger.close()
    yield
    place.ask("ALTER ROLE gateway RESET client_min_messages")


@pytest.mark.usefixtures("told_from")
def test_a_commit_that_no_standby_confirmed_is_refused_though_it_is_there(place, ledger, store):
    """PostgreSQL calls it a success with a warning when the wait is cut short; a failover could lose it."""
    numbered(ledger, 0)
    backends: list[int] = []
    store.meanwhile = backends.append
    with place.server.configured(synchronous_standby_names="nobody"):
        wait_for_setting(store, "synchronous_standby_names", "nobody")
        refused: list[LedgerUnavailable] = []
        thread = threading.Thread(target=_refused, args=(ledger, 1, refused))
        thread.start()
        place.server.wait_for("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", 1)
        place.ask(f"SELECT pg_cancel_backend({backends[0]})")
        thread.join()
    assert "standby" in str(refused[0])
    wait_for_setting(store, "synchronous_standby_names", "")
    assert ledger.contains("1.0")
    assert numbered(ledger, 2).position == 3
    assert place.sound() == 4


@pytest.mark.parametrize(
    ("host", "until", "file", "words"),
    [
        ("127.0.0.1", DAY, "absent", "missing or unreadable"),
        ("127.0.0.1", DAY, "another", "not of an authority"),
        ("127.0.0.1", -DAY / 2, "its own", "or not of now"),
        ("localhost", DAY, "its own", "for another name"),
    ],
)
def test_a_certificate_that_is_not_good_is_told(place, tmp_path, host, until, file, words):
    """It is we who hang up: the server's own log says little of it, and of the first nothing."""
    authority = Authority("its own", tmp_path)
    folder, pem, key = place.server.folder, *authority.signed("server", until=until)
    for name, text in (("server.pem", pem), ("server.key", key)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
        shutil.chown(folder / name, folder.owner(), folder.group())
    (tmp_path / "its own").write_text(authority.pem)
    (tmp_path / "another").write_text(Authority("another", tmp_path).pem)
    place_of_it = f"host={host} hostaddr=127.0.0.1 port={place.server.port} dbname={DATABASE} user=gateway password=x"
    named = {"ssl_cert_file": folder / "server.pem", "ssl_key_file": folder / "server.key"}
    with place.server.configured(ssl="on", **named), pytest.raises(LedgerUnavailable, match=words):
        role_of(Dsn(f"{place_of_it} sslrootcert='{tmp_path / file}'"))


def test_what_somebody_else_prepared_is_the_work_of_a_pooler(place, ledger, store):
    """In `transaction` mode the server's session is another client's a moment later. No record was touched."""
    numbered(ledger, 1)
    store._connection.pgconn.exec_(b"DEALLOCATE ALL")
    with pytest.raises(LedgerUnavailable, match="a pooler between"):
        numbered(ledger, 2)
    ledger.close()
    assert numbered(ledger, 3).position == 2


def test_a_server_that_takes_no_writes_refuses(place, ledger, store):
    """As a standby does, or a server before its failover. Its own log says nothing of it, so the sentence does."""
    with place.server.configured(default_transaction_read_only="on"):
        wait_for_setting(store, "default_transaction_read_only", "on")
        ledger.close()
        with pytest.raises(LedgerUnavailable, match="it takes no writes"):
            numbered(ledger, 1)
    assert numbered(ledger, 2).position == 1


def test_a_full_disk_refuses_and_a_freed_one_goes_on(place, ledger, store):
    """PostgreSQL says so before anything is committed. A trigger stands for the disk."""
    place.edit(
        "CREATE FUNCTION ledger.full() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END$$"
    )
    place.edit("CREATE TRIGGER disk BEFORE INSERT ON ledger.records EXECUTE FUNCTION ledger.full()")
    with pytest.raises(LedgerUnavailable, match="DiskFull"):
        numbered(ledger, 1)
    place.edit("DROP TRIGGER disk ON ledger.records")
    assert numbered(ledger, 2).position == 1
    assert place.sound() == 2


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE ledger.head SET edge = '\\x00'", "edge"),
        ("UPDATE ledger.head SET size = 2, edge = edge || edge", "edge|checkpoint|saw"),
        ("DELETE FROM ledger.head", "no head"),
        ("DROP TABLE ledger.records", "UndefinedTable"),
        ("INSERT INTO ledger.records (position, header) VALUES (1, '')", "UniqueViolation"),
        ("CREATE RULE lost AS ON INSERT TO ledger.records DO INSTEAD NOTHING", "FeatureNotSupported"),
        (
            "CREATE FUNCTION ledger.lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            " CREATE TRIGGER lost BEFORE INSERT ON ledger.records FOR EACH ROW EXECUTE FUNCTION ledger.lose()",
            "did not take",
        ),
    ],
)
def test_a_head_that_cannot_be_continued_closes_the_ledger(place, ledger, sql, words):
    """And it stays closed for this process."""
    place.edit(sql)
    for _ in range(2):
        with pytest.raises(LedgerBroken, match=words):
            numbered(ledger, 1)


def test_a_head_behind_one_that_was_seen_closes_the_ledger(place, ledger):
    """A standby that lagged was made the primary: what was released since would have no record."""
    ((size, edge, note),) = place.ask("SELECT size, edge, checkpoint FROM ledger.head")
    numbered(ledger, 1)
    place.edit("DELETE FROM ledger.records WHERE position = 1")
    place.edit("UPDATE ledger.head SET size = %s, edge = %s, checkpoint = %s", (size, edge, note))
    assert place.sound() == 1
    with pytest.raises(LedgerBroken, match="at 1, but this process saw one at 2"):
        numbered(ledger, 2)


def test_another_server_with_a_longer_history_is_not_gone_on_with(place, ledger):
    """The one that was left behind, and went on: that has a good head, and lacks what was acknowledged elsewhere."""
    tables = ("head", "records", "tiles")
    place.ask("; ".join(f"CREATE TABLE older_{name} AS TABLE ledger.{name}" for name in tables))
    numbered(ledger, 1)
    for name in tables:
        place.edit(f"DELETE FROM ledger.{name}")
        place.edit(f"INSERT INTO ledger.{name} TABLE older_{name}")
    left_behind = place.open()
    for number in range(3):
        numbered(left_behind, number)
    left_behind.close()
    place.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{GATEWAY}'")
    for _ in range(2):
        with pytest.raises(LedgerBroken, match="record 1 is not the one that this process wrote"):
            numbered(ledger, 2)
    assert place.sound() == 4


def test_a_server_that_has_all_is_gone_on_with(place, ledger):
    """A standby that took over, say; others may have written there before."""
    other = place.open()
    for number in range(3):
        place.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{GATEWAY}'")
        numbered(other, number)
        numbered(ledger, number)
    other.close()
    assert place.sound() == 7


def test_a_connection_from_before_an_unseen_fork_is_left_to_the_parent(place, ledger):
    """A library that forks in C runs no hook of ours: the child says nothing over it, not even good-bye."""
    store = place.store()
    meta = store.meta()
    backend = store._connection.info.backend_pid
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert store.meta() == meta
            assert store._connection.info.backend_pid != backend
            store.close()
            del store
            gc.collect()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.meta() == meta
    assert store._connection.info.backend_pid == backend
    store.close()


def test_two_writers_in_one_process_share_the_sequence(place, ledger):
    """As two machines do; each checks the other's signature."""
    other = place.open()
    assert [numbered(opened, 9).position for opened in (other, ledger, other, other, ledger)] == [1, 2, 3, 4, 5]
    other.check_start()
    other.close()
    assert place.sound() == 6
