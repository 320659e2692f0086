"""Quotas: a view is not an extractor, across workers and restarts, and an hour is an hour."""

import re
import threading
from pathlib import Path

import apsw
import pytest

from plugin.errors import StateUnavailable
from plugin.settings.rules import Limits
from plugin.state.quotas import HOUR, Charged, Quotas

KEY = b"k" * 32


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Counter(Quotas):
    """With the answer as most tests want it."""

    def within(self, person: str, patient: str | None, **tighter: int) -> bool:
        return self.charge(person, patient, **tighter) is Charged.WITHIN


def quotas(path: Path, clock: Clock, *, consultations: int = 600, patients: int = 60) -> Counter:
    return Counter(path / "quotas.sqlite", KEY, consultations=consultations, patients=patients, clock=clock)


def test_sixty_patients_an_hour(tmp_path: Path, clock: Clock) -> None:
    """The sixty-first is refused, and the sixty stay within reach."""
    limits = Limits()
    counter = quotas(tmp_path, clock, patients=limits.patients_per_person_hour)
    assert [counter.within("roy", f"p{n}") for n in range(61)] == [True] * 60 + [False]
    assert counter.within("roy", "p0")
    assert not counter.within("roy", "p60"), "asking again does not make it one of the sixty"
    assert counter.within("kim", "p60"), "another person has a quota of their own"


def test_six_hundred_looks_an_hour(tmp_path: Path, clock: Clock) -> None:
    """At one patient too: also when no patient is named."""
    counter = quotas(tmp_path, clock, consultations=Limits().consultations_per_person_hour)
    assert all(counter.within("roy", "p1") for _ in range(300))
    assert all(counter.within("roy", None) for _ in range(300))
    assert not counter.within("roy", "p1")
    assert not counter.within("roy", None)


def test_an_hour_passes(tmp_path: Path, clock: Clock) -> None:
    """Looks count for an hour, each from its own moment; refused ones do not prolong the wait without end."""
    counter = quotas(tmp_path, clock, consultations=2)
    assert counter.within("roy", "p1")
    clock.now += HOUR / 2
    assert counter.within("roy", "p1")
    assert not counter.within("roy", "p1")
    for _ in range(100):
        counter.within("roy", "p1")
    clock.now += HOUR / 2 + 1
    assert not counter.within("roy", "p1"), "the second look and one refusal still count"
    clock.now += HOUR + 1
    assert counter.within("roy", "p1")


def test_a_clock_that_was_a_day_ahead_bars_nobody_for_a_day(tmp_path: Path, clock: Clock) -> None:
    """What was counted then is of nobody knows when; what is dated a little ahead may be another process's."""
    counter = quotas(tmp_path, clock, consultations=2)
    clock.now += 24 * HOUR
    assert [counter.within("roy", "p1") for _ in range(3)] == [True, True, False]
    clock.now -= 24 * HOUR
    assert [counter.within("roy", "p1") for _ in range(3)] == [True, True, False]
    clock.now -= 1
    assert not counter.within("roy", "p1")
    clock.now += HOUR + 2
    assert counter.within("roy", "p1")


def test_workers_share_one_file(tmp_path: Path, clock: Clock) -> None:
    """Each worker process has its own Quotas."""
    one, two = quotas(tmp_path, clock, consultations=3), quotas(tmp_path, clock, consultations=3)
    assert [one.within("roy", "p"), two.within("roy", "p"), one.within("roy", "p"), two.within("roy", "p")] == [
        True, True, True, False,
    ]  # fmt: skip


def test_a_restart_forgets_nothing(tmp_path: Path, clock: Clock) -> None:
    """Or a crash loop would be a way around."""
    assert quotas(tmp_path, clock, patients=1).within("roy", "p1")
    assert not quotas(tmp_path, clock, patients=1).within("roy", "p2")


