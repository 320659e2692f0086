"""A clinician's browser, Debian's Chromium, in front of the running demonstration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.hospital import Town, town


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The running demonstration, at a site that permits emergency access."""
    with town(tmp_path_factory.mktemp("town")) as running:
        yield running


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    source = Path(__file__).resolve().parents[2] / ".cache" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        pytest.skip("axe-core is not there: run tests/browser/axe/install (it needs npm)")
    return source.read_text(encoding="utf-8")
