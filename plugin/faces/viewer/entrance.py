"""How a request enters the clinician's pages: which view it shows, in which language, framed by whom; and what every
page carries. Nothing here releases a result.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from flask import Response, g, request

from plugin.authentication.credential import LaunchSession, NoCredential
from plugin.authentication.launch_session import Sessions
from plugin.errors import FormForeign
from plugin.faces.pages.page import Frame, Pages, chosen_language
from plugin.faces.pages.style import PLAIN, Style
from plugin.faces.pages.wording import known_language
from plugin.faces.viewer.course_words import COURSES
from plugin.faces.viewer.csrf import FIELD, FormTokens
from plugin.faces.viewer.documents.words import WORDS as DOCUMENT
from plugin.faces.viewer.words import PAGE
from plugin.state.openings import Opening
from plugin.state.views import IDLE_SECONDS, View
from plugin.strangers import Strangers
from policies.vocabulary.consultation import Origin
from policies.vocabulary.emergency import BREAK_GLASS

FAMILY = "viewer"
"""Of routes, in records and counts."""
TEMPLATES = Path(__file__).parent / "templates"
WORDS = {**PAGE, **COURSES, **DOCUMENT}


class Glass(Protocol):
    """Of the Gateway, what a page of a view offers and shows besides results."""

    def broken_glass(self, credential: LaunchSession, patient: str | None = None) -> Opening | None:
        """See Gateway.broken_glass."""

    def offers(self, credential: LaunchSession, purposes: Iterable[str], origin: Origin) -> frozenset[str]:
        """See Gateway.offers."""


@dataclass(frozen=True, slots=True)
class PatientShown:
    """Who the page is about, as the banner says it."""

    name: str
    born: str


@dataclass(frozen=True, slots=True)
class Entered:
    """A request that shows a view."""

    credential: LaunchSession
    view: View
    frame: Frame
    token: str = field(repr=False)
    """For the forms of its page."""

    def origin(self, number: int = 1) -> Origin:
        """Of this request, for a record."""
        return origin(number)

    def at(self, path: str = "", **query: str | Sequence[str]) -> str:
        """The address of a page of this view, in the language that was asked for."""
        return address(self.view.id, path, **query)


@dataclass(frozen=True, slots=True)
class Entrance:
    """Opens the pages of a view, and makes them."""

    sessions: Sessions
    glass: Glass
    strangers: Strangers
    forms: FormTokens
    credential_of: Callable[[str], LaunchSession | NoCredential]
    """What this request shows for the view with this id."""
    ancestors: Mapping[str, Sequence[str]]
    """EHR -> who may frame its pages."""
    patient_of: Callable[[Entered], PatientShown | None] = lambda _: None
    style_of: Callable[[View], Style] = lambda _: PLAIN
    pages: Pages = field(default_factory=lambda: Pages(TEMPLATES, WORDS, "viewer.css", "course.css"))

    def enter(self, view_id: str) -> Entered:
        """The view that this request shows. Raises Unidentified (counted), CallerThrottled, StateUnavailable."""
        credential = self.credential_of(view_id)
        view = self.sessions.view(credential, origin())
        assert isinstance(credential, LaunchSession)  # nothing else shows a view  # noqa: S101
        frame = Frame(chosen_language(view.locale), self.ancestors.get(view.ehr, ()), self.style_of(view))
        return Entered(credential, view, frame, self.forms.token(credential))

    def require_own_form(self, entered: Entered) -> None:
        """Raises FormForeign, counted, unless the form was sent from a page of this view."""
        if not self.forms.accepts(request, entered.credential):
            error = FormForeign()
            self.strangers.refused(error, entered.origin())
            raise error

    def page(
        self, entered: Entered, template: str, *, status: int = 200, script: str | None = "viewer.js", **values: Any
    ) -> Response:
        """A page of the view: with its patient, with what stands open, and with what reports a print."""
        opening = self.glass.broken_glass(entered.credential)
        return self.pages.whole(
            template,
            entered.frame,
            status=status,
            script=script,
            **self.values(entered),
            patient=self.patient_of(entered),
            opening=opening,
            emergency_offered=opening is not None or bool(self.offered(entered, (BREAK_GLASS,))),
            until=None if opening is None else datetime.fromtimestamp(opening.until, UTC).astimezone(),
            left=None if opening is None else max(0, int(opening.until - time.time())),
            ends=max(0, int(entered.view.expires_at - time.time())),
            idle=int(IDLE_SECONDS),
            **values,
        )

    def offered(self, entered: Entered, purposes: Iterable[str]) -> frozenset[str]:
        """Those of `purposes` under which this person could look."""
        return self.glass.offers(entered.credential, purposes, entered.origin())

    def part(self, entered: Entered, template: str, **values: Any) -> str:
        """A piece of a page of the view."""
        return self.pages.part(template, entered.frame, **self.values(entered), **values)

    def stranger_page(self, template: str, *, status: int, frame: Frame | None = None, **values: Any) -> Response:
        """A page that tells of no view and no patient. Without a `frame`, whoever may frame any page of ours may."""
        if frame is None:
            every = tuple(dict.fromkeys(each for listed in self.ancestors.values() for each in listed))
            frame = Frame(chosen_language(), every)
        return self.pages.whole(template, frame, status=status, view=None, **values)

    def values(self, entered: Entered) -> dict[str, Any]:
        """What every template of a view may print."""
        return {
            "view": entered.view,
            "at": entered.at,
            "form_name": FIELD,
            "form_token": entered.token,
            "request_id": g.request_id,
            "now": datetime.now(UTC).astimezone(),
            "path": request.path,
        }


def origin(number: int = 1) -> Origin:
    """Of this request, for a record."""
    return Origin(g.request_id, g.address, FAMILY, number)


def address(view_id: str, path: str = "", **query: str | Sequence[str]) -> str:
    """Of a page of a view. What language was asked for goes along."""
    asked = known_language(request.args.get("lang"))
    told = {**{name: value for name, value in query.items() if value}, **({"lang": asked} if asked else {})}
    return f"/view/{quote(view_id, safe='')}/{path}" + (f"?{urlencode(told, doseq=True)}" if told else "")


def go(to: str) -> Response:
    """After a form: the page is asked for anew, so that going back or reloading sends nothing twice."""
    return Response(status=303, headers={"Location": to})
