"""Which records of a range somebody wants: of chosen people, about one patient, within a period.

A filter on what the record says. It narrows what is written out, never what the reading's own record states as read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

import orjson

from fhir_adapters.escapes import escaped
from plugin.event import Body
from plugin.ledger.record import encode_time


@dataclass(frozen=True, slots=True)
class Selection:
    """Every condition that is given must hold; none given selects everything."""

    persons: frozenset[tuple[str, str]] = frozenset()
    """(issuer, subject) of each person whose traces are wanted."""
    patient: tuple[str, str] | None = None
    """(id of the `[[ehr]]`, the patient's id there)."""
    since: str | None = None
    """First instant, in the form of a header's time."""
    until: str | None = None
    """First instant that is too late, in the same form."""
    _needles: tuple[bytes, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Bodies are kept as orjson wrote them, so a body without one of these bytes need not be parsed."""
        wanted = {subject for _, subject in self.persons} if self.patient is None else {self.patient[1]}
        object.__setattr__(self, "_needles", tuple(map(orjson.dumps, sorted(wanted))))

    def may_accept(self, body: bytes) -> bool:
        """False only if the record with this body is surely not wanted: saves parsing it."""
        return not self._needles or any(needle in body for needle in self._needles)

    def in_period(self, header: Mapping[str, Any]) -> bool:
        """Header times are of one width, so that text order is time order."""
        moment = header["time"]
        return (self.since is None or self.since <= moment) and (self.until is None or moment < self.until)

    def accepts(self, body: Body) -> bool:
        """Whether the body is of a chosen person and about the patient."""
        if self.persons:
            person = body.get("person", {})
            if (person.get("issuer"), person.get("subject")) not in self.persons:
                return False
        if self.patient is not None:
            return (body.get("ehr", {}).get("id"), body.get("patient")) == self.patient
        return True

    def query(self) -> str:
        """The selection as a search of the log that finds the same, for the record of the reading.

        `AuditEvent` if it is empty.
        """
        told: list[tuple[str, str]] = []
        if self.persons:
            told.append(("agent.identifier", ",".join(f"{escaped(i)}|{escaped(s)}" for i, s in sorted(self.persons))))
        if self.patient is not None:
            told += [("site", self.patient[0]), ("patient", self.patient[1])]
        if self.since is not None:
            told.append(("date", f"ge{self.since}"))
        if self.until is not None:
            told.append(("date", f"lt{self.until}"))
        return f"AuditEvent?{urlencode(told)}" if told else "AuditEvent"


def beginning(text: str, zone: tzinfo) -> str:
    """The first instant of a date, or the instant itself, as a header states time.

    A date, and an instant without offset, are those of `zone`. Raises ValueError if `text` is neither.
    """
    return _instant(text, zone, days=0)


def ending(text: str, zone: tzinfo) -> str:
    """The first instant after a date, or the instant itself. See `beginning`."""
    return _instant(text, zone, days=1)


def _instant(text: str, zone: tzinfo, *, days: int) -> str:
    try:
        return encode_time(_moment(text, zone, days=days).astimezone(zone))  # a report tells it in its zone
    except OverflowError as error:
        raise ValueError(f"the calendar does not reach as far as {text}") from error


def _moment(text: str, zone: tzinfo, *, days: int) -> datetime:
    if "W" in text:  # Python reads a week as its Monday: a period up to it would end six days early
        raise ValueError(f"{text} is a week")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return datetime.combine(day + timedelta(days=days), time(), zone)
