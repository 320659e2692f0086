"""The whole of SMART App Launch with the pretend EHR: real sockets, a real authorization server, a real browser."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.addresses import Addresses, PortError

CHECKOUT = Path(__file__).resolve().parents[2]
MILLISECONDS = 60_000
"""A browser on a busy machine."""

pytestmark = pytest.mark.slow


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Addresses]:
    """The running demonstration."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    try:
        addresses = Addresses.free(range(24_500 + worker * 200, 24_700 + worker * 200, 10))
    except PortError as taken:
        pytest.skip(str(taken))
    command = [sys.executable, "-m", "demo.run", "--port-base", str(addresses.port_base)]
    process = subprocess.Popen(
        [*command, "--state", str(tmp_path / "run")],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("Ctrl-C stops" in line for line in process.stdout)
        yield addresses
    finally:
        process.terminate()
        process.wait(30)


def views(context: object) -> dict[str, dict[str, object]]:
    return {each["name"]: each for each in context.cookies() if "vitrine-view" in each["name"]}


def test_an_ehr_opens_the_viewer_in_a_frame_and_in_a_tab(demo: Addresses, browser: object, tmp_path: Path) -> None:
    """Each is a view with a cookie of its own, in the store of where it stands; both are recorded."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(MILLISECONDS)
    page.goto(f"{demo.ehr}/patients/ehr-1001")
    with page.expect_response(lambda answer: "/view/" in answer.url) as framed:
        page.frame_locator("iframe").locator("button[value=continue]").click()
    view = framed.value.url.split("/view/")[1].split("/")[0]
    assert views(context).keys() == {f"__Host-vitrine-view-{view}"}
    kept = views(context)[f"__Host-vitrine-view-{view}"]
    assert (kept["sameSite"], kept["secure"], kept["httpOnly"]) == ("None", True, True)
    with context.expect_page() as opened:
        page.locator("a[target=_blank]").click()
    tab = opened.value
    tab.set_default_timeout(MILLISECONDS)
    with tab.expect_response(lambda answer: "/view/" in answer.url) as alone:
        tab.locator("button[value=continue]").click()
    other = alone.value.url.split("/view/")[1].split("/")[0]
    assert views(context).keys() == {f"__Host-vitrine-view-{each}" for each in (view, other)}
    assert views(context)[f"__Host-vitrine-view-{other}"]["sameSite"] == "Lax"
    command = [sys.executable, "-m", "plugin.cli", "--config", str(tmp_path / "run" / "vitrine.toml")]
    listed = subprocess.run(
        [*command, "audit", "list", "--reason", "test", "--format", "text"],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.count("session:opened") == 2
    assert all(each["value"] not in listed.stdout for each in context.cookies())
    context.close()
