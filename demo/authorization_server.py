"""The pretend EHR's authorization server: OpenID Connect and SMART App Launch 2.2 on Authlib, in memory.

It asks for no password: whoever opens its login page chooses which practitioner to be. Everything after that is done
as a real one would do it (`code_grant`, `issued_tokens`). Who its clients are is in `oauth_clients`.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.base import invalid_error_characters
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from flask import Flask, Response, abort, jsonify, render_template, request
from joserfc import jwt
from joserfc.errors import JoseError

from demo.access_tokens import ACCESS_TOKEN_ALGORITHM, ID_TOKEN_ALGORITHM, SigningKeys
from demo.code_grant import (
    CLIENT_AUTHENTICATION,
    PUBLIC,
    BackendGrant,
    CodeStore,
    ProofKeyDemanded,
    SmartCodeGrant,
    SmartParameters,
    audience_asked,
)
from demo.issued_tokens import AccessToken, IdToken, Login
from demo.launches import Launches
from demo.oauth_clients import RESULTS_SCOPES, OAuthClient
from demo.pages import chosen_language, prepare
from demo.people import PatientName, Practitioner

LOGIN_FIELDS = frozenset({"practitioner", "patient", "decision"})


class CodeKeepingServer(AuthorizationServer):
    """Authlib's server with the store into which the code grant looks."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.codes = CodeStore()


@dataclass(frozen=True, slots=True)
class Revocable:
    """An access token of ours that is shown to be taken back."""

    jti: str
    client_id: str

    def check_client(self, client: OAuthClient) -> bool:
        return client.client_id == self.client_id


class Revocation(RevocationEndpoint):
    """RFC 7009. Access tokens speak for themselves, so those taken back are kept in a list."""

    CLIENT_AUTH_METHODS = [*CLIENT_AUTHENTICATION, PUBLIC]  # noqa: RUF012  (Authlib's name and type)

    def __init__(self, server: AuthorizationServer, keys: SigningKeys, revoked: set[str]) -> None:
        super().__init__(server)
        self._keys = keys
        self._revoked = revoked

    def query_token(self, token_string: str, token_type_hint: str | None) -> Revocable | None:
        """The token, if it is one of ours; of any other RFC 7009 wants nothing said."""
        try:
            claims = jwt.decode(token_string, self._keys.private, algorithms=[ACCESS_TOKEN_ALGORITHM]).claims
        except (JoseError, ValueError):
            return None
        return Revocable(str(claims.get("jti")), str(claims.get("client_id")))

    def revoke_token(self, token: Revocable, request: Any) -> None:
        self._revoked.add(token.jti)


