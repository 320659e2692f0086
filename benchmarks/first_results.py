"""When the first results stand on a clinician's screen, in Chromium: what the page itself sees, not who drives it.

Playwright looks for an element at growing intervals, up to half a second apart, so what it waits for is known too late:
a script that is there before the page's own takes the time of the second frame that the first row is in.
"""

import re
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

from demo.addresses import Addresses

CHROMIUM: Final = Path("/usr/bin/chromium")
PATIENCE_MS: Final = 10_000
_SEEN: Final = """
(() => {
  const watch = new MutationObserver(() => {
    if (!document.querySelector(".results tbody tr")) return;
    watch.disconnect();
    const now = () => (document.documentElement.dataset.first = performance.now());
    requestAnimationFrame(() => requestAnimationFrame(now));
  });
  watch.observe(document, {childList: true, subtree: true});
})();
"""


def measured(addresses: Addresses, patient: str, late: str, rounds: int) -> dict[str, Any]:
    """Milliseconds from the start of the navigation, of each round, while the source `late` still owes its answer."""
    if not CHROMIUM.exists():
        return {"not measured": f"{CHROMIUM} is not there"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context().new_page()
        page.add_init_script(_SEEN)
        page.goto(f"{addresses.ehr}/viewer/{patient}")
        page.locator("button[value=continue]").click()
        page.wait_for_url(re.compile(r"/view/[^/]+/purpose"))
        page.locator("main form button").click()
        page.wait_for_url(re.compile(r"/view/[^/]+/(\?.*)?$"))
        taken = sorted(_first(page, late) for _ in range(rounds))
        browser.close()
    return {"rounds_ms": taken, "most_ms": taken[-1]}


def _first(page: Page, late: str) -> float:
    """Of one more look at the page, begun when the one before is whole."""
    page.locator(".sources .waiting").first.wait_for(state="detached", timeout=PATIENCE_MS)
    page.reload(wait_until="commit")
    page.locator("html[data-first]").wait_for(timeout=PATIENCE_MS)
    if not page.locator(f"li[data-feed={late}] .waiting").is_visible():
        raise SystemExit(f"Not measured: {late} was not late.")
    return round(float(page.locator("html").get_attribute("data-first") or "nan"), 1)
