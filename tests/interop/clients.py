"""Clients that are not ours, each in a small program that uses it: `clients/programs`. It says what the client was
given, and what it was told.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.interop.programs import HERE, command, installed

PROGRAMS = HERE / "clients" / "programs"
PATIENCE = 240.0
"""Seconds for a program that takes three on an idle machine."""

Steps = dict[str, dict[str, Any]]


def run(program: str, folder: Path, *arguments: str) -> Steps:
    """What each step of a program gave, or what its client threw; the test is skipped where it is not installed."""
    interpreter = _javascript(folder) if program.endswith(".mjs") else _python()
    for each in PROGRAMS.iterdir():
        shutil.copy(each, folder)
    done = subprocess.run(
        [interpreter, str(folder / program), *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _javascript(folder: Path) -> str:
    """Node finds packages above the program that imports them."""
    node = command("node")
    packages = installed("javascript", ".installed") / "node_modules"
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(packages)
    return node


def _python() -> str:
    return str(installed("python", ".installed") / "bin" / "python")