class AuthorizationResponseIssuer(IssuerParameter):
    """RFC 9207: every authorization response says who sent it."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


def smart_configuration(issuer: str) -> dict[str, Any]:
    """SMART App Launch discovery, also served under the EHR's FHIR base; OpenID Connect discovery in one."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks",
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revoke",
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*CLIENT_AUTHENTICATION, PUBLIC],
        "scopes_supported": list(RESULTS_SCOPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ID_TOKEN_ALGORITHM],
        "authorization_response_iss_parameter_supported": True,
        "capabilities": [
            "launch-ehr",
            "launch-standalone",
            "authorize-post",
            "client-public",
            "client-confidential-symmetric",
            "sso-openid-connect",
            "context-ehr-patient",
            "context-standalone-patient",
            "context-banner",
            "context-style",
            "permission-patient",
            "permission-v2",
        ],
    }


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The authorization endpoint: the page that asks who one is, and what becomes of the answer."""

    server: AuthorizationServer
    issuer_parameter: AuthorizationResponseIssuer
    practitioners: Mapping[str, Practitioner]
    patients: Mapping[str, PatientName]
    launches: Launches

    def answer(self) -> Response | str:
        """The page for a request as an application sends it (GET or POST), a redirection once the form is filled."""
        self._refuse_unknown_caller()
        try:
            grant = self.server.get_consent_grant()
        except OAuth2Error as error:
            response = self.server.handle_error_response(None, error)
            self.issuer_parameter.add_issuer_parameter(self.server, response)
            return response
        launch_patient = self.launches.patient(request.values.get("launch", ""))
        if request.method == "POST" and "decision" in request.form:
            login = self._login(grant.request.scope.split(), launch_patient)
            return self.server.create_authorization_response(grant=grant, grant_user=login)
        return render_template(
            "login.html",
            client=grant.client.client_id,
            scopes=grant.request.scope.split(),
            carried=[(name, value) for name, value in request.values.items() if name not in LOGIN_FIELDS],
            practitioners=self.practitioners.values(),
            launch_patient=self.patients.get(launch_patient or ""),
            patients=self.patients.values() if "launch/patient" in grant.request.scope.split() else (),
        )

    def _refuse_unknown_caller(self) -> None:
        """Never redirect to where no registered client lives; 400 instead (RFC 6749 section 4.1.2.1)."""
        client = self.server.query_client(request.values.get("client_id", ""))
        if client is None or not client.check_redirect_uri(request.values.get("redirect_uri", "")):
            abort(400, "The client is unknown, or its redirect URI is not the registered one.")
        # Authlib repeats this value in an error text, where these characters may not stand.
        if invalid_error_characters(request.values.get("response_type", "")):
            abort(400, "The response type is malformed.")

    def _login(self, scopes: list[str], launch_patient: str | None) -> Login | None:
        """Who the form says, or None where it says to stop."""
        if request.form["decision"] != "continue":
            return None
        practitioner = self.practitioners.get(request.form.get("practitioner", ""))
        if practitioner is None:
            abort(400, "The form names no professional whom this server knows.")
        patient = None
        if "launch" in scopes:
            patient = launch_patient
        elif "launch/patient" in scopes:
            patient = request.form.get("patient", "")
        if patient is not None and patient not in self.patients:
            abort(400, "The form names no patient whom this server knows.")
        return Login(practitioner, patient, str(audience_asked(request.values)), int(time.time()), chosen_language())


def create_authorization_server(
    *,
    issuer: str,
    keys: SigningKeys,
    clients: Iterable[OAuthClient],
    practitioners: Iterable[Practitioner],
    patients: Iterable[PatientName],
    launches: Launches,
    revoked: set[str] | None = None,
    framed_by: tuple[str, ...] = (),
    style: str | None = None,
) -> Flask:
    """The authorization server as a Flask app.

    `launches` is shared with the EHR, which opens them, and `revoked` with who must not take such tokens any more.
    `framed_by`: the origin of an EHR that shows the login page beside a record; `style`: where its colours are.
    """
    app = Flask(__name__)
    known = {client.client_id: client for client in clients}
    prepare(
        app,
        form_targets=tuple({_origin(uri) for client in known.values() for uri in client.redirect_uris}),
        framed_by=framed_by,
    )
    server = CodeKeepingServer(app, query_client=known.get, save_token=_keep_nothing)
    server.register_token_generator("default", AccessToken(issuer, keys))
    server.register_grant(SmartCodeGrant, [ProofKeyDemanded(), SmartParameters(launches, style), IdToken(issuer, keys)])
    server.register_grant(BackendGrant)
    server.register_endpoint(Revocation(server, keys, set() if revoked is None else revoked))
    server.register_extension(named_issuer := AuthorizationResponseIssuer(issuer))
    page = LoginPage(
        server,
        named_issuer,
        {person.id: person for person in practitioners},
        {patient.id: patient for patient in patients},
        launches,
    )
    app.add_url_rule("/authorize", "authorize", page.answer, methods=["GET", "POST"])
    app.add_url_rule("/token", "token", server.create_token_response, methods=["POST"])
    app.add_url_rule("/revoke", "revoke", lambda: server.create_endpoint_response("revocation"), methods=["POST"])
    app.add_url_rule("/jwks", "jwks", lambda: jsonify(keys.jwks))
    _share(app, {_origin(uri) for client in known.values() if client.public for uri in client.redirect_uris})
    # One document under three names: OpenID Connect Discovery, SMART App Launch, RFC 8414.
    for name in ("openid-configuration", "smart-configuration", "oauth-authorization-server"):
        app.add_url_rule(f"/.well-known/{name}", name, lambda: jsonify(smart_configuration(issuer)))
    return app


def _share(app: Flask, origins: Collection[str]) -> None:
    """Let pages of these origins read all but the login page, which a browser opens and no page fetches."""

    @app.after_request
    def allow(response: Response) -> Response:
        response.headers.add("Vary", "Origin")
        if request.headers.get("Origin") in origins and request.endpoint != "authorize":
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        return response


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _keep_nothing(token: dict[str, Any], request: Any) -> None:
    """Access tokens speak for themselves; there is no refresh or introspection that would look one up."""
