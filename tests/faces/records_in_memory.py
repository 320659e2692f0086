"""A ledger in memory, for tests that make thousands of attempts: they are not worth as many commits to a disk."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from plugin.app import create_app
from plugin.recorder import Recorder
from tests.world import World


class Records:
    """What `Recorder` needs of a ledger."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def append(self, body: dict[str, Any], *, tenant: str, retention_class: str) -> None:
        self.bodies.append(orjson.loads(orjson.dumps(body)))

    def observe(self, on_commit: Callable[[int, float], None]) -> None:
        """Nothing is committed here."""

    def contains(self, record: str) -> bool:
        return any(body.get("record") == record for body in self.bodies)


def with_records_in_memory(world: World) -> Records:
    """From now on `world.ask` is recorded here."""
    records = Records()
    recorder = Recorder(records, {"base": "", "version": "", "policies": ""})  # type: ignore[arg-type]
    gateway = replace(world.assembled.gateway, recorder=recorder)
    world.client = create_app(replace(world.assembled, gateway=gateway)).test_client()
    return records
