"""What a page says of one result, whatever its type: the shape that templates print.

A Result holds what stood in one resource; nothing is merged into it. Links to others are hints beside it. What a page
has hundreds of is a Struct: that is made in a fifth of the time of a frozen dataclass.
"""

import hashlib
from enum import StrEnum

from msgspec import Struct

from plugin.faces.viewer.readings.elements import Pair
from plugin.faces.viewer.readings.moment import When
from plugin.faces.viewer.readings.text import Text
from plugin.faces.viewer.readings.values import Altered, Span, Term, Value

ANCHOR_LENGTH = 16
"""Hexadecimal digits: two results of a page do not meet in 64 bits."""


class Category(StrEnum):
    """The sections of the overview."""

    LABORATORY = "laboratory"
    MICROBIOLOGY = "microbiology"
    IMAGING = "imaging"
    DOCUMENTS = "documents"
    MEDICINES = "medicines"
    REIMBURSEMENTS = "reimbursements"
    OTHER = "other"


class Standing(StrEnum):
    """What a status means for somebody who reads the result."""

    AWAITED = "awaited"
    """Registered; nothing measured yet."""
    PRELIMINARY = "preliminary"
    FINAL = "final"
    CORRECTED = "corrected"
    """Changed after it was final, because it was wrong."""
    AMENDED = "amended"
    """Changed or added to after it was final."""
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    """A newer version of this document exists."""
    MISTAKEN = "entered-in-error"
    OTHER = "other"
    """Statuses of other kinds (a prescription is active): `status` says it."""
    UNSTATED = "unstated"


class Level(StrEnum):
    """Where a value lies."""

    UNSTATED = "unstated"
    NORMAL = "normal"
    NOTED = "noted"
    """The source marks it with a word that is neither low nor high: positive, resistant. The word says it."""
    ABNORMAL = "abnormal"
    LOW = "low"
    HIGH = "high"
    CRITICAL = "critical"
    CRITICALLY_LOW = "critically-low"
    CRITICALLY_HIGH = "critically-high"
    WORDED = "worded"
    """The source says something in words that no code explains: they are printed without a mark, and the filter
    "abnormal" leaves the result in, since they may mean just that."""


_UNMARKED = (Level.UNSTATED, Level.NORMAL, Level.WORDED)


class Basis(StrEnum):
    """Who says that a value is abnormal."""

    NONE = "none"
    INTERPRETATION = "interpretation"
    """The source, by its interpretation code."""
    RANGE = "range"
    """We, by comparing the value with the source's own reference range."""


class Flag(Struct, frozen=True):
    """Whether a value is abnormal, and by whose word."""

    level: Level = Level.UNSTATED
    basis: Basis = Basis.NONE
    words: tuple[Term, ...] = ()
    """The source's interpretation, in words."""
    plain: tuple[Term, ...] = ()
    """Those of them that no mark stands for: susceptible, negative, what a source words itself."""
    disagrees: Level | None = None
    """What the source's reference range says, where it contradicts the source's interpretation."""

    @property
    def is_abnormal(self) -> bool:
        """Whether it is to be marked: what the source calls normal is, where its own range says otherwise."""
        return self.level not in _UNMARKED or self.is_contradictory

    @property
    def is_contradictory(self) -> bool:
        """Whether the source calls normal what its own range does not."""
        return self.level is Level.NORMAL and self.disagrees is not None


class ReferenceRange(Struct, frozen=True):
    """One reference range as the source gives it."""

    span: Span | None
    text: Text | None
    """The source's own wording of it."""
    meaning: Term | None = None
    """What kind of range it is (therapeutic, before treatment); None: the normal range."""
    applies_to: tuple[Term, ...] = ()
    """Whom it is for (men, pregnant women); nothing: everybody."""
    age: Span | None = None
    is_contradictory: bool = False
    """The text says other numbers than the span: both are printed, and no value is normal by either."""
    says_more: bool = False
    """The text has words or numbers beside those of the span: both are printed."""
    is_unread: bool = False
    """A limit, or the age that it is for, cannot be read: that is printed, and nothing is judged by it."""


class Part(Struct, frozen=True):
    """A component: a value of its own inside a result (systolic, amoxicillin)."""

    title: Term
    value: Value | None
    flag: Flag
    ranges: tuple[ReferenceRange, ...]
    codes: tuple[Pair, ...]
    value_codes: tuple[Pair, ...] = ()


class Link(Struct, frozen=True):
    """Another result, named by this one."""

    reference: str
    anchor: str
    """The HTML id of its row; it is on the page only if `is_shown`."""
    title: Term | None
    is_shown: bool


class HintKind(StrEnum):
    """How another result is the same thing, or a part of it."""

    REPORTED_IN = "reported-in"
    """The other is a report that contains this result."""
    REPORTS = "reports"
    """This is a report (or a panel) that contains the other."""
    SAME_RESULT = "same-result"
    """Same test, time and, where both tell, specimen; same value."""
    OTHER_VALUE = "other-value"
    """Same test, time and specimen, with another value: a contradiction."""
    SAME_DAY = "same-day"
    """Same test and value on one day, of which one source does not tell the time."""
    SAME_IDENTIFIER = "same-identifier"
    """The same business identifier: the same order or document."""
    REPLACES = "replaces"
    REPLACED_BY = "replaced-by"


class Hint(Struct, frozen=True):
    """A result that is perhaps the same: said, never merged."""

    kind: HintKind
    feed: str
    reference: str
    anchor: str
    title: Term | None


