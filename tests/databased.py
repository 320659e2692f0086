"""A deployment whose ledger is in PostgreSQL: the same folder and commands, another `[ledger]`."""

from datetime import datetime
from pathlib import Path

from click.testing import CliRunner, Result

from plugin.cli import main
from plugin.cli.failure import CANNOT
from plugin.ledger import writer
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.postgres import PostgresStore
from plugin.ledger.postgres_connection import Dsn
from plugin.ledger.reader import Reader
from plugin.places import place_of
from plugin.settings.document import Settings
from plugin.settings.file import load
from tests.deployed.deployment import Deployment
from tests.deployed.neighbours import Neighbours
from tests.postgres_server import DATABASE, GATEWAY, OWNER, PURGE, Server, shared_server

TABLE = """
[ledger]
dsn_file = "secrets/gateway.dsn"
purge_dsn_file = "secrets/purge.dsn"
sinks = [{ kind = "file", path = "elsewhere/checkpoints" }]

[ledger.retention]
consultation = "1-year"
"""


class DatabaseDeployment(Deployment):
    """See Deployment. It takes the place of the ledger before, as there is one database of the test run."""

    server: Server

    def __init__(self, folder: Path, neighbours: Neighbours, *, workers: int = 1, table: str = TABLE) -> None:
        super().__init__(folder, neighbours, workers=workers, feeds=table)
        self.server = shared_server()
        self.server.empty()
        (folder / "secrets").mkdir(mode=0o700)
        (folder / "elsewhere").mkdir(mode=0o700)
        for name, role in (("gateway", GATEWAY), ("purge", PURGE), ("owner", OWNER)):
            self.secret(name, self.server.dsn(DATABASE, role))

    def secret(self, name: str, dsn: str) -> Path:
        """Write a file of a connection string, for its owner only."""
        file = self.folder / "secrets" / f"{name}.dsn"
        file.touch(0o600)
        file.write_text(dsn + "\n")
        return file

    @property
    def settings(self) -> Settings:
        return load(self.path)

    @property
    def ledger(self):
        """What opens a view, for `bodies`."""
        return place_of(self.settings).view

    @property
    def reader(self) -> Reader:
        return Reader(self.ledger)

    def do(self, *arguments: str) -> Result:
        """A command in this process, which is quicker; what went wrong besides exit codes is raised.

        But for `serve`, which must not begin here: it forks, and makes its process ready for that.
        """
        if arguments == ("serve",):
            return self._refused_to_serve()
        done = CliRunner().invoke(main, ["--config", str(self.path), *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done

    def _refused_to_serve(self) -> Result:
        done = self.run("serve", code=CANNOT)
        return Result(CliRunner(), done.stdout, done.stderr, done.stdout + done.stderr, None, done.returncode, None)

    def prepare(self) -> "DatabaseDeployment":
        """See Deployment.prepare."""
        assert self.do("config", "init").exit_code == 0
        done = self.do("audit", "init", "--owner-dsn-file", str(self.folder / "secrets" / "owner.dsn"))
        assert done.exit_code == 0, done.output
        self.vkey = done.stdout.strip()
        return self

    def append(self, *bodies: dict[str, object], at: datetime) -> None:
        """Records of clinicians, as if at another time."""
        key = SigningKey(self.reader.meta().origin, load_private_key(self.settings.ledger.key_file))
        ledger = writer.Ledger(PostgresStore(Dsn(self.server.dsn(DATABASE, GATEWAY))), key, clock=lambda: at)
        for body in bodies:
            ledger.append(body, tenant="hospital", retention_class="consultation")
        ledger.close()
