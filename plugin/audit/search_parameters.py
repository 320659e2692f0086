"""The search parameters of the log (IHE ITI-81; FHIR R4 AuditEvent), and when an AuditEvent meets a value of one.

What is judged is the event as its reader gets it, so that a search never says other than what it shows. Which records
are looked at, and in which order, is `plugin.audit.search`'s.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import combining, normalize

from fhir_adapters import moments
from fhir_adapters.escapes import plain, split
from plugin.audit.codes import Element

Test = Callable[[Element], bool]
"""Whether an AuditEvent meets one value."""

ACTION_SYSTEM = "http://hl7.org/fhir/audit-event-action"
OUTCOME_SYSTEM = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_RELATIVE = re.compile(r"[A-Z][A-Za-z]{0,63}/[A-Za-z0-9\-.]{1,64}")
_ABSOLUTE = re.compile(r"(?:https?://|urn:)\S+")
_PATIENT_AT = re.compile(r"https?://\S+/Patient/[A-Za-z0-9\-.]{1,64}")


class ValueInvalid(Exception):
    """A value is not in the form of its parameter."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A parameter: its FHIR type, what of an event it looks at, and what is to know of it."""

    type: str
    """As a CapabilityStatement says it: `token`, `date`, `string`, `reference`, `uri`."""
    found: Callable[[Element], Iterator[Any]]
    """What of an event is compared: (system, code) pairs, dates, texts or references."""
    documentation: str


@dataclass(frozen=True, slots=True)
class Token:
    """A value `code`, `system|code`, `|code` (no system) or `system|` (any code of it)."""

    system: str | None
    """None: any; empty: there must be none."""
    code: str | None
    """None: any."""

    @classmethod
    def read(cls, value: str) -> "Token":
        """Raises ValueInvalid."""
        parts = [plain(part) for part in split(value, "|")]
        if len(parts) > 2 or not any(parts):
            raise ValueInvalid
        return cls(None, parts[0]) if len(parts) == 1 else cls(parts[0], parts[1] or None)

    def accepts(self, system: str | None, code: str | None) -> bool:
        """Whether a coding or identifier is meant."""
        return (self.system is None or self.system == (system or "")) and self.code in (None, code)


def tester(name: str, value: str, patient_bases: Sequence[str]) -> Test:
    """The test that one alternative `value` of the parameter `name` sets. Raises ValueInvalid.

    `patient_bases` are the FHIR bases under which a relative reference to a patient is understood.
    """
    kind = PARAMETERS[name]
    return _TESTS.get(name, _TESTS[kind.type])(kind, value, patient_bases)


def day(value: str) -> moments.Sought:
    """A date with its prefix. Raises ValueInvalid; `ap` too: what it means would change from one page to the next."""
    try:
        sought = moments.sought(value.replace(" ", "+"))  # a plus that was not encoded arrives as a space
    except ValueError as error:
        raise ValueInvalid from error
    if sought.prefix == "ap":
        raise ValueInvalid
    return sought


def patients(name: str, value: str, bases: Sequence[str]) -> frozenset[str]:
    """The addresses of the patients that `value` may mean. Raises ValueInvalid.

    An identifier of a patient is not in the log, so that the only one which `patient.identifier` knows is the EHR's own
    id for the patient, in the system that the EHR's FHIR base is: any other would find nothing, which would mislead.
    """
    if name == "patient.identifier":
        token = Token.read(value)
        if token.system not in bases or token.code is None or not _ID.fullmatch(token.code):
            raise ValueInvalid
        return frozenset({f"{token.system}/Patient/{token.code}"})
    text = plain(value)
    if _PATIENT_AT.fullmatch(text):
        return frozenset({text})
    patient = text.removeprefix("Patient/")
    if not _ID.fullmatch(patient):
        raise ValueInvalid
    return frozenset(f"{base}/Patient/{patient}" for base in bases)


def _id_test(kind: Kind, value: str, bases: Sequence[str]) -> Test:
    if not _ID.fullmatch(value):
        raise ValueInvalid
    return lambda event: event["id"] == value


def _date_test(kind: Kind, value: str, bases: Sequence[str]) -> Test:
    sought = day(value)
    return lambda event: any(sought.accepts(moments.stretch(each)) for each in kind.found(event))


def _token_test(kind: Kind, value: str, bases: Sequence[str]) -> Test:
    token = Token.read(value)
    return lambda event: any(token.accepts(*each) for each in kind.found(event))


def _string_test(kind: Kind, value: str, bases: Sequence[str]) -> Test:
    start = _without_case_and_accents(plain(value))
    return lambda event: any(_without_case_and_accents(each).startswith(start) for each in kind.found(event))


def _without_case_and_accents(text: str) -> str:
    """What of a text R4 3.1.1.4.8 compares."""
    if text.isascii():
        return text.lower()
    return "".join(each for each in normalize("NFD", text.casefold()) if not combining(each))


def _uri_test(kind: Kind, value: str, bases: Sequence[str]) -> Test:
    text = plain(value)
    return lambda event: text in kind.found(event)


def _reference_test(kind: Kind, value: str, bases: Sequence[str]) -> Test:
    text = plain(value)
    if text.startswith("Patient/"):
        return _patient_test(kind, value, bases)
    if _ABSOLUTE.fullmatch(text):
        return lambda event: text in kind.found(event)
    if not _RELATIVE.fullmatch(text):
        raise ValueInvalid
    # Under which feed it was shown is not said, so that any is meant.
    return lambda event: any(each == text or each.endswith(f"/{text}") for each in kind.found(event))


