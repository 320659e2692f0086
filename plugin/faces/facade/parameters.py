"""Search parameters of a request -> what is asked for, or an objection. Allow-list of names, forms of values bounded.

Values are passed on decoded and are encoded again for the feed; none is ever spliced into an address.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from werkzeug.http import parse_options_header

from plugin.faces.facade.address import FHIR_ID
from policies.vocabulary.consultation import DEFAULT_COUNT, Objection, Reason
from policies.vocabulary.search_parameters import INCLUDE, REFUSED, includes, naming_the_patient, offered, sortable

MAX_COUNT = 200
"""Larger wishes are clamped, as R4 3.1.1.5.2 allows."""
MAX_VALUE = 512
"""Characters; a list of a dozen codes with their systems."""
MAX_PARAMETERS = 30
MAX_IDS = 50
MAX_QUESTION = 2_000
"""Characters of all parameters, encoded. A next link holds them twice, in the feed's own link too, sealed and in
base64, and has to fit into an address."""

_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_TIME = rf"T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{{1,9}})?)?{_ZONE}?"
DATE = re.compile(
    r"(?:eq|ne|gt|lt|ge|le|sa|eb|ap)?"
    rf"(?P<when>(?!0000)[0-9]{{4}}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01])(?:{_TIME})?)?)?)"
)
"""A year, month, day or moment (R4 2.24.0.1), with a prefix or without."""
_CODE_TEXT = r"(?:[^\\,|]|\\[\\,|$])"
_TOKEN = rf"(?:{_CODE_TEXT}+|{_CODE_TEXT}*\|{_CODE_TEXT}+|{_CODE_TEXT}+\|)"
TOKENS = re.compile(rf"{_TOKEN}(?:,{_TOKEN})*")
"""Of `code`, `system|code`, `|code`, `system|` (R4 3.1.1.4.10), none empty: an empty one would not filter. A backslash
makes a comma part of a code."""
REFERENCE = re.compile(r"(?:Encounter/)?[A-Za-z0-9\-.]{1,64}")
MAX_DIGITS = 17
"""Of `_count`: some clients ask for the largest number that they know."""
_COUNT = re.compile(rf"(?=0*[1-9])[0-9]{{1,{MAX_DIGITS}}}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:\-]{0,63}")
R4 = "4.0"
R4_VERSIONS = (R4, "4.0.1")
"""What `fhirVersion` of a media type may ask for (R4 3.1.0.1.9); servers take its patch release for it as well."""
FORMATS = frozenset({"json", "application/json", "application/fhir+json", "text/json"})

APPEARANCE = ("_format", "_pretty")
"""Change nothing: there is one format."""

Pairs = Sequence[tuple[str, str]]


class Objectionable(Exception):
    """A parameter is refused."""

    def __init__(self, reason: Reason, about: str | None = None) -> None:
        super().__init__(reason)
        # A name is repeated to the caller only where it looks like one.
        self.objection = Objection(reason, about if about and _NAME.fullmatch(about) else "given")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the parameters of a search ask for."""

    parameters: tuple[tuple[str, str], ...]
    patient: str | None
    count: int


def wish(resource_type: str, pairs: Pairs, compartment: str | None, patient_bases: Sequence[str]) -> Wish:
    """Read the parameters of a search on `resource_type`. Raises Objectionable.

    `patient_bases` are the FHIR bases under which an absolute patient reference is understood.
    """
    if len(pairs) > MAX_PARAMETERS:
        raise Objectionable(Reason.INVALID_VALUE, "parameters")
    naming = naming_the_patient(resource_type)
    patients = set() if compartment is None else {compartment}
    patients |= {_patient(name, value, patient_bases) for name, value in pairs if _base_name(name) in naming}
    others = [(name, value) for name, value in pairs if _base_name(name) not in naming]
    kinds = offered(resource_type)
    _check_names([name for name, _ in others], kinds)
    given = [(name, _value(name, kinds.get(name), value, resource_type)) for name, value in others]
    if resource_type == "Patient":
        patients |= {value for name, value in given if name == "_id"}
    if len(patients) > 1:
        raise Objectionable(Reason.PATIENT_AMBIGUOUS)
    kept = tuple((name, value) for name, value in given if name in kinds or name in {"_sort", INCLUDE})
    if len(urlencode(kept)) > MAX_QUESTION:
        raise Objectionable(Reason.INVALID_VALUE, "parameters")
    count = int(dict(given).get("_count", DEFAULT_COUNT))
    return Wish(kept, next(iter(patients), None), min(count, MAX_COUNT))


def check_read(pairs: Pairs) -> None:
    """A read takes a format and nothing else. Raises Objectionable."""
    for name, value in pairs:
        if name not in APPEARANCE:
            known = _base_name(name) in REFUSED | {INCLUDE}
            raise Objectionable(Reason.REFUSED_PARAMETER if known else Reason.UNKNOWN_PARAMETER, name)
        _check_format(name, value)


