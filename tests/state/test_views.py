"""Views: found by who has both halves, ended by time, and worth nothing to who has the file alone."""

from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from plugin.errors import StateUnavailable, ViewOver, ViewUnknown
from plugin.sealing import Seal
from plugin.state.views import FILE, IDLE_SECONDS, Session, Unsealed, View, Views
from policies.vocabulary import scopes
from policies.vocabulary.identity import Client, Coding, Identity, Person, Subject
from policies.vocabulary.purposes import PurposeSource

OLD, NEW = b"o" * 32, b"n" * 32
NOW = 1_800_000_000.0
SECRET = "the-secret-of-the-cookie"
VIEW = View("view-1", "hospital", "p1", "Dr Roy", "fr", NOW + 3600, None, True, {"color_highlight": "#0b5c73"})
IDENTITY = Identity(
    ehr="hospital",
    subject=Subject.PROFESSIONAL,
    person=Person("https://login.example", "dr-roy", "Dr Roy", roles=(Coding("urn:oid:1.2", "10", "Médecin"),)),
    client=Client("viewer"),
    grants=scopes.parse("openid patient/Observation.rs?category=laboratory patient/Unknown.x"),
    launch_patient="p1",
    purposes=("TREAT",),
    purpose_source=PurposeSource.DECLARED,
    token_reference="urn:vitrine:token-sha256:00",
    expires_at=NOW + 3600,
    person_id="urn:x:1",
)
SESSION = Session(VIEW, IDENTITY, "token", NOW, "req-1.1")


@pytest.fixture
def views(tmp_path: Path) -> Views:
    kept = Views(tmp_path, [OLD])
    kept.open(SESSION, SECRET, NOW)
    return kept


def change(folder: Path, statement: str, *values: object) -> None:
    """What somebody does who can write to the file."""
    apsw.Connection(str(folder / FILE)).execute(statement, values)


def test_what_is_kept_comes_back_whole_in_every_process(views: Views, tmp_path: Path) -> None:
    """Scopes that are restricted, or not understood, stay so: a session is no wider than its launch."""
    assert Views(tmp_path, [OLD]).find("view-1", SECRET, NOW) == SESSION


def test_it_opens_for_who_has_the_id_and_the_secret(views: Views) -> None:
    for view, secret in (("view-1", "another"), ("view-1", ""), ("view-2", SECRET), ("", ""), ("view-1", "\udcff")):
        with pytest.raises(ViewUnknown):
            views.find(view, secret, NOW)


def test_it_ends_by_its_hour_and_by_disuse(views: Views) -> None:
    for moment in range(0, 3600, 600):
        views.find("view-1", SECRET, NOW + moment)
    with pytest.raises(ViewOver):
        views.find("view-1", SECRET, NOW + 3600)
    with pytest.raises(ViewOver):
        views.find("view-1", SECRET, NOW + 3000 + IDLE_SECONDS)


def test_the_file_makes_no_view_longer(views: Views, tmp_path: Path) -> None:
    change(tmp_path, "UPDATE views SET until = ?, used = ?", NOW + 10**6, NOW + 10**6)
    with pytest.raises(ViewOver):
        views.find("view-1", SECRET, NOW + 3600)


def test_a_row_that_stands_in_for_another_opens_neither(views: Views, tmp_path: Path) -> None:
    """Whoever can write there, and has a view, must not get another person's session by moving rows."""
    mine = replace(SESSION, view=replace(VIEW, id="mine", patient="p2"))
    views.open(mine, "my-secret", NOW)
    change(tmp_path, "CREATE TABLE kept AS SELECT * FROM views")
    change(
        tmp_path,
        "UPDATE views SET sealed = (SELECT sealed FROM kept WHERE kept.name != views.name)",
    )
    for view, secret in (("view-1", SECRET), ("mine", "my-secret"), ("view-1", "my-secret"), ("mine", SECRET)):
        with pytest.raises(ViewUnknown):
            views.find(view, secret, NOW)


