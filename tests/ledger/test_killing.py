"""`kill -9` under load: what was acknowledged is there, and the chain is whole."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from plugin.ledger.reader import Reader
from tests.ledger.killing import acknowledged_in

ROUNDS = 200
HERE = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_when_processes_are_killed(place, tmp_path):
    """Two processes with eight threads each, killed two hundred times; a successor goes on after each."""
    file = tmp_path / "acknowledged"
    command = [sys.executable, "-m", "tests.ledger.killing", place.path, place.key_path, str(ROUNDS), file]
    subprocess.run(command, cwd=HERE, check=True, timeout=880)
    acknowledged = Counter(acknowledged_in(file.read_text()))
    there = Counter(orjson.loads(record.body)["record"] for record in Reader(place.path).records())
    assert len(acknowledged) >= 2 * ROUNDS, "each round has one of its own and the successor's"
    assert not acknowledged - there
    assert max(there.values()) == 1
    report = place.verify()
    assert (report.records, report.problem) == (there.total(), None)
