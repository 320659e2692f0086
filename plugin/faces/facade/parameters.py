"""Search parameters of a request -> what is asked for, or an objection. Allow-list of names, forms of values bounded.

Values are passed on decoded and are encoded again for the feed; none is ever spliced into an address.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plugin.faces.facade.address import FHIR_ID
from policies.vocabulary.consultation import Objection, Reason
from policies.vocabulary.search_parameters import REFUSED, naming_the_patient, offered, sortable

DEFAULT_COUNT = 50
MAX_COUNT = 200
"""Larger wishes are clamped, as R4 3.1.1.5.2 allows."""
MAX_VALUE = 512
"""Characters; a list of a dozen codes with their systems."""
MAX_PARAMETERS = 30
MAX_IDS = 50

_DATE = re.compile(
    r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_REFERENCE = re.compile(r"(Encounter/)?[A-Za-z0-9\-.]{1,64}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:\-]{0,63}")
_FORMATS = frozenset({"json", "application/json", "application/fhir+json", "text/json"})

_APPEARANCE = ("_format", "_pretty")
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
    kinds, naming = offered(resource_type), naming_the_patient(resource_type)
    patients = set() if compartment is None else {compartment}
    count = DEFAULT_COUNT
    kept: list[tuple[str, str]] = []
    seen: set[str] = set()
    for name, value in pairs:
        if _base_name(name) in naming:
            patients.add(_patient(name, value, patient_bases))
            continue
        _check_name(name, kinds, seen)
        seen.add(name)
        if name == "_count":
            count = _count(value)
        elif name in kinds:
            kept.append((name, _value(name, kinds[name], value)))
        elif name == "_sort":
            kept.append((name, _sort(value, resource_type)))
        else:
            _check_format(name, value)
    if resource_type == "Patient":
        patients.update(value for name, value in kept if name == "_id")
    if len(patients) > 1:
        raise Objectionable(Reason.PATIENT_AMBIGUOUS)
    return Wish(tuple(kept), next(iter(patients), None), count)


def check_read(pairs: Pairs) -> None:
    """A read takes a format and nothing else. Raises Objectionable."""
    for name, value in pairs:
        if name not in _APPEARANCE:
            known = _base_name(name) in REFUSED
            raise Objectionable(Reason.REFUSED_PARAMETER if known else Reason.UNKNOWN_PARAMETER, name)
        _check_format(name, value)


def _check_format(name: str, value: str) -> None:
    if name == "_format" and value.partition(";")[0].strip().replace(" ", "+") not in _FORMATS:
        raise Objectionable(Reason.NOT_ACCEPTABLE)


def _patient(name: str, value: str, bases: Sequence[str]) -> str:
    if name != _base_name(name) or "," in value:
        raise Objectionable(Reason.PATIENT_AMBIGUOUS)
    for base in bases:
        value = value.removeprefix(f"{base}/")
    value = value.removeprefix("Patient/")
    if not FHIR_ID.fullmatch(value):
        raise Objectionable(Reason.INVALID_VALUE, name)
    return value


def _base_name(name: str) -> str:
    """Without a modifier (`code:in`) or a chain (`subject.name`)."""
    return name.partition(":")[0].partition(".")[0]


def _check_name(name: str, kinds: Mapping[str, str], seen: set[str]) -> None:
    if _base_name(name) in REFUSED:
        raise Objectionable(Reason.REFUSED_PARAMETER, _base_name(name))
    if name not in kinds and name not in {"_count", "_sort", *_APPEARANCE}:
        raise Objectionable(Reason.UNKNOWN_PARAMETER, name)
    # Repeated tokens and dates must all match (R4 3.1.1.4.2); of the others a second one has no meaning.
    if name in seen and (name == "_id" or kinds.get(name) not in {"date", "token"}):
        raise Objectionable(Reason.REPEATED_PARAMETER, name)


def _count(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) == 0:
        raise Objectionable(Reason.INVALID_VALUE, "_count")
    return min(int(value), MAX_COUNT)


def _sort(value: str, resource_type: str) -> str:
    keys = value.split(",")
    if len(keys) > len(set(keys)) or not {key.removeprefix("-") for key in keys} <= sortable(resource_type):
        raise Objectionable(Reason.INVALID_VALUE, "_sort")
    return value


def _value(name: str, kind: str, value: str) -> str:
    if not value or len(value) > MAX_VALUE or not value.isprintable():
        raise Objectionable(Reason.INVALID_VALUE, name)
    if name == "_id":
        ids = value.split(",")
        if len(ids) > MAX_IDS or not all(FHIR_ID.fullmatch(each) for each in ids):
            raise Objectionable(Reason.INVALID_VALUE, name)
    elif kind == "date":
        # A plus that was not encoded arrives as a space.
        value = value.replace(" ", "+")
        if not all(_DATE.fullmatch(each) for each in value.split(",")):
            raise Objectionable(Reason.INVALID_VALUE, name)
    elif kind == "reference" and not all(_REFERENCE.fullmatch(each) for each in value.split(",")):
        raise Objectionable(Reason.INVALID_VALUE, name)
    return value
