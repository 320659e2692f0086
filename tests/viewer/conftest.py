"""A clinician in front of the pages."""

from pathlib import Path

import pytest

from tests.viewer.clinic import Clinic


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    """With a view open, for treatment."""
    return Clinic(tmp_path)
