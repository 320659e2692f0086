"""The tree against the published vectors and against the recursive definition of RFC 6962 section 2.1."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.ledger.merkle import Edge, leaf_hash, node_hash

# Certificate Transparency's reference vectors (certificate-transparency: merkletree/merkle_tree_test.cc).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(root_by_definition(leaves[:split]), root_by_definition(leaves[split:]))


def test_the_empty_tree_hashes_the_empty_string():
    """The first checkpoint of every ledger states this root."""
    assert Edge().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size):
    """Tools that we did not write must come to the same root."""
    edge = Edge()
    for entry in LEAVES[:size]:
        edge = edge.append(leaf_hash(entry))
    assert edge.root().hex() == ROOTS[size - 1]


@given(st.lists(st.binary(max_size=8), max_size=70), st.integers(0, 70))
def test_appending_at_the_edge_gives_the_root_of_the_definition(entries, cut):
    """However the leaves are split into batches, and though only the edge is kept between them."""
    leaves = [leaf_hash(entry) for entry in entries]
    kept = Edge().extend(leaves[:cut])
    edge = Edge.from_bytes(kept.size, kept.to_bytes()).extend(leaves[cut:])
    assert edge.root() == root_by_definition(leaves)
    assert len(edge.hashes) == len(leaves).bit_count()


@pytest.mark.parametrize(("size", "length"), [(-1, 0), (0, 32), (1, 0), (3, 32), (3, 63), (4, 64)])
def test_bytes_that_are_not_the_edge_of_that_size_are_refused(size, length):
    """A damaged head must not become the start of a wrong tree."""
    with pytest.raises(ValueError, match="not the edge"):
        Edge.from_bytes(size, bytes(length))
