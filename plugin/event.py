"""What a record says: the names in the body of every ledger record. Frozen: readers of old ledgers rely on them.

A body holds references, types, counts and outcomes. Never a result, a sensitivity label, a clinical code of something
withheld, a part of an unverified token, or text from outside. `plugin.attempt` writes, `plugin.audit` reads them.
"""

import secrets
import time
from collections.abc import Collection
from enum import StrEnum
from typing import Final, NotRequired, TypedDict

LOCAL_FEED: Final = "ehr.local"
"""The feed that is the EHR of a session itself, whichever that is: no configured feed has a dot in its id. Only a
session of the viewer has it; at the facade there is no such feed."""
GATEWAY_TENANT: Final = "gateway"
"""The tenant of records that concern no EHR, and so every reader of the log: no `[[ehr]]` may have this id."""


def sole_tenant(concerned: Collection[str]) -> str:
    """The one EHR that a record concerns; the gateway's own tenant where that is none, or several."""
    found, *others = concerned or (GATEWAY_TENANT,)
    return GATEWAY_TENANT if others else found


def new_request_id() -> str:
    """The id of one request: 32 hexadecimal digits, of which the first twelve are the milliseconds since 1970.

    Those of one moment stand beside each other in an index of the ledger, as UUIDs of version 7 would (RFC 9562 5.7):
    random ones each change a page of their own. The other 80 bits are random.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


class AuditAction(StrEnum):
    """Audit actions read `subject:event`: what it happened to, then what happened."""

    CONSULTATION_RELEASED = "consultation:released"
    CONSULTATION_DENIED = "consultation:denied"
    CONSULTATION_FAILED = "consultation:failed"
    CONSULTATION_UNAVAILABLE = "consultation:unavailable"
    LOG_READ = "log:read"
    LOG_DENIED = "log:denied"
    LOG_FAILED = "log:failed"
    CALLERS_REFUSED = "callers:refused"
    """Unidentified callers, counted: one record a minute for each key."""
    GATEWAY_STARTED = "gateway:started"
    GATEWAY_STOPPED = "gateway:stopped"
    LEDGER_OPENED = "ledger:opened"
    """The first record of a ledger."""
    POLICY_LOADED = "policy:loaded"
    """Another set of rules comes into force: written before anything is decided by it."""
    ACCESS_SUSPENDED = "access:suspended"
    """A person, a client or a feed is stopped at once."""
    ACCESS_RESUMED = "access:resumed"
    PATIENT_INFORMED = "patient:informed"
    """The clinician confirmed that the patient was told and did not object: written before the feed is called."""
    BREAK_GLASS_OPENED = "break-glass:opened"
    """Written before anything is fetched under it; releases nothing."""
    BREAK_GLASS_CLOSED = "break-glass:closed"
    BREAK_GLASS_DENIED = "break-glass:denied"
    BREAK_GLASS_FAILED = "break-glass:failed"
    SESSION_OPENED = "session:opened"
    """A launch from an EHR opened a view for one person and one patient."""
    SESSION_REFUSED = "session:refused"
    """A launch of somebody verified opened none."""
    SESSION_CLOSED = "session:closed"
    SESSION_FAILED = "session:failed"
    PURPOSE_STATED = "purpose:stated"
    """What the person says that the looks of a session are for."""
    PURPOSE_REFUSED = "purpose:refused"
    PAGE_PRINTED = "page:printed"
    """The browser of who looks reported it; nothing prevents it, and a report can be missing."""
    PAGE_COPIED = "page:copied"
    PAGE_REFUSED = "page:refused"
    """A report of something else, which nobody's page makes."""
    LEDGER_GAP = "ledger:gap"
    RELEASE_WITHDRAWN = "release:withdrawn"
    LEDGER_PURGED = "ledger:purged"
    """Bodies whose period is over go: written before they do."""
    LEDGER_HELD = "ledger:held"
    """A legal hold: what it names is kept whatever its period."""
    LEDGER_HOLD_LIFTED = "ledger:hold-lifted"
    LEDGER_KEY_ROTATED = "ledger:key-rotated"
    LEDGER_RECOVERED = "ledger:recovered"
    """The first record of a ledger that follows a lost one."""
    LEDGER_UPGRADED = "ledger:upgraded"
    """In the transaction that brought an older ledger to the present form."""
    LEDGER_VERIFIED = "ledger:verified"
    """A scheduled verification found it unbroken."""
    LEDGER_BROKEN = "ledger:broken"
    """One found it broken, or it went back while the gateway served."""
    LEDGER_UNVERIFIED = "ledger:unverified"
    """One could not tell."""
    SINK_FORKED = "sink:forked"
    """A sink or witness holds a checkpoint that the ledger does not continue."""
    SPACE_LOW = "space:low"
    CLOCK_DRIFTED = "clock:drifted"


