"""The clinician's pages: which address answers with what. A face only translates; each step says what it asks of whom.

The overview's page comes at once, without a result: its script then asks for the part of each feed by itself, so that a
slow feed holds nothing up. Without script each feed is a link.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NoReturn, Protocol

import structlog
from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import Rule

from plugin.authentication.credential import LaunchSession
from plugin.errors import ConsultError, Refused
from plugin.faces.http import Malformed
from plugin.faces.pages.view_cookie import drop_view
from plugin.faces.pages.wording import Word
from plugin.faces.viewer import emergency, overview, purpose, reimbursements, trend
from plugin.faces.viewer.documents.opened import nowhere
from plugin.faces.viewer.documents.routes import Documents
from plugin.faces.viewer.entrance import Entered, Entrance, go, origin
from plugin.faces.viewer.informed import Told
from plugin.faces.viewer.looks import Consults, Question, ShownFeed, look, looks
from plugin.faces.viewer.overview import Choice
from plugin.faces.viewer.problems import Problem, problem_of
from plugin.faces.viewer.screen import REPORTED
from plugin.state.openings import Opening
from policies.vocabulary.consultation import Origin, Reason
from policies.vocabulary.emergency import EmergencyAccess
from policies.vocabulary.session import STATABLE

MAX_FORM_BYTES = 16_384
"""Our longest form is a reason of 500 characters."""

log = structlog.get_logger()

Handler = Callable[..., Response]


class Gates(Consults, Protocol):
    """Of the Gateway, what the pages ask."""

    def break_glass(self, credential: LaunchSession, asked: EmergencyAccess, origin: Origin) -> Opening:
        """See Gateway.break_glass."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The face and what it asks."""

    gateway: Gates
    entrance: Entrance
    feeds: Mapping[str, ShownFeed]
    told: Told
    documents: Documents
    today: Callable[[], date] = lambda: datetime.now(UTC).date()

    def mount(self, app: Flask) -> None:
        """Add the routes to `app`."""
        face = Blueprint("viewer", __name__)
        face.register_error_handler(Malformed, self._malformed)
        face.register_error_handler(Exception, self._broken)
        app.register_blueprint(face)
        for name, pattern, handlers in (*self._addresses(), *self.documents.addresses()):
            endpoint = f"viewer.{name}"
            app.view_functions[endpoint] = self._dispatched(handlers)
            # Rules without methods: HEAD and OPTIONS are refused like all others, not answered by the framework.
            app.url_map.add(Rule(pattern, endpoint=endpoint))
        app.view_functions["viewer.elsewhere"] = self._elsewhere
        for pattern in ("/view", "/view/<path:_>"):
            app.url_map.add(Rule(pattern, endpoint="viewer.elsewhere"))

    def _addresses(self) -> Sequence[tuple[str, str, Mapping[str, Handler]]]:
        return (
            ("overview", "/view/<view>/", {"GET": self.overview}),
            ("part", "/view/<view>/part/<feed>", {"GET": self.part}),
            ("feed", "/view/<view>/feed/<feed>", {"GET": self.feed, "POST": self.inform}),
            ("trend", "/view/<view>/trend/<analyte>", {"GET": self.trend}),
            ("reimbursements", "/view/<view>/reimbursements", {"GET": self.reimbursements}),
            ("together", "/view/<view>/together", {"GET": self.together}),
            ("purpose", "/view/<view>/purpose", {"GET": self.ask_purpose, "POST": self.state_purpose}),
            ("emergency", "/view/<view>/emergency", {"GET": self.emergency, "POST": self.break_glass}),
            ("emergency-end", "/view/<view>/emergency/end", {"POST": self.end_emergency}),
            ("screen", "/view/<view>/screen", {"POST": self.report_screen}),
            ("logout", "/view/<view>/logout", {"POST": self.close}),
        )

    def overview(self, entered: Entered) -> Response:
        """The frame, which holds no result."""
        wanted = overview.read_choice(request.args, frozenset(self.feeds))
        return self.entrance.page(entered, "overview.html", **overview.frame(wanted, self._feeds(), _words()))

    def part(self, entered: Entered, feed: str) -> Response:
        """What one feed shows, for a frame that is there already."""
        shown = self._feed(entered, feed)
        wanted = overview.read_choice(request.args, frozenset(self.feeds))
        found = look(self.gateway, entered.credential, shown, self._question(entered, wanted), entered.origin())
        values = overview.told(entered, [found], wanted, self._feeds(), _words())
        text = self.entrance.part(entered, "part.html", back="overview", **values)
        return Response(text, content_type="text/html; charset=utf-8")

    def feed(self, entered: Entered, feed: str) -> Response:
        """What one feed shows, as a page of its own."""
        return self._looked(entered, [self._feed(entered, feed)])

    def together(self, entered: Entered) -> Response:
        """What all feeds show, on one page that waits for them."""
        return self._looked(entered, self._feeds())

    def _looked(self, entered: Entered, feeds: Sequence[ShownFeed]) -> Response:
        wanted = overview.read_choice(request.args, frozenset(self.feeds))
        found = looks(self.gateway, entered.credential, feeds, self._question(entered, wanted), entered.origin())
        values = overview.told(entered, found, wanted, self._feeds(), _words())
        return self.entrance.page(entered, "looked.html", here=feeds, back="feed", **values)

    def trend(self, entered: Entered, analyte: str) -> Response:
        """One test over time, at all sources and in the EHR's own record, on one page that waits for them."""
        if not trend.is_analyte(analyte):
            self._refuse(entered, Reason.UNKNOWN_ADDRESS)
        path = f"trend/{analyte}"
        feeds = [*self._feeds(), trend.LOCAL]
        asked = trend.question(self.told.of(entered.view.id, _words()))
        found = looks(self.gateway, entered.credential, trend.measuring(feeds), asked, entered.origin())
        return self.entrance.page(entered, "trend.html", back=path, **trend.told(entered, found, analyte, feeds))

    def reimbursements(self, entered: Entered) -> Response:
        """Twelve months of them."""
        today, feeds = self.today(), self._feeds()
        asked = reimbursements.question(today, self.told.of(entered.view.id, _words()))
        found = looks(self.gateway, entered.credential, reimbursements.insurers(feeds), asked, entered.origin())
        values = reimbursements.told(entered, found, feeds, today)
        return self.entrance.page(entered, "reimbursements.html", back="reimbursements", **values)

    def inform(self, entered: Entered, feed: str) -> Response:
        """The clinician's word that the patient was told; it is good for looks at this feed in the next minutes."""
        shown = self._feed(entered, feed)
        if request.form.get("informed") != "yes":
            return go(entered.at(f"feed/{shown.id}"))
        back = request.form.get("back", "")
        to = "" if back == "overview" else back if trend.is_page(back) else f"feed/{shown.id}"
        return go(entered.at(to, told=self.told.give(entered.view.id, shown.id)))

    def ask_purpose(self, entered: Entered) -> Response:
        """What the looks are for: asked once."""
        if entered.view.purpose is not None:
            return go(entered.at())
        choices = purpose.choices(self.entrance.offered(entered, STATABLE))
        return self.entrance.page(entered, "purpose.html", choices=choices)

    def state_purpose(self, entered: Entered) -> Response:
        """It is stated."""
        self.entrance.sessions.state_purpose(entered.credential, request.form.get("purpose", ""), entered.origin())
        return go(entered.at())

    def emergency(self, entered: Entered) -> Response:
        """The form that breaks the glass; what stands open is in the banner."""
        return self.entrance.page(entered, "emergency.html", reasons=emergency.REASONS)

    def break_glass(self, entered: Entered) -> Response:
        """It is opened."""
        self.gateway.break_glass(entered.credential, emergency.opening(request.form), entered.origin())
        return go(entered.at())

    def end_emergency(self, entered: Entered) -> Response:
        """It is closed."""
        self.gateway.break_glass(entered.credential, emergency.CLOSING, entered.origin())
        return go(entered.at())

    def report_screen(self, entered: Entered) -> Response:
        """The page's script reports that its reader prints or copies."""
        step = REPORTED.get(request.form.get("what", ""))
        self.entrance.sessions.report(entered.credential, step, entered.origin())
        return Response(status=204)

    def close(self, entered: Entered) -> Response:
        """The view is over, and its cookie gone. Those of other patients' windows are left alone."""
        self.entrance.sessions.close(entered.credential, entered.origin())
        response = self.entrance.stranger_page("closed.html", status=200, frame=entered.frame)
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        drop_view(response, entered.view.id)
        return response

    def _question(self, entered: Entered, wanted: Choice) -> Question:
        told = self.told.of(entered.view.id, _words())
        return overview.question(wanted, self.today(), told)

    def _feeds(self) -> list[ShownFeed]:
        return list(self.feeds.values())

    def _feed(self, entered: Entered, name: str) -> ShownFeed:
        if name not in self.feeds:
            self._refuse(entered, Reason.UNKNOWN_FEED)
        return self.feeds[name]

    def _refuse(self, entered: Entered, reason: Reason) -> NoReturn:
        """By the gateway, which records it."""
        self.gateway.consult(entered.credential, nowhere("", reason), entered.origin())
        raise Refused(reason)

    def _dispatched(self, handlers: Mapping[str, Handler]) -> Callable[..., Response]:
        def answer(view: str, **places: str) -> Response:
            entered: Entered | None = None
            try:
                if request.method not in handlers:
                    return self._not_here(Refused(Reason.METHOD_NOT_ALLOWED), tuple(handlers))
                request.max_content_length = MAX_FORM_BYTES
                entered = self.entrance.enter(view)
                if request.method == "POST":
                    self.entrance.require_own_form(entered)
                if entered.view.purpose is None and request.endpoint not in PURPOSELESS:
                    return go(entered.at("purpose"))
                return handlers[request.method](entered, **places)
            except ConsultError as error:
                return self._problem(error, entered)

        return answer

    def _problem(self, error: ConsultError, entered: Entered | None) -> Response:
        """A page of the view where there is one; of a part, a piece of one."""
        problem = problem_of(error)
        if request.endpoint == "viewer.part" or entered is None:
            response = self._without_view(error, problem)
        else:
            try:
                response = self.entrance.page(
                    entered,
                    "problem.html",
                    status=error.status,
                    problem=problem,
                    title=problem.titled(self._source()),
                    again=problem.again and request.method == "GET",
                )
            except ConsultError:  # the state that the banner asks is what fails
                response = self._without_view(error, problem)
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    def _without_view(self, error: ConsultError, problem: Problem) -> Response:
        return self.entrance.stranger_page(
            "problem.html",
            status=error.status,
            problem=problem,
            title=problem.titled(self._source()),
            again=False,
            request_id=g.request_id,
        )

    def _source(self) -> Word | None:
        """The source that the address names."""
        feed = self.feeds.get((request.view_args or {}).get("feed", ""))
        return None if feed is None else feed.title

    def _not_here(self, error: Refused, allow: Sequence[str]) -> Response:
        """Nothing is done there, whoever asks: counted, and told."""
        self.entrance.strangers.refused(error, origin())
        response = self._without_view(error, problem_of(error))
        if allow:
            response.headers["Allow"] = ", ".join(allow)
        return response

    def _elsewhere(self, _: str = "") -> Response:
        return self._not_here(Refused(Reason.UNKNOWN_ADDRESS), ())

    def _malformed(self, error: Malformed) -> Response:
        self.entrance.strangers.refused(error, origin())
        return self._without_view(error, problem_of(error))

    def _broken(self, error: Exception) -> Response:
        """A bug: for the log of the process, without its locals. A form that is too large is somebody's mistake."""
        if isinstance(error, RequestEntityTooLarge):
            refused = Refused(Reason.BODY_TOO_LARGE)
            self.entrance.strangers.refused(refused, origin())
            return self._without_view(refused, problem_of(Refused(Reason.INVALID_VALUE)))
        log.error("a request failed", request=g.request_id, exc_info=error)
        return self._without_view(ConsultError(), problem_of(ConsultError()))


def _words() -> list[str]:
    """That the patient was told, as this address carries it."""
    return request.args.getlist("told")


PURPOSELESS = frozenset({"viewer.purpose", "viewer.screen", "viewer.logout"})
"""What is answered before a purpose is stated."""
