"""Verifying by the piece, in several processes, and against a checkpoint that was kept elsewhere."""

import multiprocessing
import shutil
import signal
from pathlib import Path

import pytest

from plugin.ledger import evidence, origin
from plugin.ledger.errors import CheckpointInvalid, KeyInvalid, LedgerBroken
from plugin.ledger.examine import CHUNK
from plugin.ledger.key import VerifierKey
from plugin.ledger.reader import Reader
from plugin.ledger.record import draft
from plugin.ledger.verify import verify
from tests.ledger.witness import Witness

COUNT = 2 * CHUNK + 300


def grow(place, first: int, count: int) -> None:
    """Append numbered records, a thousand in a commit."""
    ledger = place.open()
    for start in range(first, first + count, 1000):
        numbers = range(start, min(start + 1000, first + count))
        ledger._commit([draft({"record": f"{number}.0"}, "hospital", "consultation") for number in numbers])
    ledger.close()


@pytest.fixture
def large(place):
    """Two whole pieces and a part of a third."""
    grow(place, 0, COUNT)
    return place


@pytest.mark.parametrize("processes", [1, 2])
def test_several_processes_find_what_one_does(large, processes):
    """The same root, the same first bad position, though a later piece may be done earlier."""
    told: list[int] = []
    report = verify(large.path, large.vkey, told.append, processes=processes)
    assert (report.records, report.problem, told) == (COUNT, None, [CHUNK, 2 * CHUNK, COUNT])
    assert report.root == Reader(large.path).head().root.hex()
    large.edit("UPDATE records SET outcome = 'x' WHERE position IN (17, 5000, 8200)")
    report = verify(large.path, large.vkey, processes=processes)
    assert (report.records, report.problem.position) == (17, 17)
    large.edit("DELETE FROM records WHERE position = 5000")
    large.edit("UPDATE records SET outcome = NULL WHERE position = 17")
    report = verify(large.path, large.vkey, processes=processes)
    assert (report.records, report.problem.sentence) == (5000, "record 5000 is missing")


def test_a_record_far_behind_the_others_is_found_at_once(large):
    """A position of nineteen digits must not be counted up to."""
    large.edit(f"INSERT INTO records (position, header) VALUES ({2**62}, x'00')")
    assert large.verify().problem.position == COUNT


def test_a_damaged_file_is_told_by_every_process(large):
    """As one that cannot be read, or as broken; never as sound."""
    with large.path.open("r+b") as file:
        file.seek(large.path.stat().st_size // 2)
        file.write(b"\xaa" * 65536)
    assert verify(large.path, large.vkey, processes=2).problem is not None


def test_an_interruption_reaches_no_process_that_shares_the_work(large):
    """A terminal sends it to all; each of them would print a traceback, for one that asked for none."""
    blocked = []

    def look(_):
        for each in multiprocessing.active_children():
            status = dict(line.split(":", 1) for line in Path(f"/proc/{each.pid}/status").read_text().splitlines())
            blocked.append(int(status["SigBlk"], 16) >> signal.SIGINT - 1 & 1)

    verify(large.path, large.vkey, look, processes=2)
    assert blocked
    assert all(blocked)


@pytest.mark.parametrize("column", ["hashes", "root"])
@pytest.mark.parametrize("number", [0, 31])
def test_a_stored_hash_that_is_not_the_records_is_found(large, column, number):
    """It would spoil each proof made from it, on the day when one is needed."""
    large.edit(f"UPDATE tiles SET {column} = zeroblob(length({column})) WHERE number = {number}")
    problem = large.verify().problem
    assert (problem.position, "stored hash" in problem.sentence) == (number * 256, True)


def relabelled(place, position: int) -> None:
    """The tenant of a record, in its header and its column alike: it fits by itself."""
    place.edit(
        "UPDATE records SET tenant = 'hospitaX', header = CAST(replace(header, 'hospital', 'hospitaX') AS BLOB)"
        f" WHERE position = {position}"
    )


@pytest.mark.parametrize("position", [0, 300, CHUNK + 5, 2 * CHUNK + 200])
def test_an_edited_header_is_named_though_its_columns_follow(large, position):
    """By the hash that is stored for it, which leads to the signed root. Only what stands before it is sound."""
    relabelled(large, position)
    report = large.verify()
    assert report.problem.sentence == f"record {position} has another header than was signed"
    assert (report.problem.position, report.records, report.cut) == (position, position, False)


@pytest.mark.parametrize(("position", "first", "which"), [
    (2 * CHUNK + 256, 2 * CHUNK + 256, f"one of the records {2 * CHUNK + 256} to {2 * CHUNK + 287}"),
    (2 * CHUNK + 291, 2 * CHUNK + 288, f"one of the records {2 * CHUNK + 288} to {2 * CHUNK + 295}"),
])  # fmt: skip
def test_where_no_hash_is_stored_yet_the_signed_head_narrows_it_down(large, position, first, which):
    relabelled(large, position)
    report = large.verify()
    assert (report.problem.position, report.records) == (first, first)
    assert report.problem.sentence == f"{which} has another header than was signed"


def test_a_hash_that_was_edited_with_the_header_does_not_make_it_signed(large):
    """Then neither leads to the signed root, and nothing says which was there first."""
    relabelled(large, 300)
    large.edit("UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND number = 1")
    problem = large.verify().problem
    assert (problem.position, problem.sentence) == (256, "the stored hash of record 256 is not that of its header")


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("DELETE FROM tiles WHERE level = 0 AND number = 3", "the tile 3 of level 0 is missing"),
        ("INSERT INTO tiles VALUES (0, 33, zeroblob(32), zeroblob(8192))",
         "the tile 33 of level 0 is stored, and no tile of this tree"),
        ("INSERT INTO tiles VALUES (1, 0, zeroblob(32), zeroblob(8192))",
         "the tile 0 of level 1 is stored, and no tile of this tree"),
        ("INSERT INTO tiles VALUES (-1, 0, zeroblob(32), zeroblob(8192))",
         "the tile 0 of level -1 is stored, and no tile of this tree"),
    ],
)  # fmt: skip
def test_the_stored_hashes_are_those_of_the_tree_and_no_others(large, sql, sentence):
    """A gap spoils proofs, and a false tile all that grows behind it."""
    large.edit(sql)
    assert large.verify().problem.sentence == sentence


