"""An HTTP request under `/fhir` -> a credential and a consultation. It only translates: nothing is decided here.

What is wrong with a request travels in the consultation as an objection, so that the caller is identified first.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.http import parse_options_header

from plugin.authentication.credential import Credential, from_authorization
from plugin.faces.facade.address import Target, target
from plugin.faces.facade.audit_log import LogLinks, asked_of_log
from plugin.faces.facade.form import MEDIA_TYPE, FormReader, FormTooLarge, FormUnreadable
from plugin.faces.facade.page_link import PARAMETER, LinkRefused, PageLinks
from plugin.faces.facade.parameters import (
    R4,
    R4_VERSIONS,
    Objectionable,
    check_going_on,
    check_read,
    first_patient,
    wish,
)
from policies.vocabulary.consultation import AuditConsultation, ClinicalConsultation, Objection, Reason
from policies.vocabulary.interactions import CONSULTING, Delivery, Interaction

MAX_FIELDS = 100
"""Of a form; more than a search may have, so that the refusal can say so."""

OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
_OVERRIDES = frozenset(f"HTTP_{name.upper().replace('-', '_')}" for name in OVERRIDES)
_ACCEPTED = ("application/fhir+json", "application/json")


@dataclass(frozen=True, slots=True)
class Translated:
    """What a request means."""

    credential: Credential
    asked: ClinicalConsultation
    allow: tuple[str, ...]
    """Methods that its address answers, for a 405."""


@dataclass(frozen=True, slots=True)
class TranslatedOfLog:
    """What a request to the log means."""

    credential: Credential
    asked: AuditConsultation
    allow: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Translator:
    """Knows which feeds there are and under which bases a patient may be named."""

    feeds: frozenset[str]
    public_base: str
    patient_bases: tuple[str, ...]
    links: PageLinks
    log_links: LogLinks
    ehr_bases: tuple[str, ...]
    identifies: Callable[[Credential], bool]
    """Whether a credential is good: nobody else's body is read."""
    forms: FormReader = field(default_factory=FormReader)

    def translate(self, request: Request, path: str) -> Translated:
        """`path` is what follows `/fhir`, decoded."""
        feed, place = self._place(_method(request), path)
        query = parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True)
        early = _override_objection(request) or self._feed_objection(feed) or place.objection
        credential = _credential(request, query, feed)
        form, problem = ([], None) if early else self._form(request, place, credential)
        if form:
            credential = _credential(request, [*query, *form], feed)
        named = {name for name, _ in (*query, *form)}
        objection = early or _accept_objection(request, place, named) or problem
        asked = self._asked(_method(request), feed, place, [*query, *form], objection)
        return Translated(credential, asked, place.allow)

    def translate_for_log(self, request: Request, path: str) -> TranslatedOfLog:
        """`path` is what follows `/fhir`, decoded, and points at the log."""
        place = target(_method(request), _segments(path))
        query = parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True)
        early = _override_objection(request)
        credential = _credential(request, query, None)
        form, problem = ([], None) if early else self._form(request, place, credential)
        pairs = [*query, *form]
        named = {name for name, _ in pairs}
        if form:
            credential = _credential(request, pairs, None)
        objection = early or _accept_objection(request, place, named) or problem
        meant = asked_of_log(place, pairs, objection, self.log_links, self.ehr_bases)
        asked = AuditConsultation(
            reason="",
            search=meant.search,
            interaction=place.interaction,
            operation=place.operation,
            objection=meant.objection,
            unrecorded_parameters=len(pairs) if meant.search is None else 0,
        )
        return TranslatedOfLog(credential, asked, place.allow)

    def _place(self, method: str, path: str) -> tuple[str, Target]:
        feed, *rest = _segments(path)
        return feed, target(method, rest)

    def _feed_objection(self, feed: str) -> Objection | None:
        if feed in self.feeds:
            return None
        return Objection(Reason.UNKNOWN_FEED if feed else Reason.UNKNOWN_ADDRESS)

    def _form(
        self, request: Request, place: Target, credential: Credential
    ) -> tuple[list[tuple[str, str]], Objection | None]:
        """The fields of a `_search` body. Of no other request, and of nobody unknown, is a body ever read."""
        if _method(request) != "POST" or place.interaction is not Interaction.SEARCH_TYPE:
            return [], None
        if not self.identifies(credential):
            return [], None
        try:
            body = self.forms.read(request)
            if body and request.mimetype != MEDIA_TYPE:
                return [], Objection(Reason.UNSUPPORTED_MEDIA_TYPE)
            return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS), None
        except FormTooLarge:
            return [], Objection(Reason.BODY_TOO_LARGE)
        except (FormUnreadable, ValueError):  # not UTF-8, or too many fields
            return [], Objection(Reason.INVALID_VALUE, "body")

    def _asked(
        self, method: str, feed: str, place: Target, pairs: Sequence[tuple[str, str]], objection: Objection | None
    ) -> ClinicalConsultation:
        asked = ClinicalConsultation(
            feed=feed if feed in self.feeds else "",
            interaction=place.interaction,
            level=place.level,
            delivery=Delivery.STRUCTURED,
            resource_type=place.resource_type,
            resource_id=place.resource_id,
            operation=place.operation,
            objection=objection,
            unrecorded_parameters=len(pairs),
        )
        bases = (f"{self.public_base}/fhir/{asked.feed}", *self.patient_bases)
        if objection is not None or place.interaction not in CONSULTING or place.resource_type is None:
            return _with(asked, patient=_named_patient(place, pairs, bases))
        try:
            if place.interaction is Interaction.READ:
                check_read(pairs)
                return asked
            if method == "GET" and PARAMETER in {name for name, _ in pairs}:
                return self._next_page(asked, place, pairs)
            return _search(asked, place, pairs, bases)
        except Objectionable as refusal:
            return _with(asked, objection=refusal.objection, patient=_named_patient(place, pairs, bases))
        except LinkRefused as refusal:
            return _with(asked, objection=Objection(refusal.reason))

    def _next_page(
        self, asked: ClinicalConsultation, place: Target, pairs: Sequence[tuple[str, str]]
    ) -> ClinicalConsultation:
        """What a next link asks for. It says everything itself: beside it, only appearance and less may be asked."""
        links = [value for name, value in pairs if name == PARAMETER]
        others = [pair for pair in pairs if pair[0] != PARAMETER]
        if len(links) > 1 or place.compartment is not None:
            raise LinkRefused(Reason.PAGE_LINK_INVALID)
        going_on = self.links.open(links[0], asked.feed, str(asked.resource_type))
        return _with(
            asked,
            patient=going_on.binding.patient,
            parameters=going_on.parameters,
            count=check_going_on(others, going_on.count),
            position=going_on.position,
            binding=going_on.binding,
            unrecorded_parameters=len(others),
        )


