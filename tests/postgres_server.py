"""A PostgreSQL server of the tests' own: made new, on loopback and a socket in a temporary folder, ended by its pid.

Tests that want one skip with a sentence where PostgreSQL is not installed; `tests/conftest.py` makes that skip a
failure under CI=true.
"""

import atexit
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.postgres import NOBODY, found_programs
from plugin.ledger import checkpoint, postgres_schema, writer
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.key import SigningKey
from plugin.ledger.merkle import Edge, leaf_hash
from plugin.ledger.postgres import PostgresStore, reading
from plugin.ledger.postgres_connection import Dsn
from plugin.ledger.record import flaw
from plugin.ledger.store import FORMAT, Head, Meta

WAIT_SECONDS = 60
"""For a server to start or stop, on a machine that is busy with other tests."""
SUPERUSER = "controller"
"""Neither `postgres` nor the name of whoever runs the tests: no DSN works by accident."""
OWNER, GATEWAY, PURGE = "keeper", "gateway", "purge"
"""Roles: who made the tables, who appends, who empties bodies."""
DATABASE = "ledger"
_SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 40
shared_buffers = 32MB
autovacuum = off
log_min_messages = fatal
"""
_HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


def _programs() -> Path:
    """The folder of `initdb` and `postgres`."""
    return found_programs() or pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")


class Server:
    """One cluster and its process."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._as_nobody = NOBODY if os.geteuid() == 0 else ()
        self.folder = Path(tempfile.mkdtemp(prefix="vitrine-pg-"))
        if self._as_nobody:
            shutil.chown(self.folder, "nobody", "nogroup")
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", self._data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS)
        (self._data / "pg_hba.conf").write_text(_HBA)
        self.port = _free_port()
        self.start()

    def start(self, **settings: str) -> None:
        """Start the server, and wait until it takes connections."""
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = (*self._as_nobody, self._programs / "postgres", "-D", self._data, "-k", self.folder)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, "-p", str(self.port), *options], stdout=log, stderr=log)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until it takes connections."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                psycopg.connect(self.dsn("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self, backend: int) -> None:
        """End one of the server's processes as `kill -9` does, and wait until the server has recovered from it.

        The server notices a moment later, and until then still takes connections: so one that stands by has to be
        ended by it first.
        """
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as bystander:
            os.kill(backend, signal.SIGKILL)
            _until(lambda: not _answers(bystander))
        self.wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends sessions and shuts down in order; SIGQUIT stops as a power failure would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(WAIT_SECONDS)
            self._process = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, database: str, role: str = SUPERUSER) -> str:
        """By the socket, where nobody is asked for a password."""
        return f"host={self.folder} port={self.port} dbname={database} user={role}"

    def empty(self) -> None:
        """Leave no session and no ledger in the database. To make a new database for each test would be slow."""
        self.execute(
            "postgres",
            f"SELECT pg_terminate_backend(pid, {WAIT_SECONDS}000) FROM pg_stat_activity WHERE datname = '{DATABASE}'",
        )
        self.execute(DATABASE, "SET client_min_messages = warning", "DROP SCHEMA IF EXISTS ledger CASCADE")

    def execute(self, database: str, *statements: str) -> list[tuple]:
        """What the last statement returns, said as superuser."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursors = [connection.execute(statement) for statement in statements]
            return cursors[-1].fetchall() if cursors[-1].description else []

    @contextmanager
    def configured(self, **settings: str) -> Iterator[None]:
        """Change settings of the running server for a moment."""
        self._reload(*(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()))
        try:
            yield
        finally:
            self._reload(*(f"ALTER SYSTEM RESET {name}" for name in settings))

    def wait_for(self, query: str, expected: object) -> None:
        """Until the query returns this one value."""
        _until(lambda: self.execute("postgres", query) == [(expected,)])

    def _reload(self, *statements: str) -> None:
        loaded = "SELECT pg_conf_load_time()"
        before = self.execute("postgres", loaded)
        self.execute("postgres", *statements, "SELECT pg_reload_conf()")
        _until(lambda: self.execute("postgres", loaded) != before)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as_nobody, self._programs / program, *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, timeout=WAIT_SECONDS)


def wait_for_setting(store: PostgresStore, name: str, value: str) -> None:
    """Until the store's own session has read the server's configuration again."""
    _until(lambda: store._connection.execute(f"SHOW {name}").fetchone() == (value,))


def _answers(connection: psycopg.Connection[tuple]) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "the server did not get there"
        time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@functools.cache
def shared_server() -> Server:
    """The server of this test run, started for the first who asks, stopped at its end."""
    server = Server()
    atexit.register(server.remove)
    for role in (OWNER, GATEWAY, PURGE):
        server.execute("postgres", f"CREATE ROLE {role} LOGIN PASSWORD '{role}-secret'")
    server.execute("postgres", f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    return server


@dataclass(frozen=True)
class DatabasePlace:
    """The ledger in the database, and the ways in which tests disturb it."""

    server: Server
    private: bytes

    def dsn(self, role: str = GATEWAY) -> Dsn:
        return Dsn(self.server.dsn(DATABASE, role))

    def store(self) -> PostgresStore:
        return PostgresStore(self.dsn())

    def key(self) -> SigningKey:
        return SigningKey("vitrine.example/ledger/0", Ed25519PrivateKey.from_private_bytes(self.private))

    def open(self) -> writer.Ledger:
        return writer.Ledger(self.store(), self.key())

    def edit(self, sql: str, values: tuple[object, ...] = ()) -> None:
        """Change the database as somebody would who owns the server: without the triggers."""
        with psycopg.connect(self.server.dsn(DATABASE), autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(sql, values)

    def ask(self, sql: str) -> list[tuple]:
        return self.server.execute(DATABASE, sql)

    def sound(self) -> int:
        """How many records there are. Fails unless every record and the head are as they were signed."""
        edge = Edge()
        with reading(self.dsn()) as view:
            view.freeze()
            _, highest = view.bounds()
            for row in view.rows(0, 0 if highest is None else highest + 1):
                assert row[0] == edge.size
                assert flaw(row[0], row[1], row[2], row[3:]) is None
                edge = edge.append(leaf_hash(row[1]))
            head = view.head()
        stated = checkpoint.verify(head.checkpoint, self.key().verifier)
        assert (head.edge, stated.size, stated.root) == (edge, edge.size, edge.root())
        return edge.size


def new_place() -> DatabasePlace:
    """A new, empty ledger on the shared server. It takes the place of the one before."""
    server = shared_server()
    private = Ed25519PrivateKey.generate().private_bytes_raw()
    server.empty()
    place = DatabasePlace(server, private)
    key, edge = place.key(), Edge()
    note = checkpoint.sign(Checkpoint(key.verifier.name, 0, edge.root()), key)
    meta, head = Meta(FORMAT, key.verifier.name, key.verifier.text), Head(edge, note, "2026-11-25T09:00:00.000000Z")
    postgres_schema.make(place.dsn(OWNER), meta, head, gateway=GATEWAY, purge=PURGE)
    return place
