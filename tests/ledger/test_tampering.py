"""Whoever can write to the file, but has not the key, is found out by `verify`."""

from collections.abc import Callable
from hashlib import sha256

import apsw
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import LedgerBroken, LedgerUnreadable
from plugin.ledger.key import SigningKey
from plugin.ledger.merkle import Edge, leaf_hash
from plugin.ledger.verify import verify

COUNT = 11


@pytest.fixture
def filled(place):
    """A ledger of COUNT records."""
    place.fill(COUNT)
    return place


def headers(place) -> list[bytes]:
    return [header for (header,) in place.ask("SELECT header FROM records ORDER BY position")]


def edge_of(place) -> Edge:
    """What somebody computes who wants the tree to fit what the file holds now."""
    return Edge().extend(leaf_hash(header) for header in headers(place))


def rebuilt(place, position: int, change: Callable[[dict], None]) -> None:
    """Edit a body, and all in its row that follows from it."""
    ((header, body),) = place.ask(f"SELECT header, body FROM records WHERE position = {position}")
    facts, fields = orjson.loads(body), orjson.loads(header)
    change(facts)
    body = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
    fields["body"] = sha256(body).hexdigest()
    header = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    place.edit("UPDATE records SET header = ?, body = ? WHERE position = ?", (header, body, position))


def test_an_untouched_ledger_verifies(filled):
    """The baseline that the other tests depart from."""
    report = filled.verify()
    assert (report.records, report.problem) == (COUNT, None)
    assert report.root == edge_of(filled).root().hex()
    assert report.since == orjson.loads(headers(filled)[0])["time"]


def test_an_empty_ledger_verifies(place):
    """As `audit init` leaves it."""
    assert (place.verify().records, place.verify().since, place.verify().problem) == (0, None, None)


@pytest.mark.parametrize("sql", ["UPDATE records SET body = NULL", "DELETE FROM records"])
def test_the_triggers_stop_a_slip(filled, sql):
    """An administrator with a prompt changes nothing by mistake."""
    connection = apsw.Connection(str(filled.path))
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        connection.execute(sql)


@pytest.mark.parametrize(
    ("sql", "position", "words"),
    [
        ("UPDATE records SET body = CAST(replace(body, 'released', 'denied') AS BLOB) WHERE position = 4", 4,
         "the body of record 4"),
        ("UPDATE records SET body = NULL WHERE position = 4", 4, "missing"),
        ("UPDATE records SET person = 'somebody else' WHERE position = 4", 4, "search columns of record 4"),
        ("UPDATE records SET patient = NULL WHERE position = 10", 10, "search columns of record 10"),
        ("UPDATE records SET header = x'00' WHERE position = 0", 0, "the header of record 0"),
        ("DELETE FROM records WHERE position = 4", 4, "record 4 is missing"),
        ("DELETE FROM records WHERE position = 0", 0, "record 0 is missing"),
        ("DELETE FROM records WHERE position = 10", 10, "record 10 is missing"),
        ("DELETE FROM records", 0, "record 0 is missing"),
        ("INSERT INTO records SELECT 11, header, body, time, tenant, action, outcome, person, patient, client, feed,"
         " request, record FROM records WHERE position = 3", 11, "another position"),
        ("INSERT INTO records (position, header) VALUES (-1, x'00')", -1, "none belongs"),
        ("UPDATE head SET size = 10", None, "edge"),
        ("UPDATE head SET edge = zeroblob(96)", None, "stored head"),
        ("DELETE FROM head", None, "no head"),
        ("UPDATE head SET checkpoint = replace(checkpoint, char(10) || '11' || char(10), char(10) || '10' || char(10))",
         None, "signature"),
        ("UPDATE meta SET vkey = 'x+00000000+AA'", None, "another key"),
        ("UPDATE meta SET format = 9", None, "form 9"),
        ("DELETE FROM meta", None, "where it comes from"),
        ("ALTER TABLE records ADD COLUMN more TEXT", None, "the tables"),
    ],
)  # fmt: skip
def test_an_edit_by_sql_is_found(filled, sql, position, words):
    """Each names the first bad position and what is wrong."""
    filled.edit(sql)
    problem = filled.verify().problem
    assert problem is not None
    assert problem.position == position
    assert words in problem.sentence


