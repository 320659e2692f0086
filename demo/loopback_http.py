"""The HTTP requests that the demonstration itself makes, all to 127.0.0.1: no proxy, no redirect followed."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

TIMEOUT_SECONDS = 15.0
"""The gateway answers within 8 s or says why not; the rest is margin for a busy machine."""


class UnreachableError(OSError):
    """Nothing whole came back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """None: urllib then hands the redirection over as an HTTPError."""


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def get(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    """GET `url`. Raises UnreachableError."""
    return _send(urllib.request.Request(url, headers=dict(headers or {})))


def post_form(url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
    """POST `form`, URL-encoded, to `url`. Raises UnreachableError."""
    return _send(urllib.request.Request(url, urlencode(form).encode(), dict(headers or {}), method="POST"))


def _send(request: urllib.request.Request) -> Answer:
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
            return Answer(response.status, dict(response.headers.items()), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers.items()), error.read())
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{request.host} did not answer") from error
