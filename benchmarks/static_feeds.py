"""The demonstration with feeds that cost next to nothing: each answer is made once, and comes after a fixed delay.

`python -m benchmarks.static_feeds --port-base N --state DIR --delay SECONDS [--late FEED SECONDS …]` runs the pretend
EHR, its authorization server and the gateway as `demo.run` does, and prints READY. What a page takes beyond the delays
is then the gateway's.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from flask import Flask

from benchmarks.static_server import Connection, written
from demo.addresses import HOST, Addresses
from demo.configuration import fresh_folder, write_configuration
from demo.gateway import Vitrine, wait_until_ready
from demo.hospital import FEEDS, build_hospital
from demo.run import SAMPLES
from demo.servers import serving

READY = "ready"
QUESTIONS = "/questions"
"""At each feed: what it was asked since it was asked this last, as JSON: [seconds, seconds, target], when each question
came and when its answer left."""


@dataclass
class Answers:
    """What one feed answers to each target: its application's answer to whoever asked first, with a good credential."""

    app: Flask
    base: str
    delay: float
    made: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[float, float, str]] = field(default_factory=list)

    def to(self, target: str, head: bytes) -> tuple[bytes, float]:
        """See `static_server.Answers`."""
        if target == QUESTIONS:
            told, self.asked = orjson.dumps(self.asked), []
            return written(200, "application/json", told), 0.0
        now = time.monotonic()
        self.asked.append((now, now + self.delay, target))
        known = self.made.get(target)
        if known is None:
            found = self.app.test_client().get(target, base_url=self.base, headers=_headers(head))
            known = written(found.status_code, found.headers["Content-Type"], found.get_data())
            if found.status_code == 200:
                self.made[target] = known
        return known, self.delay


def _headers(head: bytes) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return [(name, value.strip()) for name, _, value in pairs]


@contextlib.contextmanager
def answering(apps: Sequence[tuple[Flask, int, float]]) -> Iterator[None]:
    """Answers at the port of each application, after its delay, while the block runs."""
    loop = asyncio.new_event_loop()

    async def listen() -> None:
        for app, port, delay in apps:
            answers = Answers(app, f"http://{HOST}:{port}", delay)
            await loop.create_server(lambda answers=answers: Connection(answers), HOST, port)

    loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, name="feeds", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def main() -> int:
    """Runs until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.static_feeds", description=__doc__)
    parser.add_argument("--port-base", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--delay", type=float, required=True)
    parser.add_argument("--late", nargs=2, action="append", default=[], metavar=("FEED", "SECONDS"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    addresses = Addresses(options.port_base)
    hospital = build_hospital(addresses, SAMPLES)
    ports = {each: addresses.ports[f"the feed {each}"] for each in FEEDS}
    delays = dict.fromkeys(ports.values(), options.delay) | {ports[each]: float(late) for each, late in options.late}
    fresh_folder(options.state)
    vitrine = Vitrine(write_configuration(options.state, addresses, hospital.credentials))
    log = options.state / "gateway.log"
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        stack.enter_context(answering([(app, port, delays[port]) for app, port in hospital.servers if port in delays]))
        for app, port in hospital.servers:
            if port not in delays:
                stack.enter_context(serving(app, port))
        vitrine.prepare()
        wait_until_ready(stack.enter_context(vitrine.serving(log)), addresses.ops, log)
        print(READY, flush=True)
        signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
