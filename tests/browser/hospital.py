"""The demonstration as a newcomer runs it, in this process but for the gateway; its feeds can be stopped and slowed."""

import contextlib
import hashlib
import json
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask, request

from demo.addresses import Addresses
from demo.configuration import fresh_folder, write_configuration
from demo.gateway import Vitrine, wait_until_ready
from demo.hospital import FEEDS, build_hospital
from demo.servers import serving

SAMPLES = Path(__file__).resolve().parents[2] / "sample_fhir"

RULES = """
@id("demo-emergency")
@en("In an emergency a professional may look.")
@fr("En urgence, un professionnel peut consulter.")
permit (principal, action in Action::"consult", resource)
when { context has purpose && context.purpose == "BTG" && context.break_glass && context.delivery == "rendered" };
"""


@dataclass
class Town:
    """A hospital, its feeds, and the gateway between them."""

    addresses: Addresses
    vitrine: Vitrine
    patients: list[str]
    delays: dict[str, float] = field(default_factory=dict)
    """Feed -> seconds before it answers."""
    down: set[str] = field(default_factory=set)
    """Feeds that answer 503."""
    asked_of_ehr: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request to the EHR's FHIR base."""

    def records(self) -> list[dict[str, Any]]:
        """The body of every record."""
        told = self.vitrine.run("audit", "list", "--reason", "test", "--format", "ndjson")
        return [json.loads(line)["body"] for line in told.splitlines()]

    def store(self) -> str:
        """A digest of everything that the EHR stores."""
        whole = hashlib.sha256()
        for path in sorted((SAMPLES / "ehr").rglob("*")):
            if path.is_file():
                whole.update(path.name.encode() + path.read_bytes())
        return whole.hexdigest()


@contextlib.contextmanager
def town(folder: Path) -> Iterator[Town]:
    """Everything started."""
    addresses = Addresses.free(_bases())
    hospital = build_hospital(addresses, SAMPLES)
    state = folder / "demo"
    fresh_folder(state)
    configuration = write_configuration(state, addresses, hospital.credentials)
    (state / "rules").mkdir()
    (state / "rules" / "emergency.cedar").write_text(RULES, encoding="utf-8")
    with configuration.open("a", encoding="utf-8") as file:
        file.write('\n[policies]\ndirectory = "rules"\nunlabelled_documents = "show"\n')
    vitrine = Vitrine(configuration)
    running = Town(addresses, vitrine, [each.id for each in hospital.patients])
    ports = {addresses.ports[f"the feed {name}"]: name for name in FEEDS}
    with contextlib.ExitStack() as stack:
        for app, port in hospital.servers:
            if port in ports:
                _hinder(app, ports[port], running)
            elif port == addresses.ports["the pretend EHR"]:
                _watch(app, running)
            stack.enter_context(serving(app, port))
        vitrine.prepare()
        log = state / "gateway.log"
        process = stack.enter_context(vitrine.serving(log))
        wait_until_ready(process, addresses.ops, log)
        yield running


def _hinder(app: Flask, name: str, running: Town) -> None:
    @app.before_request
    def hinder() -> tuple[str, int] | None:
        time.sleep(running.delays.get(name, 0))
        return ("", 503) if name in running.down else None


def _watch(app: Flask, running: Town) -> None:
    @app.before_request
    def watch() -> None:
        if request.path.startswith("/fhir"):
            running.asked_of_ehr.append((request.method, request.path))


def _bases() -> Iterable[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        first = 20_000 + probe.getsockname()[1] % 20_000
    return range(first, first + 2_000, 20)
