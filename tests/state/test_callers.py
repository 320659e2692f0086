"""Unidentified callers: counted exactly, bounded in number, held off by address."""

import threading

import pytest

from plugin.state.callers import BUCKET_REFILL, BUCKET_SIZE, MAX_KEYS, OTHER, Callers, Refusals


class Clock:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_only_failed_authentications_are_held_against_an_address(clock: Clock) -> None:
    """Asking without a token is how clients find out where to get one."""
    callers = Callers(clock)
    for _ in range(BUCKET_SIZE * 2):
        callers.refused("no-credential", "facade", "192.0.2.1", charged=False)
    assert callers.admits("192.0.2.1")
    for _ in range(BUCKET_SIZE):
        assert callers.admits("192.0.2.1")
        callers.refused("invalid-token", "facade", "192.0.2.1", charged=True)
    assert not callers.admits("192.0.2.1")
    assert callers.admits("192.0.2.2"), "its neighbour did nothing"


def test_the_bucket_drains_with_time(clock: Clock) -> None:
    """A ward behind one proxy signs in badly once, not for ever."""
    callers = Callers(clock)
    for _ in range(BUCKET_SIZE):
        callers.refused("invalid-token", "facade", "192.0.2.1", charged=True)
    clock.now += 1 / BUCKET_REFILL
    assert callers.admits("192.0.2.1")
    callers.refused("invalid-token", "facade", "192.0.2.1", charged=True)
    assert not callers.admits("192.0.2.1")


def test_a_flood_from_everywhere_costs_a_bounded_table(clock: Clock) -> None:
    """What does not fit shares one bucket, and one count; no refusal is lost."""
    callers = Callers(clock)
    for n in range(MAX_KEYS + BUCKET_SIZE):
        callers.refused(f"reason-{n}", "facade", f"host-{n}", charged=True)
    assert not callers.admits("yet another")
    assert callers.admits("host-0")
    drained = callers.drain()
    assert len(drained) == MAX_KEYS + 1
    assert sum(each.count for each in drained) == MAX_KEYS + BUCKET_SIZE
    assert [each.count for each in drained if each.reason == OTHER] == [BUCKET_SIZE]


def test_draining_forgets_addresses_that_are_quiet_again(clock: Clock) -> None:
    """Addresses are kept no longer than they matter."""
    callers = Callers(clock)
    callers.refused("invalid-token", "facade", "192.0.2.1", charged=True)
    clock.now += 60
    callers.drain()
    assert "192.0.2.1" not in repr(callers)


def test_counts_are_exact_with_their_span(clock: Clock) -> None:
    """One summary for each reason and family of routes."""
    callers = Callers(clock)
    callers.refused("invalid-token", "facade", "a", charged=True)
    clock.now += 5
    callers.refused("invalid-token", "facade", "b", charged=True)
    callers.refused("invalid-token", "viewer", "b", charged=True)
    clock.now += 5
    assert callers.drain() == [
        Refusals("invalid-token", "facade", 2, 1000.0, 1010.0),
        Refusals("invalid-token", "viewer", 1, 1005.0, 1010.0),
    ]
    assert callers.drain() == []


def test_counts_that_could_not_be_recorded_are_put_back(clock: Clock) -> None:
    """With those that came in the meantime, and since when."""
    callers = Callers(clock)
    callers.refused("invalid-token", "facade", "a", charged=True)
    drained = callers.drain()
    clock.now += 60
    callers.refused("invalid-token", "facade", "a", charged=True)
    callers.restore(drained)
    assert callers.drain() == [Refusals("invalid-token", "facade", 2, 1000.0, 1060.0)]


def test_an_outage_of_the_ledger_does_not_grow_the_table(clock: Clock) -> None:
    """Counts put back minute after minute stay within the same bound, and stay exact."""
    callers = Callers(clock)
    for minute in range(3):
        drained = callers.drain()
        for n in range(MAX_KEYS):
            callers.refused(f"reason-{minute}-{n}", "facade", "a", charged=False)
        callers.restore(drained)
    drained = callers.drain()
    assert len(drained) <= MAX_KEYS + 1
    assert sum(each.count for each in drained) == 3 * MAX_KEYS


def test_threads_lose_no_count(clock: Clock) -> None:
    """Exact but for a crash."""
    callers = Callers(clock)

    def knock() -> None:
        for _ in range(500):
            callers.refused("invalid-token", "facade", "a", charged=True)

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.count for each in callers.drain()] == [2000]
