"""Why the log took no record stands in the process log at once, and does not fill it."""

import pytest
import structlog

from plugin.cli import worker


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The steady clock, to be set."""
    now = [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: now[0])
    return now


def test_each_reason_is_told_at_once_and_again_after_a_while(clock: list[float]) -> None:
    """A burst of refusals is a line; a second reason beside the first is not hidden by it."""
    refusals = worker._Refusals()
    with structlog.testing.capture_logs() as lines:
        for problem in ("full", "full", "locked", "full"):
            refusals(problem)
        clock[0] += worker.OWED_SECONDS
        refusals("full")
    assert [line["problem"] for line in lines] == ["full", "locked", "full"]


def test_reasons_without_end_are_not_remembered_without_end(clock: list[float]) -> None:
    """Their sentences come from elsewhere."""
    refusals = worker._Refusals()
    with structlog.testing.capture_logs():
        for number in range(10 * refusals.MOST):
            refusals(f"reason {number}")
    assert len(refusals._told) <= refusals.MOST
