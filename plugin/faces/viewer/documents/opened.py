"""Opens a document, or one page of one of its files, and makes of it what a page shows.

Each opening is a consultation of its own, recorded and judged behind `Gateway.consult`, and each reads the source anew.
The bytes of a file go to a rendering process and nowhere else.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from markupsafe import Markup

from fhir_adapters.resource import is_id
from plugin.authentication.credential import LaunchSession
from plugin.consultation.attachments import NamedFile
from plugin.consultation.findings import File
from plugin.consultation.release import Release
from plugin.errors import Refused
from plugin.faces.pages.wording import Language, instant
from plugin.faces.viewer.documents.plain_text import Unreadable, decoded, paged
from plugin.faces.viewer.readings.beside import Answer as Showing
from plugin.faces.viewer.readings.overview import pages_of, read
from plugin.faces.viewer.readings.result import Result
from plugin.faces.viewer.readings.text import Text, line, visible
from plugin.rendering.job import Answer, Job, Kind, Problem
from policies.vocabulary.consultation import ClinicalConsultation, Objection, Origin, Reason
from policies.vocabulary.interactions import Delivery, Interaction, Level
from policies.vocabulary.resource_types import CONSULTABLE

KINDS: Final[Mapping[str, Kind]] = {
    "application/pdf": Kind.PDF,
    **dict.fromkeys(
        ("image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp", "image/bmp", "image/tiff"), Kind.IMAGE
    ),
    **dict.fromkeys(("text/xml", "application/xml", "application/hl7-sda+xml", "application/hl7-cda+xml"), Kind.CDA),
}
"""Media types that a rendering process reads."""
TEXT: Final = "text/plain"

MAX_FILES = 50
"""Named on a page."""

_NUMBER = re.compile(r"[1-9][0-9]{0,5}")

JPEG_BEGINS: Final = b"\xff\xd8\xff"


class Consults(Protocol):
    """Of the Gateway, what opening takes."""

    def consult(self, credential: LaunchSession, asked: ClinicalConsultation, origin: Origin) -> Release:
        """See Gateway.consult."""


class Renders(Protocol):
    """Of the rendering pool."""

    def render(self, job: Job) -> Answer:
        """See RenderingPool.render."""


@dataclass(frozen=True, slots=True)
class Place:
    """A document at a feed."""

    feed: str
    resource_type: str
    resource_id: str
    informed: bool = False
    """The clinician's word that the patient was told of looks at this feed."""

    @property
    def path(self) -> str:
        """Under the view."""
        return f"document/{self.feed}/{self.resource_type}/{self.resource_id}"


@dataclass(frozen=True, slots=True)
class FileLine:
    """A file as a page names it."""

    number: int
    title: Text | None
    content_type: Text | None
    openable: bool
    """False: it is not at the source."""
    given: bool
    """False: nor is it anywhere else; the source only names it."""
    showable: bool
    """False: it is of no kind that is shown."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document, without what is in its files."""

    result: Result
    files: tuple[FileLine, ...]
    text: Markup | None
    """Sanitised."""
    text_problem: str | None
    """A rendering Problem: it has a text, which is not shown."""
    unnamed: int
    """Files beyond MAX_FILES."""


@dataclass(frozen=True, slots=True)
class FilePage:
    """One page of a file: a picture, or text; or a problem."""

    result: Result
    files: tuple[FileLine, ...]
    file: FileLine
    number: int
    pages: int
    seen: tuple[str, str, str]
    """Reader, moment, record: as on the picture."""
    unnamed: int
    """Files beyond MAX_FILES."""
    problem: str | None = None
    """A rendering Problem."""
    picture: str = field(default="", repr=False)
    """A `data:` address."""
    width: int = 0
    height: int = 0
    text: str = field(default="", repr=False)
    """What the picture says, or a plain text."""
    markup: Markup | None = field(default=None, repr=False)
    """Sanitised."""


def document(gateway: Consults, pool: Renders, credential: LaunchSession, place: Place, origin: Origin) -> Document:
    """The document at `place`. Raises ConsultError."""
    release = gateway.consult(credential, _asked(place), origin)
    resource = release.shown[0].resource
    markup, problem = _narrative(pool, resource)
    return Document(_result(place, release), _files(release), markup, problem, _unnamed(release))


