"""The patient's report in a real browser: one column that fits a telephone, in both languages."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plugin.audit.report import page
from plugin.audit.report.entries import Naming, findings
from plugin.audit.report.words import LANGUAGES, Language
from tests.audit import bodies
from tests.audit_export.logs import log_of
from tests.audit_export.test_report import ALL_KINDS, OUR_PATIENT, PARIS, frame

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MEASURE = """<!doctype html><meta charset="utf-8"><title>?</title>
<iframe width="{width}" height="800" style="border:0" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const seen = frames[0].document, root = seen.documentElement;
  const wide = [...seen.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > root.clientWidth);
  const size = Math.min(...[...seen.querySelectorAll("p, dd, dt, td, th, li")]
    .map(each => parseFloat(frames[0].getComputedStyle(each).fontSize)));
  document.title = [root.scrollWidth, root.clientWidth, wide.length, size, seen.querySelectorAll(".entry").length];
}});
</script>"""


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    return found


def measured(chromium: str, folder: Path, text: str, width: int) -> tuple[float, ...]:
    """(width of the content, of the view, elements that stick out, smallest letters in px, entries)."""
    wrapper = folder / f"{width}.html"
    wrapper.write_text(MEASURE.format(width=width, page=html.escape(text)))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command = [chromium, *options, "--virtual-time-budget=10000", "--dump-dom", wrapper.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    title = re.search(r"<title>([^<]*)</title>", dom)
    assert title is not None
    return tuple(float(part) for part in title[1].split(","))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [320, 380, 1440])
def test_the_report_fits_its_window(chromium: str, tmp_path: Path, language: Language, width: int) -> None:
    """WCAG 1.4.10: no scrolling sideways from 320 px on, also with names that have no place to break."""
    person = {"subject": "u", "name": "W" * 200, "organisation": "é" * 200, "roles": [{"code": "M" * 99}]}
    found = findings(log_of([*ALL_KINDS, bodies.consultation(person=person, request="long")]), OUR_PATIENT, PARIS)
    text = page.as_html(found, frame(language, Naming.PERSON))
    content, view, sticking_out, letters, entries = measured(chromium, tmp_path, text, width)
    assert content <= view
    assert sticking_out == 0
    assert letters >= 14
    assert entries == len(found.looks) + len(found.attempts)
