"""One request to look, in words that no face or feed owns. Building one grants nothing."""

from dataclasses import dataclass, replace
from enum import StrEnum

from policies.vocabulary.interactions import Delivery, Interaction, Level
from policies.vocabulary.log_search import LogSearch

DEFAULT_COUNT = 50
"""Entries on a page where a request asks for no number."""


class Reason(StrEnum):
    """Why a request is refused, as a stable key: in the record, and in the answer's `details.coding`."""

    # the shape of the request
    UNKNOWN_FEED = "unknown-feed"
    UNKNOWN_TYPE = "unknown-type"
    UNKNOWN_ADDRESS = "unknown-address"
    UNKNOWN_OPERATION = "unknown-operation"
    UNKNOWN_PARAMETER = "unknown-parameter"
    REFUSED_PARAMETER = "refused-parameter"
    INVALID_VALUE = "invalid-value"
    REPEATED_PARAMETER = "repeated-parameter"
    PATIENT_AMBIGUOUS = "patient-ambiguous"
    METHOD_OVERRIDE = "method-override"
    NOT_ACCEPTABLE = "not-acceptable"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    BODY_TOO_LARGE = "body-too-large"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    PAGE_LINK_INVALID = "page-link-invalid"
    PAGE_LINK_EXPIRED = "page-link-expired"
    PAGE_LINK_FOREIGN = "page-link-foreign"
    # the rules
    VIEW_ONLY = "view-only"
    OPERATION_REFUSED = "operation-refused"
    PATIENT_REQUIRED = "patient-required"
    ACCESS_DENIED = "access-denied"
    INSUFFICIENT_SCOPE = "insufficient-scope"
    NOT_FOUND = "not-found"
    PURGED = "purged"
    QUOTA = "quota"
    TOO_COSTLY = "too-costly"
    # the session of a viewer
    PURPOSE_STATED = "purpose-stated"
    # breaking the glass
    BREAK_GLASS_OPEN = "break-glass-open"
    BREAK_GLASS_NOT_OPEN = "break-glass-not-open"


@dataclass(frozen=True, slots=True)
class Objection:
    """What a face found wrong with the shape of a request.

    It travels inside the consultation, so that the caller is identified first and the refusal is recorded under a name.
    """

    reason: Reason
    about: str | None = None
    """The name of a parameter, type or header: never a value."""


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where to go on reading at a feed: a page of its answer, and how many entries from there on are spent."""

    page: str | None
    """The feed's own name for the page; None is the first."""
    spent: int = 0


@dataclass(frozen=True, slots=True)
class PageBinding:
    """For whom a page link was issued; another reader or another patient in context may not use it."""

    reader: str
    """`Person.key`"""
    ehr: str
    patient: str
    """Its logical id at that EHR."""


@dataclass(frozen=True, slots=True)
class ClinicalConsultation:
    """A request to look at one patient's results at one feed (or an attempt at something else there)."""

    feed: str
    interaction: Interaction
    level: Level
    delivery: Delivery
    resource_type: str | None = None
    also: tuple[str, ...] = ()
    """Further types that a page needs, each searched and judged like the first; what is refused of them is left out."""
    since: str | None = None
    """A day, `2025-11-25`, before which results are not wanted, where their type has a day that can be asked for."""
    resource_id: str | None = None
    patient: str | None = None
    """The EHR's patient id that the request names; None means the launch patient."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Allowed search parameters in the order given, without those that name the patient, and without paging."""
    count: int = DEFAULT_COUNT
    """Kept entries wanted on a page; where `also` names more types, the whole is wanted."""
    position: PagePosition = PagePosition(None)
    binding: PageBinding | None = None
    """Set where the request follows a page link."""
    file: int | None = None
    """Which of the resource's files (Attachments) a read opens, counted from 1; None: the resource without them."""
    page: int | None = None
    """Which page of that file is shown, counted from 1: for the record."""
    operation: str | None = None
    """The name of a `$operation` that FHIR or an IG defines, without the dollar; never free text."""
    patient_informed: bool = False
    """The clinician's word, given on a page for this look, that the patient was told and did not object."""
    care_declared: str | None = None
    """Why the person says that they care for this patient, in their words, given on a page for this look."""
    objection: Objection | None = None
    unrecorded_parameters: int = 0
    """How many parameters the request had that are not in `parameters`: counted, since their text is not kept."""

    @property
    def types(self) -> tuple[str, ...]:
        """What is asked for; empty where the request names no type."""
        return () if self.resource_type is None else (self.resource_type, *self.also)

    def of_types(self, first: str, *also: str) -> "ClinicalConsultation":
        """The same request for these types alone."""
        return replace(self, resource_type=first, also=also)


@dataclass(frozen=True, slots=True)
class AuditConsultation:
    """A request to read the content of the log (or an attempt at something else there)."""

    reason: str
    """Why, in the asker's words; recorded. Empty: the purpose of use that the token states is the reason."""
    first: int = 0
    last: int | None = None
    """Positions, both included; None is the newest."""
    name: str | None = None
    """A record id or request id: the records of that request alone, whatever the positions say."""
    search: LogSearch | None = None
    """What is searched for, whatever the positions and the name say. All that a token can ask for is a search."""
    query: str | None = None
    """What is wanted of a range of records, as a FHIR search on AuditEvent; recorded. None is everything."""
    interaction: Interaction = Interaction.SEARCH_TYPE
    operation: str | None = None
    """As for a ClinicalConsultation."""
    objection: Objection | None = None
    unrecorded_parameters: int = 0
    """How many parameters the request had that are not in `search`."""


Consultation = ClinicalConsultation | AuditConsultation


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the record. Of a decision only the network zone of the address is a part."""

    request_id: str
    address: str
    """The socket peer, or what a trusted proxy says; an IP address, or `local`."""
    family: str
    """Which face, and which group of its routes: `facade`, `cli`, … never text of the caller."""
    number: int = 1
    """Which of the request's consultations this is."""

    @property
    def record(self) -> str:
        """The id of the one record of this consultation."""
        return f"{self.request_id}.{self.number}"
