"""What several rooms' tests share."""

from pathlib import Path

import pytest

from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A hospital, two feeds and the gateway between them."""
    return World(tmp_path)
