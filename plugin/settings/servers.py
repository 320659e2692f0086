"""`auth`: the gateway's own credential at a server."""

from typing import Annotated, Literal

from pydantic import Discriminator

from plugin.settings.values import ExactUrl, Location, Section, Text


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
    token_url: ExactUrl
    scope: Text | None = None


Auth = Annotated[NoAuth | BasicAuth | BearerAuth | ClientCredentialsAuth, Discriminator("kind")]
