"""A pretend issuer, a clock that stands, and an Identifier that trusts the one and reads the other."""

import pytest

from plugin.authentication.identify import Identifier
from tests.authentication.pretend_issuer import Clock, PretendIssuer, identifier, settings


@pytest.fixture
def server() -> PretendIssuer:
    return PretendIssuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(server: PretendIssuer, clock: Clock) -> Identifier:
    return identifier(settings(), server, clock)
