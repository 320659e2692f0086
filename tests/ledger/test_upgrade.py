"""An older ledger file is refused with a sentence, upgraded in one transaction that says so, and proves what it did."""

import apsw
import pytest

from plugin.ledger import writer
from plugin.ledger.errors import LedgerBroken, LedgerUnavailable
from plugin.ledger.file_place import FilePlace
from plugin.ledger.reader import Reader
from plugin.ledger.sqlite import AIDS, kept_aids, kind_and_name
from plugin.ledger.store import FORMAT
from tests.ledger.conftest import body_of

OLDER_AIDS = """
DROP INDEX records_by_action;
DROP INDEX records_by_time;
DROP INDEX records_of_the_ledger;
DROP TRIGGER records_are_never_changed;
CREATE TRIGGER records_are_never_changed BEFORE UPDATE ON records
  BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
UPDATE meta SET format = 1;
"""
"""What a file of form 1 had: fewer indexes, and a trigger that let no purge through."""


def execute(place, sql):
    connection = apsw.Connection(str(place.path))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.fixture
def older(place):
    """A ledger of three records as the older version made it."""
    place.fill(3)
    execute(place, OLDER_AIDS)
    return place


def upgrade(place):
    ledger = writer.open(FilePlace(place.path), place.key_path, upgrading=True)
    try:
        return ledger.append(body_of(9), tenant="gateway", retention_class="ledger")
    finally:
        ledger.close()


def test_an_older_ledger_is_verified_as_it_is_and_refused_for_appending(older):
    """An officer needs no upgrade to prove an old log; a gateway that serves must not change its form by the way."""
    assert older.verify().problem is None
    with pytest.raises(LedgerBroken, match=r"form 1.*`vitrine audit upgrade`"):
        older.open()


def test_an_upgrade_makes_what_is_missing_and_leaves_every_record_as_it_was(older):
    """The tree goes on: the record of the upgrade is the next one."""
    before = execute(older, "SELECT header, body FROM records ORDER BY position")
    assert upgrade(older).position == 3
    assert execute(older, "SELECT header, body FROM records WHERE position < 3 ORDER BY position") == before
    assert Reader(older.path).meta().format == FORMAT
    connection = apsw.Connection(str(older.path))
    assert kept_aids(connection) == {kind_and_name(sql)[1]: sql for sql in AIDS}
    connection.close()
    older.fill(1)
    assert (older.verify().problem, older.verify().records) == (None, 5)


def test_an_upgrade_that_cannot_be_recorded_did_not_happen(older, monkeypatch):
    """One transaction: no ledger of the new form without the record that says how it came to it."""
    ledger = writer.open(FilePlace(older.path), older.key_path, upgrading=True)
    monkeypatch.setattr(ledger, "_batch", lambda *_: (_ for _ in ()).throw(LedgerUnavailable("no")))
    with pytest.raises(LedgerUnavailable):
        ledger.append(body_of(9), tenant="gateway", retention_class="ledger")
    ledger.close()
    assert Reader(older.path).meta().format == 1
    assert "records_by_time" not in {name for (name,) in execute(older, "SELECT name FROM sqlite_schema")}
    assert upgrade(older).position == 3


def test_upgrading_a_ledger_of_the_present_form_changes_nothing(place):
    """The command may be typed twice."""
    place.fill(1)
    before = execute(place, "SELECT name, sql FROM sqlite_schema ORDER BY name")
    upgrade(place)
    assert execute(place, "SELECT name, sql FROM sqlite_schema ORDER BY name") == before


def test_a_newer_form_is_neither_continued_nor_upgraded_nor_called_sound(place):
    """A newer program may have given the tables another meaning."""
    place.fill(1)
    execute(place, f"UPDATE meta SET format = {FORMAT + 1}")
    for upgrading in (False, True):
        with pytest.raises(LedgerBroken, match=rf"form {FORMAT + 1}.*knows no newer one"):
            writer.open(FilePlace(place.path), place.key_path, upgrading=upgrading)
    assert "unknown" in place.verify().problem.sentence


@pytest.mark.parametrize("sql", AIDS, ids=lambda sql: kind_and_name(sql)[1])
def test_verify_names_an_index_or_trigger_that_was_dropped(place, sql):
    """Without the triggers the next slip of an administrator changes the log."""
    kind, name = kind_and_name(sql)
    place.fill(2)
    execute(place, f"DROP {kind} {name}")
    problem = place.verify().problem
    assert (problem.position, problem.sentence) == (None, f"the {kind} {name} is missing")


def test_verify_names_a_trigger_that_was_made_harmless_or_added(place):
    """Its name alone says nothing."""
    place.fill(2)
    execute(
        place,
        "DROP TRIGGER records_are_never_deleted;"
        "CREATE TRIGGER records_are_never_deleted BEFORE DELETE ON records BEGIN SELECT 1; END",
    )
    assert place.verify().problem.sentence == "the trigger records_are_never_deleted is not as it was made"
    execute(place, f"DROP TRIGGER records_are_never_deleted; {AIDS[-1]};")
    assert place.verify().problem is None
    execute(place, "CREATE TRIGGER extra AFTER INSERT ON head BEGIN SELECT 1; END")
    assert "extra" in place.verify().problem.sentence


def test_a_bad_record_is_told_before_a_dropped_trigger(place):
    """Dropping it comes before the edit; the edit is what matters."""
    place.fill(3)
    execute(place, "DROP TRIGGER records_are_never_changed; UPDATE records SET patient = 'x' WHERE position = 1")
    assert place.verify().problem.position == 1
