"""A gateway whose people log in at a realm of Keycloak, for each module; which kind of gateway, the module says."""

from collections.abc import Iterator

import pytest

from tests.deployed.neighbours import Neighbours
from tests.interop.keycloak import Keycloak, Realm
from tests.interop.site import Site


@pytest.fixture(scope="module")
def realm(keycloak: Keycloak) -> Realm:
    """Made with the gateway of `site`."""
    return keycloak.realm()


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, neighbours: Neighbours, realm: Realm
) -> Iterator[Site]:
    """As the `prepared` of the module makes it."""
    made: Site = request.module.prepared(tmp_path_factory.mktemp("site"), neighbours, realm)
    try:
        yield made.start()
    finally:
        made.end()
