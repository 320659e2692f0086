"""Suspensions: seen at once by all processes, kept for good, readable by the operator and not from the file."""

import subprocess
import sys
import tempfile
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from plugin.errors import StateUnavailable
from plugin.state.suspensions import FILE, Kind, Suspension, Suspensions

KEY, NEWER = b"k" * 32, b"n" * 32
ROY = Suspension(Kind.PERSON, "https://login.example dr-roy-9041", "left on 3 March", "2026-03-03T08:00:00.000Z")
ASK = """
import sys
from pathlib import Path
from plugin.state.suspensions import Kind, Suspensions
print(Suspensions(Path(sys.argv[1]), [b"k" * 32]).any_of((Kind.PERSON, sys.argv[2])))
"""


@pytest.fixture
def suspensions(tmp_path: Path) -> Suspensions:
    return Suspensions(tmp_path, [KEY])


def test_who_is_suspended_is_found_until_resumed(suspensions: Suspensions) -> None:
    """Others are not touched, nor a feed of the same name."""
    assert not suspensions.any_of((Kind.PERSON, ROY.name))
    assert suspensions.suspend(ROY)
    assert suspensions.any_of((Kind.FEED, "city-lab"), (Kind.PERSON, ROY.name))
    assert not suspensions.any_of((Kind.FEED, ROY.name), (Kind.CLIENT, ROY.name), (Kind.PERSON, f"{ROY.name}2"))
    assert suspensions.standing() == [ROY]
    assert suspensions.resume(Kind.PERSON, ROY.name)
    assert not suspensions.any_of((Kind.PERSON, ROY.name))
    assert not suspensions.resume(Kind.PERSON, ROY.name)


def test_the_first_reason_stands(suspensions: Suspensions) -> None:
    """A second suspension is told that nothing changed."""
    assert suspensions.suspend(ROY)
    assert not suspensions.suspend(Suspension(Kind.PERSON, ROY.name, "again", "2026-03-04T08:00:00.000Z"))
    assert [each.reason for each in suspensions.standing()] == [ROY.reason]


def test_another_process_sees_it_without_a_restart(suspensions: Suspensions, tmp_path: Path) -> None:
    """Workers are processes of their own, and the command line is one too."""
    ask = [sys.executable, "-c", ASK, str(tmp_path), ROY.name]
    said = []
    for change in (lambda: None, lambda: suspensions.suspend(ROY), lambda: suspensions.resume(Kind.PERSON, ROY.name)):
        change()
        said.append(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip())
    assert said == ["False", "True", "False"]


@pytest.mark.parametrize("left", [(), ("-wal", "-shm")], ids=["whole", "but for its log"])
def test_a_file_that_was_removed_while_serving_is_begun_anew_by_all(
    suspensions: Suspensions, tmp_path: Path, left: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the operator's word would stand in a file that no worker reads. Whoever is asked says what happened."""
    suspensions.suspend(ROY)
    for path in tmp_path.glob(f"{FILE}*"):
        if not path.name.endswith(left):
            path.unlink()
    assert not suspensions.any_of((Kind.PERSON, ROY.name))
    assert f"{tmp_path / FILE}" in "".join(capsys.readouterr())
    assert Suspensions(tmp_path, [KEY]).suspend(ROY)
    assert suspensions.any_of((Kind.PERSON, ROY.name))


def test_the_file_names_nobody(suspensions: Suspensions, tmp_path: Path) -> None:
    """Neither the person nor the reason can be read without the sealing keys."""
    suspensions.suspend(ROY)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob(f"{FILE}*"))
    assert kept
    assert b"dr-roy-9041" not in kept
    assert b"left on" not in kept


def test_a_newer_key_finds_what_an_older_one_suspended(suspensions: Suspensions, tmp_path: Path) -> None:
    """`key_file` is rotated by putting a new line before the old one."""
    suspensions.suspend(ROY)
    rotated = Suspensions(tmp_path, [NEWER, KEY])
    assert rotated.any_of((Kind.PERSON, ROY.name))
    assert rotated.standing() == [ROY]
    assert not rotated.suspend(ROY), "it stands under the older key"
    assert rotated.resume(Kind.PERSON, ROY.name)
    assert rotated.standing() == []


def test_a_key_that_is_gone_denies_rather_than_forgets(suspensions: Suspensions, tmp_path: Path) -> None:
    """The person could otherwise look again as soon as somebody tidied the key file."""
    suspensions.suspend(ROY)
    without = Suspensions(tmp_path, [NEWER])
    for ask in (lambda: without.any_of((Kind.PERSON, "anybody")), without.standing):
        with pytest.raises(StateUnavailable):
            ask()


@pytest.mark.parametrize("damage", ["a folder", "not a database", "another schema"])
def test_what_cannot_be_read_is_said(tmp_path: Path, damage: str) -> None:
    """An unreadable list is not an empty one."""
    place = tmp_path / FILE
    match damage:
        case "a folder":
            place.mkdir()
        case "not a database":
            place.write_bytes(b"no database " * 500)
        case _:
            apsw.Connection(str(place)).execute("CREATE TABLE suspensions (other)")
    with pytest.raises(StateUnavailable):
        Suspensions(tmp_path, [KEY]).any_of((Kind.FEED, "city-lab"))


@settings(max_examples=40, deadline=None)
@given(name=st.text(min_size=1, max_size=40), reason=st.text(max_size=40))
def test_any_name_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, name: str, reason: str) -> None:
    """Subjects are text of an issuer: quotes, spaces, other scripts."""
    made = Suspensions(tmp_path_factory.mktemp("state"), [KEY])
    wanted = Suspension(Kind.PERSON, name, reason, "2026-03-03T08:00:00.000Z")
    assert made.suspend(wanted)
    assert made.standing() == [wanted]


class SuspensionMachine(RuleBasedStateMachine):
    """Two processes' views of one file agree with a set, whatever is done by whom."""

    names = st.sampled_from([(kind, name) for kind in Kind for name in ("a", "b", "ä b")])

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.views = [Suspensions(folder, [KEY, NEWER]), Suspensions(folder, [NEWER, KEY])]
        self.model: set[tuple[Kind, str]] = set()

    def teardown(self) -> None:
        self._folder.cleanup()

    @rule(by=st.integers(0, 1), what=names)
    def suspend(self, by: int, what: tuple[Kind, str]) -> None:
        assert self.views[by].suspend(Suspension(*what, "why", "2026")) == (what not in self.model)
        self.model.add(what)

    @rule(by=st.integers(0, 1), what=names)
    def resume(self, by: int, what: tuple[Kind, str]) -> None:
        assert self.views[by].resume(*what) == (what in self.model)
        self.model.discard(what)

    @rule(by=st.integers(0, 1), what=names)
    def ask(self, by: int, what: tuple[Kind, str]) -> None:
        assert self.views[by].any_of(what) == (what in self.model)

    @invariant()
    def the_lists_agree(self) -> None:
        for view in self.views:
            assert {(each.kind, each.name) for each in view.standing()} == self.model


TestSuspensionMachine = SuspensionMachine.TestCase
TestSuspensionMachine.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
