"""`python -m benchmarks.crowd`: how the gateway, as deployed with two workers, bears people.

At half of what each target can take, by the clock of an open loop; with 500 connections instead of 32; beside a feed
that answers after a second and one that never does; and, with `--requests 500000`, whether memory or descriptors grow.
Writes `benchmarks/results/crowd.json`; with `--only growth`, nothing but the last of these, and `growth.json`.
"""

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks import folder, inside, load, machine, servers
from benchmarks.people import HOST, PERSONS, TokenMaker, number
from benchmarks.servers import Server

RESULTS = Path(__file__).with_name("results")
GROWTH = "growth"
WORKERS = 2
CONNECTIONS, MANY = 32, 500
SECONDS = 6.0
MOST_RATE = 1_000.0
"""Requests a second that our open loop makes on a core without waiting for itself."""
TROUBLED_RATE = 20.0
"""Looks a second at a feed in trouble: far more than it can answer in time, and no load on the processors."""
STRETCH_SECONDS = 20.0
"""Of one workload without a break."""
PIECES = 10
"""In which growth is looked for: the first of them fills what is remembered. In each, other persons come."""


def main() -> int:
    """0: measured; what came of it is printed and written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="over which growth is looked for (default 20,000)")
    parser.add_argument("--minutes", type=float, default=120.0, help="after which growth is looked for no longer")
    parser.add_argument("--only", choices=[GROWTH], help="measure nothing else")
    parser.add_argument("--folder", type=Path, help="where the ledgers go (default: the temporary folder)")
    options = parser.parse_args()
    # SIGTERM ends us as Ctrl-C does: through every `finally`, so that no server is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="vitrine-crowd-", dir=options.folder) as place:
        results = _measure(Path(place), options)
    print(json.dumps(results, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{options.only or 'crowd'}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


class Crowd:
    """The targets, and whose requests they get."""

    def __init__(self, place: Path, port: int) -> None:
        self._place = place
        tokens = TokenMaker(f"http://{HOST}:{port}/issuer")
        self.jwks = place / "jwks.json"
        self.jwks.write_bytes(orjson.dumps(tokens.jwks))
        self._tokens = tokens
        self._held = {0: [tokens.token(person) for person in range(PERSONS)]}

    def requests(self, server: Server, name: str, path: Callable[[int], str], shift: int = 0) -> Path:
        """One of each person; in each shift they are others, with other tokens."""
        if shift not in self._held:
            self._held = {shift: [self._tokens.token(person, shift=shift) for person in range(PERSONS)]}
        return load.write_requests(
            self._place / f"{server.port}-{name}.requests",
            (load.request(server.port, path(person), self._held[shift][person]) for person in range(PERSONS)),
        )


PASSED_ON = {
    "read": lambda person: f"/fhir/lab/Observation/obs-{number(person)}-00",
    "search": lambda person: f"/fhir/lab/Observation?patient=Patient/lab-{number(person)}",
}


def _measure(place: Path, options: argparse.Namespace) -> dict[str, Any]:
    port = servers.free_port()
    crowd = Crowd(place, port)
    described = machine.described(load.generator(), place)
    with contextlib.ExitStack() as stack:
        stack.enter_context(servers.upstream(port, crowd.jwks))
        if options.only == GROWTH:
            gateway = stack.enter_context(servers.gateway(_deployed(place, port)))
            return {"machine": described, GROWTH: _growth(crowd, gateway, options.requests, options.minutes)}
        targets = dict(_targets(stack, place, port, crowd))
        gateway = targets["vitrine"]
        _warm(crowd, gateway)
        halves = {name: _at_half(crowd, server, name) for name, server in targets.items()}
        return {
            "machine": described,
            "at_half_of_saturation": halves,
            "many_connections": _many(crowd, gateway),
            "beside_troubled_feeds": _beside_trouble(crowd, gateway, halves["vitrine"]["read"]["rate"]),
            GROWTH: _growth(crowd, gateway, options.requests, options.minutes),
        }


def _targets(stack: contextlib.ExitStack, place: Path, upstream: int, crowd: Crowd) -> Iterator[tuple[str, Server]]:
    yield (
        "floor",
        stack.enter_context(
            servers.floor_server(servers.free_port(), WORKERS, f"http://{HOST}:{upstream}/feed", crowd.jwks)
        ),
    )
    if shutil.which("nginx"):
        yield "nginx", stack.enter_context(servers.nginx(servers.free_port(), WORKERS, upstream, place / "nginx"))
    yield "vitrine", stack.enter_context(servers.gateway(_deployed(place, upstream)))


def _deployed(place: Path, upstream: int) -> folder.Deployment:
    ports = {"port": servers.free_port(), "ops_port": servers.free_port()}
    return folder.deploy(place / "gateway", **ports, upstream=upstream, workers=WORKERS, troubled=True)


def _warm(crowd: Crowd, gateway: Server) -> None:
    """Every person once or twice, so that tokens and matches are known, as in a day's work."""
    prepared = crowd.requests(gateway, "read", inside.PATHS["read"])
    load.run(gateway.port, prepared, connections=CONNECTIONS, seconds=SECONDS)


