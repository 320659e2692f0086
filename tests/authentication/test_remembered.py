"""What is remembered of tokens: no more than is believed, and no more than fits."""

from plugin.authentication.remembered import Remembered


def test_what_is_not_believed_any_more_is_not_held_for_those_who_never_come_back():
    """A day has many tokens; a worker would hold the identity of each of them."""
    remembered = Remembered[str](10_000)
    for minute in range(100):
        for person in range(20):
            remembered.keep(f"{minute}-{person}".encode(), "known", now=minute * 60.0, until=minute * 60.0 + 60)
    assert len(remembered._entries) <= 40
    assert remembered.get(b"99-3", 99 * 60.0 + 59) == "known"
    assert remembered.get(b"99-3", 100 * 60.0) is None


def test_a_clock_that_was_set_back_makes_nothing_longer():
    """Else a token that its issuer has withdrawn would be believed for as long as the clock had been wrong."""
    remembered = Remembered[str](2)
    remembered.keep(b"token", "known", now=3600.0, until=3660.0)
    assert remembered.get(b"token", 0.0) is None


def test_who_was_asked_for_least_recently_goes_first():
    """A flood of new tokens drives out those that nobody uses."""
    remembered = Remembered[str](2)
    for name in (b"first", b"second"):
        remembered.keep(name, "known", now=0.0, until=60.0)
    assert remembered.get(b"first", 1.0) == "known"
    remembered.keep(b"third", "known", now=2.0, until=60.0)
    assert remembered.get(b"second", 3.0) is None
    assert remembered.get(b"first", 3.0) == "known"


def test_what_is_not_believed_at_all_is_not_held():
    """A token that ends this second."""
    remembered = Remembered[str](2)
    remembered.keep(b"ended", "known", now=60.0, until=60.0)
    assert not remembered._entries
