"""From what the feeds showed to the rows of an overview: each resource read by its type, put in its section, with hints
of what else it could be the same as. Newest first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from plugin.consultation.release import Shown
from plugin.faces.viewer.readings import history, measurements, reports
from plugin.faces.viewer.readings.altered import altered, is_altered
from plugin.faces.viewer.readings.benefits import benefit
from plugin.faces.viewer.readings.beside import Answer, Beside
from plugin.faces.viewer.readings.contained import contained_pages, counted, from_container
from plugin.faces.viewer.readings.duplicates import with_hints
from plugin.faces.viewer.readings.elements import Pair, Tree, pairs, record, records
from plugin.faces.viewer.readings.reading import Page
from plugin.faces.viewer.readings.result import Category, Origin, Result
from plugin.faces.viewer.readings.sections import reported_section, section_of
from plugin.faces.viewer.readings.selection import newest_first
from policies.vocabulary.resource_types import DIRECTORY

_READERS: Final[Mapping[str, Callable[[Page], Result]]] = {
    "Observation": measurements.observation,
    "Specimen": measurements.specimen,
    "DiagnosticReport": reports.diagnostic_report,
    "ImagingStudy": reports.imaging_study,
    "DocumentReference": reports.document,
    "ServiceRequest": reports.order,
    "MedicationRequest": history.medication_request,
    "MedicationDispense": history.medication_dispense,
    "MedicationStatement": history.medication_statement,
    "Immunization": history.immunization,
    "AllergyIntolerance": history.allergy,
    "Condition": history.condition,
    "Procedure": history.procedure,
    "ExplanationOfBenefit": benefit,
}
"""Every consultable type but Patient has one; a test holds it."""

_NO_ROWS = DIRECTORY | {"Patient"}
"""Who somebody is stands in the banner and beside a result; it is no result."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What a page lists."""

    results: tuple[Result, ...]
    """Newest first, those without a date last."""
    mistaken: tuple[Result, ...]
    """Entered in error: counted on the page, and not shown among results."""


def overview(answers: Iterable[Answer]) -> Overview:
    """The rows for what these feeds showed. Nothing is merged, nothing left out."""
    read = [result for answer in answers for result in rows(answer)]
    shown = newest_first([each for each in read if not each.is_mistaken])
    return Overview(with_hints(shown), tuple(newest_first([each for each in read if each.is_mistaken])))


def rows(answer: Answer) -> list[Result]:
    """The results of one feed, in its order, each in its section."""
    pages = pages_of(answer)
    return _sectioned([each for page in pages if page.origin.type not in _NO_ROWS for each in _read_whole(page)])


def pages_of(answer: Answer) -> list[Page]:
    """The resources of an answer that were asked for, each with what stands beside it."""
    beside = Beside(answer.shown)
    return [_page(answer, each, beside) for each in answer.shown if not each.companion]


def read(page: Page) -> Result:
    """One resource as a row; its section is that of its own category."""
    result = _READERS.get(page.origin.type, history.other)(page)
    return altered(result) if is_altered(page.tree) or any(map(is_altered, _leant_on(page))) else result


def _leant_on(page: Page) -> list[Tree]:
    """The resources that say a part of what this one says: which medicine, on what it was measured."""
    named = [page.tree[name] for name in ("medicationReference", "specimen") if name in page.tree]
    return [record(page.beside.resource(each, page.tree)) for each in named]


def _read_whole(page: Page) -> Iterator[tuple[Page, Result]]:
    """A resource, and the results that stand inside it."""
    result = read(page)
    yield page, counted(result, page)
    for inside in contained_pages(page):
        yield inside, from_container(read(inside), result)


def _page(answer: Answer, shown: Shown, beside: Beside) -> Page:
    kind = _type_of(shown)
    section = section_of(kind, shown.category, _own_categories(shown.resource))
    origin = Origin(answer.feed, shown.reference, kind, shown.category, answer.is_local, section)
    return Page(shown.resource, origin, beside)


def _type_of(shown: Shown) -> str:
    kind: Any = shown.resource.get("resourceType")
    return kind if isinstance(kind, str) else ""


def _own_categories(tree: Tree) -> list[Pair]:
    category = tree.get("category")
    return [pair for each in records(category) or [record(category)] for pair in pairs(each)]


def _sectioned(read_pages: list[tuple[Page, Result]]) -> list[Result]:
    """Observations go where the report that contains them goes, if they do not say it themselves.

    Only within one feed: a report refers to its own results.
    """
    results = [result for _, result in read_pages]
    by_reference = {result.reference: result for result in results}
    sections: dict[str, Category] = {}
    for result in results:
        if result.origin.type == "DiagnosticReport" and not result.is_mistaken:
            for member in _reached(result, by_reference):
                own = by_reference[member].category
                sections[member] = reported_section(sections.get(member, own), result.category)
    return [_moved(each, sections.get(each.reference, each.category)) for each in results]


def _moved(result: Result, section: Category) -> Result:
    if section is result.category:
        return result
    return replace(result, origin=replace(result.origin, category=section))


def _reached(report: Result, by_reference: Mapping[str, Result]) -> set[str]:
    """References of the observations in a report, members of panels included."""
    reached: set[str] = set()
    waiting = [report]
    while waiting:
        for link in waiting.pop().members:
            member = by_reference.get(link.reference)
            if member is not None and member.origin.type == "Observation" and link.reference not in reached:
                reached.add(link.reference)
                waiting.append(member)
    return reached
