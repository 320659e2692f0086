"""The code systems that a table of sensitive codes may speak of: their URIs, and what their codes look like.

A code that could not exist would be believed to protect, so each system checks the form of its own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_LOINC = re.compile(r"[0-9]{1,7}-[0-9]|L[AP][0-9]{1,7}-[0-9]")
_SNOMED = re.compile(r"[1-9][0-9]{5,17}")
_ICD10 = re.compile(r"[A-Z](?:[0-9][0-9A-Z]{0,6})?")
_ATC = re.compile(r"[A-Z](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?")
_LOCAL = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """How codes of one system are written and compared."""

    uris: tuple[str, ...]
    """The system's URIs: FHIR's first, then others in use, such as its OID; each as `coding.system_of` has it."""
    is_code: Callable[[str], bool]
    """Of a normalised code, or of the beginning of one where beginnings mean something."""
    ordered: bool = False
    """Beginnings and ranges of codes mean something."""
    hierarchical: bool = False
    """A code stands for whatever lies below it in the classification: B20 for B20.1."""
    normal: Callable[[str], str] = str
    """The form in which codes are compared."""


def _is_loinc(code: str) -> bool:
    """With its check digit (mod 10, LOINC manual): most slips of a finger break it."""
    if not _LOINC.fullmatch(code):
        return False
    body, _, digit = code.lstrip("LAP").partition("-")
    doubled = [int(each) * (2 if place % 2 == 0 else 1) for place, each in enumerate(reversed(body))]
    return code.startswith("L") or (-sum(each // 10 + each % 10 for each in doubled)) % 10 == int(digit)


_TURNS = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_SHUFFLE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _is_snomed(code: str) -> bool:
    """With its check digit (Verhoeff, SNOMED CT technical implementation guide)."""
    if not _SNOMED.fullmatch(code):
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        turned = int(digit)
        for _ in range(place % 8):
            turned = _SHUFFLE[turned]
        check = int(_TURNS[check][turned])
    return check == 0


def _without_dots(code: str) -> str:
    """ICD-10 is written with its dot and without (B20.1, B201)."""
    return code.replace(".", "").upper()


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda code: pattern.fullmatch(code) is not None


SYSTEMS = {
    "loinc": CodeSystem(("http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"), _is_loinc),
    "snomed-ct": CodeSystem(("http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"), _is_snomed),
    "atc": CodeSystem(
        ("http://www.whocc.no/atc", "urn:oid:2.16.840.1.113883.6.73"),
        _matches(_ATC),
        ordered=True,
        hierarchical=True,
        normal=str.upper,
    ),
    "icd-10": CodeSystem(
        (
            "http://hl7.org/fhir/sid/icd-10",
            "http://hl7.org/fhir/sid/icd-10-cm",
            "http://hl7.org/fhir/sid/icd-10-fr",
            "http://hl7.org/fhir/sid/icd-10-de",
            "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
            "urn:oid:2.16.840.1.113883.6.3",
            "urn:oid:2.16.840.1.113883.6.90",
        ),
        _matches(_ICD10),
        ordered=True,
        hierarchical=True,
        normal=_without_dots,
    ),
}
"""Name in a table -> system. National editions of ICD-10 share its chapters, which is what tables go by."""


def local(uri: str) -> CodeSystem:
    """A system of the site's own, of which nothing is known but its URI; a code stands for itself alone."""
    return CodeSystem((uri,), _matches(_LOCAL), ordered=True)
