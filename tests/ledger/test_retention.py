"""Which records are past their period, and which a hold keeps."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.ledger.own import OWN_CLASS
from plugin.ledger.record import encode_time
from plugin.ledger.retention import PRESETS, Hold, Outline, Period, Selection

NOW = datetime(2026, 8, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def outline(position: int = 0, age: timedelta = 400 * DAY, **facts: str | None) -> Outline:
    known = {"tenant": "hospital", "retention_class": "consultation", "person": None, "patient": None, **facts}
    return Outline(position, encode_time(NOW - age), **known)  # type: ignore[arg-type]


def selected(records: list[Outline], *holds: Hold, **periods: str) -> Selection:
    found = Selection({(name, None): Period.parse(text) for name, text in periods.items()}, holds, NOW)
    for record in records:
        found.show(record)
    return found


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("6-months", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("1-year", datetime(2025, 8, 31, 12, tzinfo=UTC)),
        ("3-years", datetime(2023, 8, 31, 12, tzinfo=UTC)),
        ("10-years", datetime(2016, 8, 31, 12, tzinfo=UTC)),
        ("20-years", datetime(2006, 8, 31, 12, tzinfo=UTC)),
        ("1 days", datetime(2026, 8, 30, 12, tzinfo=UTC)),
        ("400 days", datetime(2025, 7, 27, 12, tzinfo=UTC)),
    ],
)
def test_a_period_ends_on_the_same_day(text, before):
    """By the calendar, as a law counts; a shorter month's last day stands for one that it does not have."""
    assert Period.parse(text).before(NOW) == before


@pytest.mark.parametrize("month", range(1, 13))
def test_half_a_year_before_any_month_is_a_day_of_the_calendar(month):
    """January too, whose half year before lies in another year."""
    before = Period.parse("6-months").before(datetime(2026, month, 15, tzinfo=UTC))
    assert (before.year * 12 + before.month, before.day) == (2026 * 12 + month - 6, 15)


@pytest.mark.parametrize("text", ["", "0 days", "-1 days", "1day", "7 years", "100000 days", "forever", "1 days "])
def test_no_other_text_is_a_period(text):
    """A period that was misread would destroy."""
    with pytest.raises(ValueError, match="a period is one of"):
        Period.parse(text)


def test_without_a_period_nothing_is_ever_due():
    """No default: the controller chooses."""
    assert selected([outline(age=20_000 * DAY)]).due() == []


def test_only_what_is_older_than_the_period_is_due():
    """To the microsecond."""
    tick = timedelta(microseconds=1)
    records = [outline(0, 10 * DAY + tick), outline(1, 10 * DAY), outline(2, 10 * DAY - tick)]
    assert [due.ranges for due in selected(records, consultation="10 days").due()] == [[[0, 0]]]


def test_each_class_has_its_own_period():
    """A refusal may be kept longer than a look; the class is in the header and never changes."""
    records = [outline(at, retention_class=("consultation", "refusal")[at % 2]) for at in range(4)]
    found = selected(records, consultation="1-year", refusal="3-years")
    assert [(due.retention_class, due.period, due.ranges) for due in found.due()] == [
        ("consultation", "1-year", [[0, 0], [2, 2]])
    ]


def test_what_explains_the_ledger_can_be_given_no_period():
    """A purge record that was purged would make every gap unexplained."""
    with pytest.raises(ValueError, match="never purged"):
        selected([], **{OWN_CLASS: "1-year"})


@pytest.mark.parametrize(
    "hold",
    [
        Hold("h", tenant="hospital"),
        Hold("h", patient="https://ehr.example/Patient/p1"),
        Hold("h", person="https://login.example s1"),
        Hold("h", first=5, last=5),
        Hold("h", first=5),
        Hold("h", last=5),
        Hold("h", tenant="hospital", patient="https://ehr.example/Patient/p1", first=0),
    ],
)
def test_a_hold_keeps_what_has_all_that_it_names(hold):
    """By tenant, patient, person or position."""
    record = outline(5, patient="https://ehr.example/Patient/p1", person="https://login.example s1")
    found = selected([record], hold, consultation="1-year")
    assert found.due() == []
    tally = found.tallies["consultation", "hospital"]
    assert (tally.due, tally.held) == (0, 1)


@pytest.mark.parametrize(
    "hold",
    [
        Hold("h", tenant="clinic"),
        Hold("h", patient="https://ehr.example/Patient/p2"),
        Hold("h", person="https://login.example s2"),
        Hold("h", first=6),
        Hold("h", last=4),
        Hold("h", tenant="hospital", patient="https://ehr.example/Patient/p2"),
    ],
)
def test_a_hold_keeps_nothing_else(hold):
    """Keeping too much is a breach too."""
    record = outline(5, patient="https://ehr.example/Patient/p1", person="https://login.example s1")
    assert [due.ranges for due in selected([record], hold, consultation="1-year").due()] == [[[5, 5]]]


def test_the_tally_says_per_class_and_tenant_how_many_from_when_to_when():
    """What a dry run shows, before anybody can regret it."""
    records = [outline(0, 500 * DAY), outline(1, 600 * DAY), outline(2, tenant="clinic"), outline(3, 1 * DAY)]
    tallies = selected(records, Hold("h", tenant="clinic"), consultation="1-year").tallies
    tally = tallies["consultation", "hospital"]
    assert (tally.due, tally.since, tally.until, tally.held) == (2, records[1].time, records[0].time, 0)
    assert (tallies["consultation", "clinic"].due, tallies["consultation", "clinic"].held) == (0, 1)


OUTLINES = st.lists(
    st.builds(
        outline,
        age=st.integers(0, 800).map(lambda days: days * DAY),
        tenant=st.sampled_from(["hospital", "clinic"]),
        retention_class=st.sampled_from(["consultation", "refusal", "operation"]),
    ),
    max_size=60,
)


@given(OUTLINES, st.lists(st.builds(Hold, st.just("h"), first=st.integers(0, 60), last=st.integers(0, 60)), max_size=2))
def test_ranges_name_exactly_what_is_due(records, holds):
    """Each position once, none between two ranges that touch: a record of a purge is as small as it can be."""
    numbered = [
        Outline(at, each.time, each.tenant, each.retention_class, None, None) for at, each in enumerate(records)
    ]
    found = selected(numbered, *holds, consultation="1-year", refusal="30 days")
    for due in found.due():
        named = [position for first, last in due.ranges for position in range(first, last + 1)]
        assert named == [
            each.position
            for each in numbered
            if each.retention_class == due.retention_class
            and each.time < due.before
            and not any(hold.keeps(each) for hold in holds)
        ]
        assert all(one[1] + 1 < other[0] for one, other in zip(due.ranges, due.ranges[1:], strict=False))


def test_settings_know_the_same_presets():
    """Two lists of one promise."""
    from plugin.settings.ledger import Preset

    assert set(get_args(Preset)) == set(PRESETS)
