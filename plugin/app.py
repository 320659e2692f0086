"""The web application: mounts the faces on what was assembled, and nothing else."""

import ipaddress

import structlog
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from plugin.assembly import Assembled, sealing_keys
from plugin.faces import http
from plugin.faces.facade.audit_log import LogLinks
from plugin.faces.facade.page_link import PageLinks
from plugin.faces.facade.request import Translator
from plugin.faces.facade.routes import Facade, PublicFeed
from plugin.faces.launch.routes import launch_face
from plugin.faces.pages import icon
from plugin.faces.pages.style import style_of
from plugin.faces.pages.view_cookie import credential_of
from plugin.faces.pages.wording import Word
from plugin.faces.transparency import Transparency
from plugin.faces.viewer.csrf import FormTokens
from plugin.faces.viewer.documents.routes import Documents
from plugin.faces.viewer.entrance import Entrance
from plugin.faces.viewer.informed import USE, Told
from plugin.faces.viewer.looks import ShownFeed
from plugin.faces.viewer.patient import Patients
from plugin.faces.viewer.routes import Viewer
from plugin.ledger.reader import Reader
from plugin.places import place_of
from plugin.rendering.pool import RenderingPool
from plugin.sealing import Seal
from plugin.settings.document import Settings

log = structlog.get_logger()


def create_app(assembled: Assembled) -> Flask:
    """A WSGI application that answers from `assembled`."""
    settings = assembled.settings
    app = http.Application(__name__)
    http.install(
        app,
        cors_origins=settings.cors_origins,
        trusted_proxies=[ipaddress.ip_network(each) for each in settings.trusted_proxies],
    )
    _facade(assembled).mount(app)
    if assembled.launches.ehrs:
        launch_face(assembled.launches).mount(app)
        _viewer(assembled).mount(app)
        icon.mount(app)
    if settings.ledger.public:
        _transparency(settings).mount(app)

    @app.errorhandler(HTTPException)
    def elsewhere(error: HTTPException) -> Response:
        """Outside the faces there is nothing, in no one's format."""
        response = Response(f"{error.name}\n", error.code or 500, content_type="text/plain; charset=utf-8")
        if allow := error.get_response().headers.get("Allow"):
            response.headers["Allow"] = allow
        return response

    @app.errorhandler(Exception)
    def unexpected(_: Exception) -> Response:
        """A defect: its kind and place go to the log, nothing of it to the caller."""
        log.exception("a request failed", request=g.request_id)
        return Response("Internal Server Error\n", 500, content_type="text/plain; charset=utf-8")

    return app


def _transparency(settings: Settings) -> Transparency:
    place = place_of(settings)
    return Transparency(place.view, Reader(place.view).keys().current, place.kept)


def _viewer(assembled: Assembled) -> Viewer:
    settings, gateway = assembled.settings, assembled.gateway
    keys = sealing_keys(settings)
    entrance = Entrance(
        assembled.sessions,
        gateway,
        gateway.strangers,
        FormTokens(keys, settings.origin()),
        credential_of,
        {ehr.id: ehr.launch.frame_ancestors for ehr in settings.ehr if ehr.launch is not None},
        Patients(gateway, assembled.sessions.names).of,
        lambda view: style_of(view.style),
    )
    feeds = {
        each.id: ShownFeed(
            each.id,
            Word(each.title.fr, each.title.en) if each.title else Word(each.id, each.id),
            each.types,
            each.patient_informed,
        )
        for each in settings.feed
    }
    told = Told(Seal(keys, USE))
    return Viewer(gateway, entrance, feeds, told, Documents(gateway, RenderingPool(), entrance, feeds, told))


def _facade(assembled: Assembled) -> Facade:
    settings = assembled.settings
    links, log_links = PageLinks(assembled.page_links), LogLinks(assembled.log_links)
    # With several EHRs an absolute address would have to say whose patient is meant before anybody is identified.
    ehrs = tuple(each.fhir_base for each in settings.ehr)
    bases = ehrs if len(ehrs) == 1 else ()
    return Facade(
        gateway=assembled.gateway,
        feeds={
            each.id: PublicFeed(each.id, each.title.en if each.title else each.id, each.types) for each in settings.feed
        },
        issuers=assembled.issuers,
        advertised=settings.advertised_issuer(),
        issuer_names=tuple(dict.fromkeys(issuer.issuer for ehr in settings.ehr for issuer in ehr.issuer)),
        public_base=settings.public_base,
        links=links,
        log_links=log_links,
        translator=Translator(
            frozenset(each.id for each in settings.feed),
            settings.public_base,
            bases,
            links,
            log_links,
            ehrs,
            assembled.gateway.identifies,
        ),
        cors=bool(settings.cors_origins),
    )
