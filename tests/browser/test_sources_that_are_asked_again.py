"""Where a keyboard stands, and what is said aloud, while a source is asked again."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route, expect

from fhir_adapters.interface import FeedTimeout
from tests.viewer.clinic import Clinic
from tests.world import PUBLIC_BASE

pytestmark = pytest.mark.slow


def test_who_asks_again_stays_at_the_source_and_hears_which_it_is(browser: Browser, tmp_path: Path) -> None:
    """The link is gone with the failure that it stood in: a keyboard went back to the top of the page."""
    clinic = Clinic(tmp_path)
    clinic.world.lab.failure = FeedTimeout("city-lab")
    parts = {"city-lab": [clinic.get("part/city-lab").html]}
    clinic.world.lab.failure = None
    parts["city-lab"].append(clinic.get("part/city-lab").html)

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if "/part/" in path:
            known = parts.get(path.rpartition("/")[2], [""])
            route.fulfill(body=known.pop(0) if len(known) > 1 else known[0], content_type="text/html; charset=utf-8")
        else:
            found = clinic.world.client.get(path, base_url=PUBLIC_BASE, query_string={"lang": "en"})
            route.fulfill(body=found.get_data(), content_type=found.headers["Content-Type"])

    page = browser.new_page()
    page.route("**/*", answer)
    page.goto(f"{PUBLIC_BASE}/view/{clinic.view}/?lang=en")
    item = page.locator("li[data-feed=city-lab]")
    item.locator("a.again").focus()
    page.keyboard.press("Enter")
    expect(item.locator(".failed, .waiting")).to_have_count(0)
    expect(item.locator(".state")).to_be_focused()
    expect(item.get_by_role("status")).to_contain_text("City laboratory")
    page.close()
