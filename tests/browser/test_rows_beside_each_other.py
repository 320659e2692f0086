"""What the overview's script says of rows that arrive from two sources, and which of them its search keeps."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.without_a_server import show
from tests.viewer.clinic import Clinic
from tests.viewer.readings.samples import code, quantity
from tests.world import observation

pytestmark = pytest.mark.slow

VALUES = [
    (quantity(Decimal("5.0"), "mmol/L", "mmol/L"), quantity(5, "mmol/L", "mmol/L")),
    (quantity(5, "mmol/L", "mmol/L"), quantity(9, "mmol/L", "mmol/L")),
    (quantity(5, "mmol/L", "mmol/L"), quantity(90, "mg/dL", "mg/dL")),
]
"""Of one test at one time, at two sources."""


@pytest.fixture
def overview(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """An overview whose sources have answered."""
    clinic = Clinic(tmp_path)
    ours, theirs = (_part(clinic, [pair[side] for pair in VALUES]) for side in (0, 1))
    theirs = theirs.replace('data-feed="city-lab"', 'data-feed="imaging"').replace('id="r', 'id="x')

    page = browser.new_page()
    parts = {"city-lab": ours}
    show(page, clinic.world.client, f"/view/{clinic.view}/", lambda feed: parts.get(feed, theirs))
    expect(page.locator("#results tbody tr")).to_have_count(2 * len(VALUES))
    yield page
    page.close()


def _part(clinic: Clinic, values: list[dict[str, Any]]) -> str:
    clinic.world.lab.resources[1:] = [
        observation(
            f"o{place}",
            code=code(f"100{place}-1", text=f"Œdème {place}"),
            effectiveDateTime="2026-03-02T08:05:00+01:00",
            valueQuantity=value,
        )
        for place, value in enumerate(values)
    ]
    return clinic.get("part/city-lab").html


def test_another_value_is_not_called_the_same_result(overview: Page) -> None:
    """The sources arrive one by one, so it is the script that compares them."""
    for place, said in enumerate(["Perhaps the same result at", "Same test, another value at", None]):
        rows = overview.locator("#results tbody tr", has_text=f"Œdème {place}")
        expect(rows.locator(".hint")).to_have_count(2 if said else 0)
        if said:
            expect(rows.first.locator(".hint")).to_contain_text(said)


@pytest.mark.parametrize("sought", ["oedeme 1", "Œdème 1", "OEDÈME 1"])
def test_the_search_finds_a_word_by_its_letters(overview: Page, sought: str) -> None:
    overview.locator("[name=text]").fill(sought)
    expect(overview.locator("#results tbody tr:visible")).to_have_count(2)
