"""Who is asking: a verified person, the client that they use, and what the token grants. Facts, no verdict."""

from dataclasses import dataclass, field
from enum import StrEnum

from policies.vocabulary.purposes import PurposeSource
from policies.vocabulary.scopes import Grants


class Subject(StrEnum):
    """What kind of subject the credential speaks for."""

    PROFESSIONAL = "professional"
    PATIENT = "patient"  # a Patient, RelatedPerson or Person as user
    MACHINE = "machine"  # no natural person, or none that the token shows
    OPERATOR = "operator"  # of the machine itself, by the word of its operating system


@dataclass(frozen=True, slots=True)
class Coding:
    """A FHIR Coding, reduced to what is recorded."""

    system: str
    code: str
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A subject of an issuer. (issuer, subject) identifies; everything else describes."""

    issuer: str
    subject: str
    name: str | None = None
    fhir_user: str | None = None
    national_identifier: str | None = None
    roles: tuple[Coding, ...] = ()
    organisation: str | None = None
    organisation_id: str | None = None
    assurance: str | None = None
    """The `acr` of the login, where the token shows it."""

    @property
    def key(self) -> str:
        """One string for counting and grouping. A space cannot stand in an issuer's URL."""
        return f"{self.issuer} {self.subject}"


@dataclass(frozen=True, slots=True)
class Client:
    """The application, as the controller listed it."""

    id: str
    renders_only: bool = False
    listed: bool = True
    """False: the token is good, but no `[[ehr.client]]` names its client."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified credential. Holding one permits nothing: `policies.decision` decides."""

    ehr: str
    """The id of the `[[ehr]]` that (issuer, client) selects."""
    subject: Subject
    person: Person
    client: Client
    grants: Grants
    launch_patient: str | None
    """Logical id of the patient in context at that EHR, else None."""
    purposes: tuple[str, ...]
    purpose_source: PurposeSource | None
    token_reference: str | None
    """`urn:ietf:params:oauth:jti:…`, or a hash form for an opaque token; never a part of a token."""
    expires_at: float = 0.0
    """POSIX seconds; what was learned for this identity is forgotten then."""
    auditor: bool = False
    """May ask for the log: the role that `[[ehr]] auditors` names, or the operator of the machine."""
    person_id: str | None = field(default=None, repr=False)
    """IUA's identifier of the patient whose data is asked for: for a feed that is matched by claim, else ignored."""
