"""Unidentified callers: counted exactly, bounded in number, held off by address."""

import threading
from collections.abc import Callable

import pytest

from plugin.state.callers import (
    BUCKET_REFILL,
    BUCKET_SIZE,
    EVERYTHING_ELSE,
    MAX_KEYS,
    Callers,
    Kind,
    Refusals,
    network_of,
)

FORGED = Kind("invalid-token", "facade", "192.0.2.0/24")


class Clock:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def knock(
    callers: Callers, kind: Kind = FORGED, address: str = "192.0.2.1", *, charged: bool = True
) -> Refusals | None:
    return callers.refused(kind, address, charged=charged)


def test_only_failed_authentications_are_held_against_an_address(clock: Clock) -> None:
    """Asking without a token is how clients find out where to get one."""
    callers = Callers(clock, clock)
    for _ in range(BUCKET_SIZE * 2):
        knock(callers, charged=False)
    assert callers.admits("192.0.2.1")
    for _ in range(BUCKET_SIZE):
        assert callers.admits("192.0.2.1")
        knock(callers)
    assert not callers.admits("192.0.2.1")
    assert callers.admits("192.0.2.2"), "its neighbour did nothing"


def test_a_spent_bucket_stays_spent_while_the_clock_moves_a_little(clock: Clock) -> None:
    """It is not enough that some moment passed: a whole failure has to be given back."""
    callers = Callers(clock, clock)
    for _ in range(BUCKET_SIZE):
        knock(callers)
    clock.now += 0.9 / BUCKET_REFILL
    assert not callers.admits("192.0.2.1")
    clock.now += 0.2 / BUCKET_REFILL
    assert callers.admits("192.0.2.1")
    knock(callers)
    assert not callers.admits("192.0.2.1")


def test_a_clock_that_is_set_back_holds_nobody_off(clock: Clock) -> None:
    """Somebody who mistyped once would be refused for as long."""
    callers = Callers(clock)
    knock(callers)
    clock.now -= 3600.0
    assert callers.admits("192.0.2.1")


def test_an_ipv6_network_has_one_bucket(clock: Clock) -> None:
    """Whoever owns one address of it owns all."""
    callers = Callers(clock, clock)
    for n in range(BUCKET_SIZE):
        knock(callers, address=f"2001:db8::{n + 1:x}")
    assert not callers.admits("2001:db8::ffff")


def test_the_first_of_a_kind_is_given_back_to_be_recorded_at_once(clock: Clock) -> None:
    """The others are counted, exactly, with their span."""
    callers = Callers(clock, clock)
    assert knock(callers) == Refusals(FORGED, 1, 1000.0, 1000.0)
    clock.now += 5
    assert [knock(callers) for _ in range(3)] == [None, None, None]
    clock.now += 5
    assert callers.drain() == [Refusals(FORGED, 3, 1005.0, 1010.0)]
    assert callers.drain() == []


def test_a_kind_is_known_while_it_goes_on_and_a_first_again_after_a_quiet_minute(clock: Clock) -> None:
    """So that an attack of an hour leaves one record a minute, and the next one is seen at once."""
    callers = Callers(clock, clock)
    knock(callers)
    knock(callers)
    callers.drain()
    assert knock(callers) is None
    callers.drain()
    callers.drain()
    assert knock(callers) is not None


def test_kinds_differ_by_reason_family_network_and_verified_subject(clock: Clock) -> None:
    callers = Callers(clock, clock)
    kinds = [
        FORGED,
        Kind("expired-token", "facade", "192.0.2.0/24"),
        Kind("invalid-token", "viewer", "192.0.2.0/24"),
        Kind("invalid-token", "facade", "198.51.100.0/24"),
        Kind("invalid-token", "facade", "192.0.2.0/24", "https://login.example dr-roy results-pane"),
    ]
    assert [knock(callers, kind) is not None for kind in kinds + kinds] == [True] * 5 + [False] * 5


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:0:ff7::1", "2001:db8:0:f00::/56"), ("unknown", "unknown")],
)
def test_an_address_is_told_by_its_network_only(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_flood_from_everywhere_costs_a_bounded_table(clock: Clock) -> None:
    """What does not fit shares one count, and holds nobody back; no refusal is lost."""
    callers = Callers(clock, clock)
    callers_from: Callable[[int], Kind] = lambda n: Kind(f"reason-{n}", "facade", "192.0.2.0/24")  # noqa: E731
    firsts = [knock(callers, callers_from(n), f"host-{n}") for n in range(MAX_KEYS + BUCKET_SIZE)]
    assert callers.admits("yet another"), "it did nothing"
    assert len(callers._buckets) == MAX_KEYS
    assert sum(each is not None for each in firsts) == MAX_KEYS + 1
    [rest] = callers.drain()
    assert (rest.kind, rest.count) == (EVERYTHING_ELSE, BUCKET_SIZE - 1)


def test_draining_forgets_addresses_that_are_quiet_again(clock: Clock) -> None:
    """Addresses are kept no longer than they matter."""
    callers = Callers(clock, clock)
    knock(callers)
    clock.now += 60
    callers.drain()
    assert "192.0.2.1" not in repr(callers)


def test_counts_that_could_not_be_recorded_are_put_back(clock: Clock) -> None:
    """With those that came in the meantime, and since when."""
    callers = Callers(clock, clock)
    first = knock(callers)
    assert first is not None
    callers.restore([first])
    clock.now += 60
    knock(callers)
    assert callers.drain() == [Refusals(FORGED, 2, 1000.0, 1060.0)]


def test_an_outage_of_the_ledger_does_not_grow_the_table(clock: Clock) -> None:
    """Counts put back minute after minute stay within the same bound, and stay exact."""
    callers = Callers(clock, clock)
    for minute in range(3):
        drained = callers.drain()
        for n in range(MAX_KEYS):
            first = knock(callers, Kind(f"reason-{minute}-{n}", "facade", "a"), charged=False)
            callers.restore([first] if first else [])
        callers.restore(drained)
    drained = callers.drain()
    assert len(drained) <= MAX_KEYS + 1
    assert sum(each.count for each in drained) == 3 * MAX_KEYS


def test_threads_lose_no_count(clock: Clock) -> None:
    """Exact but for a crash."""
    callers = Callers(clock, clock)
    firsts: list[Refusals] = []

    def go() -> None:
        for _ in range(500):
            if (first := knock(callers)) is not None:
                firsts.append(first)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(firsts) == 1
    assert [each.count for each in callers.drain()] == [1999]
