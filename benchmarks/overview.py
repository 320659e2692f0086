"""`python -m benchmarks.overview`: a clinician's overview of three sources, as a browser asks for it and on one page.

Twice: in the demonstration, whose feeds share the cores with the gateway; and with feeds whose answers are made already
and come after a fixed delay (`benchmarks.static_feeds`), where what a page takes beyond its slowest feed is the
gateway's own. Then in Chromium: when the first results are there while one feed is slow.
Writes `benchmarks/results/overview.json`.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from benchmarks import first_results, machine
from benchmarks.folder import CHECKOUT, environment
from benchmarks.servers import children, cpu_seconds_below
from benchmarks.static_feeds import QUESTIONS, READY
from demo.addresses import Addresses
from demo.browser import Browser
from demo.browser import Page as Shown
from fhir_adapters.interface import Call, Deadline, Page
from plugin import assembly
from plugin.consultation.feed_line import QUESTIONS_AT_ONCE
from plugin.faces.viewer.looks import OVERVIEW_TYPES
from plugin.settings.file import load

RESULT = Path(__file__).with_name("results") / "overview.json"
PATIENT = "ehr-1001"
FEEDS = ("city-lab", "imaging", "insurer")
LATE_SECONDS = 3.0
"""Of one feed, while a clinician waits for the first results of the others."""
WARM_ROUNDS, WARM_SECONDS = 40, 2.0
"""A feed that was too slow at first is left alone for a while."""
DELAY_SECONDS = 0.1
"""Of each answer of a static feed: what a laboratory's server takes for some hundred results."""


@dataclass(frozen=True, slots=True)
class Running:
    """A deployment with three feeds, and a view of it that is open in a browser."""

    addresses: Addresses
    browser: Browser
    view: str
    gateway: int
    """The process of `vitrine serve`."""

    def together(self) -> None:
        """All sources on one page, which waits for the slowest: the page without a script."""
        _page(self.browser, f"{self.view}together")

    def arriving(self) -> None:
        """The frame, then the parts of all sources at once: what a browser asks for."""
        _page(self.browser, self.view)
        with ThreadPoolExecutor(len(FEEDS)) as several:
            list(several.map(lambda feed: _page(self.browser, f"{self.view}part/{feed}"), FEEDS))

    def asked(self) -> dict[str, list[tuple[float, float]]]:
        """Feed -> when each question since the last call came and was answered. Of static feeds."""
        told = {}
        for feed in FEEDS:
            with urllib.request.urlopen(self.addresses.feed(feed).removesuffix("/fhir") + QUESTIONS) as answer:
                told[feed] = [(came, left) for came, left, _ in json.load(answer)]
        return told