def test_nothing_is_proved_that_does_not_hold(large):
    key = VerifierKey.parse(large.vkey)
    relabelled(large, 300)
    assert evidence.prove(Reader(large.path), 299, key).header
    with pytest.raises(LedgerBroken, match="the header of record 300"):
        evidence.prove(Reader(large.path), 300, key)
    large.edit("DELETE FROM records WHERE position = 7")
    with pytest.raises(LedgerBroken, match="record 7 is missing"):
        evidence.prove(Reader(large.path), 7, key)


@pytest.mark.parametrize("sql", [
    "UPDATE records SET body = NULL WHERE position = 30",
    "DELETE FROM records WHERE position >= 30",
    "DELETE FROM records",
    "DELETE FROM head",
    "UPDATE head SET edge = x'00'",
])  # fmt: skip
def test_only_what_is_sound_and_shorter_is_a_cut(place, sql):
    """An edit is none, whatever a checkpoint elsewhere states, nor is a tail cut under a head that stayed."""
    grow(place, 0, 40)
    held = Reader(place.path).head().checkpoint
    place.edit(sql)
    report = verify(place.path, place.vkey, against=held)
    assert report.problem is not None
    assert not report.cut


def test_a_cut_tail_is_found_against_a_checkpoint_held_elsewhere(place):
    """An older copy put back whole passes by itself: its head was signed once."""
    grow(place, 0, 400)
    copy = place.path.with_name("copy.sqlite")
    shutil.copy(place.path, copy)
    held_early = Reader(place.path).head().checkpoint
    grow(place, 400, 50)
    held = Reader(place.path).head().checkpoint
    assert verify(place.path, place.vkey, against=held).problem is None
    assert verify(place.path, place.vkey, against=held_early).held == 400
    assert verify(copy, place.vkey).problem is None
    assert verify(copy, place.vkey, against=held_early).problem is None
    report = verify(copy, place.vkey, against=held)
    problem = report.problem
    assert (problem.position, report.cut) == (400, True)
    assert "held elsewhere states 450" in problem.sentence


def test_a_replaced_history_is_found_against_a_checkpoint_held_elsewhere(place):
    """Whoever has the key and the machine can write another past, but not into the sink."""
    grow(place, 0, 300)
    copy = place.path.with_name("copy.sqlite")
    shutil.copy(place.path, copy)
    grow(place, 300, 30)
    held = Reader(place.path).head().checkpoint
    for suffix in ("-wal", "-shm"):
        place.path.with_name(place.path.name + suffix).unlink(missing_ok=True)
    shutil.copy(copy, place.path)
    grow(place, 300, 90)
    assert place.verify().problem is None
    assert "the first 330 records are not those" in verify(place.path, place.vkey, against=held).problem.sentence


def test_a_checkpoint_of_another_ledger_or_without_its_witness_is_no_measure(place, tmp_path):
    """Then nothing is known, which is not the same as broken."""
    grow(place, 0, 3)
    own = Reader(place.path).head().checkpoint
    other_vkey = origin.create(tmp_path / "l2", tmp_path / "k2", "other.example/ledger/00000000")
    with pytest.raises(CheckpointInvalid):
        verify(place.path, place.vkey, against=Reader(tmp_path / "l2").head().checkpoint)
    with pytest.raises(CheckpointInvalid):
        verify(place.path, place.vkey, against="nonsense")
    witness = Witness(VerifierKey.parse(place.vkey))
    text = own.partition("\n\n")[0] + "\n"
    cosigned = f"{own}{witness.line(text)}\n"
    report = verify(place.path, place.vkey, against=cosigned, witnesses=[witness.key.text])
    assert (report.problem, report.held) == (None, 3)
    with pytest.raises(CheckpointInvalid, match="not cosigned by witness"):
        verify(place.path, place.vkey, against=own, witnesses=[witness.key])
    with pytest.raises(KeyInvalid):
        verify(place.path, place.vkey, against=own, witnesses=[other_vkey])