def _patient_test(kind: Kind, value: str, bases: Sequence[str]) -> Test:
    meant = patients("patient", value, bases)
    return lambda event: any(each in meant for each in kind.found(event))


def _patient_identifier_test(kind: Kind, value: str, bases: Sequence[str]) -> Test:
    meant = patients("patient.identifier", value, bases)
    return lambda event: any(each in meant for each in kind.found(event))


_TESTS: Mapping[str, Callable[[Kind, str, Sequence[str]], Test]] = {
    "date": _date_test,
    "token": _token_test,
    "string": _string_test,
    "uri": _uri_test,
    "reference": _reference_test,
    "_id": _id_test,
    "patient": _patient_test,
    "patient.identifier": _patient_identifier_test,
}


def _codings(concept: Element) -> Iterator[tuple[str | None, str | None]]:
    for each in concept.get("coding", ()):
        yield each.get("system"), each.get("code")


def _coding(each: Element) -> tuple[str | None, str | None]:
    return each.get("system"), each.get("code")


def _identifier(holder: Element) -> Iterator[tuple[str | None, str | None]]:
    if "identifier" in holder:
        yield holder["identifier"].get("system"), holder["identifier"].get("value")


def _recorded(event: Element) -> Iterator[str]:
    yield event["recorded"]


def _of_agents(take: Callable[[Element], Iterator[Any]]) -> Callable[[Element], Iterator[Any]]:
    return lambda event: (found for agent in event["agent"] for found in take(agent))


def _of_entities(take: Callable[[Element], Iterator[Any]]) -> Callable[[Element], Iterator[Any]]:
    return lambda event: (found for entity in event["entity"] for found in take(entity))


def _one(*path: str) -> Callable[[Element], Iterator[Any]]:
    """The text at this path, if it is there."""

    def take(element: Any) -> Iterator[Any]:
        for name in path:
            element = element.get(name)
            if element is None:
                return
        yield element

    return take


def _agent_references(agent: Element) -> Iterator[str]:
    yield from _one("who", "reference")(agent)
    yield from _one("altId")(agent)


_LAST_UPDATED = "The time of recording: an event never changes."
_DATE = "The time of recording. Prefixes eq ne gt ge lt le sa eb; give it twice for a period."

PARAMETERS: Mapping[str, Kind] = {
    "_id": Kind("token", lambda event: iter((event["id"],)), "The position in the ledger."),
    "_lastUpdated": Kind("date", _recorded, _LAST_UPDATED),
    "date": Kind("date", _recorded, _DATE),
    "action": Kind("token", lambda event: iter(((ACTION_SYSTEM, event["action"]),)), "C R U D E."),
    "address": Kind("string", _of_agents(_one("network", "address")), "What the network address begins with."),
    "agent": Kind(
        "reference", _of_agents(_agent_references), "The fhirUser of the person; agent.identifier is quicker."
    ),
    "agent.identifier": Kind(
        "token",
        _of_agents(lambda agent: _identifier(agent.get("who", {}))),
        "issuer|subject of the person, or the id of the client or organisation without a system.",
    ),
    "agent-name": Kind("string", _of_agents(_one("name")), "What the name begins with."),
    "agent-role": Kind(
        "token", _of_agents(lambda agent: (each for role in agent.get("role", ()) for each in _codings(role))), "Role."
    ),
    "altid": Kind("token", _of_agents(lambda agent: ((None, each) for each in _one("altId")(agent))), "The fhirUser."),
    "entity": Kind(
        "reference",
        _of_entities(_one("what", "reference")),
        "A result by the address under which it was shown, or Type/id at whichever feed; or a patient.",
    ),
    "entity.identifier": Kind(
        "token",
        _of_entities(lambda entity: _identifier(entity.get("what", {}))),
        "The X-Request-Id of an answer, or the id of a feed.",
    ),
    "entity-role": Kind(
        "token", _of_entities(lambda entity: (_coding(each) for each in _one("role")(entity))), "Role of an entity."
    ),
    "entity-type": Kind(
        "token",
        _of_entities(lambda entity: (_coding(each) for each in _one("type")(entity))),
        "Type of an entity; of a result the resource type.",
    ),
    "outcome": Kind("token", lambda event: iter(((OUTCOME_SYSTEM, event["outcome"]),)), "0 4 8 12."),
    "patient": Kind(
        "reference",
        _of_entities(_one("what", "reference")),
        "The patient at the EHR: id, Patient/id, or the whole address.",
    ),
    "patient.identifier": Kind(
        "token",
        _of_entities(_one("what", "reference")),
        "The EHR's FHIR base as system, its id for the patient as value: the log holds no other identifier.",
    ),
    "policy": Kind(
        "uri",
        lambda event: (each for agent in event["agent"] for each in agent.get("policy", ())),
        "The reference of the token.",
    ),
    "site": Kind("token", lambda event: ((None, each) for each in _one("source", "site")(event)), "The tenant."),
    "source": Kind(
        "reference", _one("source", "observer", "identifier", "value"), "The public base of the gateway that recorded."
    ),
    "source.identifier": Kind(
        "token", lambda event: _identifier(event["source"]["observer"]), "The same, as urn:ietf:rfc:3986|base."
    ),
    "subtype": Kind("token", lambda event: (_coding(each) for each in event.get("subtype", ())), "Kind of event."),
    "type": Kind("token", lambda event: iter((_coding(event["type"]),)), "Class of event."),
}
"""Name -> what it means. What is not here is refused."""
