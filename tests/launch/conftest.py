"""What the launch tests share."""

from pathlib import Path

import pytest

from tests.launch.launching import LaunchWorld


@pytest.fixture
def launching(tmp_path: Path) -> LaunchWorld:
    """A hospital whose EHR launches the viewer."""
    return LaunchWorld(tmp_path)
