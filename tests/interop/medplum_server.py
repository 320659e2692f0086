"""Medplum's FHIR router on its memory repository."""

from pathlib import Path
from typing import Any

from tests.interop.programs import HERE, Program, command, installed


class Medplum(Program):
    """A server with its base at `/fhir`, which answers in habits of its own: no link, no fullUrl, any parameter."""

    def __init__(self, log: Path) -> None:
        node = command("node")
        folder = installed("node", "node_modules/@medplum/fhir-router")
        script = HERE / "medplum" / "server.mjs"
        super().__init__(lambda port: [node, str(script), str(folder), str(port)], log, ready="/fhir/Patient")

    @property
    def base(self) -> str:
        return f"{self.origin}/fhir"

    def load(self, *resources: dict[str, Any]) -> None:
        """One by one, under their own ids: a transaction would give new ones."""
        for each in resources:
            said = self.ask("PUT", f"/fhir/{each['resourceType']}/{each['id']}", each)
            assert said.status == 200, said.body[:2_000]
