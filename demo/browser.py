"""A browser of few words: it keeps cookies, fills the one form of a page, and follows redirects as far as told.

What launches the viewer from the outside without a screen: measurements, and tests between servers that are not ours.
"""

import urllib.error
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPMessage
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

PATIENCE = 300.0
"""Seconds for an answer of a Java server on a busy machine."""
HOPS = 10


class _LoopbackIsSecure(DefaultCookiePolicy):
    """As browsers have it: cookies marked `Secure` go to 127.0.0.1 over http as well."""

    def return_ok_secure(self, cookie: Cookie, request: urllib.request.Request) -> bool:
        return True


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Form:
    """Where it is sent, and what it holds before anybody fills it."""

    url: str
    held: dict[str, str]


class _Forms(HTMLParser):
    """The forms of a page, with what they send untouched: hidden fields, and what is chosen already."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((told.get("action", ""), {}))
        elif tag == "input" and self.forms and (told.get("type") == "hidden" or "checked" in told):
            self.forms[-1][1][told.get("name", "")] = told.get("value", "")


@dataclass(frozen=True, slots=True)
class Page:
    """What came back."""

    url: str
    status: int
    headers: HTTPMessage
    body: str

    @property
    def goes_to(self) -> str:
        """Where a redirect leads; "" if it is none."""
        return urljoin(self.url, self.headers["Location"]) if 300 <= self.status < 400 else ""

    def form(self, towards: str = "") -> "Form":
        """Its first form that is sent to an address with `towards` in it."""
        reader = _Forms()
        reader.feed(self.body)
        for action, held in reader.forms:
            if towards in action:
                return Form(urljoin(self.url, action), held)
        raise LookupError(f"no such form on the page:\n{self.body[:4_000]}")


class Browser:
    """One person's."""

    def __init__(self) -> None:
        self.cookies = CookieJar(_LoopbackIsSecure())
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies), _NoRedirects)

    def open(self, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Page:
        """One request: GET, or POST of `form`."""
        data = None if form is None else urlencode(form).encode()
        request = urllib.request.Request(url, data, headers or {})
        try:
            answer = self._opener.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return Page(url, answer.status, answer.headers, answer.read().decode())

    def send(self, form: Form, **fields: str) -> Page:
        """A form, filled; as browsers do, with the address of the page that it came from."""
        parts = urlsplit(form.url)
        return self.open(form.url, {**form.held, **fields}, {"Origin": f"{parts.scheme}://{parts.netloc}"})

    def follow(self, page: Page, until: str | None = None) -> Page:
        """Redirects from `page` on, except one to an address that begins with `until`."""
        for _ in range(HOPS):
            if not page.goes_to or (until is not None and page.goes_to.startswith(until)):
                return page
            page = self.open(page.goes_to)
        raise LookupError(f"no end of redirects at {page.url}")
