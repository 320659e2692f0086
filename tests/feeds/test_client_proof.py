"""`private_key_jwt`: assertions that a token endpoint can verify, each new, and keys that could not make one."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey
from werkzeug.wrappers import Request, Response

from fhir_adapters.client_proof import ASSERTION_SECONDS, ASSERTION_TYPE, KeyProof, private_key
from fhir_adapters.credential import ClientCredentials
from fhir_adapters.fhir_rest import FhirRestFeed
from fhir_adapters.interface import Call, FeedRefused
from plugin import sources
from plugin.settings.errors import SettingsError
from plugin.settings.servers import PrivateKeyJwtAuth

NOW = 1_772_439_400
KEY = ECKey.generate_key("P-384", {"kid": "vitrine-1"})
RSA = RSAKey.generate_key(2048, {"kid": "vitrine-2"})


def text_of(key: Any, **changes: Any) -> str:
    members = {**key.as_dict(private=True), **changes}
    return json.dumps({name: value for name, value in members.items() if value is not None})


def proof(key: Any = KEY, audience: str = "https://login.lab.example/token") -> KeyProof:
    return KeyProof("vitrine", audience, private_key(text_of(key)), clock=lambda: NOW)


@pytest.mark.parametrize(("key", "algorithm"), [(KEY, "ES384"), (RSA, "RS384")])
def test_an_assertion_says_who_for_whom_and_for_how_long(key: Any, algorithm: str) -> None:
    """SMART Backend Services: iss and sub are the client, aud the token endpoint, at most five minutes."""
    parameters = proof(key).parameters()
    assert parameters["client_assertion_type"] == ASSERTION_TYPE
    token = jwt.decode(parameters["client_assertion"], key, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
    assert ASSERTION_SECONDS <= 300
    assert {name: value for name, value in token.claims.items() if name != "jti"} == {
        "iss": "vitrine",
        "sub": "vitrine",
        "aud": "https://login.lab.example/token",
        "iat": NOW,
        "exp": NOW + ASSERTION_SECONDS,
    }


def test_no_two_assertions_have_one_id() -> None:
    """A server keeps the ids that it saw, and refuses a repeated one."""
    made = proof()
    ids = {jwt.decode(made.parameters()["client_assertion"], KEY, algorithms=["ES384"]).claims["jti"] for _ in range(5)}
    assert len(ids) == 5


with warnings.catch_warnings(action="ignore"):
    WEAK = RSAKey.import_key(
        rsa.generate_private_key(65537, 1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        {"kid": "vitrine-3"},
    )
UNFIT = [
    ("", "not a private JWK"),
    ("-----BEGIN PRIVATE KEY-----", "not a private JWK"),
    ("[]", "not a private JWK"),
    (text_of(KEY, kid=None), "no kid"),
    (text_of(KEY, kid=7), "no kid"),
    (json.dumps(KEY.as_dict(private=False)), "not a private RSA or EC key"),
    (text_of(OctKey.generate_key(256, {"kid": "s"})), "not a private RSA or EC key"),
    (text_of(OKPKey.generate_key("Ed25519", {"kid": "e"})), "not a private RSA or EC key"),
    (text_of(KEY, alg="ES256"), "does not fit"),
    (text_of(KEY, alg="none"), "does not fit"),
    (text_of(RSA, alg="HS256"), "does not fit"),
    (text_of(RSA, alg=["RS256"]), "not a usable JWK"),
    (text_of(KEY, kty="other"), "not a usable JWK"),
    (text_of(KEY, d="!"), "not a usable JWK"),
    (text_of(WEAK), "2048"),
]


@pytest.mark.filterwarnings("ignore:Key size")
@pytest.mark.parametrize(("text", "says"), UNFIT, ids=range(len(UNFIT)))
def test_a_key_that_could_not_sign_is_refused_at_the_start(text: str, says: str) -> None:
    """With a sentence that holds nothing of the key."""
    with pytest.raises(ValueError, match=says) as caught:
        private_key(text)
    assert str(KEY.as_dict(private=True)["d"]) not in str(caught.value)


def test_an_algorithm_of_the_key_counts() -> None:
    """Keycloak registers a client for one."""
    assert private_key(text_of(RSA, alg="PS256")).algorithm == "PS256"


def test_the_key_stands_in_no_repr() -> None:
    """A repr ends in logs."""
    assert str(KEY.as_dict(private=True)["d"]) not in repr(private_key(text_of(KEY)))


def test_a_token_endpoint_that_verifies_gives_the_token_for_the_feed(
    small_server: Any, httpserver: Any, call: Call
) -> None:
    """Over HTTP: the endpoint knows the public half only, takes each id once, and sees nothing of the question."""
    seen: set[str] = set()
    public = JWKRegistry.import_key(KEY.as_dict(private=False))
    url = httpserver.url_for("/token")

    def token(request: Request) -> Response:
        claims = jwt.decode(request.form["client_assertion"], public, algorithms=["ES384"]).claims
        if claims["aud"] != url or claims["sub"] != "vitrine" or claims["jti"] in seen:
            return Response('{"error":"invalid_client"}', 401, content_type="application/json")
        seen.add(claims["jti"])
        assert request.form["grant_type"] == "client_credentials"
        assert request.form["scope"] == "system/Observation.rs"
        assert "Authorization" not in request.headers
        answer = {"access_token": f"t{len(seen)}", "token_type": "bearer", "expires_in": 300}
        return Response(json.dumps(answer), content_type="application/json")

    httpserver.expect_request("/token", method="POST").respond_with_handler(token)
    own = ClientCredentials("feed 'city-lab'", url, proof(KEY, url), scope="system/Observation.rs")
    assert FhirRestFeed("city-lab", small_server.base, own).read("Observation", "o1", call) is not None
    assert small_server.questions[0].headers["Authorization"] == "Bearer t1"
    stranger = ClientCredentials("feed 'city-lab'", url, proof(KEY, "https://elsewhere.example/token"))
    with pytest.raises(FeedRefused, match="refused the gateway's own credential"):
        FhirRestFeed("city-lab", small_server.base, stranger).read("Observation", "o1", call)


def test_the_assembly_reads_the_key_as_a_secret_and_names_what_is_wrong(tmp_path: Path) -> None:
    """Open to others, or no key: the start ends with the key's place in the configuration."""
    path = tmp_path / "own.jwk"
    auth = PrivateKeyJwtAuth(
        kind="private_key_jwt", client_id="vitrine", key_file=path, token_url="https://login.example/token"
    )
    path.write_text(text_of(KEY))
    path.chmod(0o640)
    sources.own_credential("feed 'city-lab'", "feed.auth", auth)
    path.chmod(0o604)
    with pytest.raises(SettingsError, match=r"feed\.auth\.key_file"):
        sources.own_credential("feed 'city-lab'", "feed.auth", auth)
    path.chmod(0o600)
    path.write_text(text_of(KEY, kid=None))
    with pytest.raises(SettingsError, match=r"feed\.auth\.key_file.*kid"):
        sources.own_credential("feed 'city-lab'", "feed.auth", auth)
