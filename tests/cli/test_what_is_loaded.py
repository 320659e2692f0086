"""A process loads what it needs: a worker no command, an embedded ledger no driver of a database."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from plugin import places
from plugin.cli import NOUNS, main
from plugin.settings.errors import SettingsError
from plugin.settings.file import load
from tests.world import CONFIGURATION

DRIVER = "psycopg"


def test_every_noun_has_its_command_and_help() -> None:
    """Each is loaded when it is typed, so that a wrong name would show only then."""
    told = CliRunner().invoke(main, ["--help"]).output
    for noun in NOUNS:
        assert f"\n  {noun} " in told
        assert CliRunner().invoke(main, [noun, "--help"]).exit_code == 0


def test_a_worker_is_forked_from_what_it_needs_and_nothing_that_must_not_be_shared() -> None:
    """Each command and driver costs memory in every worker, and time at every start; a thread, a file that is open or a
    connection would be copied into each.
    """
    script = f"""if True:
        import os, sys
        before = set(os.listdir("/proc/self/fd"))
        import plugin.cli.supervise
        assert len(os.listdir("/proc/self/task")) == 1
        assert set(os.listdir("/proc/self/fd")) == before
        assert not {{'{DRIVER}', 'plugin.cli.audit'}} & set(sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=120).returncode == 0


def test_a_ledger_in_postgresql_without_its_driver_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver comes with an extra of the package, which an embedded ledger does without."""
    for name in [each for each in sys.modules if each.partition(".")[0] == DRIVER or "postgres" in each]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("plugin.database_places", "plugin.ledger.database_origin", "plugin.ledger.database_place"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, DRIVER, None)
    file = tmp_path / "ledger.dsn"
    file.write_text("host=db.example")
    file.chmod(0o600)
    configuration = tmp_path / "vitrine.toml"
    configuration.write_text(f'{CONFIGURATION}\n[ledger]\ndsn_file = "{file.name}"\n')
    with pytest.raises(SettingsError, match=r"needs psycopg.*fhir-vitrine\[postgresql\]"):
        places.place_of(load(configuration))
