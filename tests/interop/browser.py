"""A browser of few words: it keeps cookies, fills the one form of a page, and follows redirects as far as told."""

import html
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPMessage
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urljoin

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

    @property
    def form(self) -> str:
        """Where its form is sent."""
        found = re.search(r'<form[^>]*\baction="([^"]*)"', self.body)
        assert found, self.body[:2_000]
        return urljoin(self.url, html.unescape(found[1]))


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

    def follow(self, page: Page, until: str | None = None) -> Page:
        """Redirects from `page` on, except one to an address that begins with `until`."""
        for _ in range(HOPS):
            if not page.goes_to or (until is not None and page.goes_to.startswith(until)):
                return page
            page = self.open(page.goes_to)
        raise AssertionError(f"no end of redirects at {page.url}")