def file_page(
    gateway: Consults,
    pool: Renders,
    credential: LaunchSession,
    place: Place,
    number: int,
    page: int,
    origin: Origin,
    language: Language,
) -> FilePage:
    """Page `page` of file `number` of the document at `place`. Raises ConsultError."""
    release = gateway.consult(credential, _asked(place, number, page), origin)
    named = next((_line(each) for each in release.shown[0].files if each.number == number), None)
    if release.file is None or named is None:
        raise Refused(Reason.NOT_FOUND)
    # With the zone of the machine, as the pages around it.
    seen = (release.reader, instant(datetime.now(UTC).astimezone(), language), origin.record)
    shown = _shown(pool, release.file, page, seen)
    return FilePage(
        _result(place, release),
        _files(release),
        named,
        page,
        shown.pages,
        seen,
        _unnamed(release),
        shown.problem,
        _picture(shown.picture),
        shown.width,
        shown.height,
        visible(shown.text),
        _part(shown.markup),
    )


def nowhere(feed: str, reason: Reason = Reason.UNKNOWN_ADDRESS) -> ClinicalConsultation:
    """A look at an address that is none of ours: refused behind the gateway, so that the try is recorded."""
    return ClinicalConsultation(feed, Interaction.READ, Level.INSTANCE, Delivery.RENDERED, objection=Objection(reason))


def number_of(text: str) -> int | None:
    """Of a file or a page, as an address says it; None if it is no such number."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _asked(place: Place, file: int | None = None, page: int | None = None) -> ClinicalConsultation:
    if place.resource_type not in CONSULTABLE or not is_id(place.resource_id):
        return nowhere(place.feed)
    return ClinicalConsultation(
        place.feed,
        Interaction.READ,
        Level.INSTANCE,
        Delivery.RENDERED,
        resource_type=place.resource_type,
        resource_id=place.resource_id,
        file=file,
        page=page,
        patient_informed=place.informed,
    )


def _result(place: Place, release: Release) -> Result:
    return read(pages_of(Showing(place.feed, release.shown))[0])


def _files(release: Release) -> tuple[FileLine, ...]:
    return tuple(_line(each) for each in release.shown[0].files[:MAX_FILES])


def _unnamed(release: Release) -> int:
    return max(0, len(release.shown[0].files) - MAX_FILES)


def _line(file: NamedFile) -> FileLine:
    kind = _bare(file.content_type or "")
    # Where nobody says what a file is, it is opened to find out.
    showable = kind in KINDS or kind in (TEXT, "", "application/octet-stream")
    return FileLine(file.number, line(file.title), line(kind), file.openable, file.given, showable)


def _narrative(pool: Renders, resource: Mapping[str, object]) -> tuple[Markup | None, str | None]:
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    if not isinstance(div, str) or not div.strip():
        return None, None
    answer = _sanitised(pool, div)
    if answer.problem is not None:
        return None, answer.problem
    part = _part(answer.markup)
    return (part, None) if part is not None and part.striptags().strip() else (None, None)


def _shown(pool: Renders, file: File, page: int, seen: tuple[str, str, str]) -> Answer:
    kind = _kind(file)
    if kind == TEXT:
        return _plain(file, page)
    if kind is None:
        return Answer(Problem.NOTHING_TO_SHOW)
    answer = pool.render(Job(kind, file.data, page, seen))
    if answer.problem is not None or answer.picture:
        return answer
    if answer.text:
        return _leaf(answer.text, page)
    markup = _sanitised(pool, answer.markup)
    if markup.problem is None and not Markup(markup.markup).striptags().strip():  # noqa: S704 - sanitised
        return Answer(Problem.NOTHING_TO_SHOW)
    return markup


def _kind(file: File) -> str | None:
    """How it is read: by its media type; by its first bytes where that says nothing."""
    kind = _bare(file.content_type)
    if kind == "application/octet-stream" and file.data.startswith(b"%PDF-"):
        return Kind.PDF
    return TEXT if kind == TEXT else KINDS.get(kind)


def _plain(file: File, page: int) -> Answer:
    try:
        return _leaf(decoded(file.data, file.content_type), page)
    except Unreadable:
        return Answer(Problem.BROKEN)


def _leaf(text: str, page: int) -> Answer:
    if not text.strip():
        return Answer(Problem.NOTHING_TO_SHOW)
    pages = paged(text)
    if not 1 <= page <= len(pages):
        return Answer(Problem.NO_SUCH_PAGE, len(pages))
    return Answer(None, len(pages), text=pages[page - 1])


def _sanitised(pool: Renders, markup: str) -> Answer:
    try:
        return pool.render(Job(Kind.MARKUP, markup.encode(), 1, ()))
    except UnicodeEncodeError:  # half a surrogate pair
        return Answer(Problem.BROKEN)


def _part(markup: str) -> Markup | None:
    """What a rendering process has sanitised, for a page of ours."""
    return Markup(visible(markup)) if markup else None  # noqa: S704 - sanitised by a process that read nothing else


def _picture(jpeg: bytes) -> str:
    if not jpeg.startswith(JPEG_BEGINS):
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