class Outcome(StrEnum):
    """AuditEvent outcome codes (R4), as design section 3 assigns them."""

    SUCCESS = "0"
    REFUSED = "4"
    FAILED = "8"
    UNAVAILABLE = "12"


class RetentionClass(StrEnum):
    """A record's class is its kind of event, immutable; `ledger.retention` maps classes to periods."""

    CONSULTATION = "consultation"
    REFUSAL = "refusal"
    LOG_READING = "log-reading"
    CALLERS = "callers"
    OPERATION = "operation"
    LEDGER = "ledger"
    """What explains the ledger itself: purges, holds, keys, recoveries, withdrawn releases. Never purged."""


class CodingBody(TypedDict, total=False):
    system: str
    code: str
    display: str | None


class PersonBody(TypedDict, total=False):
    issuer: str
    subject: str
    kind: str
    """`professional`, `patient`, `machine` or `operator`"""
    name: str | None
    fhir_user: str | None
    national_identifier: str | None
    roles: list[CodingBody]
    organisation: str | None
    organisation_id: str | None
    assurance: str | None


class ClientBody(TypedDict, total=False):
    id: str | None
    """None for an unidentified caller."""
    address: str


class TokenBody(TypedDict, total=False):
    reference: str
    """`urn:ietf:params:oauth:jti:…`"""
    scopes: list[str]
    """As granted."""


class PurposeBody(TypedDict, total=False):
    codes: list[str]
    source: str


class EhrBody(TypedDict, total=False):
    id: str
    fhir_base: str


class LeftOutBody(TypedDict):
    type: str
    rules: list[str]


class AskedBody(TypedDict, total=False):
    interaction: str
    """`policies.vocabulary.interactions.Interaction`"""
    level: str
    type: str | None
    """Of a page several, `Observation,DiagnosticReport`."""
    id: str | None
    operation: str | None
    query: str
    """Our own serialisation of the allowed parameters, `Observation?patient=p1&category=…`; not the raw request."""
    unrecorded_parameters: int
    delivery: str
    scope: str
    """What a token must grant for this, `patient/Observation.s`."""
    continued: bool
    """A further page of an earlier question."""
    left_out: list[LeftOutBody]
    """What the page asked for too, and was refused, or is not to be had at the feed."""
    file: int
    """Which of the resource's files was opened, counted from 1."""
    page: int
    """Which page of that file was asked for."""
    log_reason: str
    """Why the log is read."""
    log_first: int
    log_last: int


class FeedBody(TypedDict, total=False):
    id: str
    answer: str
    """`answered`, `not-asked`, or the kind of failure: `timeout`, `unavailable`, `invalid-answer` …"""
    match: str
    """`identifier`, `same-id`, `claim`, `launch`; or why there is none: `no-match`, `ambiguous` …"""
    calls: int


class ReleasedBody(TypedDict):
    reference: str
    """`Observation/77`, under the base of the feed."""
    category: str
    """What kind of health data: `policies/tables/categories.toml`."""


class WithheldBody(TypedDict):
    reference: str
    rule: str


class GatewayBody(TypedDict, total=False):
    base: str
    version: str
    policies: str
    """Digest of the rule set in force."""