def _search(
    asked: ClinicalConsultation, place: Target, pairs: Sequence[tuple[str, str]], bases: Sequence[str]
) -> ClinicalConsultation:
    wanted = wish(str(asked.resource_type), pairs, place.compartment, bases)
    return _with(
        asked, patient=wanted.patient, parameters=wanted.parameters, count=wanted.count, unrecorded_parameters=0
    )


def _credential(request: Request, pairs: Sequence[tuple[str, str]], feed: str | None) -> Credential:
    elsewhere = any(name == "access_token" for name, _ in pairs)
    shown = request.environ.get("HTTP_AUTHORIZATION")
    return from_authorization([] if shown is None else [shown], elsewhere=elsewhere, feed=feed)


def _named_patient(place: Target, pairs: Sequence[tuple[str, str]], bases: Sequence[str]) -> str | None:
    """Whom a request that is refused names, for its record: an attempt at another patient is recorded as that."""
    if place.compartment is not None:
        return place.compartment
    if place.resource_type == "Patient" and place.resource_id is not None:
        return place.resource_id
    return first_patient(pairs, bases)


def _method(request: Request) -> str:
    """As it came: `get` is no method (RFC 9110 9.1), and werkzeug's own property would make it one."""
    return str(request.environ["REQUEST_METHOD"])


def _segments(path: str) -> list[str]:
    segments = path.removeprefix("/").split("/")
    if len(segments) > 1 and segments[-1] == "":
        segments.pop()  # one slash at the end is a habit of clients
    return segments


def _with(asked: ClinicalConsultation, **changes: object) -> ClinicalConsultation:
    return replace(asked, **changes)  # type: ignore[arg-type]


def _override_objection(request: Request) -> Objection | None:
    return None if request.environ.keys().isdisjoint(_OVERRIDES) else Objection(Reason.METHOD_OVERRIDE)


def _accept_objection(request: Request, place: Target, named: Collection[str]) -> Objection | None:
    if place.interaction not in CONSULTING or "_format" in named:  # which stands above Accept (R4 3.1.0.1.11)
        return None
    return None if _accepts_json(request) else Objection(Reason.NOT_ACCEPTABLE)


def _accepts_json(request: Request) -> bool:
    """True where JSON of R4 will do. Another `fhirVersion` is another format; no other parameter says anything."""
    if request.environ.get("HTTP_ACCEPT") in _ACCEPTED or not request.accept_mimetypes:
        return True
    wanted = [parse_options_header(value) for value, quality in request.accept_mimetypes if quality > 0]
    return any(
        kind.lower() in (*_ACCEPTED, "application/*", "*/*") and options.get("fhirversion", R4) in R4_VERSIONS
        for kind, options in wanted
    )
