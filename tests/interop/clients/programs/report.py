"""What a program prints: one JSON object, a member for each step, with what the client gave or what it threw."""

import json
import sys
from collections.abc import Callable
from typing import Any

PATIENT = "ehr-1001"
BASE, TOKEN = sys.argv[1:3]
RESULT = {"resourceType": "Observation", "status": "final", "code": {"text": "forged"}}

_steps: dict[str, Any] = {}


def step(name: str, work: Callable[[], Any], told: Callable[[Exception], Any] = str) -> None:
    """Do one thing with a client, and keep what comes of it: whatever the client throws is what this is about."""
    try:
        _steps[name] = {"gave": work()}
    except Exception as error:  # noqa: BLE001  (which one it is, is the finding)
        _steps[name] = {"threw": type(error).__name__, "told": told(error)}


def report() -> None:
    print(json.dumps(_steps))  # noqa: T201  (a program's output)
