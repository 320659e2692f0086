"""Proofs from a ledger in PostgreSQL: the hashes are stored there with the commits that fill them."""

import pytest

from plugin.ledger import proof
from plugin.ledger.errors import LedgerBroken
from plugin.ledger.merkle import leaf_hash
from plugin.ledger.postgres import reading
from plugin.ledger.record import draft
from plugin.ledger.tiles import WIDTH
from plugin.ledger.tree import Tree
from tests.postgres_server import DatabasePlace, new_place


def fill(place: DatabasePlace, *counts: int) -> None:
    """Commit batches of so many records."""
    ledger = place.open()
    for count in counts:
        ledger._commit([draft({"record": "x"}, "hospital", "consultation")] * count)
    ledger.close()


@pytest.fixture
def place() -> DatabasePlace:
    """Two full tiles and a part of a third, filled by batches that end on, before and beyond a tile's border."""
    made = new_place()
    fill(made, WIDTH, WIDTH - 1, 2, 40)
    return made


def test_a_tile_is_stored_in_the_commit_that_fills_it(place):
    """Not later: a proof would read every record until then."""
    assert place.ask("SELECT level, number FROM ledger.tiles ORDER BY 1, 2") == [(0, 0), (0, 1)]
    fill(place, 300)
    assert place.ask("SELECT level, number FROM ledger.tiles ORDER BY 1, 2") == [(0, 0), (0, 1), (0, 2)]
    assert place.sound() == 2 * WIDTH + 341


def test_every_record_is_proved_to_be_in_it(place):
    """In the first tile, at a border and in the part that no tile holds yet."""
    with reading(place.dsn()) as view:
        view.freeze()
        tree = Tree(view.head(), view.shelf())
        for position in (0, WIDTH - 1, WIDTH, 2 * WIDTH, tree.head.size - 1):
            (record,) = view.records(position, position, 1)
            path = tree.inclusion(position)
            proof.check_inclusion(leaf_hash(record.header), position, tree.head.size, path, tree.head.root)
        assert tree.consistency(WIDTH + 1)


def test_a_changed_tile_leaves_as_no_proof(place):
    """It is trusted for nothing."""
    place.edit("UPDATE ledger.tiles SET hashes = overlay(hashes placing '\\x00'::bytea from 40) WHERE number = 0")
    with reading(place.dsn()) as view:
        view.freeze()
        with pytest.raises(LedgerBroken):
            Tree(view.head(), view.shelf()).inclusion(1)
