"""What every HTTP answer carries, and what every request is refused for before a face sees it.

Headers and request ids are the same on all faces; how an error looks is the face's.
"""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from flask import Flask, Request, Response, g, request
from werkzeug.routing import MapAdapter

from plugin.errors import ConsultError
from plugin.event import new_request_id

HEADERS = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Content-Disposition": 'inline; filename="view"',
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Permissions-Policy": "clipboard-read=(), clipboard-write=(), display-capture=(), camera=(), microphone=(), "
    "geolocation=(), usb=(), serial=()",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
"""view_only.md section 4, the row for an API."""

MAX_TARGET = 8192
"""Characters of path and query; our own longest address, a page link, is about 1,500."""
MAX_HEADER_CHARACTERS = 32_768
"""Tokens of real servers stay under 8 kB; a proxy's own headers are few."""
LONGEST_IP = 45
"""Characters: an IPv6 address in full whose end is written as an IPv4 address."""
MAX_FORWARDED = 20
"""Hops of X-Forwarded-For that are looked at."""

ANY_HOST = "vitrine.invalid"
"""Stands for every host in routing. It is in no address: those begin with `public_base`."""

SHARED_PATHS = ("/fhir/", "/.well-known/oauth-protected-resource/fhir")
"""What pages of other origins may ask, where they are configured. Never with credentials of the browser: a page shows
a token, which it has of its own."""

_OF_HEADERS = ("HTTP_", "CONTENT_")
"""How the names of what a request's headers said begin in its WSGI environment."""

_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15}):[0-9]{1,5}")
"""How some load balancers write a hop: `198.51.100.1:5678`, `[2001:db8::1]:443`."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.\-_]{1,253})(:\d{1,5})?")


class Malformed(ConsultError):
    """A request that is refused unread, before anybody is identified. A face may answer it in its own form."""

    reason = "malformed-request"

    def __init__(self, text: str, status: int, issue_code: str) -> None:
        super().__init__(text)
        self.status, self.issue_code = status, issue_code


_NO_HOST = ("The Host header is missing, doubled or malformed.", 400, "structure")
_TWO_LENGTHS = ("A request has one length.", 400, "structure")
_TWO_SLASHES = ("An address begins with one slash.", 400, "structure")
_LONG_ADDRESS = ("The address is too long.", 414, "too-long")
_LARGE_HEADERS = ("The headers are too large.", 431, "too-long")
MALFORMED = (_NO_HOST, _TWO_LENGTHS, _TWO_SLASHES, _LONG_ADDRESS, _LARGE_HEADERS)
"""(sentence, status, issue code): all that a request is refused for unread."""

Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]


class Application(Flask):
    """One whose routes depend on method and path alone: by anything else the router would refuse a request before any
    face could answer it in its own form, and record it."""

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.config["SERVER_NAME"] = ANY_HOST
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """As Flask's. `Upgrade: websocket` is left alone, as a server may (RFC 9110 7.8)."""
        adapter = super().create_url_adapter(request)
        if adapter is not None:
            adapter.websocket = False
        return adapter


def install(app: Flask, *, cors_origins: Sequence[str], trusted_proxies: Networks) -> None:
    """Give every request an id and an address, and every answer the headers."""

    @app.before_request
    def begin() -> Response | None:
        g.request_id = new_request_id()
        forwarded = request.environ.get("HTTP_X_FORWARDED_FOR")
        g.address = client_address(request.remote_addr, [] if forwarded is None else [forwarded], trusted_proxies)
        if problem := malformed():
            raise problem
        if _is_preflight(cors_origins):
            return Response(status=204)
        return None

    @app.errorhandler(Malformed)
    def refuse(error: Malformed) -> Response:
        return Response(f"{error.text}\n", error.status, content_type="text/plain; charset=utf-8")

    @app.after_request
    def finish(response: Response) -> Response:
        told = {name.lower() for name in response.headers.keys()}  # noqa: SIM118 - of a mapping with doubled names
        # Added in one go: each that is set by itself is looked for among all others.
        response.headers.extend([pair for pair in HEADERS.items() if pair[0].lower() not in told])
        response.headers.add("X-Request-Id", g.request_id)
        if _has_body() and (request.method != "POST" or response.status_code >= 400):
            # It may not have been read, which ends the connection: a proxy that is not told sends the next look there.
            response.headers.add("Connection", "close")
        if not cors_origins or not _is_shared():
            return response
        origin = request.headers.get("Origin")
        response.headers.add("Vary", "Origin")
        if origin in cors_origins:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Access-Control-Expose-Headers"] = "X-Request-Id, WWW-Authenticate, Retry-After"
            if _is_preflight(cors_origins):
                response.headers["Access-Control-Allow-Methods"] = "GET, POST"
                response.headers["Access-Control-Allow-Headers"] = "Authorization, Accept, Content-Type, Prefer"
                response.headers["Access-Control-Max-Age"] = "600"
        return response


def malformed() -> Malformed | None:
    """What is wrong with a request that no face should have to understand, or None."""
    # Read where the headers come from: it has each once, and several of one name have been joined by commas.
    environ = request.environ
    if not _HOST.fullmatch(environ.get("HTTP_HOST", "")):
        return Malformed(*_NO_HOST)
    if "HTTP_TRANSFER_ENCODING" in environ and "CONTENT_LENGTH" in environ:
        return Malformed(*_TWO_LENGTHS)
    if environ.get("PATH_INFO", "").startswith("//"):
        return Malformed(*_TWO_SLASHES)
    if len(environ.get("PATH_INFO", "")) + len(environ.get("QUERY_STRING", "")) > MAX_TARGET:
        return Malformed(*_LONG_ADDRESS)
    headers = [(name, value) for name, value in environ.items() if name.startswith(_OF_HEADERS)]
    if sum([len(name.removeprefix("HTTP_")) + len(value) for name, value in headers]) > MAX_HEADER_CHARACTERS:
        return Malformed(*_LARGE_HEADERS)
    return None


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Networks) -> str:
    """The socket peer; behind a trusted proxy, the last hop of X-Forwarded-For that is not one itself."""
    address = _ip(peer or "")
    if address is None:
        return "unknown"
    hops = [hop.strip() for line in forwarded for hop in line.split(",")][-MAX_FORWARDED:]
    while hops and any(address in network for network in trusted):
        hop = _hop(hops.pop())
        if hop is None:
            break
        address = hop
    return str(address)


def _hop(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in a hop, whose port is nobody's business."""
    written = _WITH_PORT.fullmatch(text)
    return _ip(text if written is None else written[1] or written[2])


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address in `text`. One zone of a link is like another to us, and its name is any text: not understood."""
    return _parsed(text) if len(text) <= LONGEST_IP else None


@lru_cache(maxsize=1024)
def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return None if address.scope_id else address.ipv4_mapped or address
    return address


def _has_body() -> bool:
    return request.environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in request.environ


def _is_shared() -> bool:
    """True for the facade and its documents: other faces answer to their own pages alone, whatever is configured."""
    return request.path.startswith(SHARED_PATHS) or request.path == "/fhir"


def _is_preflight(cors_origins: Sequence[str]) -> bool:
    return (
        request.method == "OPTIONS"
        and _is_shared()
        and request.headers.get("Origin") in cors_origins
        and request.headers.get("Access-Control-Request-Method") in {"GET", "POST"}
    )
