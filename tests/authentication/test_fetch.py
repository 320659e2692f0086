"""Documents of issuers over a real socket."""

import json
import threading

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from fhir_adapters.interface import FeedAnswerInvalid, FeedLinkRefused, FeedRefused, FeedUnavailable
from plugin.authentication.credential import BearerToken
from plugin.authentication.fetch import IssuerDocuments
from plugin.authentication.issuers import MAX_DOCUMENT_BYTES
from plugin.settings.ehr import Issuer
from tests.authentication.pretend_issuer import Clock, PretendIssuer, identifier, settings


@Request.application
def _pages(request: Request) -> Response:
    match request.path:
        case "/.well-known/openid-configuration":
            host = request.host_url.rstrip("/")
            return Response(json.dumps({"issuer": host, "jwks_uri": f"{host}/keys"}))
        case "/keys":
            return Response(PretendIssuer()(PretendIssuer().jwks_uri))
        case "/jwks":
            return Response(b'{"keys":[]}', content_type="application/jwk-set+json")
        case "/moved":
            return Response(status=302, headers={"Location": "/jwks"})
        case "/down":
            return Response(status=503)
        case "/large":
            return Response(b"x" * (MAX_DOCUMENT_BYTES + 1))
        case _:
            return Response(status=404)


@pytest.fixture(scope="module")
def base():
    server = make_server("127.0.0.1", 0, _pages, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def fetch(base):
    return IssuerDocuments([Issuer(issuer=f"{base}/realms/r")])


def test_a_document_of_the_issuers_host_is_fetched(fetch, base):
    """Keys may lie beside the issuer's own path."""
    assert fetch(f"{base}/jwks") == b'{"keys":[]}'


def test_a_token_is_verified_by_keys_found_over_the_network(fetch, base):
    """Discovery, key set and signature together, as deployed."""
    gate = identifier(settings(issuer=base), fetch, Clock())
    token = PretendIssuer().token({"iss": base})
    assert gate.identify(BearerToken(token, "city-lab")).person.key == f"{base} u-123"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/nothing", FeedRefused),
        ("/down", FeedUnavailable),
        ("/moved", FeedLinkRefused),
        ("/large", FeedAnswerInvalid),
        ("/../jwks", FeedLinkRefused),
    ],
)
def test_every_other_answer_is_an_error(fetch, base, path, error):
    """A redirect could lead anywhere."""
    with pytest.raises(error):
        fetch(f"{base}{path}")


@pytest.mark.parametrize("url", ["https://evil.example/jwks", "file:///etc/passwd", "http://169.254.169.254/", ""])
def test_no_other_host_is_asked(fetch, url):
    """A discovery document does not choose where the gateway goes."""
    with pytest.raises(FeedLinkRefused):
        fetch(url)
