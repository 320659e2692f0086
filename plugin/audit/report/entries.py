"""From records to the entries of a patient's report: one for each request, looks apart from attempts.

Only records about the one patient are taken in, and of these only what a patient is told: no reference, no rule, no
count of what was withheld. Words and pages are made elsewhere.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

import orjson

from plugin.audit import content
from plugin.audit.content import Header
from plugin.audit.export import LogRange
from plugin.audit.selection import Selection
from plugin.event import AuditAction, Body, Outcome
from policies.vocabulary.purposes import EMERGENCY

_LOOK = str(AuditAction.CONSULTATION_RELEASED)
_WITHDRAWN = str(AuditAction.RELEASE_WITHDRAWN)
_RECOVERED = str(AuditAction.LEDGER_RECOVERED)
_WITHDRAWN_NEEDLE = orjson.dumps(_WITHDRAWN)
_TOLD_BY_LOOKS = frozenset(
    {
        str(AuditAction.PATIENT_INFORMED),
        str(AuditAction.SESSION_OPENED),
        str(AuditAction.SESSION_CLOSED),
        str(AuditAction.PURPOSE_STATED),
        str(AuditAction.PAGE_PRINTED),
        str(AuditAction.PAGE_COPIED),
        str(AuditAction.PAGE_REFUSED),
    }
)
"""Each look says for itself who looked, what for, and whether the patient was told. That a browser reported a print or
a copy of it is for the security officer: nobody knows what came of it."""
_BREAK_GLASS = "break-glass:"
"""How the actions of an emergency access begin (design section 8)."""
_EVENTS = (_BREAK_GLASS, "session:", "purpose:")
"""Beginnings of the actions that are no consultation."""


class Naming(StrEnum):
    """How much a report says of staff; each level says less than the one before."""

    PERSON = "person"
    """Name, role, organisation, and the address that the request came from."""
    ROLE = "role"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Who:
    """A person as the log knows them; None is unknown."""

    name: str | None
    roles: tuple[tuple[str, str, str | None], ...]
    """(system, code, display)"""
    kind: str
    organisation: str | None
    key: tuple[str, str]
    """(issuer, subject), to count people; never shown."""


@dataclass(slots=True)
class Source:
    """What one feed gave, or why it gave nothing."""

    feed: str
    categories: Counter[str] = field(default_factory=Counter)
    """Category -> how many resources were shown."""
    outcome: str = Outcome.SUCCESS.value
    reason: str | None = None
    withdrawn: bool = False
    interaction: str = ""
    event: str | None = None
    """An action that is no consultation: of an emergency access, or of the viewer's session."""
    informed: bool = False
    """Who looked said that the patient had been told and did not object."""


@dataclass(slots=True)
class Entry:
    """One request about the patient."""

    time: datetime
    who: Who
    client: str | None
    address: str | None
    delivery: str | None
    purposes: tuple[str, ...]
    emergency: bool
    sources: list[Source]


@dataclass(slots=True)
class Findings:
    """All that the log says of looks at one patient within a range; entries are newest first."""

    looks: list[Entry]
    attempts: list[Entry]
    read: int = 0
    """Records of the range, of whatever patient."""
    without_body: int = 0
    missing: int = 0
    begins: datetime | None = None
    """Time of the first record that was read."""
    follows_a_lost: bool = False
    """The period reaches back to before that record, by which this log followed a lost one."""


