"""The cookies of launches and views: one for each, so that windows of several patients never share one.

Host-bound, for https (and loopback) only, unreadable to scripts. Inside a frame a browser keeps one only if it may go
to other sites (`SameSite=None`), and then in the frame's own partition.
"""

import time

from flask import Response, request

from plugin.authentication.credential import LaunchSession, NoCredential
from plugin.state.views import View

_VIEW = "__Host-vitrine-view-"
_LAUNCH = "__Host-vitrine-launch-"
MOST_LAUNCHES, MOST_VIEWS = 8, 60
"""Cookies of each kind that one browser keeps here: half a kB each for launches that wait for a login, a tenth for
views. More of them would make its requests too large for anybody to take; those begun first go."""
MAX_NAME = 64
"""Characters of what an address may give as the id of a view, or the state of a launch."""


def credential_of(view: str) -> LaunchSession | NoCredential:
    """What the request shows for the view that its path names: cookie and path must agree."""
    secret = request.cookies.get(_VIEW + view) if len(view) <= MAX_NAME else None
    return LaunchSession(view, secret) if secret else NoCredential()


def keep_view(response: Response, view: View, secret: str, *, framed: bool) -> None:
    """Have the browser keep the secret of `view` as long as it lasts."""
    _make_room(response, _VIEW, MOST_VIEWS, framed=framed)
    _set(response, _VIEW + view.id, secret, seconds=max(0, int(view.expires_at - time.time())), framed=framed)


def drop_view(response: Response, view: str) -> None:
    """Have the browser forget it, in a frame or not."""
    for framed in (True, False):
        _set(response, _VIEW + view, "", seconds=0, framed=framed)


def launch_cookie(state: str | None) -> str | None:
    """What the browser kept of the launch of `state`."""
    return request.cookies.get(_LAUNCH + state) if state and len(state) <= MAX_NAME else None


def keep_launch(response: Response, state: str, value: str, *, seconds: int, framed: bool) -> None:
    """Have the browser keep it until its login is over."""
    _make_room(response, _LAUNCH, MOST_LAUNCHES, framed=framed)
    _set(response, _LAUNCH + state, value, seconds=seconds, framed=framed)


def drop_launch(response: Response, state: str, *, framed: bool) -> None:
    """Have the browser forget it."""
    _set(response, _LAUNCH + state, "", seconds=0, framed=framed)


def is_framed() -> bool:
    """Whether the browser says that it shows this inside a page of somebody else."""
    return request.headers.get("Sec-Fetch-Dest") in {"iframe", "frame"}


def _make_room(response: Response, kind: str, most: int, *, framed: bool) -> None:
    """Have the browser forget the oldest of a kind: it sends those that it has had longest first (RFC 6265 5.4)."""
    kept = [name for name in request.cookies if name.startswith(kind)]
    for name in kept[: max(0, len(kept) - most + 1)]:
        _set(response, name, "", seconds=0, framed=framed)


def _set(response: Response, name: str, value: str, *, seconds: int, framed: bool) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        secure=True,
        httponly=True,
        samesite="None" if framed else "Lax",
        partitioned=framed,
    )
