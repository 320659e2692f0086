"""What is measured must still be the gateway: builds that exist only in a benchmark follow what they replace."""

import re
from pathlib import Path

import pytest

from benchmarks import without_record
from plugin.cli.given import CONFIG_VARIABLE
from tests.world import World


def test_the_build_without_a_record_refuses_strangers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be made from the parts of today, and lets in nobody that the gateway would not."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(world.folder / "vitrine.toml"))
    answer = without_record.application().test_client().get("/fhir/city-lab/Observation?patient=p1")
    assert answer.status_code == 401


def test_what_is_measured_leans_on_no_test() -> None:
    """What both need lies beneath both, in the demonstration or the gateway; a test may run a benchmark."""
    sources = sorted(Path(without_record.__file__).parent.glob("*.py"))
    leaning = [each.name for each in sources if re.search(r"^\s*(from|import) tests\b", each.read_text(), re.MULTILINE)]
    assert sources
    assert leaning == []
