"""One laboratory that hangs or falls takes nothing from the others, and is asked again when it may have recovered."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fhir_adapters.breaker import FAILURES_TO_OPEN, OPEN_SECONDS, Breaker, Bulkhead
from fhir_adapters.interface import Call, Deadline, FeedAnswerInvalid, FeedError, FeedTimeout, FeedUnavailable
from plugin.consultation.admission import PLACES, Admission
from plugin.consultation.feed_line import SLOTS, WAITING, FeedLine
from plugin.errors import FeedBusy, FeedFailed, FeedTooSlow, Overloaded
from tests.world import LAB_BASE, MemoryFeed

CALL = Call(Deadline.after(60), "r.1")


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed("lab", LAB_BASE)


@pytest.fixture
def line(feed: MemoryFeed, clock: Clock) -> FeedLine:
    return FeedLine(feed, clock)


def fail(line: FeedLine, feed: MemoryFeed, error: FeedError, times: int) -> None:
    feed.failure = error
    for _ in range(times):
        with pytest.raises(FeedFailed):
            line.read("Observation", "o1", CALL)
    feed.failure = None


def test_the_breaker_opens_after_failures_in_a_row(line: FeedLine, feed: MemoryFeed) -> None:
    """The feed is left alone: each question would cost a thread its deadline."""
    fail(line, feed, FeedTimeout("x"), FAILURES_TO_OPEN)
    asked = len(feed.queries)
    with pytest.raises(FeedBusy) as refused:
        line.search("Observation", (), CALL)
    assert (refused.value.feed_answer, refused.value.status) == ("breaker-open", 503)
    assert len(feed.queries) == asked


def test_an_answer_in_between_starts_the_count_again(line: FeedLine, feed: MemoryFeed) -> None:
    """In a row means in a row."""
    for _ in range(3):
        fail(line, feed, FeedUnavailable("x"), FAILURES_TO_OPEN - 1)
        assert line.read("Observation", "o1", CALL) is None


def test_a_wrong_answer_does_not_open_it(line: FeedLine, feed: MemoryFeed) -> None:
    """A feed that answers is there; only silence opens the breaker."""
    fail(line, feed, FeedAnswerInvalid("x"), FAILURES_TO_OPEN * 3)
    assert line.read("Observation", "o1", CALL) is None


def test_a_recovered_feed_is_asked_again_within_thirty_seconds(line: FeedLine, feed: MemoryFeed, clock: Clock) -> None:
    """One question goes through; its fate decides."""
    fail(line, feed, FeedTimeout("x"), FAILURES_TO_OPEN)
    clock.now += OPEN_SECONDS
    fail(line, feed, FeedTimeout("x"), 1)
    with pytest.raises(FeedBusy):
        line.read("Observation", "o1", CALL)
    clock.now += OPEN_SECONDS
    assert clock.now <= 30
    assert line.read("Observation", "o1", CALL) is None
    assert line.read("Observation", "o1", CALL) is None


def test_only_one_question_tries(clock: Clock) -> None:
    """A crowd at a feed that just recovered would bring it down again."""
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        breaker.heard(answered=False)
    clock.now += OPEN_SECONDS
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.heard(answered=True)
    assert [breaker.allows() for _ in range(3)] == [True, True, True]


def test_a_bug_in_an_adapter_counts_as_silence_and_passes_through(line: FeedLine, feed: MemoryFeed) -> None:
    """The attempt records it; the breaker is not left half open."""
    feed.failure = KeyError("bug")  # type: ignore[assignment]
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(KeyError):
            line.read("Observation", "o1", CALL)
    with pytest.raises(FeedBusy):
        line.read("Observation", "o1", CALL)


@pytest.mark.parametrize(
    ("error", "ours", "status"), [(FeedTimeout("x"), FeedTooSlow, 504), (FeedUnavailable("x"), FeedFailed, 502)]
)
def test_errors_are_translated_without_their_words(
    line: FeedLine, feed: MemoryFeed, error: FeedError, ours: type[FeedFailed], status: int
) -> None:
    """What a feed says of itself is not told on."""
    feed.failure = error
    with pytest.raises(ours) as raised:
        line.page("p", CALL)
    assert (raised.value.status, raised.value.feed_answer) == (status, error.kind)
    assert "x" not in str(raised.value).split()


def holders(line: FeedLine, release: threading.Event, number: int) -> Iterator[threading.Thread]:
    """Threads that hold a place until `release`; each has it when this returns."""
    for _ in range(number):
        inside = threading.Event()

        def hold(inside: threading.Event = inside) -> None:
            with line.held():
                inside.set()
                release.wait(60)

        thread = threading.Thread(target=hold)
        thread.start()
        assert inside.wait(60)
        yield thread


def test_a_hung_feed_never_holds_more_than_its_share(
    line: FeedLine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the places; beyond, its callers are refused, and another feed's find theirs."""
    monkeypatch.setattr("fhir_adapters.breaker.PATIENCE_SECONDS", 0.01)
    other = FeedLine(MemoryFeed("imaging", "https://imaging.example/fhir"), clock)
    release = threading.Event()
    threads = list(holders(line, release, SLOTS))
    try:
        with pytest.raises(FeedBusy) as refused, line.held():
            pytest.fail("there was a place too many")
        assert refused.value.feed_answer == "busy"
        with other.held():
            assert other.read("Observation", "o1", CALL) is None
    finally:
        release.set()
        for thread in threads:
            thread.join()
    with line.held():
        pass
    assert PLACES // 2 == SLOTS == WAITING


def test_only_so_many_wait() -> None:
    """Whoever comes beyond is refused at once, without holding a thread of the server."""
    bulkhead = Bulkhead(1, 0)
    with bulkhead.place() as first, bulkhead.place() as second:
        assert (first, second) == (True, False)
    with bulkhead.place() as again:
        assert again


def test_a_place_is_given_back_whatever_happens_in_it(line: FeedLine) -> None:
    """A leak would close the feed for good."""
    for _ in range(SLOTS * 2):
        with pytest.raises(ZeroDivisionError), line.held():
            _ = 1 // 0


def test_admission_has_its_places_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has twice the threads, so that refusals never wait for one."""
    monkeypatch.setattr("plugin.consultation.admission.PATIENCE_SECONDS", 0.01)
    admission = Admission()
    with ExitStack() as stack:
        for _ in range(PLACES):
            stack.enter_context(admission.place())
        with pytest.raises(Overloaded) as refused, admission.place():
            pytest.fail("there was a place too many")
        assert (refused.value.status, refused.value.retry_after) == (503, 2)
    with admission.place():
        pass
