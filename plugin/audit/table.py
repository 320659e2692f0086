"""A record as a row of a table (CSV, RFC 4180), for spreadsheets: the facts that people sort and filter by.

A summary; the NDJSON export holds everything. A cell never begins as a formula does, since names come from tokens: not
even where a spreadsheet divides cells at semicolons, as in much of Europe, and so begins one within ours.
"""

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

import orjson

from plugin.audit.characters import printable
from plugin.event import Body

COLUMNS = (
    "row", "position", "time", "tenant", "action", "outcome", "reason", "person_issuer", "person_subject",
    "person_name", "roles", "organisation", "client", "address", "purpose", "patient_ehr", "patient", "feed", "asked",
    "released", "categories", "withheld", "foreign", "delivery", "care_relation", "rules", "log_reason", "note",
    "request", "record", "statement", "break_glass", "break_glass_reason",
)  # fmt: skip
"""`row` is `head`, `record` or `foot`; `statement` is JSON and stands in head and foot only. `break_glass` is the id of
the record of the opening: in that record, in that of its end, and in each look that was made under it. New columns
come last, for who reads by position."""

FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r")
"""What makes a spreadsheet compute a cell instead of showing it; such a cell gets an apostrophe in front. The wide
forms count where East Asian text is typed."""
_FORMULA_WITHIN = re.compile(r""";(?=[" ]*[=+\-@\uff1d\uff0b\uff0d\uff20])""")
"""Where a semicolon would begin one; quotation marks and blanks before it may be taken away."""


def record(header: Mapping[str, Any], body: Body) -> bytes:
    """One row without its end."""
    person, client, asked = body.get("person", {}), body.get("client", {}), body.get("asked", {})
    released = body.get("released", ())
    callers, glass = body.get("callers"), body.get("break_glass", {})
    note = body.get("note") or (orjson.dumps(callers).decode() if callers else None)
    cells = {
        "row": "record",
        "position": header["position"],
        "time": header["time"],
        "tenant": header.get("tenant"),
        "action": body.get("action"),
        "outcome": body.get("outcome"),
        "reason": body.get("reason"),
        "person_issuer": person.get("issuer"),
        "person_subject": person.get("subject"),
        "person_name": person.get("name"),
        "roles": _words(role.get("display") or role.get("code") or "" for role in person.get("roles", ())),
        "organisation": person.get("organisation") or person.get("organisation_id"),
        "client": client.get("id"),
        "address": client.get("address"),
        "purpose": _words(body.get("purpose", {}).get("codes", ())),
        "patient_ehr": body.get("ehr", {}).get("id"),
        "patient": body.get("patient"),
        "feed": body.get("feed", {}).get("id"),
        "asked": asked.get("query") or asked.get("interaction"),
        "released": _words(each["reference"] for each in released),
        "categories": _words(sorted({each["category"] for each in released})),
        "withheld": len(body["withheld"]) if "withheld" in body else None,
        "foreign": body.get("foreign"),
        "delivery": asked.get("delivery"),
        "care_relation": body.get("care_relation"),
        "rules": _words(body.get("rules", ())),
        "log_reason": asked.get("log_reason"),
        "note": note,
        "request": body.get("request"),
        "record": body.get("record"),
        "break_glass": glass.get("opening"),
        "break_glass_reason": glass.get("reason"),
    }
    return _row(cells)


def statement(place: str, position: int, time: str, facts: Mapping[str, str | int]) -> bytes:
    """The row of a head or foot."""
    text = orjson.dumps(facts).decode()
    return _row({"row": place, "position": position, "time": time, "statement": text})


def _words(words: Any) -> str:
    return " ".join(words)


def _row(cells: Mapping[str, str | int | None]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([_cell(cells.get(name)) for name in COLUMNS])
    return line.getvalue().encode()


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    text = printable(str(value))  # no line ends either: a row is one line
    if ";" in text:
        text = _FORMULA_WITHIN.sub(";'", text)
    return "'" + text if text.startswith(FORMULA_STARTS) else text


COLUMN_NAMES = ",".join(COLUMNS).encode()
"""The first line."""
