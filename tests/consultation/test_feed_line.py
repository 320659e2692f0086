"""One laboratory that hangs or falls takes nothing from the others, and is asked again when it may have recovered."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from structlog.testing import capture_logs

from fhir_adapters.breaker import FAILURES_TO_OPEN, OPEN_SECONDS, Breaker, Bulkhead
from fhir_adapters.interface import Call, Deadline, FeedAnswerInvalid, FeedError, FeedTimeout, FeedUnavailable
from plugin.cli.workers import THREADS
from plugin.consultation.admission import PLACES, Admission
from plugin.consultation.feed_line import FAIR_SECONDS, SLOTS, WAITING, EhrLine, FeedLine
from plugin.errors import EhrUnreachable, FeedBusy, FeedFailed, FeedTooSlow, Overloaded
from tests.world import LAB_BASE, MemoryFeed

CALL = Call(Deadline.after(3600.0), "r.1")


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


def fail(line: FeedLine, feed: MemoryFeed, error: FeedError, times: int, call: Call = CALL) -> None:
    feed.failure = error
    for _ in range(times):
        with pytest.raises(FeedFailed):
            line.read("Observation", "o1", call)
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


def test_a_feed_that_was_given_no_time_is_not_left_alone_for_it(line: FeedLine, feed: MemoryFeed, clock: Clock) -> None:
    """Look-ups after a slow page, or a feed behind a slow EHR, have what is left: that closed a sound feed to all."""
    late = Call(Deadline.after(FAIR_SECONDS - 1), "r.1")
    fail(line, feed, FeedTimeout("x"), FAILURES_TO_OPEN * 3, late)
    assert line.read("Observation", "o1", CALL) is None
    fail(line, feed, FeedTimeout("x"), FAILURES_TO_OPEN)
    clock.now += OPEN_SECONDS
    fail(line, feed, FeedTimeout("x"), 1, late)  # the one that tries tells nothing, and the next one tries
    assert line.read("Observation", "o1", CALL) is None


def test_a_feed_that_cannot_be_reached_is_left_alone_however_little_time_there_was(
    line: FeedLine, feed: MemoryFeed
) -> None:
    """It said so by itself."""
    fail(line, feed, FeedUnavailable("x"), FAILURES_TO_OPEN, Call(Deadline.after(0), "r.1"))
    with pytest.raises(FeedBusy):
        line.read("Observation", "o1", CALL)


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


def test_the_process_log_says_once_that_a_feed_is_left_alone_and_why_and_once_that_it_answers(
    line: FeedLine, feed: MemoryFeed, clock: Clock
) -> None:
    """Who looks for why nothing is shown finds the hour and the cause; a long outage is no flood of lines."""
    with capture_logs() as lines:
        fail(line, feed, FeedUnavailable("lab could not be reached"), FAILURES_TO_OPEN)
        for _ in range(3):
            clock.now += OPEN_SECONDS
            fail(line, feed, FeedUnavailable("lab could not be reached"), 1)
        clock.now += OPEN_SECONDS
        feed.failure = None
        for _ in range(2):
            line.search("Observation", (), CALL)
    assert [(each["log_level"], each["source"], each.get("problem")) for each in lines] == [
        ("warning", line.id, "lab could not be reached"),
        ("info", line.id, None),
    ]


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


class Hung(MemoryFeed):
    """A laboratory that does not answer until told to."""

    def __init__(self) -> None:
        super().__init__("lab", LAB_BASE)
        self.asked, self.told = threading.Semaphore(0), threading.Event()

    def read(self, *_: object) -> None:
        """Nothing, once told."""
        self.asked.release()
        assert self.told.wait(60)


@contextmanager
def waiting(line: FeedLine, hung: Hung) -> Iterator[None]:
    """As many as may wait for a hung laboratory's answer, while the block lasts; all have had it after."""
    with ThreadPoolExecutor(SLOTS) as several:
        answers = [several.submit(line.read, "Observation", "o1", CALL) for _ in range(SLOTS)]
        try:
            assert all(hung.asked.acquire(timeout=60) for _ in answers)
            yield
        finally:
            hung.told.set()
        assert [answer.result() for answer in answers] == [None] * SLOTS


