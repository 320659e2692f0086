"""The mark of a browser's tab. Browsers ask for it by themselves: unanswered, each would stand among the refusals."""

from flask import Flask, Response

from plugin.faces.pages.page import SHARED

A_WEEK = "public, max-age=604800"


def mount(app: Flask) -> None:
    """Add the address at which browsers look for it."""
    picture = (SHARED / "icon.svg").read_bytes()

    def icon() -> Response:
        return Response(picture, content_type="image/svg+xml", headers={"Cache-Control": A_WEEK})

    app.add_url_rule("/favicon.ico", "icon", icon, provide_automatic_options=False)
