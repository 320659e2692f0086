"""What a clinician does in a browser; every answer that arrives is read on the way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Response, expect

from tests.browser.hospital import Town

SCREENSHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"
"""Ignored by git; kept by whoever runs the tests and wants to look."""
PATIENCE = 60_000
"""Milliseconds: a loaded machine is given time."""
ALIKE = ".results tbody tr:nth-child(n+6)"
"""Rows beyond the fifth of a table are made like those before: one test reads them all, the others these alone."""
expect.set_options(timeout=PATIENCE)
ASKED, LEFT_ALONE = 6, 12_000
"""Times, and milliseconds between them: a source that failed is left alone for a while."""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Clinician:
    """One browser window with its cookies."""

    town: Town
    context: BrowserContext
    language: str
    name: str
    """Of the screenshots."""
    axe: str = ""
    fhir: list[str] = field(default_factory=list)
    """Answers of the gateway that hold FHIR, or JSON at all."""
    elsewhere: list[str] = field(default_factory=list)
    """Requests of pages of the gateway to any other host."""
    errors: list[str] = field(default_factory=list)
    """What the browser complained of on pages of the gateway."""
    weights: dict[str, int] = field(default_factory=dict)
    """Path -> bytes of its newest answer."""
    pending: list[Response] = field(default_factory=list)

    def page(self) -> Page:
        """A new tab."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("response", self._arrives)
        page.on("request", lambda request: self._sent(page, request.url))
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def launch(self, page: Page, patient: str) -> None:
        """From the EHR's list of patients to the viewer, in a tab, stating the purpose."""
        page.goto(f"{self.town.addresses.ehr}/viewer/{patient}")
        page.locator("button[value=continue]").click()
        page.wait_for_url(re.compile(r"/view/[^/]+/purpose"))

    def state_purpose(self, page: Page) -> None:
        """What is chosen already."""
        page.locator("main form button").click()
        page.wait_for_url(re.compile(r"/view/[^/]+/(\?.*)?$"))

    def arrived(self, page: Page) -> None:
        """Every source has answered, or is said not to have."""
        expect(page.locator(".sources .waiting")).to_have_count(0)
        self.read()

    def shown(self, page: Page) -> None:
        """Every source has shown what it has. One that was too slow for a busy machine is asked again."""
        for _ in range(ASKED):
            self.arrived(page)
            if page.locator(".sources .failed").count() == 0:
                return
            page.wait_for_timeout(LEFT_ALONE)
            page.reload()
        raise AssertionError(page.locator(".sources").inner_text())

    def look_at(self, page: Page, name: str, *, whole: bool = False) -> list[str]:
        """Keep a picture, and say what axe finds."""
        self.read()
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}-{self.name}.png", full_page=whole)
        if page.viewport_size is not None:
            assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], name
        return self.breaches(page, name, [ALIKE]) if self.axe else []

    def breaches(self, page: Page, name: str, left_out: Sequence[str] = ()) -> list[str]:
        """What axe finds on all of the page but for what is left out. Of what is well it says nothing."""
        page.evaluate(self.axe)
        how = {"runOnly": TAGS, "resultTypes": ["violations"]}
        run = "([left, how]) => axe.run({include: [['html']], exclude: left.map((each) => [each])}, how)"
        found = page.evaluate(run, [list(left_out), how])
        return [f"{name}: {each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]

    def read(self) -> None:
        """Read every answer that has arrived; those of a page that was left meanwhile are known by their type alone."""
        waiting, self.pending[:] = list(self.pending), []
        for response in waiting:
            try:
                body = response.body()
            except Error:
                continue
            self.weights[urlsplit(response.url).path] = len(body)
            if b'"resourceType"' in body:
                self.fhir.append(response.url)

    def _arrives(self, response: Response) -> None:
        if not response.url.startswith(self.town.addresses.gateway) or response.status in (302, 303, 204):
            return
        if not response.headers.get("content-type", "").startswith(("text/html", "image/", "text/plain")):
            self.fhir.append(response.url)
        self.pending.append(response)

    def _said(self, message: ConsoleMessage) -> None:
        # What is not there is meant not to be: the page that nobody made.
        if message.type == "error" and not message.location["url"].endswith("/nowhere"):
            self.errors.append(message.text)

    def _sent(self, page: Page, url: str) -> None:
        ours = self.town.addresses.gateway
        if page.url.startswith(ours) and not url.startswith((ours, "data:")):
            self.elsewhere.append(url)


def clinician(
    town: Town,
    browser: Browser,
    *,
    language: str = "en",
    width: int = 1440,
    scheme: str = "light",
    axe: str = "",
    script: bool = True,
) -> Clinician:
    """A window of this width, in this language, light or dark."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        locale=language,
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
    )
    return Clinician(town, context, language, f"{language}-{width}-{scheme}", axe)
