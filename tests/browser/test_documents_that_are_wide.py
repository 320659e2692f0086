"""A table that is wider than the window moves by itself, and the page around it stays."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.without_a_server import show
from tests.viewer.test_viewer_documents import PLACE, Desk

pytestmark = pytest.mark.slow


def test_a_wide_table_does_not_move_the_page_and_is_reached_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    cells = "".join(f"<td>{number}.456 mmol/L</td>" for number in range(40))
    desk.put(text={"status": "generated", "div": f"<div><table><tr>{cells}</tr></table></div>"})

    page = browser.new_page(viewport={"width": 320, "height": 800})
    show(page, desk.world.client, f"/view/{desk.view}/{PLACE}")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    heights = page.locator(".narrative td").evaluate_all("(all) => all.map((each) => each.clientHeight)")
    assert max(heights) < 80, "a number is broken within"
    page.locator(".narrative").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.narrative').scrollLeft > 0")
    page.close()
