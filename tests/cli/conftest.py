"""Commands in this process, on a folder of their own."""

import pytest

from tests.deployed.deployment import SAMPLES, Deployment
from tests.deployed.neighbours import Neighbours


@pytest.fixture(scope="session")
def around():
    neighbours = Neighbours(SAMPLES)
    yield neighbours
    neighbours.close()


@pytest.fixture
def place(tmp_path, around):
    """A folder with configuration, keys and ledger."""
    return Deployment(tmp_path, around).prepare()