def _at_half(crowd: Crowd, server: Server, name: str) -> dict[str, Any]:
    paths: dict[str, Callable[[int], str]] = dict(inside.PATHS if name == "vitrine" else PASSED_ON)
    found = {}
    for workload in ("read", "search"):
        prepared = crowd.requests(server, workload, paths[workload])
        full = load.run(server.port, prepared, connections=CONNECTIONS, seconds=SECONDS)
        rate = min(MOST_RATE, full.requests / full.seconds / 2)
        steady = load.steadily(server.port, prepared, rate=rate, seconds=SECONDS)
        found[workload] = {"rate": round(rate, 1), **_told(steady)}
    return found


def _many(crowd: Crowd, gateway: Server) -> dict[str, Any]:
    prepared = crowd.requests(gateway, "read", inside.PATHS["read"])
    told = {}
    for connections in (CONNECTIONS, MANY):
        done = load.run(gateway.port, prepared, connections=connections, seconds=SECONDS)
        served = done.requests - done.refused
        told[str(connections)] = {"served_per_second": round(served / done.seconds, 1), **_told(done)}
    return told


def _beside_trouble(crowd: Crowd, gateway: Server, rate: float) -> dict[str, Any]:
    """Reads of the sound feeds, while others ask a feed in trouble TROUBLED_RATE times a second, both by open loops."""
    sound = crowd.requests(gateway, "read", inside.PATHS["read"])
    found = {}
    for feed in folder.TROUBLED:
        prepared = crowd.requests(gateway, feed, lambda person, feed=feed: f"/fhir/{feed}/{_one(person)}")
        with load.meanwhile(gateway.port, prepared, rate=TROUBLED_RATE, seconds=SECONDS * 2):
            found[feed] = _told(load.steadily(gateway.port, sound, rate=rate / 2, seconds=SECONDS))
    return found


def _one(person: int) -> str:
    return f"Observation/obs-{number(person)}-00"


def _growth(crowd: Crowd, gateway: Server, requests: int, minutes: float) -> list[dict[str, Any]]:
    """Memory and descriptors of the largest process, at the start and after each of PIECES; told as they come."""
    told: list[dict[str, Any]] = []
    done, refused, rates = 0, 0, dict.fromkeys(inside.PATHS, 50.0)
    until = time.monotonic() + minutes * 60
    for piece in range(PIECES + 1):
        aim = requests * piece // PIECES
        prepared = {name: crowd.requests(gateway, name, path, piece + 1) for name, path in inside.PATHS.items()}
        while done < aim and time.monotonic() < until:
            seconds = min(STRETCH_SECONDS, max(1.0, (aim - done) / sum(rates.values())))
            for name, each in prepared.items():
                came = load.run(gateway.port, each, connections=CONNECTIONS, seconds=seconds)
                done += came.requests
                refused += came.refused if name != "denied" else 0
                rates[name] = came.requests / came.seconds
        told.append(
            {
                "requests": done,
                "refused": refused,
                "mb": gateway.worker_bytes() // 1_000_000,
                "private_mb": gateway.private_bytes() // 1_000_000,
                "descriptors": gateway.descriptors(),
            }
        )
        print(json.dumps(told[-1]), file=sys.stderr, flush=True)
    return told


def _told(done: load.Load) -> dict[str, Any]:
    return {
        "answered": done.requests,
        "refused": done.refused,
        "errors": done.errors,
        "p50_ms": done.p50_ms,
        "p99_ms": done.p99_ms,
    }


if __name__ == "__main__":
    sys.exit(main())
