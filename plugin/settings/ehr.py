"""`[[ehr]]`: a source of tokens and patients, with its issuers, clients, auditors and the viewer's registration."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from plugin.settings.errors import WrongBelow
from plugin.settings.launch import LaunchSettings
from plugin.settings.ledger import Period, RetentionClass
from plugin.settings.servers import Auth, NoAuth
from plugin.settings.values import AskedBase, AskedUrl, Flag, Id, Location, PublishedUrl, Section, Text


class Introspection(Section):
    """Where an issuer says what a token is worth (RFC 7662), and who we are there."""

    url: AskedUrl
    client_id: Text
    client_secret_file: Location
    implied_audience: Flag = False
    """An answer without `aud` is meant for us: only for a server that answers for nobody else's tokens."""


def _path(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


ClaimPath = Annotated[tuple[Text, ...], BeforeValidator(_path), Field(min_length=1, max_length=8)]
"""The name of a claim; or the names that lead to it, from the outermost object inwards."""


class ClaimTable(Section):
    """Where a token of an issuer with claims of its own says what. What is not named is not read."""

    scope: ClaimPath = ("scope",)
    fhir_user: ClaimPath = ("fhirUser",)
    """Also read so that a patient's own token is known as one."""
    patient: ClaimPath | None = None
    """The launch patient: a FHIR id at the EHR."""
    name: ClaimPath | None = None
    national_identifier: ClaimPath | None = None
    """The national number of a professional; it makes the subject one."""
    roles: ClaimPath | None = None
    """Codings; or codes, of the system `role_system`."""
    role_system: Text | None = None
    organisation: ClaimPath | None = None
    organisation_id: ClaimPath | None = None
    purposes: ClaimPath | None = None
    """Codes of v3-ActReason, or Codings."""
    assurance: ClaimPath = ("acr",)
    person_id: ClaimPath | None = None
    """The patient whose data is asked for, for `match = "claim"`: a CX with an OID, or a URN."""


def _named_or_table(value: Any) -> str:
    return "claim-table" if isinstance(value, dict | ClaimTable) else "claim-map"


Claims = Annotated[
    Annotated[Literal["smart", "iua", "pro-sante-connect"], Tag("claim-map")]
    | Annotated[ClaimTable, Tag("claim-table")],
    Discriminator(_named_or_table),
]


class Issuer(Section):
    """An authorization server whose access tokens count."""

    issuer: PublishedUrl
    jwks_uri: PublishedUrl | None = None
    """Where the keys are; by default the issuer's discovery document says."""
    advertised: Flag = False
    """The one that our discovery documents describe; needed where there are several."""
    tokens: Literal["jwt", "opaque"] = "jwt"
    """`opaque`: this issuer is asked about each of its tokens, JWTs included, and takes those that are no JWTs."""
    introspection: Introspection | None = None
    audiences: tuple[Text, ...] = Field(default=(), min_length=1)
    """Default: `public_base`/fhir, or the base of the feed that is asked."""
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"], ...] = (
        Field(default=("RS256", "ES256"), min_length=1)
    )
    types: tuple[Text, ...] = Field(default=("at+jwt",), min_length=1)
    """The `typ` header, compared without case and without `application/`."""
    claims: Claims = "smart"
    """Where its tokens say who is asking."""
    subjects: Literal["by-claim", "professionals"] = "by-claim"
    """`professionals`: every subject whose token shows a login (`auth_time` or `sid`) is one."""

    @model_validator(mode="after")
    def _is_asked_where_tokens_are_opaque(self) -> Self:
        if self.tokens == "opaque" and self.introspection is None:
            raise WrongBelow(
                "introspection", "is required with tokens = 'opaque': { url, client_id, client_secret_file }"
            )
        if self.tokens != "opaque" and self.introspection is not None:
            raise WrongBelow("introspection", "is for tokens = 'opaque'")
        return self


class ConsentServer(Section):
    kind: Literal["fhir-rest"]
    base: AskedBase
    auth: Auth = NoAuth()


class ConsentFolder(Section):
    kind: Literal["bundle-folder"]
    path: Location


class ClientSettings(Section):
    id: Text
    renders_only: Flag = False
    """The controller's word that this client displays and never stores. Without it: no structured data."""
    default_purpose: Literal["TREAT"] | None = None
    """The purpose of a token that names none."""


class Auditors(Section):
    claim: Text
    values: tuple[Text, ...] = Field(min_length=1)


class Ehr(Section):
    """A source of tokens and patients; the tenant in every record."""

    id: Id
    fhir_base: AskedBase
    auth: Auth = NoAuth()
    """The gateway's own credential there, to read a patient's identifiers for the match."""
    auditors: Auditors | None = None
    """Who may read the log by token; nobody by default."""
    issuer: tuple[Issuer, ...] = Field(min_length=1)
    client: tuple[ClientSettings, ...] = ()
    launch: LaunchSettings | None = None
    """Absent: no viewer for this EHR."""
    consents: Annotated[ConsentServer | ConsentFolder, Discriminator("kind")] | None = None
    """Where the oppositions of this EHR's patients are, by their ids there: FHIR Consents, asked at every look."""
    retention: dict[RetentionClass, Period] = Field(default_factory=dict)
    """Periods of this EHR's records where they differ from `[ledger.retention]`."""
