"""`vitrine audit upgrade`: one command, one sentence, one record."""

import apsw
import orjson
import pytest
from click.testing import CliRunner

from plugin.cli import main
from plugin.ledger.reader import Reader
from plugin.ledger.store import FORMAT


def run(world, *arguments):
    return CliRunner().invoke(main, ["--config", str(world.folder / "vitrine.toml"), *arguments])


@pytest.fixture
def older(world):
    connection = apsw.Connection(str(world.settings.ledger.path))
    connection.execute("DROP INDEX records_by_action; DROP INDEX records_by_time; UPDATE meta SET format = 1")
    connection.close()
    return world


def test_an_older_ledger_is_upgraded_with_a_record_of_who_and_why(older):
    """Then the gateway starts again; asked twice, the command has nothing to do."""
    refused = run(older, "config", "check")
    assert refused.exit_code == 1
    assert "`vitrine audit upgrade`" in refused.stderr
    done = run(older, "audit", "upgrade", "--reason", "version 2")
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    reader = Reader(older.settings.ledger.path)
    body = orjson.loads(list(reader.records())[-1].body)
    assert (body["action"], body["upgraded"]) == (
        "ledger:upgraded",
        {"reason": "version 2", "before": 1, "after": FORMAT},
    )
    assert body["person"]["kind"] == "operator"
    assert run(older, "audit", "verify").exit_code == 0
    size = reader.head().size
    again = run(older, "audit", "upgrade", "--reason", "version 2")
    assert (again.exit_code, reader.head().size) == (0, size)
    assert "already" in again.stderr


def test_an_upgrade_says_why(older):
    """It is recorded."""
    assert run(older, "audit", "upgrade", "--reason", " ").exit_code == 2
    assert run(older, "audit", "upgrade").exit_code == 2