def check_going_on(pairs: Pairs, count: int) -> int:
    """Beside a next link stand a format and a size of page, which some clients add to every address.

    Returns the size: never more than `count`, that of the link. Raises Objectionable.
    """
    sizes = [value for name, value in pairs if name == "_count"]
    check_read([pair for pair in pairs if pair[0] != "_count"])
    if len(sizes) > 1:
        raise Objectionable(Reason.REPEATED_PARAMETER, "_count")
    if sizes and not _COUNT.fullmatch(sizes[0]):
        raise Objectionable(Reason.INVALID_VALUE, "_count")
    return min(count, *map(int, sizes)) if sizes else count


def _check_format(name: str, value: str) -> None:
    if name == "_pretty" and value not in {"true", "false"}:
        raise Objectionable(Reason.INVALID_VALUE, name)
    if name == "_format":
        kind, options = parse_options_header(value.replace("fhir json", "fhir+json"))
        if kind.lower() not in FORMATS or options.get("fhirversion", R4) not in R4_VERSIONS:
            raise Objectionable(Reason.NOT_ACCEPTABLE)


def _patient(name: str, value: str, bases: Sequence[str]) -> str:
    """The id in `p1`, `Patient/p1` or `<base>/Patient/p1`."""
    if name != _base_name(name) or "," in value:
        raise Objectionable(Reason.PATIENT_AMBIGUOUS)
    for prefix in (*(f"{base}/Patient/" for base in bases), "Patient/"):
        if value.startswith(prefix):
            value = value.removeprefix(prefix)
            break
    if not FHIR_ID.fullmatch(value):
        raise Objectionable(Reason.INVALID_VALUE, name)
    return value


def first_patient(pairs: Pairs, bases: Sequence[str]) -> str | None:
    """The first patient that parameters name in a form that is understood; None if none does.

    What another modifier or a chain gives is no patient's id: it could be a name.
    """
    for name, value in pairs:
        if name.removesuffix(":Patient") in {"patient", "subject"}:
            for each in value.split(","):
                try:
                    return _patient("patient", each, bases)
                except Objectionable:
                    continue
    return None


def _base_name(name: str) -> str:
    """Without a modifier (`code:in`) or a chain (`subject.name`)."""
    return name.partition(":")[0].partition(".")[0]


def _check_names(names: Sequence[str], kinds: Mapping[str, str]) -> None:
    seen: set[str] = set()
    for name in names:
        base = _base_name(name)
        if base in REFUSED or (base == INCLUDE and name != INCLUDE):  # :iterate follows links without an end
            raise Objectionable(Reason.REFUSED_PARAMETER, base)
        if name not in kinds and name not in {"_count", "_sort", INCLUDE, *APPEARANCE}:
            raise Objectionable(Reason.UNKNOWN_PARAMETER, name)
        # Repeated tokens and dates must all match (R4 3.1.1.4.2), and includes add up; of the others a second one has
        # no meaning.
        if name in seen and name != INCLUDE and (name == "_id" or kinds.get(name) not in {"date", "token"}):
            raise Objectionable(Reason.REPEATED_PARAMETER, name)
        seen.add(name)


def _value(name: str, kind: str | None, value: str, resource_type: str) -> str:
    """`value` as it is passed on. Raises Objectionable unless it has the form that `name` takes."""
    # What was not UTF-8 arrives with replacement characters: it would ask for something else.
    if not value or len(value) > MAX_VALUE or not value.isprintable() or "\ufffd" in value:
        raise Objectionable(Reason.INVALID_VALUE, name)
    if name in APPEARANCE:
        _check_format(name, value)
        return value
    if name == INCLUDE:
        if value not in includes(resource_type):
            raise Objectionable(Reason.REFUSED_PARAMETER, name)
        return value
    if name == "_id" and resource_type == "Patient" and "," in value:
        raise Objectionable(Reason.PATIENT_AMBIGUOUS)
    if kind == "date":
        value = value.replace(" ", "+")  # a plus that was not encoded arrives as a space
    if not _has_form(name, kind, value, resource_type):
        raise Objectionable(Reason.INVALID_VALUE, name)
    return value


def _has_form(name: str, kind: str | None, value: str, resource_type: str) -> bool:
    listed = value.split(",")
    if name == "_id":
        return len(listed) <= MAX_IDS and all(FHIR_ID.fullmatch(each) for each in listed)
    if name == "_sort":
        names = [key.removeprefix("-") for key in listed]
        return len(names) == len(set(names)) and sortable(resource_type).issuperset(names)
    if name == "_count":
        return _COUNT.fullmatch(value) is not None
    if kind == "date":
        return all(_is_date(each) for each in listed)
    if kind == "reference":
        return all(REFERENCE.fullmatch(each) for each in listed)
    return kind == "token" and TOKENS.fullmatch(value) is not None


def _is_date(text: str) -> bool:
    """Whether it has the form of a date, and the calendar has it."""
    found = DATE.fullmatch(text)
    if found is None:
        return False
    parts = [int(part) for part in found["when"].partition("T")[0].split("-")]
    try:
        date(*parts, *[1, 1][len(parts) - 1 :])
    except ValueError:
        return False
    return True