def main() -> int:
    """0: measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overview", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="of each page (default 30)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="vitrine-overview-") as folder:
        place = Path(folder)
        results: dict[str, Any] = {"machine": machine.described("one browser", place)}
        with _running(place / "demo", ["demo.run"], "Ctrl-C stops") as running:
            results["demonstration"] = _in_demonstration(running, place / "demo" / "vitrine.toml", rounds)
        static = ["benchmarks.static_feeds", "--delay", str(DELAY_SECONDS)]
        with _running(place / "static", static, READY) as running:
            results["static feeds"] = _with_static_feeds(running, rounds)
        with _running(place / "late", [*static, "--late", FEEDS[-1], str(LATE_SECONDS)], READY) as running:
            results["first results"] = first_results.measured(running.addresses, PATIENT, FEEDS[-1], rounds)
    print(json.dumps(results, indent=1, ensure_ascii=False))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _in_demonstration(running: Running, configuration: Path, rounds: int) -> dict[str, Any]:
    direct = _slowest_source(configuration)
    taken: dict[str, list[float]] = {}
    # In turns, so that what else the machine does falls on all alike.
    for _ in range(rounds):
        taken.setdefault("the slowest source, asked directly", []).append(_seconds(direct))
        taken.setdefault("all three on one page", []).append(_seconds(running.together))
        taken.setdefault("all three arriving", []).append(_seconds(running.arriving))
        taken.setdefault("the frame", []).append(_seconds(lambda: _page(running.browser, running.view)))
    page = _page(running.browser, f"{running.view}together")
    return {
        "results_on_the_page": page.body.count('role="rowheader"'),
        "page_bytes": len(page.body.encode()),
        "ms": {name: _told(found) for name, found in taken.items()},
    }


def _with_static_feeds(running: Running, rounds: int) -> dict[str, Any]:
    ways = {"all three on one page": running.together, "all three arriving": running.arriving}
    _warm(running)
    told: dict[str, Any] = {"delay_ms": _ms(DELAY_SECONDS)}
    for name, page in ways.items():
        running.asked()
        taken, above, waited, cpu = [], [], [], []
        for _ in range(rounds):
            before = cpu_seconds_below(running.gateway)
            taken.append(_seconds(page))
            cpu.append(cpu_seconds_below(running.gateway) - before)
            asked = running.asked()
            waited.append(max(_covered(each) for each in asked.values()))
            above.append(taken[-1] - waited[-1])
        told[name] = {
            "questions": {feed: len(found) for feed, found in asked.items()},
            "answers_waited_for_one_after_another": round(min(waited) / DELAY_SECONDS),
            "ms": _told(taken),
            "the slowest feed, ms": _told(waited),
            "above the slowest feed, ms": _told(above),
            "gateway_cpu_ms": _ms(statistics.mean(cpu)),
        }
    return told


def _warm(running: Running) -> None:
    """Until each feed is asked the same twice: its answers are made, and the patient is matched."""
    before: dict[str, int] = {}
    for _ in range(WARM_ROUNDS):
        running.together()
        now = {feed: len(found) for feed, found in running.asked().items()}
        if now == before and all(now.values()):
            return
        before = now
        time.sleep(WARM_SECONDS)
    raise SystemExit("Not measured: a feed does not answer.")


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds in which one feed owed an answer, whatever else it owed at the time."""
    covered, end = 0.0, 0.0
    for first, last in sorted(spans):
        covered += max(0.0, last - max(first, end))
        end = max(end, last)
    return covered


@contextlib.contextmanager
def _running(state: Path, module: Sequence[str], ready: str) -> Iterator[Running]:
    addresses = Addresses.free(range(26_500, 27_400, 10))
    more = ["--port-base", str(addresses.port_base), "--state", str(state)]
    command = [sys.executable, "-m", *module, *more]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not any(ready in line for line in process.stdout):
                raise SystemExit(f"Not measured: {module[0]} did not start.")
            browser = Browser()
            yield Running(addresses, browser, _launched(browser, addresses), *children(process.pid))
        finally:
            process.terminate()
            process.wait(30)


def _launched(browser: Browser, addresses: Addresses) -> str:
    """The address of a view whose purpose is stated."""
    page = browser.follow(browser.open(f"{addresses.ehr}/viewer/{PATIENT}"))
    page = browser.follow(browser.send(page.form("/authorize"), decision="continue"))
    return browser.follow(browser.send(page.form("/purpose"), purpose="TREAT")).url


def _page(browser: Browser, address: str) -> Shown:
    """What must be there: a refusal is quick, and no measurement."""
    page = browser.open(address)
    if page.status != HTTPStatus.OK:
        raise SystemExit(f"Not measured: {address} answered {page.status}.")
    return page


def _slowest_source(configuration: Path) -> Callable[[], object]:
    """All searches that the overview makes at the laboratory, as many at once, through the gateway's own adapter."""
    offer = assembly.assemble(load(configuration)).gateway.feeds["city-lab"]
    line = offer.line

    types = [each for each in OVERVIEW_TYPES if each in offer.types]

    def search(patient: str, resource_type: str = "Observation") -> Page:
        return line.search(resource_type, (("patient", f"Patient/{patient}"), ("_count", "201")), _call())

    def whole(patient: str) -> list[Page]:
        with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as several:
            return list(several.map(lambda each: search(patient, each), types))

    patients = [entry.resource["id"] for entry in line.search("Patient", (), _call()).entries]
    longest = max(patients, key=lambda each: len(search(each).entries))
    return lambda: whole(longest)


def _call() -> Call:
    return Call(Deadline.after(10.0), "bench")


def _told(found: Sequence[float]) -> dict[str, float]:
    return {"p50": _ms(statistics.median(found)), "least": _ms(min(found)), "most": _ms(max(found))}


def _seconds(question: Callable[[], object]) -> float:
    began = time.perf_counter()
    question()
    return time.perf_counter() - began


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)


if __name__ == "__main__":
    sys.exit(main())
