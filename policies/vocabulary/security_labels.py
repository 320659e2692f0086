"""Codes of security labels (view_only.md sections 1 and 2): confidentiality, and why something is sensitive."""

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY_NAMES = (
    CONFIDENTIALITY,
    "urn:oid:2.16.840.1.113883.5.25",
    "http://hl7.org/fhir/v3/Confidentiality",
)
ACT_CODE_NAMES = (ACT_CODE, "urn:oid:2.16.840.1.113883.5.4", "http://hl7.org/fhir/v3/ActCode")
"""The same code systems by their address, their OID, and the address of FHIR STU3: who labels by an older name means
the label, and it is never passed over."""

STRICTNESS = {"U": 0, "L": 1, "M": 2, "N": 3, "R": 4, "V": 5}
"""The order of v3-Confidentiality."""

SENSITIVITIES = frozenset(
    [
        "HIV",
        "STD",
        "SEX",
        "PREGNANT",
        "PSY",
        "PSYTHPN",
        "MH",
        "BH",
        "SUD",
        "ETH",
        "ETHUD",
        "OPIOIDUD",
        "SDV",
        "VIO",
        "MST",
        "GDIS",
        "SCA",
        "SICKLE",
        "TBOO",
        "COGN",
        "DVD",
        "EMOTDIS",
        "SPI",
        "ADOL",
        "CEL",
        "VIP",
        "EMP",
        "DEMO",
        "DIA",
        "LOCIS",
        "SSP",
        "PDS",
        "PHY",
        "PRS",
    ]
)
"""Sensitivity codes of v3-ActCode."""

NARROWER = {
    "SPI": frozenset({"BH", "COGN", "DVD", "EMOTDIS", "MH", "PSY", "PSYTHPN", "SUD", "ETHUD", "OPIOIDUD"}),
    "BH": frozenset({"COGN", "DVD", "EMOTDIS"}),
    "SUD": frozenset({"ETHUD", "OPIOIDUD"}),
}
"""Sensitivity -> all that is one by v3-ActCode (R4): an opioid use disorder is a substance use disorder."""
