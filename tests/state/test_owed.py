"""What a process that ended owed the log is taken over once."""

from pathlib import Path

import pytest

from plugin.errors import StateUnavailable
from plugin.state.owed import FOLDER, Debts, Owed


def test_what_each_process_left_is_taken_over_together_and_once(tmp_path: Path) -> None:
    """Two workers that ended in one outage."""
    Debts(tmp_path).leave(Owed(["a.1", "b.1"], 3))
    Debts(tmp_path).leave(Owed(["c.1"]))
    taken = Debts(tmp_path).take()
    assert (sorted(taken.records), taken.beyond) == (["a.1", "b.1", "c.1"], 3)
    assert not Debts(tmp_path).take()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_where_nothing_was_left_nothing_is_owed(tmp_path: Path) -> None:
    """The first start, before there is a folder."""
    assert not Debts(tmp_path).take()
    assert not Owed()
    assert Owed(beyond=1)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"records": 1, "beyond": 0}', b'{"records": []}'])
def test_a_file_that_is_none_of_ours_stops_no_start(tmp_path: Path, text: bytes) -> None:
    """And is not looked at again."""
    left = Debts(tmp_path).leave(Owed(["a.1"]))
    left.with_name("0.json").write_bytes(text)
    assert Debts(tmp_path).take().records == ["a.1"]
    assert not left.with_name("0.json").exists()


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("")
    with pytest.raises(StateUnavailable):
        Debts(tmp_path).leave(Owed(["a.1"]))
