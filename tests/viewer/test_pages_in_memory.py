"""What a page showed is gone when it has been sent: it does not wait in memory until the collector comes by."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jinja2.runtime import Context

from tests.viewer.clinic import Clinic
from tests.viewer.test_course_pages import claim, potassium, trend_of
from tests.viewer.test_viewer_documents import PLACE, Desk, inline


@contextmanager
def _left_to_the_collector() -> Iterator[list[Context]]:
    """The contexts of pages, with all that was printed from them, that only the collector could find."""
    found: list[Context] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += [each for each in gc.garbage if isinstance(each, Context)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    "path", ["", "part/city-lab", "feed/city-lab", "together", "trend", "reimbursements", "emergency"]
)
def test_no_page_holds_itself(clinic: Clinic, path: str) -> None:
    clinic.world.lab.resources += [potassium("o1", "2026-03-02", "5.30"), claim("c1", "2026-03-02", "10.00")]
    path = trend_of(clinic) if path == "trend" else path
    clinic.get(path)  # templates are compiled
    with _left_to_the_collector() as left:
        assert clinic.get(path).status == 200
    assert left == []


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/1"])
def test_no_page_of_a_document_holds_itself(tmp_path: Path, path: str) -> None:
    desk = Desk(tmp_path)
    desk.put(inline(b"Text", "text/plain"))
    desk.get(path)
    with _left_to_the_collector() as left:
        assert desk.get(path).status == 200
    assert left == []