class Detail(Struct, frozen=True):
    """A fact that only some types have, for a table below the row."""

    name: str
    """One of DETAIL_NAMES."""
    value: Value


DETAIL_NAMES = (
    "abatement",
    "act",
    "amount-billed",
    "authenticator",
    "author",
    "body-site",
    "category",
    "complication",
    "conclusion",
    "condition",
    "criticality",
    "custodian",
    "days-supply",
    "device",
    "dosage",
    "dose",
    "dose-number",
    "evidence",
    "fasting",
    "follow-up",
    "form",
    "ingredient",
    "instances",
    "instruction",
    "insurer",
    "intent",
    "interpreter",
    "issued",
    "last-occurrence",
    "location",
    "lot-number",
    "manufacturer",
    "method",
    "modality",
    "outcome",
    "patient-instruction",
    "priority",
    "quantity",
    "reaction",
    "reaction-onset",
    "reason",
    "received",
    "recorded",
    "repeats",
    "requester",
    "route",
    "series",
    "severity",
    "specimen",
    "stage",
    "substance",
    "substitutable",
    "substituted",
    "substitution",
    "target",
    "validity",
    "verification",
)
"""What a Detail can be about; a page needs a word for each."""


class Attachment(Struct, frozen=True):
    """A file of a document or report, named; opening it is another page."""

    place: int
    """Its number among the attachments of its resource, from 0."""
    title: Text | None
    content_type: str
    """`application/pdf`, in small letters and without parameters; "" where not stated."""
    size: int | None
    """In bytes, where stated."""
    created: When | None


class Origin(Struct, frozen=True):
    """Where a result stands."""

    feed: str
    """The feed's id; for the EHR's own, the id of the EHR's feed."""
    reference: str
    """`Observation/77`; `DiagnosticReport/5#c1` of what stands inside another resource."""
    type: str
    data: str
    """The kind of health data, of `policies/tables/categories.toml`."""
    is_local: bool = False
    """It is the EHR's own."""
    category: Category = Category.OTHER
    """Its section of the overview."""

    @property
    def container(self) -> str:
        """The reference of the resource that it stands inside; its own where it stands alone."""
        return self.reference.partition("#")[0]


class Result(Struct, frozen=True):
    """What one resource says."""

    origin: Origin
    title: Term | None
    """None: the source does not say what it is; its type is then all there is to print."""
    when: When | None = None
    """When it was so: the draw, the examination, the date of care. Not when it was written."""
    when_told: Value | None = None
    """The same where it is no date: an age, or words."""
    issued: When | None = None
    """When the source released it."""
    value: Value | None = None
    flag: Flag = Flag()
    ranges: tuple[ReferenceRange, ...] = ()
    standing: Standing = Standing.UNSTATED
    status: Term | None = None
    performers: tuple[Text, ...] = ()
    parts: tuple[Part, ...] = ()
    members: tuple[Link, ...] = ()
    """Results that this one groups or reports."""
    notes: tuple[Text, ...] = ()
    details: tuple[Detail, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    has_narrative: bool = False
    """The resource has a text of its own (narrative), which the document page shows sanitised."""
    hints: tuple[Hint, ...] = ()
    left_out: int = 0
    """Entries of over-long lists that are not here."""
    codes: tuple[Pair, ...] = ()
    """What is measured, as (system, code)."""
    value_codes: tuple[Pair, ...] = ()
    """The same of a value that is a concept: two sources may word one code in two ways."""
    identifiers: frozenset[Pair] = frozenset()
    specimens: frozenset[str] = frozenset()
    """References of the specimens that it was made on."""
    replaces: frozenset[str] = frozenset()
    """References of the documents that it replaces."""
    about: frozenset[str] = frozenset()
    """References of results that it reports, beside `members`."""
    remarks: tuple[Value, ...] = ()
    """What its row says beside the status, since it changes what the value means."""
    warnings: tuple[Term, ...] = ()
    """What its row says before all else: that something must not be given, or may do harm."""

    @property
    def feed(self) -> str:
        """The source's id."""
        return self.origin.feed

    @property
    def reference(self) -> str:
        """`Observation/77`."""
        return self.origin.reference

    @property
    def category(self) -> Category:
        """Its section of the overview."""
        return self.origin.category

    @property
    def is_local(self) -> bool:
        """Whether it is the EHR's own."""
        return self.origin.is_local

    @property
    def anchor(self) -> str:
        """An HTML id for its row, the same for each look."""
        return anchor(self.feed, self.reference)

    @property
    def is_mistaken(self) -> bool:
        """Entered in error: not to be shown among results."""
        return self.standing is Standing.MISTAKEN

    @property
    def is_abnormal(self) -> bool:
        """Whether it, or a component of it, is to be marked."""
        return self.flag.is_abnormal or any(part.flag.is_abnormal for part in self.parts)

    @property
    def is_worded(self) -> bool:
        """Whether its source says something of it, or of a component, that cannot be placed."""
        if isinstance(self.value, Altered):
            return True
        return self.flag.level is Level.WORDED or any(part.flag.level is Level.WORDED for part in self.parts)


def anchor(feed: str, reference: str) -> str:
    """An HTML id that holds nothing of what it is made from."""
    told = f"{feed}\n{reference}".encode(errors="replace")
    return "r" + hashlib.sha256(told).hexdigest()[:ANCHOR_LENGTH]
