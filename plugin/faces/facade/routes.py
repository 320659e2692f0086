"""The FHIR facade: open documents, and one route for everything else under `/fhir`, since authentication comes before
routing. Every answer that concerns a patient is a Release of `Gateway.consult`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.routing import Rule

from plugin.authentication.issuers import Issuers
from plugin.consultation.gateway import Gateway
from plugin.errors import ConsultError, Refused
from plugin.faces.facade import bundle, discovery
from plugin.faces.facade.capability import capability_statement
from plugin.faces.facade.operation_outcome import challenge, outcome
from plugin.faces.facade.page_link import PageLinks
from plugin.faces.facade.request import Translator
from plugin.settings import Issuer
from policies.vocabulary.consultation import Origin, Reason
from policies.vocabulary.interactions import Interaction

FHIR_JSON = "application/fhir+json"
log = structlog.get_logger()


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
    translator: Translator
    cors: bool

    def mount(self, app: Flask) -> None:
        """Add the routes to `app`."""
        app.add_url_rule("/fhir/<feed>/metadata", "metadata", self.metadata, provide_automatic_options=False)
        app.add_url_rule(
            "/fhir/<feed>/.well-known/smart-configuration", "smart", self.smart, provide_automatic_options=False
        )
        app.add_url_rule(
            "/.well-known/oauth-protected-resource/fhir/<feed>",
            "protected",
            self.protected,
            provide_automatic_options=False,
        )
        # Rules without methods: whatever method comes is judged by the gateway, not by the router.
        for pattern in ("/fhir", "/fhir<everything:path>"):
            app.url_map.add(Rule(pattern, endpoint="fhir", defaults={"path": ""} if pattern == "/fhir" else None))
        app.view_functions["fhir"] = self.consult

    def consult(self, path: str) -> Response:
        """Everything under `/fhir` that is not an open document."""
        translated = self.translator.translate(request, path)
        origin = Origin(g.request_id, g.address, "facade")
        try:
            release = self.gateway.consult(translated.credential, translated.asked, origin)
        except ConsultError as error:
            return self._refusal(error, translated.asked.feed, translated.allow)
        except Exception:
            # Recorded as a failure on its way here. What happened is for the log of the process, without its locals.
            log.exception("consultation failed", request=g.request_id)
            return self._refusal(ConsultError(), translated.asked.feed, ())
        if translated.asked.interaction is Interaction.READ:
            return Response(bundle.resource(release), content_type=FHIR_JSON)
        return Response(bundle.searchset(release, self.public_base, self.links), content_type=FHIR_JSON)

    def metadata(self, feed: str) -> Response:
        """`/fhir/<feed>/metadata`"""
        if feed not in self.feeds:
            return self._refusal(Refused(Reason.UNKNOWN_FEED), "", ())
        known = self.feeds[feed]
        body = capability_statement(self._base(feed), known.title, known.types, self._issuer(), cors=self.cors)
        return _open(Response(body, content_type=FHIR_JSON))

    def smart(self, feed: str) -> Response:
        """`/fhir/<feed>/.well-known/smart-configuration`"""
        if feed not in self.feeds:
            return self._refusal(Refused(Reason.UNKNOWN_FEED), "", ())
        try:
            document = self.issuers.metadata(self.advertised)
        except ConsultError as error:
            return self._refusal(error, feed, ())
        body = discovery.smart_configuration(document, self.feeds[feed].types)
        return _open(Response(body, content_type="application/json"))

    def protected(self, feed: str) -> Response:
        """`/.well-known/oauth-protected-resource/fhir/<feed>`"""
        if feed not in self.feeds:
            return self._refusal(Refused(Reason.UNKNOWN_FEED), "", ())
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

    def _refusal(self, error: ConsultError, feed: str, allow: tuple[str, ...]) -> Response:
        response = Response(outcome(error, g.request_id), error.status, content_type=FHIR_JSON)
        metadata_url = f"{self.public_base}/.well-known/oauth-protected-resource/fhir"
        if header := challenge(error, f"{metadata_url}/{feed}" if feed else metadata_url):
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
