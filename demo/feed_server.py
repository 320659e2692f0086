"""A sample feed over HTTP: a read-only FHIR R4 server on a folder of Bundles, with the habits of real ones.

What is in the folder and what matches a search is `fhir_adapters.bundle_folder`'s; this adds the wire: credentials,
pages and their links, and the CapabilityStatement.
"""

import base64
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from demo.access_tokens import BearerCheck, BearerError
from demo.fhir_answers import fhir, outcome, unauthorized
from demo.pages import LOCAL_NAMES
from demo.people import call, every
from fhir_adapters.interface import Feed, FeedError, FeedRefused, Tree

LARGEST_PAGE = 50
"""Larger wishes are clamped, as most servers do."""
OFFSET = "_offset"
"""Our own parameter in next links, beside `_count`."""

_FILE = re.compile(r"https://[a-z-]+\.example/fhir/(Binary/[A-Za-z0-9.-]{1,64})")
"""The address of a file in the folder."""

Guard = Callable[[], Response | None]
"""Looks at the request's credential: None where it is good, else the refusal."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Where servers differ within what FHIR allows."""

    page_size: int = 20
    """Entries of a page when nobody asks for a number."""
    full_urls: bool = True
    totals: bool = True


def open_to_all() -> None:
    """No credential is asked for."""


def basic_guard(username: str, password: str) -> Guard:
    """HTTP Basic (RFC 7617)."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()

    def guard() -> Response | None:
        given = request.headers.get("Authorization", "")
        if secrets.compare_digest(given.encode(), f"Basic {pair}".encode()):
            return None
        refusal = outcome(401, "login")
        refusal.headers["WWW-Authenticate"] = 'Basic realm="demo", charset="UTF-8"'
        return refusal

    return guard


def bearer_guard(check: BearerCheck) -> Guard:
    """An access token of the authorization server, for this feed and scope."""

    def guard() -> Response | None:
        try:
            check.claims(request.headers.get("Authorization"))
        except BearerError as error:
            return unauthorized(error)
        return None

    return guard


def create_feed_server(feed: Feed, base: str, habits: Habits, guard: Guard) -> Flask:
    """The feed as a Flask app. `base` is its FHIR base as clients see it, ending in `/fhir`."""
    app = Flask(__name__, static_folder=None)
    app.config["TRUSTED_HOSTS"] = LOCAL_NAMES
    app.add_url_rule("/fhir/metadata", "metadata", lambda: fhir(_capability(feed, base)))

    @app.get("/fhir/<resource_type>/<resource_id>")
    def read(resource_type: str, resource_id: str) -> Response:
        refusal = guard()
        if refusal is not None:
            return refusal
        found = feed.read(resource_type, resource_id, call("feed-read"))
        return outcome(404, "not-found") if found is None else fhir(at_home(found, base))

    @app.get("/fhir/<resource_type>")
    def search(resource_type: str) -> Response:
        refusal = guard()
        return refusal if refusal is not None else searched(feed, base, habits, resource_type)

    @app.errorhandler(FeedError)
    def refused(error: FeedError) -> Response:
        # What is not a refused parameter is a folder that cannot be read.
        return outcome(400, "not-supported") if isinstance(error, FeedRefused) else outcome(500, "exception")

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> Response:
        return outcome(error.code or 500, "not-supported" if error.code in (404, 405) else "exception")

    return app


def searched(feed: Feed, base: str, habits: Habits, resource_type: str) -> Response:
    """The answer to a search: one page of what matches the request's parameters."""
    asked = tuple((name, value) for name, value in request.args.items(multi=True) if name not in ("_count", OFFSET))
    size = _number("_count", habits.page_size)
    first = _number(OFFSET, 0)
    if size is None or first is None:
        return outcome(400, "invalid")
    size = min(size, LARGEST_PAGE)
    matches = list(every(feed, resource_type, asked))
    bundle: Tree = {"resourceType": "Bundle", "type": "searchset"}
    if habits.totals:
        bundle["total"] = len(matches)
    bundle["link"] = [{"relation": "self", "url": _link(base, resource_type, asked, size, first)}]
    if size and first + size < len(matches):
        bundle["link"].append({"relation": "next", "url": _link(base, resource_type, asked, size, first + size)})
    entries = [_entry(base, habits, resource, resource_type) for resource in matches[first : first + size]]
    if entries:  # FHIR JSON has no empty arrays
        bundle["entry"] = entries
    return fhir(bundle)


def _entry(base: str, habits: Habits, resource: Tree, asked_type: str) -> Tree:
    entry: Tree = {"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}"} if habits.full_urls else {}
    mode = "match" if resource["resourceType"] == asked_type else "include"
    return {**entry, "resource": at_home(resource, base), "search": {"mode": mode}}


def at_home(tree: Any, base: str) -> Any:
    """A copy in which files that lie at the feed have their address here, as any server writes its own."""
    if isinstance(tree, list):
        return [at_home(each, base) for each in tree]
    if not isinstance(tree, dict):
        return tree
    copy = {name: at_home(value, base) for name, value in tree.items()}
    if "contentType" in copy and (file := _FILE.fullmatch(str(copy.get("url", "")))):
        copy["url"] = f"{base}/{file[1]}"
    return copy


def _link(base: str, resource_type: str, asked: tuple[tuple[str, str], ...], size: int, first: int) -> str:
    parameters = [*asked, ("_count", str(size)), *([(OFFSET, str(first))] if first else [])]
    return f"{base}/{resource_type}?{urlencode(parameters)}"


def _number(name: str, default: int) -> int | None:
    text = request.args.get(name)
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _capability(feed: Feed, base: str) -> dict[str, Any]:
    offer = feed.check(call("feed-metadata"))
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-24",
        "kind": "instance",
        "software": {"name": f"Sample feed {feed.id}"},
        "implementation": {"description": f"{feed.id}, of the Vitrine demonstration", "url": base},
        "fhirVersion": offer.fhir_version,
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {"type": name, "interaction": [{"code": code} for code in codes]}
                    for name, codes in sorted(offer.types.items())
                ],
            }
        ],
    }
