"""Observations, with their components and members, and the specimens that they were made on."""

from plugin.faces.viewer.readings.elements import (
    Pair,
    Tree,
    coded,
    moment_of,
    notes,
    pairs,
    record,
    records,
    term,
    value_of,
)
from plugin.faces.viewer.readings.flags import flag_of, ranges_of
from plugin.faces.viewer.readings.measures import duration
from plugin.faces.viewer.readings.moment import when
from plugin.faces.viewer.readings.reading import (
    Page,
    details,
    identifiers,
    references,
    several,
    terms,
)
from plugin.faces.viewer.readings.remarks import flaws, foci
from plugin.faces.viewer.readings.result import Part, Result
from plugin.faces.viewer.readings.text import Text
from plugin.faces.viewer.readings.values import Term, Value

_UNNAMED = Term(Text("?"))
"""A component must have a code; of one without, the value is shown all the same."""


def observation(page: Page) -> Result:
    """An Observation."""
    tree = page.tree
    value, ranges = value_of(tree), ranges_of(tree)
    sample = record(page.beside.resource(tree["specimen"], tree)) if "specimen" in tree else {}
    return Result(
        origin=page.origin,
        title=term(tree.get("code")),
        when=moment_of(tree, "effective"),
        issued=when(tree.get("issued")),
        value=value,
        flag=flag_of(tree, value, ranges),
        ranges=ranges,
        standing=page.standing,
        status=page.status,
        performers=page.performers("performer"),
        parts=tuple(map(_part, records(tree.get("component")))),
        members=page.links(tree.get("hasMember")),
        notes=notes(tree.get("note")),
        details=details(
            ("specimen", page.beside.name(tree.get("specimen"), tree)),
            ("fasting", _fasting(sample)),
            ("method", term(tree.get("method"))),
            ("body-site", term(tree.get("bodySite"))),
            ("device", page.beside.name(tree.get("device"), tree)),
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("component", "hasMember", "note", "referenceRange"),
        codes=pairs(tree.get("code")),
        value_codes=_value_codes(tree),
        identifiers=identifiers(tree),
        specimens=references(tree.get("specimen")),
        remarks=(*foci(page), *flaws(sample)),
    )


def specimen(page: Page) -> Result:
    """A Specimen."""
    tree = page.tree
    collection = record(tree.get("collection"))
    return Result(
        origin=page.origin,
        title=term(tree.get("type")),
        when=moment_of(collection, "collected"),
        standing=page.standing,
        status=coded("status", tree.get("status")),
        performers=tuple(each for each in [page.beside.name(collection.get("collector"), tree)] if each is not None),
        notes=notes(tree.get("note")),
        details=details(
            ("received", when(tree.get("receivedTime"))),
            ("fasting", _fasting(tree)),
            ("body-site", term(collection.get("bodySite"))),
            *several("condition", terms(tree.get("condition"))),
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("note"),
        identifiers=identifiers(tree),
    )


def _fasting(sample: Tree) -> Value | None:
    """Whether, or for how long, the patient had eaten nothing when a specimen was taken."""
    collection = record(sample.get("collection"))
    return term(collection.get("fastingStatusCodeableConcept")) or duration(collection.get("fastingStatusDuration"))


def _part(tree: Tree) -> Part:
    value, ranges = value_of(tree), ranges_of(tree)
    code = tree.get("code")
    flag = flag_of(tree, value, ranges)
    return Part(term(code) or _UNNAMED, value, flag, ranges, pairs(code), _value_codes(tree))


def _value_codes(tree: Tree) -> tuple[Pair, ...]:
    if "valueCodeableConcept" not in tree:
        return ()
    return tuple([pair for pair in pairs(tree["valueCodeableConcept"]) if pair[0]])
