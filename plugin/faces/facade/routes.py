"""The FHIR facade: open documents, and one route for everything else under `/fhir`, since authentication comes before
routing. Every answer that concerns a patient is a Release of `Gateway.consult`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, g, request
from werkzeug.routing import BaseConverter, Rule

from plugin.authentication.issuers import Issuers
from plugin.consultation.gateway import Gateway
from plugin.errors import ConsultError, Refused
from plugin.faces.facade import audit_log, bundle, discovery
from plugin.faces.facade.capability import capability_statement
from plugin.faces.facade.openapi import openapi
from plugin.faces.facade.openapi_log import log_openapi
from plugin.faces.facade.operation_outcome import challenge, outcome
from plugin.faces.facade.page_link import PageLinks
from plugin.faces.facade.request import Translated, Translator
from plugin.faces.http import Malformed
from plugin.settings.ehr import Issuer
from policies.vocabulary.consultation import Origin, Reason
from policies.vocabulary.interactions import Interaction
from policies.vocabulary.resource_types import HANDLED

FHIR_JSON = "application/fhir+json"
FAMILY, LOG_FAMILY = "facade", "facade-log"
"""Of routes, in records and counts."""

log = structlog.get_logger()


class _Anything(BaseConverter):
    """The rest of a path as it is, doubled slashes, line ends and all, since the face judges it."""

    regex = "(?s:(?:/.*)?)"
    part_isolating = False


@dataclass(frozen=True, slots=True)
class PublicFeed:
    """What the open documents say of a feed."""

    id: str
    title: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facade:
    """The face and what it asks."""

    gateway: Gateway
    feeds: Mapping[str, PublicFeed]
    issuers: Issuers
    advertised: Issuer
    issuer_names: Sequence[str]
    public_base: str
    links: PageLinks
    log_links: audit_log.LogLinks
    translator: Translator
    cors: bool

    def mount(self, app: Flask) -> None:
        """Add the routes to `app`."""
        face = Blueprint("facade", __name__)
        face.register_error_handler(Malformed, self._malformed)
        face.register_error_handler(Exception, self._broken)
        app.register_blueprint(face)
        app.url_map.converters["anything"] = _Anything
        # Rules without methods: whatever method comes is judged by the gateway, not by the router.
        for pattern, view in (
            ("/fhir", self.consult),
            ("/fhir<anything:path>", self.consult),
            ("/fhir/metadata", self.log_metadata),
            ("/fhir/openapi.json", self.describe_log),
            ("/fhir/<feed>/metadata", self.metadata),
            ("/fhir/<feed>/.well-known/smart-configuration", self.smart),
            ("/fhir/<feed>/openapi.json", self.describe),
            ("/.well-known/oauth-protected-resource/fhir", self.log_protected),
            ("/.well-known/oauth-protected-resource/fhir/<feed>", self.protected),
        ):
            endpoint = f"facade.{view.__name__}"
            app.view_functions[endpoint] = view
            app.url_map.add(Rule(pattern, endpoint=endpoint))

    def consult(self, path: str = "") -> Response:
        """Everything under `/fhir` that is not an open document."""
        if audit_log.is_of_log(path):
            return self.read_log(path)
        translated = self.translator.translate(request, path)
        asked = translated.asked
        try:
            release = self.gateway.consult(translated.credential, asked, Origin(g.request_id, g.address, FAMILY))
        except ConsultError as error:
            return self._refusal(error, asked.feed, self._allowed(translated))
        if asked.interaction is Interaction.READ:
            body = bundle.resource(release) if release.file is None else bundle.binary(release, str(asked.resource_id))
            return Response(body, content_type=FHIR_JSON)
        return Response(bundle.searchset(release, self.public_base, self.links), content_type=FHIR_JSON)

    def read_log(self, path: str) -> Response:
        """`/fhir/AuditEvent` and all below it."""
        translated = self.translator.translate_for_log(request, path)
        asked = translated.asked
        try:
            release = self.gateway.consult(translated.credential, asked, Origin(g.request_id, g.address, LOG_FAMILY))
            found = tuple(release.records())
        except ConsultError as error:
            return self._refusal(error, "", translated.allow, metadata_url=self._metadata_url())
        if asked.interaction is Interaction.READ or asked.search is None:
            return Response(audit_log.resource(found[0]), content_type=FHIR_JSON)
        going_on = None if release.next is None else self.log_links.issue(asked.search, release.next, release.reader)
        return Response(audit_log.searchset(asked.search, found, going_on, self.public_base), content_type=FHIR_JSON)

    def log_metadata(self) -> Response:
        """`/fhir/metadata`, the log's."""
        if request.method != "GET":
            return self.consult("/metadata")
        body = audit_log.capability_statement(self.public_base, cors=self.cors)
        return _open(Response(body, content_type=FHIR_JSON))

    def describe_log(self) -> Response:
        """`/fhir/openapi.json`, the log's."""
        if request.method != "GET":
            return self.consult("/openapi.json")
        return _open(Response(log_openapi(f"{self.public_base}/fhir"), content_type="application/json"))

    def log_protected(self) -> Response:
        """`/.well-known/oauth-protected-resource/fhir`, the log's."""
        if request.method != "GET":
            return self._refusal(Refused(Reason.METHOD_NOT_ALLOWED), "", ("GET",))
        body = audit_log.protected_resource(self.public_base, self.issuer_names)
        return _open(Response(body, content_type="application/json"))

    def metadata(self, feed: str) -> Response:
        """`/fhir/<feed>/metadata`"""
        if request.method != "GET" or feed not in self.feeds:
            return self.consult(request.path.removeprefix("/fhir"))
        known = self.feeds[feed]
        body = capability_statement(self._base(feed), known.title, known.types, self._issuer(), cors=self.cors)
        return _open(Response(body, content_type=FHIR_JSON))

    def smart(self, feed: str) -> Response:
        """`/fhir/<feed>/.well-known/smart-configuration`"""
        if request.method != "GET" or feed not in self.feeds:
            return self.consult(request.path.removeprefix("/fhir"))
        try:
            document = self.issuers.metadata(self.advertised)
        except ConsultError as error:
            return self._refusal(error, feed, ())
        body = discovery.smart_configuration(document, self.feeds[feed].types)
        return _open(Response(body, content_type="application/json"))

    def describe(self, feed: str) -> Response:
        """`/fhir/<feed>/openapi.json`"""
        if request.method != "GET" or feed not in self.feeds:
            return self.consult(request.path.removeprefix("/fhir"))
        known = self.feeds[feed]
        return _open(Response(openapi(self._base(feed), known.title, known.types), content_type="application/json"))

    def protected(self, feed: str) -> Response:
        """`/.well-known/oauth-protected-resource/fhir/<feed>`"""
        if feed not in self.feeds:
            return self._refusal(Refused(Reason.UNKNOWN_FEED), "", ())
        if request.method != "GET":
            return self._refusal(Refused(Reason.METHOD_NOT_ALLOWED), feed, ("GET",))
        known = self.feeds[feed]
        body = discovery.protected_resource(self._base(feed), known.title, self.issuer_names, known.types)
        return _open(Response(body, content_type="application/json"))

    def _issuer(self) -> Mapping[str, Any] | None:
        try:
            return self.issuers.metadata(self.advertised)
        except ConsultError:
            return None

    def _base(self, feed: str) -> str:
        return f"{self.public_base}/fhir/{feed}"

    def _metadata_url(self, feed: str = "") -> str:
        """Of the feed, or of the log."""
        return f"{self.public_base}/.well-known/oauth-protected-resource/fhir" + (f"/{feed}" if feed else "")

    def _allowed(self, translated: Translated) -> tuple[str, ...]:
        """The methods that the address answers: none where the feed does not offer the type."""
        asked = translated.asked
        known = self.feeds.get(asked.feed)
        is_handle = asked.resource_type == HANDLED and asked.resource_id is not None
        if known is None or not (is_handle or asked.resource_type in (None, *known.types)):
            return ()
        return translated.allow

    def _malformed(self, error: Malformed) -> Response:
        """Nobody is identified by a request that is not read: counted, like others of theirs."""
        self.gateway.strangers.refused(error, Origin(g.request_id, g.address, FAMILY))
        return self._refusal(error, "", ())

    def _broken(self, error: Exception) -> Response:
        """A bug, which the gateway has recorded if it got so far: for the log of the process, without its locals."""
        log.error("a request failed", request=g.request_id, exc_info=error)
        return self._refusal(ConsultError(), "", ())

    def _refusal(
        self, error: ConsultError, feed: str, allow: tuple[str, ...], *, metadata_url: str | None = None
    ) -> Response:
        response = Response(outcome(error, g.request_id), error.status, content_type=FHIR_JSON)
        if header := challenge(error, self._metadata_url(feed) if feed else metadata_url):
            response.headers["WWW-Authenticate"] = header
        if error.status == 405:
            response.headers["Allow"] = ", ".join(allow)
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response


def _open(response: Response) -> Response:
    """Discovery is for every page of every origin (App Launch 2.2 section 2)."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
