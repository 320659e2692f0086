"""Where a keyboard stands, and what is said aloud, while a source is asked again."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from fhir_adapters.interface import FeedTimeout
from tests.browser.without_a_server import show
from tests.viewer.clinic import Clinic

pytestmark = pytest.mark.slow


def test_who_asks_again_stays_at_the_source_and_hears_which_it_is(browser: Browser, tmp_path: Path) -> None:
    """The link is gone with the failure that it stood in: a keyboard went back to the top of the page."""
    clinic = Clinic(tmp_path)
    clinic.world.lab.failure = FeedTimeout("city-lab")
    parts = {"city-lab": [clinic.get("part/city-lab").html]}
    clinic.world.lab.failure = None
    parts["city-lab"].append(clinic.get("part/city-lab").html)

    def part(feed: str) -> str:
        known = parts.get(feed, [""])
        return known.pop(0) if len(known) > 1 else known[0]

    page = browser.new_page()
    show(page, clinic.world.client, f"/view/{clinic.view}/", part)
    item = page.locator("li[data-feed=city-lab]")
    item.locator("a.again").focus()
    page.keyboard.press("Enter")
    expect(item.locator(".failed, .waiting")).to_have_count(0)
    expect(item.locator(".state")).to_be_focused()
    expect(item.get_by_role("status")).to_contain_text("City laboratory")
    page.close()
