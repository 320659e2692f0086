"""`/launch/<ehr>` and `/launch/callback`: the browser's part of SMART App Launch. What a launch is worth is judged in
`plugin.authentication.launch`; here it only travels, and is told to the person where it opens nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import structlog
from flask import Blueprint, Flask, Response, g, request

from plugin.authentication.launch import BEGUN_SECONDS, Begun, Launches
from plugin.authentication.launch import Response as Answer
from plugin.errors import ConsultError, LaunchForgotten, LaunchMalformed, Refused
from plugin.faces.http import Malformed
from plugin.faces.launch.words import FORGOTTEN, FORGOTTEN_IN_A_FRAME, OTHERWISE, PROBLEMS, WORDS
from plugin.faces.pages import view_cookie
from plugin.faces.pages.page import Frame, Pages, chosen_language
from policies.vocabulary.consultation import Origin, Reason

FAMILY = "launch"
"""Of routes, in records and counts."""

MAX_VALUE = 4096
"""Characters of a parameter: codes of real servers stay below 2,000."""

log = structlog.get_logger()


@dataclass(frozen=True)
class LaunchFace:
    """The face and what it asks."""

    launches: Launches
    ancestors: Mapping[str, Sequence[str]]
    """Who may frame the pages of each EHR's launches."""
    pages: Pages

    def mount(self, app: Flask) -> None:
        """Add the routes to `app`."""
        face = Blueprint("launch", __name__)
        face.register_error_handler(ConsultError, self._refused)
        face.register_error_handler(Exception, self._broken)
        app.register_blueprint(face)
        # Rules without methods: HEAD, which Flask would add, must not spend a code.
        app.url_map.add(app.url_rule_class("/launch/callback", endpoint="launch.callback"))
        app.url_map.add(app.url_rule_class("/launch/<ehr>", endpoint="launch.begin"))
        for pattern in ("/launch", "/launch/<path:_>"):
            app.url_map.add(app.url_rule_class(pattern, endpoint="launch.elsewhere"))
        app.view_functions["launch.elsewhere"] = self.elsewhere
        app.view_functions["launch.callback"] = self.callback
        app.view_functions["launch.begin"] = self.begin

    def begin(self, ehr: str) -> Response:
        """From the EHR to its login; in a frame by a step in between, that shows whether the browser keeps a cookie."""
        if request.method != "GET":
            return self._only_get()
        g.launching = ehr
        issuer, launch, state = self._given("iss", "launch", "state")
        framed = view_cookie.is_framed()
        if state is None:
            begun = self.launches.begin(ehr, issuer, launch, _origin(), framed=framed)
            if framed:
                response = _to(_address(ehr, iss=issuer, launch=launch, state=begun.state))
            else:
                response = _to(self.launches.address(begun, ehr, issuer, launch, _origin()))
            seconds = int(BEGUN_SECONDS)
            view_cookie.keep_launch(response, begun.state, begun.cookie, seconds=seconds, framed=framed)
            return response
        begun = Begun(state, view_cookie.launch_cookie(state) or "")
        try:
            return _to(self.launches.address(begun, ehr, issuer, launch, _origin()))
        except LaunchForgotten as error:
            sentence = FORGOTTEN_IN_A_FRAME if framed else FORGOTTEN
            return self._message(error.status, (sentence,), address=_address(ehr, iss=issuer, launch=launch))

    def callback(self) -> Response:
        """From the EHR's login to the view."""
        if request.method != "GET":
            return self._only_get()
        state, code, issuer, error = self._given("state", "code", "iss", "error")
        kept = view_cookie.launch_cookie(state)
        g.launching = self.launches.ehr_of(state, kept)
        opened = self.launches.finish(Answer(state, code, issuer, error), kept, _origin())
        response = _to(f"/view/{opened.view.id}/", status=303)
        view_cookie.keep_view(response, opened.view, opened.secret, framed=opened.framed)
        view_cookie.drop_launch(response, str(state), framed=opened.framed)
        return response

    def _given(self, *names: str) -> tuple[str | None, ...]:
        """The one value of each parameter; None where it is absent. Raises LaunchMalformed, which is counted.

        Others are left alone (RFC 6749 4.1.2).
        """
        values = [request.args.getlist(name) for name in names]
        if any(len(each) > 1 or not all(0 < len(value) <= MAX_VALUE for value in each) for each in values):
            self.launches.refuse_malformed(_origin())
        return tuple(each[0] if each else None for each in values)

    def elsewhere(self, _: str = "") -> Response:
        """Nothing is there, whoever asks."""
        return self._not_here(Reason.UNKNOWN_ADDRESS)

    def _only_get(self) -> Response:
        response = self._not_here(Reason.METHOD_NOT_ALLOWED)
        response.headers["Allow"] = "GET"
        return response

    def _not_here(self, reason: Reason) -> Response:
        """Counted, and told."""
        refused = Refused(reason)
        self.launches.refuse(refused, _origin())
        return self._refused(refused)

    def _refused(self, error: ConsultError) -> Response:
        reason = LaunchMalformed.reason if isinstance(error, Malformed) else error.reason
        response = self._message(error.status, PROBLEMS.get(reason, OTHERWISE))
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    def _broken(self, _: Exception) -> Response:
        """A defect: its kind and place go to the log, nothing of it to the person."""
        log.exception("a request failed", request=g.request_id)
        return self._message(500, OTHERWISE)

    def _message(self, status: int, sentences: Sequence[object], *, address: str | None = None) -> Response:
        launching = g.get("launching")
        # Before it is known which EHR is meant, any that may frame the viewer may show this, which says nothing.
        anybody = sorted({origin for origins in self.ancestors.values() for origin in origins})
        frame = Frame(chosen_language(), self.ancestors.get(launching, ()) if launching else anybody)
        return self.pages.whole(
            "message.html", frame, status=status, sentences=sentences, address=address, reference=g.request_id
        )


def launch_face(launches: Launches) -> LaunchFace:
    """The face of these launches."""
    ancestors = {ehr_id: each.settings.frame_ancestors for ehr_id, each in launches.ehrs.items()}
    return LaunchFace(launches, ancestors, Pages(Path(__file__).parent / "templates", WORDS))


def _address(ehr: str, **parameters: str | None) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"/launch/{ehr}?{urlencode(given)}" if given else f"/launch/{ehr}"


def _to(address: str, status: int = 302) -> Response:
    response = Response(status=status)
    response.headers["Location"] = address
    return response


def _origin() -> Origin:
    return Origin(g.request_id, g.address, FAMILY)
