"""What several rooms' tests share."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from policies import rulebook
from tests.world import World

CHROMIUM = "/usr/bin/chromium"

# A machine may be busy: how long an example takes says nothing of the code. Where CI is set, the profile that this one
# starts from leaves nothing to chance.
settings.register_profile(
    "unhurried",
    parent=settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def rules_made_once() -> Iterator[None]:
    """Equal texts are the same rules, and immutable: a thousand worlds need not parse them a thousand times."""
    made: dict[tuple[Any, ...], rulebook.Rulebook] = {}
    make = rulebook.made_of

    def made_of(texts: rulebook.Texts) -> rulebook.Rulebook:
        key = (texts.schema, *texts.policies.items(), None, *texts.tables.items())
        if key not in made:
            made[key] = make(texts)
        return made[key]

    rulebook.made_of = made_of
    yield
    rulebook.made_of = make


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A hospital, two feeds and the gateway between them."""
    return World(tmp_path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, one for all rooms: Playwright starts once in a process. Skipped where there is none."""
    from playwright.sync_api import Error, sync_playwright

    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not there: install Debian's package chromium")
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        except Error as error:
            pytest.skip(f"Chromium does not start: {error}")
        yield running
        running.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is to be installed (CI=true), a test that skips for want of a component has failed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, although CI=true: {call.excinfo.value if call.excinfo else report.longrepr}"
    return report
