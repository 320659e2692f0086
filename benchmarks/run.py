"""`python -m benchmarks.run [--quick]`: what a look through the gateway costs, beside the least that it could cost.

Starts, on loopback: a static upstream, the floor, the gateway as it is deployed, and the gateway without its record.
Loads one after the other, in rounds, so that what else the machine does falls on all alike: trust the ratios, which are
taken within a round, and of the rounds the median. Prints a table; writes `benchmarks/results/<name>.json`.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks import folder, inside, load, machine, micro, report, servers
from benchmarks.people import HOST, PERSONS, TokenMaker, number
from benchmarks.servers import Server
from benchmarks.upstream import ENTRIES

RESULTS = Path(__file__).with_name("results")
CONNECTIONS = 32
FIRST_LOOKS = 4_000
"""Tokens for looks with a token that was not seen before: more than a stretch of load can use."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often to measure."""

    rounds: int
    seconds: float
    warm_seconds: float
    micro_seconds: float
    cold_starts: int
    last_round_by: float
    """Seconds after the start of the run; on a busy machine there are fewer rounds rather than a longer run."""
    sizes: tuple[int, ...]
    """Numbers of workers."""


FULL = Plan(
    rounds=3, seconds=2.0, warm_seconds=3.0, micro_seconds=0.4, cold_starts=3, last_round_by=170.0, sizes=(1, 2)
)
QUICK = Plan(rounds=1, seconds=1.0, warm_seconds=2.0, micro_seconds=0.1, cold_starts=1, last_round_by=0.0, sizes=(2,))


@dataclass(frozen=True, slots=True)
class Stretch:
    """One thing to measure: a target under one workload."""

    target: str
    workload: str
    connections: int
    server: Server
    requests: Callable[[int], Path]
    """The prepared requests for a round."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: measured. 1: a server gave other answers than expected, so that its figures would mean nothing."""
    options = _options(arguments)
    # SIGTERM ends us as Ctrl-C does: through every `finally`, so that no server is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-", dir=options.folder) as place:
        try:
            results = _measure(Path(place), plan, options.connections)
        except servers.ServerFailed as error:
            print(f"Not measured: {error}.", file=sys.stderr)
            return 1
    print(report.table(results))
    name = options.name or ("quick" if options.quick else "latest")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, under a minute")
    parser.add_argument("--name", help="of the file of results (default: latest, or quick)")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"at a time (default {CONNECTIONS})")
    parser.add_argument(
        "--folder", type=Path, help="where the ledgers go: its disk is measured too (default: the temporary folder)"
    )
    return parser.parse_args(arguments)


def _measure(place: Path, plan: Plan, connections: int) -> dict[str, Any]:
    began = time.monotonic()
    described = machine.described(load.generator(), place)
    steps = micro.measure(place, plan.micro_seconds)
    port = servers.free_port()
    tokens = TokenMaker(f"http://{HOST}:{port}/issuer")
    jwks = place / "jwks.json"
    jwks.write_bytes(orjson.dumps(tokens.jwks))
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(servers.upstream(port, jwks))
        # The first compiles what it loads.
        starts = [_cold_start(place / f"start-{index}", port) for index in range(plan.cold_starts + 1)][1:]
        targets = {"upstream": upstream, **_targets(stack, place, port, jwks, plan.sizes)}
        # What is compared comes one after the other: a machine that is shared is another after half a minute.
        stretches = sorted(_stretches(place, tokens, targets, connections, plan), key=lambda each: each.workload)
        for stretch in stretches:
            _expect(stretch)
        for name, server in targets.items():
            warm = next(
                each for each in stretches if each.target == name and each.workload in {"read", "one at a time"}
            )
            load.run(server.port, warm.requests(0), connections=connections, seconds=plan.warm_seconds)
        measured: list[dict[str, Any]] = []
        for index in range(plan.rounds):
            if measured and time.monotonic() - began > plan.last_round_by:
                break
            measured += [_stretch(stretch, index, plan.seconds) for stretch in stretches]
        memory = {name: round(server.worker_bytes() / 1e6) for name, server in targets.items()}
    return {
        "machine": described,
        "plan": {
            "rounds": measured[-1]["round"] + 1,
            "seconds": plan.seconds,
            "connections": connections,
            "persons": PERSONS,
        },
        "cold_start_s": round(statistics.median(starts), 2),
        "figures": _medians(measured),
        "ratios_to_floor": _ratios(measured),
        "memory_mb": memory,
        "steps_us": steps,
    }


def _cold_start(place: Path, upstream: int) -> float:
    with servers.gateway(_deployed(place, upstream, 1)) as server:
        return server.started_in


def _deployed(place: Path, upstream: int, workers: int) -> folder.Deployment:
    return folder.deploy(
        place, port=servers.free_port(), ops_port=servers.free_port(), upstream=upstream, workers=workers
    )


def _targets(
    stack: contextlib.ExitStack, place: Path, upstream: int, jwks: Path, sizes: Sequence[int]
) -> dict[str, Server]:
    found: dict[str, Server] = {}
    for workers in sizes:
        floor = servers.floor_server(servers.free_port(), workers, f"http://{HOST}:{upstream}/feed", jwks)
        found[f"floor x{workers}"] = stack.enter_context(floor)
        gateway = servers.gateway(_deployed(place / f"gateway-{workers}", upstream, workers))
        found[f"vitrine x{workers}"] = stack.enter_context(gateway)
    unrecorded = servers.gateway_without_record(_deployed(place / "without", upstream, sizes[-1]), sizes[-1])
    found[f"vitrine x{sizes[-1]}, no record"] = stack.enter_context(unrecorded)
    if shutil.which("nginx"):
        proxy = servers.nginx(servers.free_port(), sizes[-1], upstream, place / "nginx")
        found[f"nginx x{sizes[-1]}"] = stack.enter_context(proxy)
    return found