class CallersBody(TypedDict, total=False):
    """A count of refusals of callers who were never identified; their network stands as the client's address."""

    reason: str
    family: str
    count: int
    since: str
    until: str
    subject: str
    """`issuer subject client`, where signature and expiry of a token held and something else failed."""


class DueBody(TypedDict):
    """Records of one class whose bodies a purge removes."""

    retention_class: str
    tenant: NotRequired[str | None]
    """All of them are of this tenant; None: the general period."""
    period: str
    """As configured: `3-years`, `400 days`."""
    before: str
    """Every one of them is older than this."""
    ranges: list[list[int]]
    """First and last position, both included, in order."""


class PurgeBody(TypedDict):
    reason: str
    due: list[DueBody]


class HoldBody(TypedDict, total=False):
    """What is held must have all that is named."""

    id: str
    reason: str
    tenant: str
    patient: str
    """As the search column has it, `<fhir_base>/Patient/<id>`."""
    person: str
    """Likewise, `<issuer> <subject>`."""
    first: int
    last: int


class RotationBody(TypedDict):
    reason: str
    note: str
    """Both keys by name, signed by both (C2SP signed-note)."""


class LostBody(TypedDict, total=False):
    """What is known of a ledger that could not be continued."""

    reason: str
    origin: str
    vkey: str
    size: int
    root: str
    """Hex."""
    checkpoint: str
    """The newest signed note that states size and root."""
    found_in: str
    """`file` or `database`, its own, or the name of a sink."""
    file: str
    """The name under which the damaged file is kept."""
    schema: str
    """The same of the tables in PostgreSQL."""


class UpgradeBody(TypedDict):
    reason: str
    before: int
    """Forms, `store.FORMAT`."""
    after: int


class RuleSetBody(TypedDict):
    """Digests."""

    before: str | None
    """None: there was no set in force that is known."""
    after: str


class SuspensionBody(TypedDict, total=False):
    kind: str
    """`person`, `client`, `feed`"""
    name: str
    """Of a person `<issuer> <subject>`; of a client or feed its id."""
    reason: str
    since: str


class BreakGlassBody(TypedDict, total=False):
    """An emergency access: of its own records all that is known, of a consultation made under it `opening` alone."""

    opening: str
    """The id of the record of its opening."""
    reason: str
    """A code of `policies.vocabulary.emergency`."""
    text: str
    """What the person added, in their words."""
    until: str
    """When it ends by itself."""
    closed_by: str
    """`person`, `time`, or `failure`: it was recorded, and could not be kept."""


class SessionBody(TypedDict, total=False):
    """The session of a viewer."""

    opened: str
    """The id of the record of its opening."""
    until: str
    """When it ends by itself, at the latest."""


class Body(TypedDict, total=False):
    nonce: str
    action: str
    record: str
    """`<request id>.<n>`"""
    request: str
    outcome: str
    reason: str | None
    """A stable key; None when released."""
    rules: list[str]
    """Ids of the deciding rules."""
    gateway: GatewayBody
    ehr: EhrBody
    person: PersonBody
    client: ClientBody
    token: TokenBody
    purpose: PurposeBody
    patient: str | None
    """The EHR's patient id."""
    care_relation: str
    """By which evidence: `launch`, `declared`."""
    care_reason: str
    """Of a declared relation, in the person's words."""
    asked: AskedBody
    feed: FeedBody
    released: list[ReleasedBody]
    withheld: list[WithheldBody]
    foreign: int
    """Resources that the feed returned about others, or that nothing ties to this patient: dropped."""
    informed: str
    """The id of the record of the clinician's confirmation that the patient was told."""
    break_glass: BreakGlassBody
    session: SessionBody
    suspension: SuspensionBody
    rule_set: RuleSetBody
    callers: CallersBody
    note: str
    """Our own words, for operational records."""
    purge: PurgeBody
    hold: HoldBody
    rotation: RotationBody
    lost: LostBody
    upgraded: UpgradeBody