def findings(source: LogRange, selection: Selection, zone: tzinfo) -> Findings:
    """What the range says of the selection's patient, times in `zone`. Raises LogUnreadable.

    Holds the entries of this one patient in memory, and nothing else.
    """
    if selection.patient is None:
        raise ValueError("a patient's report is about one patient")
    found = Findings([], [])
    groups: dict[tuple[bool, str], Entry] = {}
    sources: dict[str, tuple[str, Source]] = {}
    withdrawn: set[str] = set()
    for header, body in _wanted(source, selection, found, withdrawn, zone):
        if body.get("action") in _TOLD_BY_LOOKS:
            continue
        moment = _moment(header, zone)
        record, request = body.get("record", ""), body.get("request") or body.get("record", "")
        is_look = _is_look(body)
        each = _source(body)
        entry = groups.setdefault((is_look, request), _entry(body, moment))
        entry.sources.append(each)
        entry.emergency = entry.emergency or _is_emergency(body)
        sources[record] = request, each
    for request, each in (sources[record] for record in withdrawn & sources.keys()):
        _withdraw(groups, request, each)
    newest_first = sorted(groups.items(), key=lambda group: group[1].time, reverse=True)
    found.looks = [entry for (is_look, _), entry in newest_first if is_look and entry.sources]
    found.attempts = [entry for (is_look, _), entry in newest_first if not is_look]
    found.missing = source.last - source.first + 1 - found.read
    return found


def _wanted(
    source: LogRange, selection: Selection, found: Findings, withdrawn: set[str], zone: tzinfo
) -> Iterator[tuple[Header, Body]]:
    """The patient's records within the period; counts the rest, and notes the ids of withdrawn releases."""
    for record in source.records():
        found.read += 1
        header = content.header(record)
        if found.begins is None:
            found.begins = _moment(header, zone)
            reaches_back = selection.since is None or selection.since < header["time"]
            found.follows_a_lost = reaches_back and content.body(record).get("action") == _RECOVERED
        if record.body is None:
            found.without_body += selection.in_period(header)
        elif _WITHDRAWN_NEEDLE in record.body and (body := content.body(record)).get("action") == _WITHDRAWN:
            withdrawn.add(body.get("record", ""))  # has no patient, and may stand after the period
        elif selection.may_accept(record.body) and selection.in_period(header):
            body = content.body(record)
            if selection.accepts(body):
                yield header, body


def _moment(header: Header, zone: tzinfo) -> datetime:
    moment = datetime.fromisoformat(header["time"])
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(zone)


def _is_look(body: Body) -> bool:
    """A release; or an emergency access that was opened, which is no refusal either."""
    action = body.get("action", "")
    return action == _LOOK or (action.startswith(_BREAK_GLASS) and body.get("outcome") == Outcome.SUCCESS)


def _source(body: Body) -> Source:
    action = body.get("action", "")
    return Source(
        body.get("feed", {}).get("id", ""),
        Counter(each["category"] for each in body.get("released", ())) if action == _LOOK else Counter(),
        body.get("outcome") or Outcome.SUCCESS.value,
        body.get("reason"),
        interaction=body.get("asked", {}).get("interaction", ""),
        event=action if action.startswith(_EVENTS) else None,
        informed="informed" in body,
    )


def _entry(body: Body, moment: datetime) -> Entry:
    person, client = body.get("person", {}), body.get("client", {})
    who = Who(
        person.get("name"),
        tuple(
            (role.get("system") or "", role.get("code") or "", role.get("display")) for role in person.get("roles", ())
        ),
        person.get("kind", ""),
        person.get("organisation") or person.get("organisation_id"),
        (person.get("issuer", ""), person.get("subject", "")),
    )
    return Entry(
        moment,
        who,
        client.get("id"),
        client.get("address"),
        body.get("asked", {}).get("delivery"),
        tuple(body.get("purpose", {}).get("codes", ())),
        emergency=False,
        sources=[],
    )


def _is_emergency(body: Body) -> bool:
    purposes = body.get("purpose", {}).get("codes", ())
    return bool(EMERGENCY.intersection(purposes)) or body.get("action", "").startswith(_BREAK_GLASS)


def _withdraw(groups: dict[tuple[bool, str], Entry], request: str, source: Source) -> None:
    """What was recorded as a look and then not handed over belongs to the attempts."""
    look = groups.get((True, request))
    if look is None or not any(each is source for each in look.sources):
        return
    look.sources = [each for each in look.sources if each is not source]
    source.withdrawn, source.categories = True, Counter()
    attempt = groups.setdefault(
        (False, request),
        Entry(look.time, look.who, look.client, look.address, look.delivery, look.purposes, look.emergency, sources=[]),
    )
    attempt.sources.append(source)