def test_two_rows_swapped_are_found(filled):
    """Order is part of what is signed."""
    filled.edit("UPDATE records SET position = -7 WHERE position = 3")
    filled.edit("UPDATE records SET position = 3 WHERE position = 5")
    filled.edit("UPDATE records SET position = 5 WHERE position = -7")
    problem = filled.verify().problem
    assert (problem.position, "another position" in problem.sentence) == (3, True)


def test_a_row_rewritten_with_its_hash_is_found(filled):
    """A body edited together with its header fits by itself, but not the tree."""
    rebuilt(filled, 4, lambda facts: facts.update(note="never happened"))
    problem = filled.verify().problem
    assert problem is not None
    assert (problem.position, problem.sentence) == (0, "one of the records 0 to 7 has another header than was signed")


def test_a_rewritten_row_is_found_though_the_head_was_recomputed(filled):
    """Without the key the checkpoint cannot follow."""
    rebuilt(filled, 4, lambda facts: facts.update(note="never happened"))
    filled.edit("UPDATE head SET edge = ?", (edge_of(filled).to_bytes(),))
    assert "signed over" in filled.verify().problem.sentence


def test_a_cut_tail_is_found_though_the_head_was_recomputed(filled):
    """The checkpoint still states what was there."""
    filled.edit("DELETE FROM records WHERE position >= 9")
    edge = edge_of(filled)
    filled.edit("UPDATE head SET size = ?, edge = ?", (edge.size, edge.to_bytes()))
    problem = filled.verify().problem
    assert (problem.position, "states 11 records" in problem.sentence) == (9, True)


def test_a_history_signed_by_another_key_is_found(filled):
    """Somebody re-signs everything under the same name: the vkey that was kept elsewhere shows it."""
    rebuilt(filled, 4, lambda facts: facts.update(note="never happened"))
    forger = SigningKey(filled.key().verifier.name, Ed25519PrivateKey.generate())
    edge = edge_of(filled)
    note = checkpoint.sign(Checkpoint(forger.verifier.name, edge.size, edge.root()), forger)
    filled.edit("UPDATE head SET edge = ?, checkpoint = ?", (edge.to_bytes(), note))
    assert "not signed by this key" in filled.verify().problem.sentence
    filled.edit("UPDATE meta SET vkey = ?", (forger.verifier.text,))
    assert verify(filled.path, forger.verifier).problem is None
    assert "another key" in filled.verify().problem.sentence


def test_a_damaged_page_is_found(filled):
    """Or the file cannot be read at all; never is it called whole."""
    pages = filled.path.stat().st_size // 4096
    for page in range(pages):
        data = bytearray(filled.path.read_bytes())
        copy = filled.path.with_name(f"copy-{page}")
        data[page * 4096 : page * 4096 + 4096] = b"\xaa" * 4096
        copy.write_bytes(data)
        try:
            broken = verify(copy, filled.vkey).problem is not None
        except LedgerUnreadable:
            broken = True
        rows = {row for (row,) in filled.ask("SELECT rootpage FROM sqlite_schema WHERE type = 'index'")}
        assert broken or page + 1 in rows


@pytest.mark.parametrize("content", [b"", b"no database" * 1000, b"SQLite format 3\x00" + bytes(4096)])
def test_a_file_that_is_no_ledger_is_unreadable(tmp_path, place, content):
    """Not broken: that would accuse somebody."""
    other = tmp_path / "other"
    other.write_bytes(content)
    with pytest.raises(LedgerUnreadable):
        verify(other, place.vkey)
    with pytest.raises(LedgerUnreadable):
        verify(tmp_path / "absent", place.vkey)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM records WHERE position = 10",
        "DELETE FROM records WHERE position = 4",
        "UPDATE records SET body = x'00' WHERE position = 10",
        "UPDATE records SET outcome = '8' WHERE position = 2",
        "UPDATE head SET edge = zeroblob(96)",
        "UPDATE head SET size = 12",
        "UPDATE head SET checkpoint = ''",
        "DELETE FROM head",
    ],
)
def test_the_start_check_refuses_recent_damage(filled, sql):
    """A gateway does not go on writing behind a broken tail."""
    filled.edit(sql)
    ledger = filled.open()
    with pytest.raises(LedgerBroken):
        ledger.check_start()
    ledger.close()


def test_progress_is_told(filled):
    """A long verification shows that it lives."""
    told: list[int] = []
    verify(filled.path, filled.vkey, told.append)
    assert told == [COUNT]