def test_threads_do_not_slip_through_together(tmp_path: Path, clock: Clock) -> None:
    """The count and the look are one transaction."""
    two = [quotas(tmp_path, clock, consultations=20) for _ in range(2)]
    verdicts: list[bool] = []

    def ask(counter: Counter) -> None:
        verdicts.extend(counter.within("roy", "p") for _ in range(10))

    threads = [threading.Thread(target=ask, args=(two[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts.count(True) == 20


def test_the_file_names_nobody_and_stays_small(tmp_path: Path, clock: Clock) -> None:
    """Keyed hashes only; what is older than an hour is swept."""
    counter = quotas(tmp_path, clock)
    for n in range(50):
        counter.within("https://login.example dr-roy", f"patient-{n}")
    assert b"dr-roy" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"patient-" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    clock.now += HOUR + 1
    counter.within("kim", None)
    assert apsw.Connection(str(tmp_path / "quotas.sqlite")).execute("SELECT count(*) FROM looks").get == 1


def test_a_tighter_limit_counts_and_a_wider_one_does_not(tmp_path: Path, clock: Clock) -> None:
    """Whatever the limit, it is held against all that the person did within the hour."""
    counter = quotas(tmp_path, clock, consultations=3, patients=2)
    assert counter.within("roy", "p1", consultations=600, patients=60)
    assert not counter.within("roy", "p2", patients=1)
    assert counter.within("roy", "p1", patients=1), "a patient who was seen stays within reach"
    assert not counter.within("roy", "p1", consultations=600)
    assert counter.within("kim", "p1", consultations=1)
    assert not counter.within("kim", "p1", consultations=1)


def test_somebody_beyond_a_quota_is_told_of_once_an_hour(tmp_path: Path, clock: Clock) -> None:
    """By whichever process notices; an hour later, or when the clock was set back, again."""
    one, two = quotas(tmp_path, clock, consultations=1), quotas(tmp_path, clock, consultations=1)
    assert one.charge("roy", "p") is Charged.WITHIN
    assert [each.charge("roy", "p") for each in (one, two, one)] == [
        Charged.FIRST_BEYOND, Charged.BEYOND, Charged.BEYOND,
    ]  # fmt: skip
    two.charge("kim", "p")
    assert two.charge("kim", "p") is Charged.FIRST_BEYOND
    clock.now -= 10 * HOUR
    assert two.charge("roy", "p") is Charged.WITHIN
    assert two.charge("roy", "p") is Charged.FIRST_BEYOND
    clock.now += 20 * HOUR
    assert two.charge("roy", "p") is Charged.WITHIN
    assert two.charge("roy", "p") is Charged.FIRST_BEYOND
    assert b"roy" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_an_older_file_learns_to_tell(tmp_path: Path, clock: Clock) -> None:
    """One that an earlier version made counts on."""
    connection = apsw.Connection(str(tmp_path / "quotas.sqlite"))
    connection.execute("CREATE TABLE looks (person BLOB NOT NULL, at REAL NOT NULL, patient BLOB)")
    connection.close()
    assert quotas(tmp_path, clock).within("roy", "p1")


def test_no_counter_no_look(tmp_path: Path, clock: Clock) -> None:
    """A quota that cannot be kept is not a quota that is met."""
    (tmp_path / "quotas.sqlite").mkdir()
    with pytest.raises(StateUnavailable):
        quotas(tmp_path, clock).within("roy", "p1")


@pytest.mark.parametrize(
    "field", ["patients_per_person_hour", "consultations_per_person_hour", "resources_per_consultation"]
)
def test_configuration_tightens_and_never_widens(field: str) -> None:
    """The built-in limits are the most that a deployer can allow."""
    built_in = getattr(Limits(), field)
    assert getattr(Limits.model_validate({field: 1}), field) == 1
    for wrong in (built_in + 1, 0, -1):
        with pytest.raises(ValueError, match=field):
            Limits.model_validate({field: wrong})


@pytest.mark.parametrize(
    ("table", "about"),
    [
        ({"consultations_per_person_hour": 5}, "role"),
        ({"client": "results-pane"}, "must give"),
        ({"role": "physician", "patients_per_person_hour": 5}, "system|code"),
        ({"role": "|x", "patients_per_person_hour": 5}, "system|code"),
        ({"client": "c", "patients_per_person_hour": 61}, "patients_per_person_hour"),
        ({"client": "c", "patients_per_person_hour": 0}, "patients_per_person_hour"),
        ({"client": "c", "consultations_per_person_hour": 601}, "consultations_per_person_hour"),
        ({"client": "c", "person": "x", "patients_per_person_hour": 5}, "person"),
    ],
)
def test_a_tighter_limit_says_whose_it_is_and_what_it_tightens(table: dict[str, object], about: str) -> None:
    """One that would bind nobody, or tighten nothing, is a mistake that stops the start."""
    with pytest.raises(ValueError, match=re.escape(about)):
        Limits.model_validate({"tighter": [table]})
