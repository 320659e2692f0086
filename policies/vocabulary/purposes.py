"""Purposes of use: codes of http://terminology.hl7.org/CodeSystem/v3-ActReason, and where a purpose came from."""

from enum import StrEnum

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACT_REASON_NAMES = (ACT_REASON, "urn:oid:2.16.840.1.113883.5.8", "http://hl7.org/fhir/v3/ActReason")
"""The same code system by its address, its OID, and the address of FHIR STU3, as older servers write it."""


class PurposeSource(StrEnum):
    """Who said what the look is for. A request header never does."""

    CLAIM = "claim"
    DECLARED = "declared"
    CLIENT_DEFAULT = "client-default"
    OPERATOR = "operator"


TREATMENT = frozenset({"TREAT", "COC", "TREATDS"})
"""Allowed by the shipped rules. A parent covers a child only where a rule says so: never CLINTRL, POPHLTH, BTG."""

EMERGENCY = frozenset({"ETREAT", "BTG", "ERTREAT"})
"""Each needs a rule of its own; none ever comes from configuration, and BTG never through the facade."""

OVERSIGHT = frozenset({"HCOMPL", "HSYSADMIN", "HLEGAL", "PATRQT"})
"""What the log may be read for."""
