"""Openings of broken glass: shared by all processes, ended by a clock that was set back, told to nobody by the file."""

import time
from pathlib import Path

import pytest
import structlog

from plugin.errors import StateUnavailable
from plugin.state.openings import CLAIM_SECONDS, FILE, Opening, Openings

KEYS = [b"k" * 32]
NOW = 1_800_000_000.0
PERSON = "https://login.example dr-roy"
OPENING = Opening("req-1.1", "https://login.example", "dr-roy", "hospital", "p1", "other", opened=NOW, until=NOW + 1800)


def standing(folder: Path) -> Openings:
    """With the opening begun."""
    openings = Openings(folder, KEYS)
    assert openings.reserve(OPENING, NOW)
    assert openings.begin(OPENING)
    return openings


def test_what_is_reserved_does_not_stand_and_what_has_begun_does(tmp_path: Path) -> None:
    """Between the two its record becomes durable."""
    openings = Openings(tmp_path, KEYS)
    openings.reserve(OPENING, NOW)
    reserved = openings.find(PERSON, "hospital", "p1")
    assert reserved is not None
    assert not reserved.covers(NOW)
    assert not reserved.began
    assert openings.begin(OPENING)
    assert openings.find(PERSON, "hospital", "p1") == OPENING
    assert OPENING.began


def test_it_is_of_one_person_one_patient_and_one_hospital(tmp_path: Path) -> None:
    """And every process sees it."""
    standing(tmp_path)
    other = Openings(tmp_path, KEYS)
    assert other.find(PERSON, "hospital", "p1") == OPENING
    assert other.find(PERSON, "hospital", "p2") is None
    assert other.find(PERSON, "clinic", "p1") is None
    assert other.find("https://login.example dr-kim", "hospital", "p1") is None


def test_two_windows_open_once(tmp_path: Path) -> None:
    """The second finds it taken."""
    openings = standing(tmp_path)
    assert not openings.reserve(OPENING, NOW)


@pytest.mark.parametrize(("moment", "covered"), [(0.0, True), (1799.9, True), (1800.0, False), (-0.1, False)])
def test_it_lasts_its_time_and_a_clock_set_back_ends_it(moment: float, covered: bool) -> None:
    """A clock that is set back would prolong it otherwise."""
    assert OPENING.covers(NOW + moment) is covered


def test_one_process_is_given_each_end_to_record(tmp_path: Path) -> None:
    """Another one tries when that one died."""
    openings, other = standing(tmp_path), Openings(tmp_path, KEYS)
    assert openings.claim_ended(NOW + 1799) == []
    end = NOW + 1800
    assert [each.record for each in other.claim_ended(end)] == ["req-1.1"]
    assert openings.claim_ended(end + CLAIM_SECONDS - 1) == []
    assert [each.opening for each in openings.claim_ended(end + CLAIM_SECONDS)] == [OPENING]
    openings.forget("req-1.1")
    assert other.claim_ended(end + 10 * CLAIM_SECONDS) == []


def test_a_clock_set_back_ends_it_and_claims_of_a_time_to_come_do_not_count(tmp_path: Path) -> None:
    """Nobody waits for a moment that may be years away."""
    openings = standing(tmp_path)
    assert [each.record for each in openings.claim_ended(NOW - 86_400)] == ["req-1.1"]
    assert [each.record for each in openings.claim_ended(NOW - 2 * 86_400)] == ["req-1.1"]


def test_closed_is_closed_at_once_and_its_end_is_the_closers_to_record(tmp_path: Path) -> None:
    """Whoever closes twice is told."""
    openings = standing(tmp_path)
    assert openings.end("req-1.1", NOW + 10)
    assert not openings.end("req-1.1", NOW + 11)
    found = openings.find(PERSON, "hospital", "p1")
    assert found is not None
    assert not found.covers(NOW + 10)
    assert openings.claim_ended(NOW + 10) == []
    assert [each.until for each in openings.claim_ended(NOW + 10 + CLAIM_SECONDS)] == [NOW + 10]


def test_an_older_key_still_finds_it_and_a_lost_one_ends_it(tmp_path: Path) -> None:
    """What cannot be read is no access; that it ended is recorded all the same, without a name."""
    standing(tmp_path)
    assert Openings(tmp_path, [b"n" * 32, *KEYS]).find(PERSON, "hospital", "p1") == OPENING
    lost = Openings(tmp_path, [b"n" * 32])
    assert lost.find(PERSON, "hospital", "p1") is None
    (ended,) = lost.claim_ended(NOW + 1800)
    assert (ended.record, ended.opening) == ("req-1.1", None)


def test_the_file_makes_no_opening_longer_and_names_nobody(tmp_path: Path) -> None:
    """Its times are sealed with the names."""
    openings = standing(tmp_path)
    with openings._database.writing() as connection:
        connection.execute("UPDATE openings SET until = until + 86400")
    assert openings.find(PERSON, "hospital", "p1") == OPENING
    text = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"dr-roy" not in text


def test_a_state_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """Not to know is not to be allowed."""
    (tmp_path / FILE).mkdir()
    with pytest.raises(StateUnavailable):
        Openings(tmp_path, KEYS).find(PERSON, "hospital", "p1")


def test_the_process_log_names_a_file_that_cannot_be_used_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody is refused meanwhile, and none of them hears of a file."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    (tmp_path / FILE).write_bytes(b"no database " * 100)
    openings = Openings(tmp_path, KEYS)
    with structlog.testing.capture_logs() as lines:
        for now[0] in (1000.0, 1059.0, 1061.0):
            with pytest.raises(StateUnavailable):
                openings.find(PERSON, "hospital", "p1")
    assert [(line["file"], line["problem"]) for line in lines] == [(str(tmp_path / FILE), "NotADBError")] * 2
