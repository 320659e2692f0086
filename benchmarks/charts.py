"""`python -m benchmarks.charts`: processor time of a chart, and of finding its values among the results of an answer.

Values of one laboratory test at three sources, at moments in two time zones and on days alone. The aim is 1 ms a chart.
"""

import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from benchmarks.micro import median_us
from plugin.consultation.release import Shown
from plugin.faces.viewer.readings.beside import Answer
from plugin.faces.viewer.readings.chart import Labels, chart
from plugin.faces.viewer.readings.elements import UCUM
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.trend import trends

SOURCES = ("ehr", "city-lab", "hospital-lab")
SIZES = (16, 100, 200, 300, 1_000)
SECONDS = 0.3
"""For which each step is repeated."""
FIRST = datetime(2022, 1, 1, 8, tzinfo=UTC)
YEARS = timedelta(days=1_500)
LABELS = Labels("Creatinine", "What it shows.", str, lambda tick: tick.at.isoformat(), lambda entry: entry.feed)


def main() -> int:
    """0: measured and printed."""
    print(f"{'values':>6}  {'a chart, ms':>24}  {'its values found, ms':>24}")
    print(f"{'':6}  {'moments':>12}{'days':>12}  {'moments':>12}{'days':>12}")
    for size in SIZES:
        told = [measured(size, moment) for moment in (_in_two_zones, _day)]
        charts, found = zip(*told, strict=True)
        print(f"{size:6}  {charts[0]:12.2f}{charts[1]:12.2f}  {found[0]:12.2f}{found[1]:12.2f}")
    return 0


def measured(size: int, moment: Callable[[datetime, random.Random], str]) -> tuple[float, float]:
    """Milliseconds of a chart of `size` values, and of finding them among their results."""
    results = overview(_answers(size, moment)).results
    (series,) = trends(results)
    return _ms(lambda: chart(series, LABELS)), _ms(lambda: trends(results))


def _answers(size: int, moment: Callable[[datetime, random.Random], str]) -> list[Answer]:
    chance = random.Random(size)
    shown: dict[str, list[Shown]] = {feed: [] for feed in SOURCES}
    for number in range(size):
        at = FIRST + YEARS * ((number + chance.random()) / size)
        feed = SOURCES[number % len(SOURCES)]
        tree = _creatinine(f"o{number}", moment(at, chance), f"{chance.gauss(1.0, 0.3):.2f}")
        shown[feed].append(Shown(f"Observation/o{number}", tree, companion=False, category="test-results"))
    return [Answer(feed, tuple(each), is_local=feed == SOURCES[0]) for feed, each in shown.items()]


def _creatinine(name: str, when: str, value: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}], "text": "Creatinine"},
        "effectiveDateTime": when,
        "valueQuantity": _quantity(value),
        "referenceRange": [{"low": _quantity("0.60"), "high": _quantity("1.10")}],
    }


def _quantity(value: str) -> dict[str, Any]:
    return {"value": Decimal(value), "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}


def _in_two_zones(at: datetime, chance: random.Random) -> str:
    return at.astimezone(timezone(timedelta(hours=chance.choice((1, 2))))).isoformat(timespec="seconds")


def _day(at: datetime, _: random.Random) -> str:
    return at.date().isoformat()


def _ms(step: Callable[[], object]) -> float:
    return median_us(step, time.thread_time, SECONDS) / 1e3


if __name__ == "__main__":
    sys.exit(main())
