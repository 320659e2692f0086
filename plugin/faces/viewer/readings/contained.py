"""Results inside another resource (`contained`): each is read as one that stands alone, by its container's reference.

What such a result leaves to its container (its date, its status, who made it) it has from there. Whether it may be
shown was judged with the container.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from fhir_adapters.resource import is_id
from plugin.faces.viewer.readings.altered import altered
from plugin.faces.viewer.readings.elements import MAX_ITEMS, Tree, pairs, record, records, word
from plugin.faces.viewer.readings.reading import CONTAINED_RESULT, Page
from plugin.faces.viewer.readings.result import Result, Standing
from plugin.faces.viewer.readings.sections import section_of
from plugin.faces.viewer.readings.values import Altered


def contained_pages(page: Page) -> Iterator[Page]:
    """The results inside the resource of `page`, each to be read by itself."""
    if "contained" not in page.tree:  # nearly always
        return
    used: set[str] = set()
    for place, inside in enumerate(_results(page)[:MAX_ITEMS]):
        name = word(inside.get("id"))
        if not is_id(name) or name in used:
            name = f"{name}/{place}"  # what has no id of its own is told apart by its place: no id has a slash
        used.add(name)
        yield _page(page, inside, name)


def counted(result: Result, page: Page) -> Result:
    """`result`, which counts what of the results inside it has no row: they are bounded as all lists are."""
    if "contained" not in page.tree:
        return result
    beyond = len(_results(page)) - MAX_ITEMS
    return replace(result, left_out=beyond) if beyond > result.left_out else result


def from_container(result: Result, container: Result) -> Result:
    """`result` with what it leaves to its container. What changes the sense of the container changes it too."""
    if isinstance(container.value, Altered):
        result = altered(result)
    unstated = result.standing is Standing.UNSTATED or container.is_mistaken
    is_dated = result.when is not None or result.issued is not None
    return replace(
        result,
        when=result.when if is_dated else container.when,
        issued=result.issued if is_dated else container.issued,
        standing=container.standing if unstated else result.standing,
        status=container.status if unstated else result.status,
        performers=result.performers or container.performers,
        has_narrative=False,
    )


def _results(page: Page) -> list[Tree]:
    contained = page.tree["contained"]
    found = contained if isinstance(contained, list) else []
    return [each for each in found if record(each).get("resourceType") == CONTAINED_RESULT]


def _page(page: Page, inside: Tree, name: str) -> Page:
    categories = [pair for each in records(inside.get("category")) for pair in pairs(each)]
    origin = replace(
        page.origin,
        reference=f"{page.origin.reference}#{name}",
        type=CONTAINED_RESULT,
        category=section_of(CONTAINED_RESULT, page.origin.data, categories),
    )
    # References inside lead to what stands beside it in the container.
    return replace(page, tree={**inside, "contained": page.tree["contained"]}, origin=origin)
