"""Medicines, vaccines, allergies, problems and procedures; and any type that has no reading of its own."""

from collections.abc import Iterator
from typing import Any

from plugin.faces.viewer.readings.dosage import dosages
from plugin.faces.viewer.readings.elements import (
    Tree,
    amount,
    coded,
    moment_of,
    notes,
    numbered,
    pairs,
    record,
    records,
    term,
    truth,
    value_of,
)
from plugin.faces.viewer.readings.measures import age, duration, duration_range, strength
from plugin.faces.viewer.readings.moment import period, when
from plugin.faces.viewer.readings.reading import (
    Page,
    details,
    identifiers,
    several,
    terms,
    verified_standing,
)
from plugin.faces.viewer.readings.remarks import hearsay, order_remarks, reasons, reservations, risks, warned, weakened
from plugin.faces.viewer.readings.result import Result, Standing
from plugin.faces.viewer.readings.text import Text, line, prose
from plugin.faces.viewer.readings.values import Phrase, Said, Term, Unread, Value


def medication_request(page: Page) -> Result:
    """A prescription."""
    tree = page.tree
    dispense, substitution = record(tree.get("dispenseRequest")), record(tree.get("substitution"))
    return _medicine(
        page,
        when=when(tree.get("authoredOn")),
        people=("requester",),
        told=(
            *dosages(tree.get("dosageInstruction")),
            ("quantity", amount(dispense.get("quantity"))),
            ("days-supply", duration(dispense.get("expectedSupplyDuration"))),
            ("validity", period(dispense.get("validityPeriod"))),
            ("repeats", numbered(dispense.get("numberOfRepeatsAllowed"))),
            ("substitutable", truth(substitution.get("allowedBoolean"))),
            ("substitutable", term(substitution.get("allowedCodeableConcept"))),
            ("intent", coded("intent", tree.get("intent"))),
            ("priority", coded("priority", tree.get("priority"))),
            *page.grounds,
        ),
        remarks=(*order_remarks(tree), *hearsay(page)),
        warnings=warned(tree, "do-not-give"),
    )


def medication_dispense(page: Page) -> Result:
    """A delivery."""
    tree = page.tree
    substitution = record(tree.get("substitution"))
    return _medicine(
        page,
        when=when(tree.get("whenHandedOver")) or when(tree.get("whenPrepared")),
        people=("performer",),
        told=(
            *dosages(tree.get("dosageInstruction")),
            ("quantity", amount(tree.get("quantity"))),
            ("days-supply", duration(tree.get("daysSupply"))),
            ("category", term(tree.get("type"))),
            ("substituted", truth(substitution.get("wasSubstituted"))),
            ("substitution", term(substitution.get("type"))),
        ),
    )


def medication_statement(page: Page) -> Result:
    """What is taken, by somebody's account."""
    tree = page.tree
    return _medicine(
        page,
        when=moment_of(tree, "effective") or when(tree.get("dateAsserted")),
        people=("informationSource",),
        told=(*dosages(tree.get("dosage")), *page.grounds),
    )


def _medicine(
    page: Page,
    *,
    when: Any,
    people: tuple[str, ...],
    told: tuple[tuple[str, Value | None], ...],
    remarks: tuple[Value, ...] = (),
    warnings: tuple[Term, ...] = (),
) -> Result:
    tree = page.tree
    return Result(
        origin=page.origin,
        title=page.beside.concept(tree, "medication"),
        when=when,
        standing=page.standing,
        status=page.status,
        performers=page.performers(*people),
        notes=notes(tree.get("note")),
        details=details(*told, *_composition(page)),
        has_narrative=page.has_narrative,
        left_out=page.left_out("note", "dosageInstruction", "dosage"),
        codes=pairs(tree.get("medicationCodeableConcept")),
        identifiers=identifiers(tree),
        remarks=(*reasons(page), *remarks),
        warnings=warnings,
    )


def _composition(page: Page) -> Iterator[tuple[str, Value | None]]:
    """The form of the medicine and how much is in it of what: `2 capsules` is no dose without."""
    medicine = page.beside.resource(page.tree.get("medicationReference"), page.tree)
    if medicine is None:
        return
    yield "form", term(medicine.get("form"))
    is_titled = term(medicine.get("code")) is not None
    for name, each in page.beside.ingredients(medicine, page.tree):
        if name is not None and "strength" not in each and not is_titled:
            continue  # the title is made of its names
        much = (strength(each["strength"]) or Unread()) if "strength" in each else None
        yield "ingredient", Phrase(tuple([part for part in (name or Unread(), much) if part is not None]))


