"""As much of a browser as a launch needs: it follows redirects, keeps cookies, and sends the forms of the pages."""

import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlencode, urljoin

SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Page:
    """What came back, and from where in the end."""

    url: str
    body: bytes
    media_type: str


@dataclass(slots=True)
class Form:
    """One form of a page, with what it sends unless told otherwise."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Browser:
    """Loopback alone: cookies for secure connections are sent there too, as browsers do."""

    def __init__(self) -> None:
        jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open

    def get(self, url: str) -> Page:
        """Raises urllib.error.HTTPError for a status that is no success."""
        return self._page(url, None)

    def send(self, page: Page, wanted: str, **values: str) -> Page:
        """Send the form of `page` whose fields have `wanted`, with `values` in their place."""
        form = next(each for each in _Forms.of(page.body) if wanted in each.fields)
        data = urlencode({**form.fields, **values})
        url = urljoin(page.url, form.action)
        return self._page(url, data.encode()) if form.method == "post" else self._page(f"{url}?{data}", None)

    def _page(self, url: str, data: bytes | None) -> Page:
        with self._open(url, data, SECONDS) as answer:
            return Page(answer.url, answer.read(), answer.headers.get_content_type())


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    @classmethod
    def of(cls, body: bytes) -> list[Form]:
        parser = cls()
        parser.feed(body.decode())
        return parser.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(told.get("action", ""), told.get("method", "get").lower()))
        elif tag in {"input", "button", "select"} and self.found and "name" in told:
            self.found[-1].fields.setdefault(told["name"], told.get("value", ""))
