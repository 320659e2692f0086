"""One thread fetches; the others do not wait for it where they need not."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from fhir_adapters.interface import FeedTimeout
from plugin.authentication.refreshed import Refreshed
from plugin.errors import IssuerUnreachable


class SlowSource:
    """Answers with the number of the question, each time after `go` is set."""

    def __init__(self) -> None:
        self.questions = 0
        self.asked = threading.Event()
        self.go = threading.Event()
        self.fails = False

    def __call__(self) -> int:
        self.questions += 1
        self.asked.set()
        assert self.go.wait(30)
        if self.fails:
            raise FeedTimeout("an issuer did not answer in time")
        return self.questions


@pytest.fixture
def source():
    return SlowSource()


@pytest.fixture
def value(source, clock):
    return Refreshed("numbers", source, refresh=300, lifetime=600, monotonic=clock)


def test_an_ageing_value_is_used_while_one_thread_refreshes_it(source, value, clock):
    """A hung issuer must not hold every thread of the gateway."""
    source.go.set()
    assert value.current() == 1
    source.go.clear()
    source.asked.clear()
    clock.now += 400
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(value.current)
        assert source.asked.wait(30)
        assert value.current() == 1
        source.go.set()
        assert refreshing.result(30) == 2
    assert source.questions == 2


def test_nobody_waits_long_for_the_question_of_another(source, value):
    """Forged tokens of a hung issuer would otherwise hold as many threads as there are."""
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(value.current)
        assert source.asked.wait(30)
        with pytest.raises(IssuerUnreachable):
            value.current()
        source.go.set()
        assert loading.result(30) == 1
        source.go.clear()
        source.asked.clear()
        renewing = pool.submit(value.renewed, 1)
        assert source.asked.wait(30)
        with pytest.raises(IssuerUnreachable):
            value.renewed(1)
        source.go.set()
        assert renewing.result(30) == 2
    assert source.questions == 2


def test_a_value_is_as_old_as_its_question(source, value, clock):
    """What is withdrawn while the answer travels is withdrawn all the same."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(value.current)
        assert source.asked.wait(30)
        clock.now += 600
        source.go.set()
        with pytest.raises(IssuerUnreachable):
            waiting.result(30)


def test_all_who_wait_for_a_first_value_share_one_failure(source, value):
    """Each asking for itself would wait as long again."""
    source.fails = True
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(value.current) for _ in range(8)]
        assert source.asked.wait(30)
        source.go.set()
        assert all(isinstance(one.exception(30), IssuerUnreachable) for one in waiting)
    assert source.questions == 1


def test_a_failed_renewal_leaves_the_value_and_says_that_it_failed(source, value):
    """What could not be looked for is not known to be missing."""
    source.go.set()
    seen = value.current()
    source.fails = True
    with pytest.raises(IssuerUnreachable):
        value.renewed(seen)
    assert value.current() is seen


def test_an_outage_is_one_line_of_the_log_and_its_end_another(source, value, clock):
    """It is tried every two seconds, in each process."""
    source.go.set()
    with capture_logs() as lines:
        source.fails = True
        for _ in range(3):
            with pytest.raises(IssuerUnreachable):
                value.current()
            clock.now += 5
        source.fails = False
        for _ in range(2):
            value.current()
            clock.now += 400
    assert [(each["event"], each["log_level"]) for each in lines] == [
        ("issuer not usable", "warning"),
        ("issuer usable again", "info"),
    ]
