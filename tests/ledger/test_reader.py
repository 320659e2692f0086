"""Reading while another writes."""

import pytest

from plugin.ledger.errors import LedgerUnreadable
from plugin.ledger.reader import Reader


@pytest.fixture
def reader(place, append):
    """A reader of five records."""
    for number in range(5):
        append(number)
    return Reader(place.path)


def positions(records):
    return [record.position for record in records]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0, None, [0, 1, 2, 3, 4]), (1, 3, [1, 2, 3]), (4, 99, [4]), (5, None, []), (3, 1, []), (-2, 0, [0])],
)
def test_a_range_has_both_its_ends(reader, first, last, expected):
    """As the log is asked for by position."""
    assert positions(reader.records(first, last)) == expected


def test_records_are_read_in_pieces(reader, monkeypatch):
    """Memory stays flat, and no piece's border loses or doubles a record."""
    monkeypatch.setattr("plugin.ledger.reader.CHUNK", 2)
    assert positions(reader.records()) == [0, 1, 2, 3, 4]


def test_the_newest_is_that_of_the_call(reader, append):
    """An export ends, though it leaves records itself."""
    records = reader.records()
    append(5)
    assert positions(records) == [0, 1, 2, 3, 4]
    assert positions(reader.records()) == [0, 1, 2, 3, 4, 5]


def test_a_slow_reader_stops_no_writer(reader, append):
    """And sees what it was to see."""
    records = reader.records()
    next(records)
    assert append(5).position == 5
    assert positions(records) == [1, 2, 3, 4]


def test_a_record_is_found_by_its_own_id_or_its_request(reader, ledger):
    """One HTTP answer may have left several records."""
    ledger.append({"request": "request-1", "record": "request-1.1"}, tenant="h", retention_class="c")
    assert positions(reader.find("request-1")) == [1, 5]
    assert positions(reader.find("request-1.0")) == [1]
    assert reader.find("request-9") == []


def test_the_head_follows_the_writer(reader, place):
    """Size and root are those that verifying comes to."""
    assert (reader.head().size, reader.head().root.hex()) == (5, place.verify().root)


def test_a_file_that_is_no_ledger_is_unreadable(tmp_path):
    """As any other file that an operator may point at."""
    (tmp_path / "other").write_bytes(b"no database" * 1000)
    with pytest.raises(LedgerUnreadable):
        Reader(tmp_path / "other").head()
