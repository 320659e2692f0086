"""A patient's report as words: one view in one language, from which both the HTML page and the JSON come.

The page is one file without script or anything to fetch. What staff are called is decided here, by `Naming`: what a
level does not name is not in the output in any form.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from plugin.audit.characters import printable
from plugin.audit.report import sentences, words
from plugin.audit.report.entries import Entry, Findings, Naming, Source, Who
from plugin.audit.report.words import Language, Word
from plugin.event import LOCAL_FEED, AuditAction

View = dict[str, Any]

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a report is about and how it is told."""

    ehr: str
    patient: str
    language: Language
    naming: Naming
    zone: str
    """Name of the time zone, as in `Europe/Paris`."""
    made: datetime
    """In that zone."""
    since: datetime | None
    until: datetime | None
    """First instant after the period."""
    titles: Mapping[str, Word]
    """Feed id -> what the feed is called."""
    first: int
    last: int
    checkpoint: str


def as_json(found: Findings, frame: Frame) -> bytes:
    """The report for a portal: keys in English, values as words of the frame's language, times with their offset."""
    return orjson.dumps(view(found, frame), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def as_html(found: Findings, frame: Frame) -> str:
    """The report as a page for the patient, to be read on a telephone or printed."""
    told = view(found, frame)
    say = {name: word.said(frame.language) for name, word in sentences.PAGE.items()}
    say["no_looks"] = sentences.no_looks(found, frame.language)
    return _PAGES.get_template("page.html.jinja").render(report=told, say=say, days=_by_day(told["looks"]))


def view(found: Findings, frame: Frame) -> View:
    """The report as JSON values."""
    language = frame.language
    return {
        "language": language,
        "patient": {"ehr": printable(frame.ehr), "id": printable(frame.patient)},
        "period": {
            "since": frame.since.isoformat() if frame.since else None,
            "until": frame.until.isoformat() if frame.until else None,
            "text": sentences.period(frame.since, frame.until, language),
        },
        "made": {"time": frame.made.isoformat(timespec="seconds"), "text": _told(frame.made, language)},
        "timeZone": {"name": frame.zone, "text": sentences.zone(frame.zone, frame.made, language)},
        "naming": frame.naming.value,
        "summary": _summary(found, language),
        "looks": [_entry(entry, frame, is_look=True) for entry in found.looks],
        "attempts": [_entry(entry, frame, is_look=False) for entry in found.attempts],
        "log": {
            "first": frame.first,
            "last": frame.last,
            "records": found.read,
            "withoutBody": found.without_body,
            "missing": found.missing,
            "begins": found.begins.isoformat(timespec="seconds") if found.begins else None,
            "checkpoint": frame.checkpoint,
            "text": sentences.records(found.read, frame.first, frame.last, language),
            "notes": sentences.notes(found, frame.naming, language),
        },
    }


def _summary(found: Findings, language: Language) -> View:
    kinds: Counter[str] = Counter()
    # That emergency access was opened, or ended, stands among the looks and shows nothing by itself; neither are the
    # EHR's own data, of which a page of the viewer has the patient's name at least, outside results.
    looks = [entry for entry in found.looks if any(map(_is_outside, entry.sources))]
    for entry in looks:
        # Looks are counted, not resources: a patient asks how often something was seen.
        outside = filter(_is_outside, entry.sources)
        kinds.update({category for source in outside for category in source.categories})
    emergencies = sum(entry.emergency for entry in looks)
    people = len({entry.who.key for entry in looks})
    nobody = [] if looks else [sentences.no_looks(found, language)]
    openings = sum(source.event == AuditAction.BREAK_GLASS_OPENED for entry in found.looks for source in entry.sources)
    return {
        "looks": len(looks),
        "people": people,
        "emergencies": emergencies,
        "openings": openings,
        "attempts": len(found.attempts),
        "text": nobody + sentences.summary(len(looks), people, emergencies, openings, len(found.attempts), language),
        "kinds": [
            {"kind": words.word(words.CATEGORIES, kind, language), "looks": times}
            for kind, times in sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
    }


def _is_outside(source: Source) -> bool:
    return source.event is None and source.feed != LOCAL_FEED


def _entry(entry: Entry, frame: Frame, *, is_look: bool) -> View:
    language = frame.language
    purposes = [words.word(words.PURPOSES, code, language) for code in dict.fromkeys(entry.purposes)]
    told: View = {
        "time": entry.time.isoformat(timespec="seconds"),
        "day": words.day(entry.time, language),
        "clock": words.clock(entry.time, language),
        "who": _who(entry.who, frame),
        "why": purposes or [sentences.NOT_STATED.said(language)],
        "where": _where(entry, frame, is_look=is_look),
        "emergency": entry.emergency,
    }
    told["what"] = [_shown(source, frame) if is_look else _tried(source, frame) for source in entry.sources]
    return told


def _who(who: Who, frame: Frame) -> View:
    """Exactly the keys of the level of naming."""
    told: View = {}
    if frame.naming is Naming.PERSON:
        told["name"] = printable(who.name) if who.name else None
    if frame.naming in {Naming.PERSON, Naming.ROLE}:
        told["role"] = _roles(who, frame.language)
    unknown = sentences.ORGANISATION_UNKNOWN.said(frame.language)
    told["organisation"] = printable(who.organisation) if who.organisation else unknown
    return told


def _roles(who: Who, language: Language) -> str:
    """The roles' names; else what kind of subject the person was."""
    told = []
    for system, code, display in who.roles:
        known = words.PROFESSIONS.get(code) if system in words.PROFESSION_SYSTEMS else None
        told.append(known.said(language) if known else printable(display or code))
    return ", ".join(dict.fromkeys(filter(None, told))) or words.word(words.SUBJECTS, who.kind, language)


def _where(entry: Entry, frame: Frame, *, is_look: bool) -> View:
    delivery = words.word(words.DELIVERIES, entry.delivery, frame.language) if is_look and entry.delivery else None
    told: View = {
        "application": printable(entry.client) if entry.client else None,
        "ehr": printable(frame.ehr),
        "delivery": delivery,
    }
    if frame.naming is Naming.PERSON:  # an address can single out a person
        told["address"] = printable(entry.address) if entry.address else None
    return told


def _shown(source: Source, frame: Frame) -> View:
    language = frame.language
    kinds = [
        {"kind": words.word(words.CATEGORIES, category, language), "count": number}
        for category, number in sorted(source.categories.items())
    ]
    note = None
    if source.event is not None:
        note = words.word(words.EVENTS, source.event, language)
    elif not kinds:
        note = sentences.NOTHING_SHOWN.said(language)
    if source.informed:
        note = "; ".join(filter(None, (note, words.INFORMED.said(language))))
    return {"source": _title(source, frame), "kinds": kinds, "note": note}


def _tried(source: Source, frame: Frame) -> View:
    language = frame.language
    outcome = (
        words.WITHDRAWN.said(language) if source.withdrawn else words.word(words.OUTCOMES, source.outcome, language)
    )
    return {
        "source": _title(source, frame),
        "asked": words.word(words.EVENTS, source.event, language)
        if source.event is not None
        else words.interaction(source.interaction, language),
        "outcome": outcome,
        "reason": words.word(words.REASONS, source.reason, language) if source.reason else None,
    }


def _title(source: Source, frame: Frame) -> str | None:
    """What the feed is called, else its id. Feeds that are no longer configured have only that."""
    if source.feed == LOCAL_FEED:
        return sentences.OWN_FILE.said(frame.language)
    return words.word(frame.titles, source.feed, frame.language) if source.feed else None


def _told(moment: datetime, language: Language) -> str:
    return sentences.at(words.day(moment, language), words.clock(moment, language), language)


def _by_day(looks: list[View]) -> list[tuple[str, list[View]]]:
    days: dict[str, list[View]] = {}
    for look in looks:
        days.setdefault(look["day"], []).append(look)
    return list(days.items())
