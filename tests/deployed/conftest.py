"""One set of neighbours for all; one running gateway for each module."""

import pytest

from tests.deployed.deployment import SAMPLES, Deployment
from tests.deployed.neighbours import Neighbours


@pytest.fixture(scope="session")
def neighbours():
    around = Neighbours(SAMPLES)
    yield around
    around.close()


@pytest.fixture
def deployment(tmp_path, neighbours):
    """Keys and ledger made; not yet serving."""
    made = Deployment(tmp_path, neighbours).prepare()
    yield made
    made.end()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, neighbours):
    """A gateway that serves, for tests that leave it as they found it."""
    made = Deployment(tmp_path_factory.mktemp("gateway"), neighbours)
    try:
        yield made.prepare().start()
    finally:
        made.end()
