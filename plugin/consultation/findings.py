"""What one step of a consultation hands to the next, so that no step needs to know another.

What there is one of for each resource is a NamedTuple: as immutable, and made in a third of the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fhir_adapters.interface import Entry, Tree
from policies.coding import Contents

NO_QUALIFIED_IDENTIFIER = "no-qualified-identifier"
NOT_ACTIVE = "patient-not-active"
NOT_SHARED = "not-shared"
NO_PERSON_ID = "no-person-id"
PERSON_ID_OF_ANOTHER = "person-id-of-another"


RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
"""The system of a class of results that is a type."""

Codes = frozenset[tuple[str, str]]
"""(system, code) pairs."""


@dataclass(frozen=True, slots=True)
class Opposition:
    """What the patient opposes, for this person, purpose and moment."""

    fact: str | None
    """`none`, `part`, `all`, `unknown`; None: no source of consents is configured."""
    narrowed: tuple[tuple[Codes, Codes], ...] = ()
    """Of `part`: classes and labels of what is opposed; a result must have one of each that is given."""


NOT_ASKED = Opposition(None)


@dataclass(frozen=True, slots=True)
class Match:
    """The patient at the feed, and how that was established."""

    patient: str
    """Logical id at the feed."""
    identifiers: tuple[tuple[str, str], ...]
    """(system, value) of the trusted identifiers that the EHR knows the patient by; empty for a shared id."""
    by: str


@dataclass(frozen=True, slots=True)
class LaunchPatient:
    """How a patient is matched at the EHR that launched: it is the launch patient itself, and nobody else."""


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Nobody there, or nobody who can be told apart."""

    reason: str
    """`no-match`, `ambiguous`, `no-qualified-identifier`, `patient-not-active`, `not-shared`, `no-person-id`,
    `person-id-of-another`: for the record."""

    @property
    def tellable(self) -> bool:
        """True where the reason concerns only the EHR's own patient and token, and so says nothing about the feed."""
        return self.reason in {NO_QUALIFIED_IDENTIFIER, NOT_ACTIVE, NO_PERSON_ID, PERSON_ID_OF_ANOTHER}

    @property
    def feed_answered(self) -> bool:
        """True where the feed was asked for its patients before nobody was found."""
        return not self.tellable and self.reason != NOT_SHARED


class Read(NamedTuple):
    """An entry with the page where it stood, so that reading can go on from there."""

    entry: Entry
    page: str | None
    """The feed's own name for it; None is the first."""
    spent: bool
    """Already shown on an earlier page: judged with the rest, since others may refer to it, and not shown again."""


class Kept(NamedTuple):
    """A resource about the patient, or a companion of one."""

    reference: str
    resource: Tree
    contents: Contents
    companion: bool
    withheld_by: str | None
    """A rule by which its scope, or what it contains, alone withholds it."""


@dataclass(frozen=True, slots=True)
class Confined:
    """An answer reduced to one patient."""

    kept: tuple[Kept, ...]
    outside: tuple[Kept, ...]
    """Looked up, since something kept names it; not asked for."""
    foreign: int
    resolve: Mapping[str, str]
    """Literal reference -> `Type/id`, for every reference of the answer that points into it or at the feed."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a document, whole and as the document says that it is."""

    content_type: str
    """A media type, with its parameters; `application/octet-stream` where nobody says what it is."""
    data: bytes = field(repr=False)
    title: str | None = None
