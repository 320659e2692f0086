"""One readable line for a record, for people at a terminal (`vitrine audit list --format text`).

A summary: the record holds more, and `--format fhir` or `ndjson` is for programs. Names come from tokens, so nothing
that a terminal would obey reaches the line, nor a run of blanks, which would look like the end of a column.
"""

from collections.abc import Mapping
from typing import Any

from plugin.audit.characters import printable
from plugin.audit.deleted import SENTENCE
from plugin.event import AuditAction, Body, Outcome

_OUTCOME_WORDS: Mapping[str, str] = {
    Outcome.SUCCESS: "done",
    Outcome.REFUSED: "refused",
    Outcome.FAILED: "failed",
    Outcome.UNAVAILABLE: "unavailable",
}
_OUTCOME_WIDTH = max(len(word) for word in (*_OUTCOME_WORDS.values(), "released"))
_NOBODY = "-"


def line(header: Mapping[str, Any], body: Body) -> str:
    """Position, time, outcome, action, who, which patient, what was asked of which feed, and how much was released.

    One line without its end. `header` has `position` and `time`.
    """
    columns = [f"{header['position']:>6}", _cell(str(header["time"])), f"{_cell(_outcome(body)):<{_OUTCOME_WIDTH}}"]
    parts = [body.get("action", _NOBODY), _who(body), *_about(body)]
    if reason := body.get("reason"):
        parts.append(f"({reason})")
    return "  ".join([*columns, *(_cell(part) for part in parts)])


def deleted_line(header: Mapping[str, Any]) -> str:
    """The line of a record whose body was purged: position, time, and that it was."""
    return f"{header['position']:>6}  {_cell(str(header['time']))}  {SENTENCE}"


def _cell(text: str) -> str:
    return " ".join(printable(text).split()) or _NOBODY


def _outcome(body: Body) -> str:
    outcome = body.get("outcome", Outcome.SUCCESS.value)
    if body.get("action") == AuditAction.CONSULTATION_RELEASED and outcome == Outcome.SUCCESS:
        return "released"
    return _OUTCOME_WORDS.get(outcome, outcome)


def _who(body: Body) -> str:
    person = body.get("person", {})
    name, subject = person.get("name"), person.get("subject")
    who = f"{name} <{subject}>" if name and subject else name or subject or _NOBODY
    client = body.get("client", {})
    via = client.get("id") or client.get("address")
    return f"{who} via {via}" if via else who


def _about(body: Body) -> list[str]:
    parts = []
    if patient := body.get("patient"):
        ehr = body.get("ehr", {}).get("id")
        parts.append(f"patient {ehr}/{patient}" if ehr else f"patient {patient}")
    if feed := body.get("feed", {}).get("id"):
        parts.append(f"feed {feed}")
    if question := _question(body):
        parts.append(question)
    if body.get("action") == AuditAction.CONSULTATION_RELEASED:
        released, withheld = len(body.get("released", ())), len(body.get("withheld", ()))
        parts.append(f"{released} released, {withheld} withheld, {body.get('foreign', 0)} foreign")
    if "callers" in body:
        callers = body["callers"]
        parts.append(
            f"{callers.get('count', 0)} callers of {callers.get('family', _NOBODY)}: {callers.get('reason', _NOBODY)}"
        )
    if opening := body.get("break_glass", {}).get("opening"):
        parts.append(f"break-glass {opening}")
    if note := body.get("note"):
        parts.append(note)
    if suspension := body.get("suspension"):
        parts += [suspension.get("name", _NOBODY), f"because: {suspension.get('reason', _NOBODY)}"]
    return parts


def _question(body: Body) -> str:
    asked = body.get("asked", {})
    if reason := asked.get("log_reason"):
        return " ".join(part for part in (asked.get("query"), f"because: {reason}") if part)
    what = asked.get("query") or "/".join(part for part in (asked.get("type"), asked.get("id")) if part)
    parts = [asked.get("interaction"), asked.get("operation"), what]
    parts += [f"{name} {number}" for name in ("file", "page") if (number := asked.get(name)) is not None]
    return " ".join(part for part in parts if part)
