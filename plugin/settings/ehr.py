"""`[[ehr]]`: a source of tokens and patients, with its issuers, clients, auditors and the viewer's registration."""

from typing import Any, Literal

from pydantic import Field

from plugin.settings.ledger import Period, RetentionClass
from plugin.settings.servers import Auth, NoAuth
from plugin.settings.values import ExactUrl, Id, Section, Text, Url


class Issuer(Section):
    """An authorization server whose access tokens count."""

    issuer: ExactUrl
    jwks_uri: ExactUrl | None = None
    """Where the keys are; by default the issuer's discovery document says."""
    advertised: bool = False
    """The one that our discovery documents describe; needed where there are several."""
    tokens: Literal["jwt"] = "jwt"
    audiences: tuple[Text, ...] = ()
    """Default: `public_base`/fhir, or the base of the feed that is asked."""
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"], ...] = (
        "RS256",
        "ES256",
    )
    types: tuple[Text, ...] = ("at+jwt",)
    """The `typ` header, compared without case and without `application/`."""
    claims: Literal["smart"] = "smart"
    subjects: Literal["by-claim", "professionals"] = "by-claim"
    """`professionals`: every subject whose token shows a login (`auth_time` or `sid`) is one."""


class ClientSettings(Section):
    id: Text
    renders_only: bool = False
    """The controller's word that this client displays and never stores. Without it: no structured data."""
    default_purpose: Literal["TREAT"] | None = None
    """The purpose of a token that names none."""


class Auditors(Section):
    claim: Text
    values: tuple[Text, ...] = Field(min_length=1)


class LaunchSettings(Section):
    """The viewer, as an app registered at this EHR."""

    client_id: Text
    auth: dict[str, Any] = Field(default_factory=lambda: {"kind": "public"})
    frame_ancestors: tuple[Url, ...] = ()


class Ehr(Section):
    """A source of tokens and patients; the tenant in every record."""

    id: Id
    fhir_base: Url
    auth: Auth = NoAuth()
    """The gateway's own credential there, to read a patient's identifiers for the match."""
    auditors: Auditors | None = None
    """Who may read the log by token; nobody by default."""
    issuer: tuple[Issuer, ...] = Field(min_length=1)
    client: tuple[ClientSettings, ...] = ()
    launch: LaunchSettings | None = None
    retention: dict[RetentionClass, Period] = Field(default_factory=dict)
    """Periods of this EHR's records where they differ from `[ledger.retention]`."""
