"""The codes of an AuditEvent: systems, ready-made Codings, and which of them stand for which event.

Tables only (FHIR R4 AuditEvent, DICOM PS3.15, IHE BALP 1.1.4); `agents`, `entities` and `audit_event` fill them in.
The Codings are shared by all events: readers serialise them and change nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plugin import errors
from plugin.event import AuditAction, Outcome
from policies.vocabulary.interactions import Interaction

Element = dict[str, Any]
"""A FHIR element as JSON."""

REMEMBERED: Final = 2_048
"""Persons and clients whose elements are made once: those of a day in a hospital, a few megabytes."""

DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
AUDIT_EVENT_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
RESTFUL_INTERACTION: Final = "http://hl7.org/fhir/restful-interaction"
ENTITY_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
RESOURCE_TYPES: Final = "http://hl7.org/fhir/resource-types"
LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
DICOM_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/dicom-audit-lifecycle"
SOURCE_TYPE: Final = "http://terminology.hl7.org/CodeSystem/security-source-type"
PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
IDENTIFIER_TYPE: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
URI: Final = "urn:ietf:rfc:3986"
"""The system of an identifier whose value is a URI."""
BALP: Final = "https://profiles.ihe.net/ITI/BALP/"
PROFILE: Final = BALP + "StructureDefinition/"

PATIENT_READ: Final = PROFILE + "IHE.BasicAudit.PatientRead"
PATIENT_QUERY: Final = PROFILE + "IHE.BasicAudit.PatientQuery"
OAUTH_COMPREHENSIVE: Final = PROFILE + "IHE.BasicAudit.OAUTHaccessTokenUse.Comprehensive"
OAUTH_MINIMAL: Final = PROFILE + "IHE.BasicAudit.OAUTHaccessTokenUse.Minimal"
OTHER_ID: Final = PROFILE + "ihe-otherId"
ASSURANCE_LEVEL: Final = PROFILE + "ihe-assuranceLevel"

JTI_PREFIX: Final = "urn:ietf:params:oauth:jti:"
"""Both OAuth profiles want the policy to be a jti; the reference of an opaque token is a hash and claims neither."""


def coding(system: str, code: str, display: str | None = None) -> Element:
    """A Coding."""
    return {"system": system, "code": code, "display": display} if display else {"system": system, "code": code}


def concept(*codings: Element) -> Element:
    """A CodeableConcept of these codings."""
    return {"coding": list(codings)}


# what kind of event
REST: Final = coding(AUDIT_EVENT_TYPE, "rest", "RESTful Operation")
LOG_USED: Final = coding(DCM, "110101", "Audit Log Used")
APPLICATION_ACTIVITY: Final = coding(DCM, "110100", "Application Activity")
PATIENT_RECORD: Final = coding(DCM, "110110", "Patient Record")
SECURITY_ALERT: Final = coding(DCM, "110113", "Security Alert")
USER_AUTHENTICATION: Final = coding(DCM, "110114", "User Authentication")
DESTROYED: Final = coding(LIFECYCLE, "destroy")
RETRIEVE_AUDIT_EVENT: Final = coding("urn:ihe:event-type-code", "ITI-81", "Retrieve ATNA Audit Event")

INTERACTIONS: Final[Mapping[str, Element]] = {
    interaction.value: coding(RESTFUL_INTERACTION, interaction.value)
    for interaction in Interaction
    if interaction is not Interaction.UNKNOWN
}
"""Subtypes; a request whose interaction could not be told has none."""

ACTIONS: Final[Mapping[str, str]] = {
    Interaction.CREATE.value: "C",
    Interaction.READ.value: "R",
    Interaction.VREAD.value: "R",
    Interaction.HISTORY_INSTANCE.value: "R",
    Interaction.HISTORY_TYPE.value: "R",
    Interaction.HISTORY_SYSTEM.value: "R",
    Interaction.UPDATE.value: "U",
    Interaction.PATCH.value: "U",
    Interaction.DELETE.value: "D",
    AuditAction.LEDGER_PURGED.value: "D",
}
EXECUTE: Final = "E"
"""The action of searches, operations and everything that `ACTIONS` does not name."""
READ_ACTION: Final = "R"

SEARCHES: Final = frozenset({Interaction.SEARCH_TYPE.value, Interaction.SEARCH_SYSTEM.value})

OPERATIONS: Final[Mapping[str, tuple[Element, Element | None]]] = {
    AuditAction.GATEWAY_STARTED.value: (APPLICATION_ACTIVITY, coding(DCM, "110120", "Application Start")),
    AuditAction.GATEWAY_STOPPED.value: (APPLICATION_ACTIVITY, coding(DCM, "110121", "Application Stop")),
    AuditAction.LEDGER_OPENED.value: (SECURITY_ALERT, coding(DCM, "110134", "Audit Recording Started")),
    AuditAction.LEDGER_GAP.value: (SECURITY_ALERT, coding(DCM, "110133", "Audit Recording Stopped")),
    AuditAction.RELEASE_WITHDRAWN.value: (SECURITY_ALERT, None),
    AuditAction.LEDGER_PURGED.value: (PATIENT_RECORD, DESTROYED),
    AuditAction.LEDGER_HELD.value: (PATIENT_RECORD, coding(LIFECYCLE, "hold")),
    AuditAction.LEDGER_HOLD_LIFTED.value: (PATIENT_RECORD, coding(LIFECYCLE, "unhold")),
    AuditAction.LEDGER_RECOVERED.value: (SECURITY_ALERT, coding(DCM, "110134", "Audit Recording Started")),
    AuditAction.LEDGER_VERIFIED.value: (LOG_USED, None),
    AuditAction.LEDGER_BROKEN.value: (SECURITY_ALERT, None),
    AuditAction.LEDGER_UNVERIFIED.value: (SECURITY_ALERT, None),
    AuditAction.SINK_FORKED.value: (SECURITY_ALERT, None),
    AuditAction.SPACE_LOW.value: (SECURITY_ALERT, None),
    AuditAction.CLOCK_DRIFTED.value: (SECURITY_ALERT, None),
}
"""Type and subtype of what happens to the gateway itself."""
SECURITY_CONFIGURATION: Final = (SECURITY_ALERT, coding(DCM, "110129", "Security Configuration"))
"""The same for everything else: policies, settings, keys."""

_OVERRIDE: Final = coding(DCM, "110127", "Emergency Override Started")
_LOGIN: Final = coding(DCM, "110122", "Login")
EVENTS: Final[Mapping[str, tuple[Element, Element]]] = {
    AuditAction.PATIENT_INFORMED.value: (PATIENT_RECORD, coding(LIFECYCLE, "attest")),
    AuditAction.SESSION_OPENED.value: (USER_AUTHENTICATION, _LOGIN),
    AuditAction.SESSION_REFUSED.value: (USER_AUTHENTICATION, _LOGIN),
    AuditAction.SESSION_FAILED.value: (USER_AUTHENTICATION, _LOGIN),
    AuditAction.SESSION_CLOSED.value: (USER_AUTHENTICATION, coding(DCM, "110123", "Logout")),
    AuditAction.PURPOSE_STATED.value: (PATIENT_RECORD, coding(LIFECYCLE, "attest")),
    AuditAction.PURPOSE_REFUSED.value: (PATIENT_RECORD, coding(LIFECYCLE, "attest")),
    AuditAction.PAGE_PRINTED.value: (PATIENT_RECORD, coding(LIFECYCLE, "report")),
    AuditAction.PAGE_COPIED.value: (PATIENT_RECORD, coding(LIFECYCLE, "extract")),
    AuditAction.PAGE_REFUSED.value: (PATIENT_RECORD, coding(LIFECYCLE, "report")),
    AuditAction.BREAK_GLASS_OPENED.value: (SECURITY_ALERT, _OVERRIDE),
    AuditAction.BREAK_GLASS_DENIED.value: (SECURITY_ALERT, _OVERRIDE),
    AuditAction.BREAK_GLASS_FAILED.value: (SECURITY_ALERT, _OVERRIDE),
    AuditAction.BREAK_GLASS_CLOSED.value: (SECURITY_ALERT, coding(DCM, "110138", "Emergency Override Stopped")),
}
"""Type and subtype of what a person does about a patient beside looking."""

# who took part
_APPLICATION: Final = coding(DCM, "110150", "Application")
_DESTINATION: Final = coding(DCM, "110152", "Destination Role ID")
_SOURCE: Final = coding(DCM, "110153", "Source Role ID")


@dataclass(frozen=True, slots=True, eq=False)  # the few that there are differ by which one it is
class Roles:
    """What client and server are to each other: it follows where the data, or the query, flows from."""

    client: Element
    server: Element


# The client carries 110150 as well, so that one agent stands in the slice of the REST profile and of the OAuth one.
READ_ROLES: Final = Roles(concept(_DESTINATION, _APPLICATION), concept(_SOURCE))
SEND_ROLES: Final = Roles(concept(_SOURCE, _APPLICATION), concept(_DESTINATION))
DELETE_ROLES: Final = Roles(
    concept(_APPLICATION),
    concept(coding("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian", "Custodian")),
)
OPERATION_ROLES: Final = Roles(concept(_APPLICATION), concept(_APPLICATION))

RECIPIENT: Final = coding(PARTICIPATION, "IRCP", "information recipient")
OAUTH_USER: Final = coding(BALP + "CodeSystem/UserAgentTypes", "UserOauthAgent")
PROVIDER: Final = concept(
    coding("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV", "healthcare provider"),
)
NATIONAL_PROVIDER: Final = concept(coding(IDENTIFIER_TYPE, "NPI", "National provider identifier"))
APPLICATION_SERVER: Final = coding(SOURCE_TYPE, "4", "Application Server")

NETWORK_NAME: Final = "1"
NETWORK_IP: Final = "2"
NETWORK_URI: Final = "5"

# what it was about
PERSON: Final = coding(ENTITY_TYPE, "1", "Person")
SYSTEM_OBJECT: Final = coding(ENTITY_TYPE, "2", "System Object")
OTHER: Final = coding(ENTITY_TYPE, "4", "Other")
OPERATION_OUTCOME: Final = coding(RESOURCE_TYPES, "OperationOutcome")
X_REQUEST_ID: Final = coding(BALP + "CodeSystem/BasicAuditEntityType", "XrequestId")
PATIENT: Final = coding(OBJECT_ROLE, "1", "Patient")
REPORT: Final = coding(OBJECT_ROLE, "3", "Report")
DOMAIN_RESOURCE: Final = coding(OBJECT_ROLE, "4", "Domain Resource")
SECURITY_RESOURCE: Final = coding(OBJECT_ROLE, "13", "Security Resource")
QUERY: Final = coding(OBJECT_ROLE, "24", "Query")
ERASED: Final = coding(DICOM_LIFECYCLE, "15", "Permanent erasure / Physical destruction")
REPORT_TYPES: Final = frozenset({"DiagnosticReport", "DocumentReference"})

# why not: the issue code of the contained OperationOutcome is the one that the caller was given
_ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.ConsultError) and not issubclass(error, errors.Refused)
]
ISSUE_CODES: Final[Mapping[str, str]] = {
    **{error.reason: error.issue_code for error in _ERRORS},
    **{reason.value: row[0] for reason, row in errors.REFUSALS.items()},
}
OUTCOME_ISSUES: Final[Mapping[str, str]] = {
    Outcome.REFUSED.value: "forbidden",
    Outcome.FAILED.value: "exception",
    Outcome.UNAVAILABLE.value: "transient",
}
"""The issue code where the reason is not among `ISSUE_CODES`."""
