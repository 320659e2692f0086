"""HAPI FHIR's JPA server, empty or loaded with sample data."""

import json
from pathlib import Path
from typing import Any

from tests.deployed.deployment import SAMPLES
from tests.interop.programs import Program, command, installed

HEAP = "-Xmx512m"
"""It runs in less than half of that; a machine that tests has several such servers at once."""


class Hapi(Program):
    """A server with its base at `/fhir`."""

    def __init__(self, log: Path) -> None:
        java = command("java")
        folder = installed("hapi", "target/classes/Main.class", "target/lib")
        options = [HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", "target/classes:target/lib/*"]
        self._smart = log.with_suffix(".smart.json")
        super().__init__(
            lambda port: [java, *options, "Main", str(port), str(self._smart)],
            log,
            ready="/fhir/metadata",
            folder=folder,
        )

    @property
    def base(self) -> str:
        return f"{self.origin}/fhir"

    def forget(self) -> None:
        """Drop all searches, and with them what page links lead to."""
        assert self.ask("GET", "/forget").status == 200

    def launches_by(self, configuration: dict[str, Any]) -> None:
        """From now on `.well-known/smart-configuration` is this."""
        self._smart.write_text(json.dumps(configuration))

    def versions(self) -> list[str]:
        """Every version of every resource: what anybody creates, changes or deletes is one more."""
        self.forget()
        found, path = [], "/fhir/_history?_count=50"
        while path:
            bundle = self.ask("GET", path, headers={"Cache-Control": "no-cache"}).json
            for entry in bundle.get("entry", []):
                found.append(f"{entry['request']['method']} {entry['request']['url']} {entry['response']['etag']}")
            following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
            path = following[0].removeprefix(self.origin) if following else ""
        return sorted(found)

    def load(self, *resources: dict[str, Any]) -> None:
        """In one transaction, under their own ids."""
        entries = [
            {
                "fullUrl": f"https://source.example/{each['resourceType']}/{each['id']}",
                "resource": each,
                "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"},
            }
            for each in resources
        ]
        said = self.ask("POST", "/fhir", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
        assert said.status == 200, said.body[:2_000]


def samples(folder: str) -> list[dict[str, Any]]:
    """Every resource of a folder of sample data."""
    return [
        entry["resource"]
        for path in sorted((SAMPLES / folder).glob("*.json"))
        for entry in json.loads(path.read_bytes())["entry"]
    ]
