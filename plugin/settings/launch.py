"""`[ehr.launch]`: the viewer, as an app registered at an EHR."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field

from plugin.settings.values import Location, Section, Text, WebOrigin


class PublicAuth(Section):
    """Proven by PKCE alone."""

    kind: Literal["public"] = "public"


class ClientSecretAuth(Section):
    """By HTTP Basic at the token endpoint."""

    kind: Literal["client_secret"]
    client_secret_file: Location


class LaunchKeyAuth(Section):
    """By an assertion that our key signs."""

    kind: Literal["private_key_jwt"]
    key_file: Location
    """A private JWK, RSA or EC, with a `kid`."""


LaunchAuth = Annotated[PublicAuth | ClientSecretAuth | LaunchKeyAuth, Discriminator("kind")]

_LOOKING = re.compile(r"patient/(?:[A-Za-z]{1,64}|\*)\.(?:rs?|s|read)(?:\?[!-~]{1,512})?")


def _only_looks(scope: str) -> str:
    """At one patient, to read and search: no writing, no token that outlives the session."""
    if not _LOOKING.fullmatch(scope):
        raise ValueError("a scope is patient/<type>.rs, .r, .s or .read: nothing else is asked for")
    return scope


Scope = Annotated[Text, AfterValidator(_only_looks)]


class LaunchSettings(Section):
    client_id: Text
    auth: LaunchAuth = PublicAuth()
    frame_ancestors: tuple[WebOrigin, ...] = ()
    """Whose pages may show the viewer in a frame; by default it is shown in a window of its own only."""
    scopes: tuple[Scope, ...] = Field(default=("patient/*.rs",), min_length=1, max_length=64)
    """What is asked for beside `openid fhirUser` and `launch` or `launch/patient`: the ceiling of every look."""
