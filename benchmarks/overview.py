"""`python -m benchmarks.overview`: a clinician's overview of three sources, in the demonstration.

Launches the viewer as a browser would, then asks for the overview of all sources on one page, and of each source alone,
beside what the slowest source takes by itself for the same results. Writes `benchmarks/results/overview.json`.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

from benchmarks import machine
from benchmarks.folder import CHECKOUT, environment
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
ROUNDS = 30
FEEDS = ("city-lab", "imaging", "insurer")
START_SECONDS = 120.0


def main() -> int:
    """0: measured."""
    with tempfile.TemporaryDirectory(prefix="vitrine-overview-") as place, _demonstration(Path(place)) as addresses:
        browser = Browser()
        view = _launched(browser, addresses)
        direct = _slowest_source(Path(place) / "run" / "vitrine.toml")
        # The rest in turns, so that what else the machine does falls on all alike.
        taken: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            taken.setdefault("the slowest source, asked directly", []).append(_seconds(direct))
            taken.setdefault("all three on one page", []).append(_seconds(lambda: _page(browser, f"{view}together")))
            for feed in FEEDS:
                taken.setdefault(f"{feed} alone", []).append(
                    _seconds(lambda feed=feed: _page(browser, f"{view}part/{feed}"))
                )
            taken.setdefault("the frame", []).append(_seconds(lambda: _page(browser, view)))
        page = _page(browser, f"{view}together")
        results = {
            "machine": machine.described("one browser", Path(place)),
            "results_on_the_page": page.body.count("<article") or page.body.count("<tr"),
            "page_bytes": len(page.body.encode()),
            "ms": {
                name: {"p50": _ms(statistics.median(found)), "least": _ms(min(found)), "most": _ms(max(found))}
                for name, found in taken.items()
            },
        }
    print(json.dumps(results, indent=1, ensure_ascii=False))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


@contextlib.contextmanager
def _demonstration(place: Path) -> Iterator[Addresses]:
    addresses = Addresses.free(range(26_500, 27_400, 10))
    command = [sys.executable, "-m", "demo.run", "--port-base", str(addresses.port_base), "--state", str(place / "run")]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not any("Ctrl-C stops" in line for line in process.stdout):
                raise SystemExit("Not measured: the demonstration did not start.")
            yield addresses
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


def _seconds(question: Callable[[], object]) -> float:
    began = time.perf_counter()
    question()
    return time.perf_counter() - began


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)


if __name__ == "__main__":
    sys.exit(main())
