"""Stored hashes: there when they are due, the same as recomputed, and trusted for nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.ledger import checkpoint, tiles
from plugin.ledger.errors import LedgerBroken
from plugin.ledger.merkle import Edge, leaf_hash
from plugin.ledger.proof import check_consistency, check_inclusion
from plugin.ledger.reader import Reader
from plugin.ledger.record import draft
from plugin.ledger.tiles import Subtrees, Tile, due, root_of


class MemoryShelf:
    """A shelf in lists; `leaf` lists the leaves, `kept` the tiles."""

    def __init__(self, count: int) -> None:
        self.leaf = LEAVES[:count]
        self.kept: dict[tuple[int, int], Tile] = {}

    def leaves(self, first, count):
        return self.leaf[first : first + count]

    def roots(self, level, first, count):
        found = []
        while len(found) < count and (level, first + len(found)) in self.kept:
            found.append(self.kept[level, first + len(found)].root)
        return found

    def tile(self, level, number):
        return self.kept[level, number].hashes if (level, number) in self.kept else None

    def stored(self, level):
        return sum(1 for kept_level, _ in self.kept if kept_level == level)

    def fill(self, size):
        for tile in due(self, size):
            self.kept[tile.level, tile.number] = tile


@pytest.fixture
def big(place):
    """A ledger of 700 records: two full tiles, and a third in the making."""
    ledger = place.open()
    for first in range(0, 700, 100):
        ledger._commit([draft({"number": number}, "h", "c") for number in range(first, first + 100)])
    ledger.close()
    return place


def test_full_tiles_are_stored_with_the_commit_that_fills_them(big):
    """They hold the leaf hashes and the root of these."""
    leaves = [leaf_hash(header) for (header,) in big.ask("SELECT header FROM records ORDER BY position")]
    rows = big.ask("SELECT level, number, root, hashes FROM tiles ORDER BY number")
    assert rows == [
        (0, number, root_of(leaves[number * 256 : number * 256 + 256]), b"".join(leaves[number * 256 :][:256]))
        for number in (0, 1)
    ]
    assert big.verify().problem is None


@pytest.mark.parametrize("without", [True, False])
def test_proofs_are_the_same_with_and_without_stored_tiles(big, without):
    """A ledger from before there were tiles is proved all the same, only slower."""
    if without:
        big.edit("DROP TABLE tiles")
    leaves = [leaf_hash(header) for (header,) in big.ask("SELECT header FROM records ORDER BY position")]
    with Reader(big.path).tree() as tree:
        for position in (0, 255, 256, 511, 512, 699):
            check_inclusion(leaves[position], position, 700, tree.inclusion(position), tree.head.root)
            if position < 600:
                at600 = tree.inclusion(position, 600)
                check_inclusion(leaves[position], position, 600, at600, Edge().extend(leaves[:600]).root())
        for old in (0, 1, 255, 256, 512, 513, 699, 700):
            old_root = Edge().extend(leaves[:old]).root()
            assert tree.root(old) == old_root
            check_consistency(old, old_root, 700, tree.head.root, tree.consistency(old))


def test_a_ledger_without_tiles_gets_them_as_it_grows(big):
    """All that are due, at the next commit that fills one."""
    big.edit("DROP TABLE tiles")
    big.fill(68)
    assert [number for (number,) in big.ask("SELECT number FROM tiles")] == [0, 1, 2]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tiles SET hashes = zeroblob(8192) WHERE number = 1",
        "UPDATE tiles SET root = zeroblob(32) WHERE number = 1",
        "UPDATE tiles SET hashes = x'00'",
        "DELETE FROM records WHERE position = 650",
        "UPDATE records SET header = x'00' WHERE position = 650",
    ],
)
def test_damaged_hashes_never_leave_as_a_proof(big, sql):
    """A wrong proof would accuse the ledger in front of a court."""
    big.edit(sql)
    with Reader(big.path).tree() as tree, pytest.raises(LedgerBroken):
        tree.inclusion(300)
        tree.consistency(300)
        tree.inclusion(699)


def test_a_proof_stands_alone(big):
    """Made from the ledger, checked from its text, the header's bytes and the key."""
    reader = Reader(big.path)
    (record,) = reader.records(300, 300)
    with reader.tree() as tree:
        stated = checkpoint.verify(tree.head.checkpoint, big.key().verifier)
        proof = tree.prove(300, stated, tree.head.checkpoint)
    assert proof.verify(record.header, big.key().verifier).size == 700


@pytest.mark.parametrize(
    "ask",
    [
        lambda tree: tree.inclusion(700),
        lambda tree: tree.inclusion(-1),
        lambda tree: tree.inclusion(600, 600),
        lambda tree: tree.inclusion(0, 701),
        lambda tree: tree.consistency(701),
        lambda tree: tree.consistency(5, 4),
        lambda tree: tree.root(701),
    ],
)
def test_what_the_tree_has_not_is_a_wrong_question(big, ask):
    """Not a broken ledger."""
    with Reader(big.path).tree() as tree, pytest.raises(ValueError, match=r"record|tree"):
        ask(tree)


def test_tiles_are_given_by_their_width(big):
    """Full ones, and those of the right edge as wide as they are or were."""
    with Reader(big.path).tree() as tree:
        assert len(tree.tile(0, 1)) == 8192
        assert len(tree.tile(0, 2, 188)) == 188 * 32
        assert tree.tile(0, 2) is None
        assert tree.tile(0, 2, 189) is None
        assert tree.tile(1, 0, 2) == b"".join(root for (root,) in big.ask("SELECT root FROM tiles ORDER BY number"))
        assert tree.tile(0, 3, 1) is None
        assert tree.tile(0, 0, 0) is None


LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(66000)]


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([0, 1, 255, 256, 257, 65535, 65536, 65537, 66000]), st.data())
def test_subtrees_of_every_height_are_those_of_the_leaves(count, data):
    """Also where a level is only half stored."""
    shelf = MemoryShelf(count)
    shelf.fill(data.draw(st.integers(0, count)))
    if not count:
        assert not shelf.kept
        return
    height = data.draw(st.integers(0, count.bit_length() - 1))
    index = data.draw(st.integers(0, (count >> height) - 1))
    first = index << height
    assert Subtrees(shelf)(height, index) == root_of(shelf.leaf[first : first + (1 << height)])


def test_a_ledger_far_behind_its_tiles_catches_up_by_and_by(monkeypatch):
    """No commit makes more than so many, and the order is never left."""
    monkeypatch.setattr(tiles, "MOST_AT_ONCE", 100)
    shelf = MemoryShelf(65536)
    for stored, above in ((100, 0), (200, 0), (256, 1), (256, 1)):
        shelf.fill(65536)
        assert (shelf.stored(0), shelf.stored(1)) == (stored, above)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0, 0), "tile/0/000"),
        ((0, 999), "tile/0/999"),
        ((1, 1234067), "tile/1/x001/x234/067"),
        ((0, 1000), "tile/0/x001/000"),
        ((2, 5, 17), "tile/2/005.p/17"),
    ],
)
def test_tiles_have_the_names_of_tlog_tiles(arguments, expected):
    """c2sp.org/tlog-tiles gives x001/x234/067 as its example."""
    assert tiles.path(*arguments) == expected