def immunization(page: Page) -> Result:
    """A vaccination, or one that was not given."""
    tree = page.tree
    return Result(
        origin=page.origin,
        title=term(tree.get("vaccineCode")),
        when=when(tree.get("occurrenceDateTime")),
        when_told=line(tree.get("occurrenceString")),
        issued=when(tree.get("recorded")),
        standing=page.standing,
        status=page.status,
        performers=page.performers("performer"),
        notes=notes(tree.get("note")),
        details=details(
            *several("dose-number", map(_dose_number, records(tree.get("protocolApplied")))),
            ("dose", amount(tree.get("doseQuantity"))),
            *several("target", _targets(tree)),
            ("manufacturer", page.beside.name(tree.get("manufacturer"), tree)),
            ("lot-number", line(tree.get("lotNumber"))),
            ("route", term(tree.get("route"))),
            ("body-site", term(tree.get("site"))),
            *several("follow-up", terms(tree.get("followUp"))),
            *several("device", [*terms(tree.get("usedCode")), *_devices(page)]),
            ("location", page.beside.name(tree.get("location"), tree)),
            *page.grounds,
            *_reactions_to_vaccine(page),
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("note", "protocolApplied", "reaction"),
        codes=pairs(tree.get("vaccineCode")),
        identifiers=identifiers(tree),
        remarks=(
            *reasons(page),
            *(Said("because", (each,)) for each in terms(tree.get("subpotentReason"))),
            *hearsay(page),
        ),
        warnings=weakened(tree),
    )


def allergy(page: Page) -> Result:
    """An allergy or intolerance."""
    tree = page.tree
    kinds = tree.get("category")
    return Result(
        origin=page.origin,
        title=term(tree.get("code")),
        when=_onset(tree),
        when_told=_onset_told(tree),
        issued=when(tree.get("recordedDate")),
        standing=verified_standing(tree, _clinical(tree)),
        status=term(tree.get("clinicalStatus")),
        performers=page.performers("recorder", "asserter"),
        notes=notes(tree.get("note")),
        details=details(
            ("verification", term(tree.get("verificationStatus"))),
            ("criticality", coded("severity", tree.get("criticality"))),
            ("category", coded("allergy", tree.get("type"))),
            *several("category", (coded("allergy", each) for each in (kinds if isinstance(kinds, list) else [])[:8])),
            ("last-occurrence", when(tree.get("lastOccurrence"))),
            *_reactions(tree),
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("reaction", "note"),
        codes=pairs(tree.get("code")),
        identifiers=identifiers(tree),
        remarks=reservations(tree),
        warnings=risks(tree),
    )


def condition(page: Page) -> Result:
    """A problem or diagnosis."""
    tree = page.tree
    return Result(
        origin=page.origin,
        title=term(tree.get("code")),
        when=_onset(tree),
        when_told=_onset_told(tree),
        issued=when(tree.get("recordedDate")),
        standing=verified_standing(tree, _clinical(tree)),
        status=term(tree.get("clinicalStatus")),
        performers=page.performers("recorder", "asserter"),
        notes=notes(tree.get("note")),
        details=details(
            ("verification", term(tree.get("verificationStatus"))),
            ("severity", term(tree.get("severity"))),
            *several("evidence", [each for found in records(tree.get("evidence")) for each in _evidence(found, page)]),
            *several("stage", (term(each.get("summary")) for each in records(tree.get("stage")))),
            (
                "abatement",
                age(*_ages(tree, "abatement")) or moment_of(tree, "abatement") or value_of(tree, "abatement"),
            ),
            *several("category", terms(tree.get("category"))),
            *several("body-site", terms(tree.get("bodySite"))),
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("note", "stage"),
        codes=pairs(tree.get("code")),
        identifiers=identifiers(tree),
        remarks=reservations(tree),
    )


def procedure(page: Page) -> Result:
    """A procedure."""
    tree = page.tree
    return Result(
        origin=page.origin,
        title=term(tree.get("code")),
        when=moment_of(tree, "performed"),
        when_told=age(*_ages(tree, "performed")) or line(tree.get("performedString")),
        standing=page.standing,
        status=page.status,
        performers=page.performers("performer"),
        notes=notes(tree.get("note")),
        details=details(
            *several("body-site", terms(tree.get("bodySite"))),
            ("outcome", term(tree.get("outcome"))),
            *several("complication", terms(tree.get("complication"))),
            *several("complication", page.beside.names(tree.get("complicationDetail"), tree)),
            *several("follow-up", terms(tree.get("followUp"))),
            *several("device", [*terms(tree.get("usedCode")), *_devices(page)]),
            ("location", page.beside.name(tree.get("location"), tree)),
            *page.grounds,
        ),
        has_narrative=page.has_narrative,
        left_out=page.left_out("note", "performer", "complication"),
        codes=pairs(tree.get("code")),
        identifiers=identifiers(tree),
        remarks=reasons(page),
    )


def other(page: Page) -> Result:
    """A type without a reading: its name, its date and its status, wherever they usually stand."""
    tree = page.tree
    written = line(tree.get("title")) or line(tree.get("description"))
    named = term(tree.get("code")) or term(tree.get("type"))
    dates = (when(tree.get(name)) for name in ("date", "authoredOn", "created", "issued", "recorded"))
    return Result(
        origin=page.origin,
        title=named if written is None else Term(written),
        when=moment_of(tree, "effective") or period(tree.get("period")) or next((each for each in dates if each), None),
        standing=page.standing,
        status=page.status,
        performers=page.performers("author", "performer"),
        notes=notes(tree.get("note")),
        has_narrative=page.has_narrative,
        codes=pairs(tree.get("code")),
        identifiers=identifiers(tree),
    )


def _onset(tree: Tree) -> Any:
    """When it began; when it was written down, where the source says nothing of its beginning."""
    return moment_of(tree, "onset") or (when(tree.get("recordedDate")) if _onset_told(tree) is None else None)


def _onset_told(tree: Tree) -> Value | None:
    """When it began, in other terms than a date."""
    return age(*_ages(tree, "onset")) or line(tree.get("onsetString"))


def _ages(tree: Tree, name: str) -> tuple[Value | None, Value | None]:
    return duration(tree.get(f"{name}Age")), duration_range(tree.get(f"{name}Range"))


def _dose_number(protocol: Tree) -> Value | None:
    """`dose 2 of 3`, or in the source's words: `booster of 3`."""
    count = numbered(protocol.get("doseNumberPositiveInt"))
    dose = count or line(protocol.get("doseNumberString"))
    series = numbered(protocol.get("seriesDosesPositiveInt")) or line(protocol.get("seriesDosesString"))
    if dose is None:
        return None
    is_counted = count is not None or str(dose).isdecimal()
    told = Said("dose", (dose,)) if is_counted else dose
    return told if series is None else Said("out-of", (told, series))


def _targets(tree: Tree) -> list[Term]:
    """The diseases that a vaccine is against, which its trade name does not say."""
    found = [each for part in records(tree.get("protocolApplied")) for each in terms(part.get("targetDisease"))]
    return list(dict.fromkeys(found))


def _evidence(part: Tree, page: Page) -> list[Value]:
    """What speaks for a problem."""
    return [*terms(part.get("code")), *page.beside.names(part.get("detail"), page.tree)]


def _devices(page: Page) -> tuple[Text, ...]:
    """What was put in, taken out or used."""
    focal = [each.get("manipulated") for each in records(page.tree.get("focalDevice"))]
    return page.beside.names([*focal, *records(page.tree.get("usedReference"))], page.tree)


def _clinical(tree: Tree) -> Standing:
    return Standing.OTHER if term(tree.get("clinicalStatus")) is not None else Standing.UNSTATED


def _reactions(tree: Tree) -> Iterator[tuple[str, Value | None]]:
    for each in records(tree.get("reaction")):
        for shown in terms(each.get("manifestation")):
            yield "reaction", shown
        yield "reaction", prose(each.get("description"))
        yield "reaction-onset", when(each.get("onset"))
        yield "route", term(each.get("exposureRoute"))
        yield "substance", term(each.get("substance"))
        yield "severity", coded("severity", each.get("severity"))
        yield from several("reaction", notes(each.get("note")))


def _reactions_to_vaccine(page: Page) -> Iterator[tuple[str, Value | None]]:
    """What happened, as far as the result that says it has a name here, and when."""
    for each in records(page.tree.get("reaction")):
        name, day = page.beside.name(each.get("detail"), page.tree), when(each.get("date"))
        yield "reaction", name or (Unread() if day is None else None)
        yield "reaction-onset", day