def _stretches(
    place: Path, tokens: TokenMaker, targets: dict[str, Server], connections: int, plan: Plan
) -> Iterator[Stretch]:
    held = [tokens.token(person) for person in range(PERSONS)]
    for name, server in targets.items():
        prepared = {
            workload: load.write_requests(
                place / f"{name}-{workload}.requests",
                (load.request(server.port, path(person), held[person]) for person in range(PERSONS)),
            )
            for workload, path in _paths(name).items()
        }
        for workload, requests in prepared.items():
            yield Stretch(name, workload, connections, server, lambda _, each=requests: each)
        if name in {f"floor x{plan.sizes[0]}", f"vitrine x{plan.sizes[0]}"}:
            yield Stretch(name, "read, one at a time", 1, server, lambda _, each=prepared["read"]: each)
            yield Stretch(name, "search, one at a time", 1, server, lambda _, each=prepared["search"]: each)
        if name == f"vitrine x{plan.sizes[-1]}":
            firsts = [_first_looks(place, tokens, server.port, index) for index in range(plan.rounds + 1)]
            yield Stretch(name, "first look", connections, server, lambda index, each=firsts: each[index])


def _paths(target: str) -> dict[str, Callable[[int], str]]:
    """The addresses of each workload at a target, by person. The floor and the upstream know no patient in context."""
    if target.startswith("vitrine"):
        return dict(inside.PATHS)
    base = "/feed" if target == "upstream" else "/fhir/lab"
    return {
        "read": lambda person: f"{base}/Observation/obs-{number(person)}-00",
        "search": lambda person: f"{base}/Observation?patient=Patient/lab-{number(person)}",
    }


def _first_looks(place: Path, tokens: TokenMaker, port: int, index: int) -> Path:
    """Reads with tokens that are used once: the token is verified, and the patient matched at the EHR and the feed."""
    return load.write_requests(
        place / f"first-{index}.requests",
        (
            load.request(port, inside.PATHS["read"](person), tokens.token(person, serial))
            for serial, person in zip(range(FIRST_LOOKS), itertools.cycle(range(PERSONS)), strict=False)
        ),
    )


def _expect(stretch: Stretch) -> None:
    """One question beforehand, its answer looked into: a fast refusal must not pass for a fast answer."""
    connection = http.client.HTTPConnection(HOST, stretch.server.port, timeout=10)
    line, *headers = stretch.requests(0).read_bytes().split(b"\0")[0].decode("ascii").splitlines()
    connection.request("GET", line.split()[1], headers=dict(each.split(": ", 1) for each in headers if each))
    answer = connection.getresponse()
    body = orjson.loads(answer.read())
    connection.close()
    denied = stretch.workload == "denied"
    good = answer.status == (403 if denied else 200)
    if stretch.workload.startswith("search"):
        good = good and len(body["entry"]) == ENTRIES
    if not good:
        raise servers.ServerFailed(f"{stretch.target} answered {stretch.workload!r} with {answer.status}")


def _stretch(stretch: Stretch, index: int, seconds: float) -> dict[str, Any]:
    before, began = stretch.server.cpu_seconds(), time.monotonic()
    done = load.run(stretch.server.port, stretch.requests(index), connections=stretch.connections, seconds=seconds)
    spent, taken = stretch.server.cpu_seconds() - before, time.monotonic() - began
    unexpected = done.errors + (0 if stretch.workload == "denied" else done.refused)
    return {
        "target": stretch.target,
        "workload": stretch.workload,
        "round": index,
        "cpu_ms": spent / max(1, done.requests) * 1e3,
        "per_second": done.requests / done.seconds,
        "p50_ms": done.p50_ms,
        "p99_ms": done.p99_ms,
        "busy_cores": spent / taken,
        "unexpected": unexpected / max(1, done.requests),
    }


def _medians(measured: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    figures = ("cpu_ms", "per_second", "p50_ms", "p99_ms", "busy_cores", "unexpected")
    found = []
    for target, workload in dict.fromkeys((each["target"], each["workload"]) for each in measured):
        rounds = [each for each in measured if (each["target"], each["workload"]) == (target, workload)]
        medians = {name: round(statistics.median(each[name] for each in rounds), 3) for name in figures}
        found.append({"target": target, "workload": workload, **medians})
    return found


def _ratios(measured: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of CPU and of throughput, to the floor with as many workers in the same round; the median of the rounds."""
    floors = {
        (each["target"].partition(" ")[2], each["workload"], each["round"]): each
        for each in measured
        if each["target"].startswith("floor")
    }
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for each in measured:
        size = each["target"].partition(" ")[2].partition(",")[0]
        beside = floors.get((size, each["workload"], each["round"]))
        if beside is not None and each["target"].startswith(("vitrine", "nginx")):
            pair = (each["cpu_ms"] / beside["cpu_ms"], each["per_second"] / beside["per_second"])
            pairs.setdefault((each["target"], each["workload"]), []).append(pair)
    return [
        {
            "target": target,
            "workload": workload,
            "cpu": round(statistics.median(cpu for cpu, _ in found), 2),
            "per_second": round(statistics.median(speed for _, speed in found), 2),
        }
        for (target, workload), found in pairs.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
