"""Pages in a browser whose every request the application answers in this process."""

from collections.abc import Callable
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from playwright.sync_api import Page, Route

from tests.world import PUBLIC_BASE


def show(page: Page, client: FlaskClient, path: str, part: Callable[[str], str] | None = None) -> None:
    """Go to `path`, in English. `part`: feed -> what arrives as its part of an overview, instead of the answer."""

    def answer(route: Route) -> None:
        asked = urlsplit(route.request.url).path
        if part is not None and "/part/" in asked:
            route.fulfill(body=part(asked.rpartition("/")[2]), content_type="text/html; charset=utf-8")
        else:
            found = client.get(asked, base_url=PUBLIC_BASE, query_string={"lang": "en"})
            route.fulfill(body=found.get_data(), content_type=found.headers["Content-Type"])

    page.route("**/*", answer)
    page.goto(f"{PUBLIC_BASE}{path}?lang=en")
