"""The direction of imports is a guard; these tests see it bite."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")

BREACHES = {
    "a face reaches for a feed's registry": ("plugin/faces/facade/bundle.py", "import fhir_adapters.registry"),
    "a face writes to the ledger": ("plugin/faces/facade/bundle.py", "import plugin.ledger.writer"),
    "a feed knows a rule": ("fhir_adapters/fhir_rest.py", "import policies.labels"),
    "a rule knows a feed": ("policies/labels.py", "import fhir_adapters.interface"),
    "the ledger knows an event": ("plugin/ledger/record.py", "import plugin.event"),
    "the gateway knows Flask": ("plugin/consultation/gateway.py", "import flask"),
    "a step imports another": ("plugin/consultation/release.py", "import plugin.consultation.fetch"),
    "authentication knows the gateway": ("plugin/authentication/claims.py", "import plugin.consultation.gateway"),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The three packages and the contracts, to be broken."""
    for package in ("plugin", "fhir_adapters", "policies"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [str(LINT), "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_house_as_it_stands_keeps_its_contracts(copy: Path) -> None:
    """Otherwise a red below would prove nothing."""
    result = lint(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_a_planted_breach_is_seen(copy: Path, breach: str) -> None:
    """A contract that names too little passes everything."""
    place, statement = BREACHES[breach]
    file = copy / place
    file.write_text(file.read_text() + f"\n{statement}\n")
    assert lint(copy).returncode == 1