def test_a_hung_feed_never_holds_more_than_its_share(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the threads; beyond, its callers are refused, and another feed's find theirs."""
    monkeypatch.setattr("fhir_adapters.breaker.PATIENCE_SECONDS", 0.01)
    hung = Hung()
    line = FeedLine(hung, clock)
    other = FeedLine(MemoryFeed("imaging", "https://imaging.example/fhir"), clock)
    with waiting(line, hung):
        with pytest.raises(FeedBusy) as refused:
            line.read("Observation", "o1", CALL)
        assert refused.value.feed_answer == "busy"
        assert other.read("Observation", "o1", CALL) is None
    assert line.read("Observation", "o1", CALL) is None
    assert SLOTS + WAITING == THREADS // 2
    assert SLOTS >= FAILURES_TO_OPEN, "those that waited through one deadline open the breaker; nobody waits for two"


def test_nobody_waits_behind_one_that_waited_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed that hangs holds a thread for each question, and none for those that could only be refused later."""
    monkeypatch.setattr("fhir_adapters.breaker.PATIENCE_SECONDS", 0.01)
    bulkhead = Bulkhead(1, 1)
    with bulkhead.place():
        with bulkhead.place() as second:
            assert not second
        monkeypatch.setattr("fhir_adapters.breaker.PATIENCE_SECONDS", 600)
        with bulkhead.place() as third:
            assert not third
    with bulkhead.place() as fourth:
        assert fourth


def test_who_waits_for_a_feed_leaves_the_place_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feeds that hang would take every place between them; a failed question comes back to its place as well."""
    monkeypatch.setattr("plugin.consultation.admission.PATIENCE_SECONDS", 0.01)
    admission = Admission(1)

    def others(ask: Callable[[], object]) -> bool:
        with ThreadPoolExecutor(1) as other:
            return other.submit(ask).exception() is None

    def work() -> None:
        with admission.place():
            pass

    class Feed(MemoryFeed):
        """One at which others find a place while it is asked."""

        def read(self, *_: object) -> None:
            assert others(work)
            raise FeedTimeout("x")

    line = FeedLine(Feed("lab", LAB_BASE))
    ehr = EhrLine(Feed("ehr", LAB_BASE))
    with admission.place():
        for each, expected in ((line, FeedTooSlow), (ehr, EhrUnreachable), (line, FeedTooSlow)):
            with pytest.raises(expected):
                each.read("Observation", "o1", CALL)
            assert not others(work)
        assert line.side_by_side(lambda _, thing: (thing, others(work)), "ab") == [("a", True), ("b", True)]
        assert not others(work)
    assert others(work)


def test_only_so_many_wait() -> None:
    """Whoever comes beyond is refused at once, without holding a thread of the server."""
    bulkhead = Bulkhead(1, 0)
    with bulkhead.place() as first, bulkhead.place() as second:
        assert (first, second) == (True, False)
    with bulkhead.place() as again:
        assert again


def test_a_place_is_given_back_whatever_happens_in_it(line: FeedLine, feed: MemoryFeed) -> None:
    """A leak would close the feed for good."""
    feed.failure = ZeroDivisionError()  # type: ignore[assignment]
    for _ in range(FAILURES_TO_OPEN - 1):
        with pytest.raises(ZeroDivisionError):
            line.read("Observation", "o1", CALL)
    feed.failure = None
    for _ in range(SLOTS * 2):
        assert line.side_by_side(lambda own, thing: (own.read(thing, "1", CALL), thing), "ab") == [
            (None, "a"),
            (None, "b"),
        ]


def test_admission_has_its_places_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has more threads, so that refusals never wait for one."""
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
