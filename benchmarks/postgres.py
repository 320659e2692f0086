"""A PostgreSQL server that exists only while a benchmark runs, on a socket in a temporary folder, and a ledger in it.

Its settings are PostgreSQL's own, so that a commit is as durable as a site's; statistics are taken when they are asked
for.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from plugin.ledger import origin, postgres_schema
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.postgres import PostgresStore
from plugin.ledger.postgres_connection import Dsn

START_SECONDS = 60
OWNER, GATEWAY, PURGE = "keeper", "gateway", "purge"
_DEBIAN = Path("/usr/lib/postgresql")
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
"""PostgreSQL refuses to run as root."""


class Database:
    """A ledger in the running server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.dsn = self._dsn(GATEWAY)
        for role in (OWNER, GATEWAY, PURGE):
            self.execute(f"CREATE ROLE {role} LOGIN")
        self.execute(f"GRANT CREATE ON DATABASE postgres TO {OWNER}")

    def _dsn(self, role: str) -> Dsn:
        return Dsn(f"host={self._folder} dbname=postgres user={role} sslmode=disable")

    def execute(self, statement: str) -> None:
        """Say something as the superuser."""
        with psycopg.connect(self._dsn("controller").text, autocommit=True) as connection:
            connection.execute(statement)

    def new(self) -> tuple[PostgresStore, SigningKey]:
        """A new, empty ledger in the place of the one before."""
        self.execute("DROP SCHEMA IF EXISTS ledger CASCADE")
        key_path = Path(tempfile.mkdtemp(dir=self._folder)) / "checkpoint.key"
        name = origin.new_origin("bench.example")
        owner = self._dsn(OWNER)
        origin.begin(
            lambda meta, head: postgres_schema.make(owner, meta, head, gateway=GATEWAY, purge=PURGE), key_path, name
        )
        return PostgresStore(self.dsn), SigningKey(name, load_private_key(key_path))


@contextmanager
def running() -> Iterator[Database | None]:
    """A server; None where PostgreSQL is not installed."""
    programs = found_programs()
    if programs is None:
        yield None
        return
    user = NOBODY if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, "nobody", "nogroup")
        data = folder / "data"
        made = [*user, programs / "initdb", "-D", data, "-U", "controller", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(made, check=True, capture_output=True)
        command = [*user, programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(folder)
            yield Database(folder)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def found_programs() -> Path | None:
    """The folder of `initdb` and `postgres`; Debian keeps it out of PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return next((each for each in sorted(_DEBIAN.glob("*/bin"), reverse=True) if (each / "initdb").exists()), None)


def _wait(folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(f"host={folder} dbname=postgres user=controller").close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