def test_a_new_key_opens_what_an_old_one_closed_and_no_key_opens_nothing(views: Views, tmp_path: Path) -> None:
    rotated = Views(tmp_path, [NEW, OLD])
    assert rotated.find("view-1", SECRET, NOW) == SESSION
    stated = replace(SESSION, view=replace(VIEW, purpose="TREAT"))
    rotated.keep(stated, SECRET)
    assert rotated.find("view-1", SECRET, NOW) == stated
    with pytest.raises(ViewUnknown):
        Views(tmp_path, [b"x" * 32]).find("view-1", SECRET, NOW)
    assert rotated.forget("view-1")
    assert not rotated.forget("view-1")


def test_a_closed_view_is_not_revived_by_what_was_under_way(views: Views) -> None:
    """A purpose is stated in one window while the view is closed in another."""
    views.forget("view-1")
    views.keep(SESSION, SECRET)
    with pytest.raises(ViewUnknown):
        views.find("view-1", SECRET, NOW)


def test_it_is_told_which_ones_stand_whichever_key_named_them(views: Views, tmp_path: Path) -> None:
    """For memory that must not outlive a view that another process ended."""
    rotated = Views(tmp_path, [NEW, OLD])
    assert rotated.standing(["view-1", "view-2"], NOW) == {"view-1"}
    assert rotated.standing(["view-1"], NOW + IDLE_SECONDS) == frozenset()
    assert rotated.standing([], NOW) == frozenset()
    views.forget("view-1")
    assert rotated.standing(["view-1"], NOW) == frozenset()


def test_a_view_has_one_first_purpose_in_all_processes(views: Views, tmp_path: Path) -> None:
    """Whichever key names it; and the next launch begins anew."""
    assert views.first_purpose(VIEW, "TREAT") == "TREAT"
    assert Views(tmp_path, [NEW, OLD]).first_purpose(VIEW, "ETREAT") == "TREAT"
    assert views.first_purpose(replace(VIEW, id="view-2"), "ETREAT") == "ETREAT"
    views.forget("view-1")
    assert views.first_purpose(VIEW, "COC") == "COC"
    views.take_ended(NOW + 3600)
    assert views.first_purpose(VIEW, "TREAT") == "TREAT"


def test_a_request_unseals_a_view_once_and_still_sees_what_became_of_it(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purpose that was stated meanwhile counts at its next look, and so do a logout and the hour."""
    opened: list[str] = []
    unseal = Seal.open

    def counted(seal: Seal, text: str, **more: int) -> bytes:
        opened.append(text)
        return unseal(seal, text, **more)

    monkeypatch.setattr(Seal, "open", counted)
    request = Unsealed()
    for moment in range(5):
        assert views.find("view-1", SECRET, NOW + moment, request) == SESSION
    assert len(opened) == 1
    stated = replace(SESSION, view=replace(VIEW, purpose="TREAT"))
    views.keep(stated, SECRET)
    assert views.find("view-1", SECRET, NOW, request) == stated
    with pytest.raises(ViewOver):
        views.find("view-1", SECRET, NOW + 3600, request)
    views.forget("view-1")
    with pytest.raises(ViewUnknown):
        views.find("view-1", SECRET, NOW, request)
    assert SECRET not in repr(request)
    assert "token" not in repr(request)


def test_an_answer_counts_once_for_all_processes(views: Views, tmp_path: Path) -> None:
    assert views.answered("state-1", NOW + 600)
    assert not Views(tmp_path, [OLD]).answered("state-1", NOW + 600)
    assert views.take_ended(NOW + 601) == []
    assert views.answered("state-1", NOW + 1200)


def test_those_that_ended_are_taken_once(views: Views, tmp_path: Path) -> None:
    other = Views(tmp_path, [OLD])
    assert views.take_ended(NOW + IDLE_SECONDS - 1) == []
    taken = [*views.take_ended(NOW + IDLE_SECONDS), *other.take_ended(NOW + IDLE_SECONDS)]
    assert taken == [SESSION]


def test_a_file_that_is_no_database_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StateUnavailable):
        Views(tmp_path, [OLD]).find("view-1", SECRET, NOW)
