"""`auth`: the gateway's own credential at a server."""

from typing import Annotated, Literal

from pydantic import Discriminator

from plugin.settings.values import AskedUrl, Location, Section, Text


class NoAuth(Section):
    kind: Literal["none"] = "none"


class BasicAuth(Section):
    kind: Literal["basic"]
    username: Text
    password_file: Location


class BearerAuth(Section):
    kind: Literal["bearer"]
    token_file: Location


class ClientCredentialsAuth(Section):
    kind: Literal["client_credentials"]
    client_id: Text
    client_secret_file: Location
    token_url: AskedUrl
    scope: Text | None = None


class PrivateKeyJwtAuth(Section):
    """SMART Backend Services: client credentials, proven by an assertion that our key signs."""

    kind: Literal["private_key_jwt"]
    client_id: Text
    key_file: Location
    """A private JWK, RSA or EC, with a `kid`."""
    token_url: AskedUrl
    scope: Text | None = None


class MtlsAuth(Section):
    """A certificate of ours, shown in the TLS handshake."""

    kind: Literal["mtls"]
    certificate_file: Location
    """PEM: our certificate, then those that signed it."""
    key_file: Location
    """PEM, not encrypted."""
    ca_file: Location | None = None
    """PEM: authorities trusted for the server beside those of the system."""


Auth = Annotated[
    NoAuth | BasicAuth | BearerAuth | ClientCredentialsAuth | PrivateKeyJwtAuth | MtlsAuth, Discriminator("kind")
]
