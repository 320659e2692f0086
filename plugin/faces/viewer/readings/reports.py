"""Reports, imaging studies, documents and orders."""

from typing import Final

from plugin.faces.viewer.readings.code_words import TABLES
from plugin.faces.viewer.readings.elements import (
    Tree,
    amount,
    coded,
    coding,
    moment_of,
    notes,
    pairs,
    record,
    records,
    term,
    word,
)
from plugin.faces.viewer.readings.moment import period, when
from plugin.faces.viewer.readings.reading import (
    Page,
    attachments,
    details,
    identifiers,
    references,
    several,
    standing_of,
    terms,
)
from plugin.faces.viewer.readings.remarks import order_remarks, warned
from plugin.faces.viewer.readings.result import Result, Standing
from plugin.faces.viewer.readings.text import line, prose
from plugin.faces.viewer.readings.values import Said, Term, Value

_ADDITIONS: Final = ("appends", "signs", "transforms")
"""Of R4's document relationships; what replaces another is a hint between rows."""
_SNOMED: Final = "http://snomed.info/sct"


def diagnostic_report(page: Page) -> Result:
    """A DiagnosticReport: its conclusion is its value, its results are its members."""
    tree = page.tree
    conclusion, codes = prose(tree.get("conclusion")), terms(tree.get("conclusionCode"))
    return Result(
        origin=page.origin,
        title=term(tree.get("code")),
        when=moment_of(tree, "effective"),
        issued=when(tree.get("issued")),
        value=conclusion or (codes[0] if codes else None),
        standing=page.standing,
        status=page.status,
        performers=page.performers("performer"),
        members=page.links(tree.get("result")),
        notes=tuple([text for each in records(tree.get("media")) if (text := prose(each.get("comment"))) is not None]),
        details=details(
            *several("conclusion", codes if conclusion is not None else codes[1:]),
            *several("interpreter", page.beside.names(tree.get("resultsInterpreter"), tree)),
            *several("specimen", page.beside.names(tree.get("specimen"), tree)),
        ),
        attachments=attachments(records(tree.get("presentedForm"))),
        has_narrative=page.has_narrative,
        left_out=page.left_out("result", "presentedForm", "conclusionCode", "media"),
        codes=pairs(tree.get("code")),
        identifiers=identifiers(tree),
        specimens=references(tree.get("specimen")),
        about=references(tree.get("imagingStudy")),
    )


def imaging_study(page: Page) -> Result:
    """An ImagingStudy: what was taken, not the images."""
    tree = page.tree
    modalities = [each for each in map(_coding_term, records(tree.get("modality"))) if each is not None]
    procedures = terms(tree.get("procedureCode"))
    described = line(tree.get("description"))
    title = Term(described) if described is not None else next(iter([*procedures, *modalities]), None)
    series, instances = ({"value": tree.get(name)} for name in ("numberOfSeries", "numberOfInstances"))
    return Result(
        origin=page.origin,
        title=title,
        when=when(tree.get("started")),
        standing=page.standing,
        status=page.status,
        performers=page.performers("interpreter"),
        notes=notes(tree.get("note")),
        details=details(
            *several("modality", modalities),
            *several("body-site", dict.fromkeys(map(_site, records(tree.get("series"))))),
            ("series", amount(series)),
            ("instances", amount(instances)),
            ("location", page.beside.name(tree.get("location"), tree)),
            ("requester", page.beside.name(tree.get("referrer"), tree)),
            *page.grounds,
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("modality", "note", "series"),
        codes=tuple(pair for each in records(tree.get("procedureCode")) for pair in pairs(each)),
        identifiers=identifiers(tree),
    )


def document(page: Page) -> Result:
    """A DocumentReference. Its date is that of the file; when it was indexed can be years later."""
    tree = page.tree
    files = attachments(each.get("attachment") for each in records(tree.get("content")))
    described = line(tree.get("description"))
    named = next((each.title for each in files if each.title is not None), described)
    created = next((each.created for each in files if each.created is not None), None)
    context = record(tree.get("context"))
    standing, status = standing_of(tree.get("docStatus")), coded("status", tree.get("docStatus"))
    remarks: tuple[Term, ...] = ()
    own = page.standing
    is_replaced = own is Standing.SUPERSEDED and standing is not Standing.MISTAKEN
    if is_replaced or own is Standing.MISTAKEN or standing is Standing.UNSTATED:
        if status is not None and standing not in (Standing.FINAL, own):
            remarks = (status,)  # what was replaced may never have been final
        standing, status = own, page.status
    elif own is Standing.SUPERSEDED and page.status is not None:
        remarks = (page.status,)
    replaced = [each for each in records(tree.get("relatesTo")) if each.get("code") == "replaces"]
    return Result(
        origin=page.origin,
        title=term(tree.get("type")) or (None if named is None else Term(named)),
        when=created or when(tree.get("date")) or period(context.get("period")),
        issued=when(tree.get("date")),
        standing=standing,
        status=status,
        performers=page.performers("author"),
        notes=() if described is None else (described,),
        details=details(
            ("authenticator", page.beside.name(tree.get("authenticator"), tree)),
            *several("act", terms(context.get("event"))),
            ("custodian", page.beside.name(tree.get("custodian"), tree)),
            *several("category", terms(tree.get("category"))),
        ),
        attachments=files,
        has_narrative=page.has_narrative,
        left_out=page.left_out("content", "author"),
        codes=pairs(tree.get("type")),
        identifiers=identifiers(tree) | identifiers({"identifier": [record(tree.get("masterIdentifier"))]}),
        replaces=frozenset(name for each in replaced for name in references(each.get("target"))),
        about=references(context.get("related")),
        remarks=(*remarks, *_additions(page)),
    )


def order(page: Page) -> Result:
    """A ServiceRequest."""
    tree = page.tree
    return Result(
        origin=page.origin,
        title=term(tree.get("code")),
        when=moment_of(tree, "occurrence") or when(tree.get("authoredOn")),
        issued=when(tree.get("authoredOn")),
        standing=page.standing,
        status=page.status,
        performers=page.performers("requester"),
        notes=notes(tree.get("note")),
        details=details(
            ("intent", coded("intent", tree.get("intent"))),
            ("priority", coded("priority", tree.get("priority"))),
            *several("category", terms(tree.get("category"))),
            *page.grounds,
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("note"),
        codes=pairs(tree.get("code")),
        identifiers=identifiers(tree),
        remarks=order_remarks(tree),
        warnings=warned(tree, "not-to-be-done"),
    )


def _additions(page: Page) -> list[Value]:
    """What a document is to another that it does not replace: read alone, an addendum says half."""
    related = [each for each in records(page.tree.get("relatesTo")) if each.get("code") in _ADDITIONS]
    return [
        Said(f"related/{each['code']}", (page.beside.name(each.get("target"), page.tree) or Said("another-document"),))
        for each in related
    ]


def _site(series: Tree) -> Value | None:
    """`Knee (left)`"""
    place, laterality = coding(series.get("bodySite")), record(series.get("laterality"))
    is_known = laterality.get("system") == _SNOMED and word(laterality.get("code")) in TABLES["side"]
    side = coded("side", laterality["code"]) if is_known else coding(laterality)
    if place is None or side is None:
        return place or side
    return Said("in-brackets", (place, side))


def _coding_term(tree: object) -> Term | None:
    """A modality is a Coding: DICOM's displays are words, its codes are known to radiologists."""
    text = line(record(tree).get("display")) or line(word(record(tree).get("code")))
    return None if text is None else Term(text)
