"""The addresses of documents: one for a document, one for each page of each of its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from flask import Response, request

from plugin.errors import Refused
from plugin.faces.viewer.documents import opened
from plugin.faces.viewer.documents.opened import Consults, FilePage, Place, Renders
from plugin.faces.viewer.documents.words import PROBLEMS
from plugin.faces.viewer.entrance import Entered, Entrance, go
from plugin.faces.viewer.informed import Told
from plugin.faces.viewer.looks import ShownFeed
from plugin.faces.viewer.readings.result import Result
from plugin.faces.viewer.rows import Row, Rows
from plugin.rendering.job import Problem
from policies.vocabulary.consultation import ClinicalConsultation, Reason

PICTURES_INSIDE = "img-src data:"
"""Of the Content-Security-Policy of a file's page: its picture stands in the page itself, so that what is opened is one
look, with one record; no other picture can be loaded."""

STATUSES: Mapping[str, int] = {Problem.NO_SUCH_PAGE: 404, Problem.BUSY: 503}
"""Of pages that show no file; 502 for what the source gave."""


@dataclass(frozen=True, slots=True)
class Documents:
    """The pages and what they ask."""

    gateway: Consults
    pool: Renders
    entrance: Entrance
    feeds: Mapping[str, ShownFeed]
    told: Told

    def addresses(self) -> tuple[tuple[str, str, Mapping[str, Callable[..., Response]]], ...]:
        """Name, pattern, and what answers each method."""
        place = "/view/<view>/document/<feed>/<resource_type>/<resource_id>"
        return (
            ("document", place, {"GET": self.document}),
            ("file", f"{place}/<file>", {"GET": self.page}),
            ("page", f"{place}/<file>/<page>", {"GET": self.page}),
        )

    def document(self, entered: Entered, feed: str, resource_type: str, resource_id: str) -> Response:
        """A document's own text, and its files by name."""
        source, place = self._feed(entered, feed), self._place(entered, feed, resource_type, resource_id)
        if not self._may_ask(source, place):
            return go(entered.at(f"feed/{feed}"))
        found = opened.document(self.gateway, self.pool, entered.credential, place, entered.origin())
        problem = None if found.text_problem is None else PROBLEMS[found.text_problem]
        return self.entrance.page(
            entered,
            "document.html",
            document=found,
            row=self._row(entered, found.result),
            source=source,
            here=place.path,
            problem=problem,
            told=_told(),
        )

    def page(
        self, entered: Entered, feed: str, resource_type: str, resource_id: str, file: str, page: str = "1"
    ) -> Response:
        """One page of a file."""
        source, place = self._feed(entered, feed), self._place(entered, feed, resource_type, resource_id)
        if not self._may_ask(source, place):
            return go(entered.at(f"feed/{feed}"))
        file_number, page_number = opened.number_of(file), opened.number_of(page)
        if file_number is None or page_number is None:
            self._refuse(entered, opened.nowhere(feed))
        found = opened.file_page(
            self.gateway,
            self.pool,
            entered.credential,
            place,
            file_number,
            page_number,
            entered.origin(),
            entered.frame.language,
        )
        response = self.entrance.page(
            entered,
            "document_file.html",
            status=_status(found),
            document=found,
            row=self._row(entered, found.result),
            source=source,
            here=place.path,
            problem=None if found.problem is None else PROBLEMS[found.problem],
            told=_told(),
        )
        policy = response.headers["Content-Security-Policy"]
        response.headers["Content-Security-Policy"] = policy.replace("img-src 'self'", PICTURES_INSIDE)
        return response

    def _row(self, entered: Entered, result: Result) -> Row:
        """What the overview says of a document, which each of its pages says too: its date, and whether it is valid."""
        return Rows(entered.frame.language, self.feeds, entered.at).row(result)

    def _place(self, entered: Entered, feed: str, resource_type: str, resource_id: str) -> Place:
        informed = feed in self.told.of(entered.view.id, _told())
        return Place(feed, resource_type, resource_id, informed)

    def _feed(self, entered: Entered, name: str) -> ShownFeed:
        if name not in self.feeds:
            self._refuse(entered, opened.nowhere("", Reason.UNKNOWN_FEED))
        return self.feeds[name]

    def _refuse(self, entered: Entered, asked: ClinicalConsultation) -> NoReturn:
        """By the gateway, which records it."""
        self.gateway.consult(entered.credential, asked, entered.origin())
        raise Refused(Reason.NOT_FOUND)

    @staticmethod
    def _may_ask(feed: ShownFeed, place: Place) -> bool:
        """Whether the clinician's word is there, where the feed wants it: its page asks for it."""
        return place.informed or not feed.wants_informed


def _told() -> list[str]:
    """That the patient was told, as this address carries it."""
    return request.args.getlist("told")


def _status(found: FilePage) -> int:
    return 200 if found.problem is None else STATUSES.get(found.problem, 502)
