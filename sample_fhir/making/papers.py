"""Documents that are no PDF: a C-CDA with its narrative, and a letter in plain text."""

import base64
import hashlib
from html import escape
from typing import Any

Section = tuple[str, list[str], list[list[str]]]
"""Title, paragraphs, and the rows of a table, the first of which is its head."""


def ccda(title: str, patient: str, day: str, sections: list[Section]) -> bytes:
    """A C-CDA 2.1 document (US Realm Header) as far as readers of narrative need it."""
    written = "".join(_section(place, *each) for place, each in enumerate(sections, start=1))
    moment = day.replace("-", "")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3">'
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        '<templateId root="2.16.840.1.113883.10.20.22.1.1" extension="2015-08-01"/>'
        f'<id root="2.25.{int(hashlib.sha256(title.encode()).hexdigest()[:12], 16)}"/>'
        '<code code="34133-9" codeSystem="2.16.840.1.113883.6.1" displayName="Summarization of Episode Note"/>'
        f"<title>{escape(title)}</title>"
        f'<effectiveTime value="{moment}"/>'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>'
        '<languageCode code="fr-FR"/>'
        f"<recordTarget><patientRole><patient><name>{escape(patient)}</name></patient></patientRole></recordTarget>"
        f"<component><structuredBody>{written}</structuredBody></component>"
        "</ClinicalDocument>\n"
    ).encode()


def _section(number: int, title: str, paragraphs: list[str], rows: list[list[str]]) -> str:
    text = "".join(f"<paragraph>{escape(each)}</paragraph>" for each in paragraphs)
    if rows:
        head, *body = ("".join(f"<{{0}}>{escape(cell)}</{{0}}>" for cell in row) for row in rows)
        lines = "".join(f"<tr>{each.format('td')}</tr>" for each in body)
        text += f"<table><thead><tr>{head.format('th')}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<component><section ID="s{number}"><title>{escape(title)}</title><text>{text}</text></section></component>'


def attachment(content: bytes, content_type: str, title: str, created: str) -> dict[str, Any]:
    """A FHIR Attachment with the content inline, its size and its SHA-1."""
    return {
        "contentType": content_type,
        "language": "fr",
        "data": base64.b64encode(content).decode("ascii"),
        "size": len(content),
        "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode("ascii"),
        "title": title,
        "creation": created,
    }


def narrative(*lines: str) -> dict[str, str]:
    """A Narrative (R4 2.4) with a paragraph for each line."""
    inside = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'}
