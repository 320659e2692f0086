"""Proofs against Certificate Transparency's published vectors, the recursive definition, and damage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.ledger import checkpoint, proof
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.errors import CheckpointInvalid, ProofInvalid
from plugin.ledger.merkle import Edge, leaf_hash, node_hash
from plugin.ledger.proof import TlogProof, check_consistency, check_inclusion, consistency, inclusion

# Certificate Transparency's reference vectors (certificate-transparency: merkletree/merkle_tree_test.cc):
# its eight leaves, and for them inclusion paths (leaf counted from 1, size) and consistency proofs (old, new).
ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
PATHS = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (3, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (2, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCIES = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
SIZES = st.integers(1, 140)


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(bytes([number])) for number in range(count)]


def root_of(leaves) -> bytes:
    return Edge().extend(leaves).root()


def subtrees(leaves):
    """Straight from the leaves."""

    def subtree(height: int, index: int) -> bytes:
        part = leaves[index << height : (index + 1) << height]
        assert len(part) == 1 << height
        return root_of(part)

    return subtree


def split_of(count: int) -> int:
    split = 1
    while split * 2 < count:
        split *= 2
    return split


def path_by_definition(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = split_of(len(leaves))
    if index < k:
        return [*path_by_definition(index, leaves[:k]), root_of(leaves[k:])]
    return [*path_by_definition(index - k, leaves[k:]), root_of(leaves[:k])]


def proof_by_definition(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2, word for word."""
    if old == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = split_of(len(leaves))
    if old <= k:
        return [*proof_by_definition(old, leaves[:k], whole), root_of(leaves[k:])]
    return [*proof_by_definition(old - k, leaves[k:], False), root_of(leaves[:k])]


@pytest.mark.parametrize(("leaf", "size"), PATHS)
def test_inclusion_paths_are_those_of_certificate_transparency(leaf, size):
    """Tools that we did not write must accept them."""
    leaves = [leaf_hash(entry) for entry in ENTRIES[:size]]
    path = inclusion(leaf - 1, size, subtrees(leaves))
    assert [hash_.hex() for hash_ in path] == PATHS[leaf, size]
    check_inclusion(leaves[leaf - 1], leaf - 1, size, path, root_of(leaves))


@pytest.mark.parametrize(("old", "new"), CONSISTENCIES)
def test_consistency_proofs_are_those_of_certificate_transparency(old, new):
    """Tools that we did not write must accept them."""
    leaves = [leaf_hash(entry) for entry in ENTRIES[:new]]
    path = consistency(old, new, subtrees(leaves))
    assert [hash_.hex() for hash_ in path] == CONSISTENCIES[old, new]
    check_consistency(old, root_of(leaves[:old]), new, root_of(leaves), path)


@given(SIZES, st.data())
def test_every_path_is_that_of_the_definition_and_is_accepted(size, data):
    """For any tree and any leaf in it; the root comes from the same subtrees."""
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    path = inclusion(index, size, subtrees(leaves))
    assert path == path_by_definition(index, leaves)
    assert proof.root(size, subtrees(leaves)) == root_of(leaves)
    check_inclusion(leaves[index], index, size, path, root_of(leaves))


@given(SIZES, st.data())
def test_every_consistency_proof_is_that_of_the_definition_and_is_accepted(new, data):
    """For any two sizes of one tree; the empty tree is continued by all."""
    old = data.draw(st.integers(0, new))
    leaves = leaves_of(new)
    path = consistency(old, new, subtrees(leaves))
    assert path == (proof_by_definition(old, leaves) if old else [])
    check_consistency(old, root_of(leaves[:old]), new, root_of(leaves), path)


@given(SIZES, st.data())
def test_a_damaged_inclusion_proof_is_refused(size, data):
    """Another leaf, place, size, root or path, a hash more, a hash less: each proves nothing."""
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root, path = root_of(leaves), inclusion(index, size, subtrees(leaves))
    wrong = leaf_hash(b"wrong")
    damaged = [
        (wrong, index, size, path, root),
        (leaves[index], index, size, path, wrong),
        (leaves[index], index, size, [*path, wrong], root),
        (leaves[index], index + size, size, path, root),
        (leaves[index], -1, size, path, root),
    ]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        damaged.append((leaves[index], index, size, [*path[:at], wrong, *path[at + 1 :]], root))
        damaged.append((leaves[index], index, size, path[:-1], root))
        other = data.draw(st.integers(0, size - 1).filter(lambda other: other != index))
        damaged.append((leaves[index], other, size, path, root))
    for arguments in damaged:
        with pytest.raises(ProofInvalid):
            check_inclusion(*arguments)


@given(SIZES, st.data())
def test_a_damaged_consistency_proof_is_refused(new, data):
    """A history that was changed anywhere before `old` cannot be joined to what was seen."""
    old = data.draw(st.integers(0, new))
    leaves = leaves_of(new)
    old_root, root, path = root_of(leaves[:old]), root_of(leaves), consistency(old, new, subtrees(leaves))
    wrong = leaf_hash(b"wrong")
    damaged = [
        (old, wrong, new, root, path),
        (old, old_root, new, root, [*path, wrong]),
        (new + 1, root, new, root, path),
        (-1, root, new, root, path),
    ]
    if old:
        damaged.append((old, old_root, new, wrong, path))
        changed = data.draw(st.integers(0, old - 1))
        forged = [*leaves[:changed], wrong, *leaves[changed + 1 :]]
        damaged.append((old, old_root, new, root_of(forged), consistency(old, new, subtrees(forged))))
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        damaged.append((old, old_root, new, root, [*path[:at], wrong, *path[at + 1 :]]))
        damaged.append((old, old_root, new, root, path[:-1]))
        damaged.append((old, old_root, new, root, []))
    for arguments in damaged:
        with pytest.raises(ProofInvalid):
            check_consistency(*arguments)


@pytest.mark.parametrize(("make", "arguments"), [(inclusion, (3, 3)), (inclusion, (-1, 3)), (consistency, (4, 3))])
def test_what_is_not_in_the_tree_has_no_proof(make, arguments):
    """A wrong question, not a broken ledger."""
    with pytest.raises(ValueError, match="tree of 3"):
        make(*arguments, subtrees(leaves_of(3)))


@pytest.fixture
def proven(place):
    """A proof text for the third of seven records, with its header and the key."""
    key = place.key()
    headers = [bytes([number]) for number in range(7)]
    leaves = [leaf_hash(header) for header in headers]
    note = checkpoint.sign(Checkpoint(key.verifier.name, 7, root_of(leaves)), key)
    return TlogProof(2, tuple(inclusion(2, 7, subtrees(leaves))), note), headers[2], key.verifier


def test_a_proof_text_stands_alone(proven):
    """The header's bytes, the text and the public key are all that a court needs."""
    made, header, key = proven
    read = TlogProof.parse(made.text())
    assert read == made
    assert made.text().startswith("c2sp.org/tlog-proof@v1\nindex 2\n")
    assert read.verify(header, key).size == 7
    extra = made.text().replace("index 2", "extra aGVsbG8=\nindex 2")
    assert TlogProof.parse(extra) == made


def test_a_proof_text_of_another_record_proves_nothing(proven):
    """Nor does one whose checkpoint another key signed."""
    made, header, key = proven
    with pytest.raises(ProofInvalid):
        TlogProof.parse(made.text()).verify(header + b"x", key)
    with pytest.raises(CheckpointInvalid):
        TlogProof.parse(made.text().replace("\n7\n", "\n8\n")).verify(header, key)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"),
        ("index 2", "index 02"),
        ("index 2", "index -2"),
        ("index 2\n", ""),
        ("index 2", "index 2\nAAAA"),
        ("index 2", "index 2\nno base64"),
        ("index 2\n", "index 2\n" + "A" * 43 + "=\n" * 64),
        ("\n\n", "\n"),
    ],
)
def test_a_malformed_proof_text_is_refused(proven, old, new):
    """It comes from outside."""
    made, header, key = proven
    with pytest.raises((ProofInvalid, CheckpointInvalid)):
        TlogProof.parse(made.text().replace(old, new, 1)).verify(header, key)


@given(st.text())
def test_arbitrary_text_is_refused_as_a_proof(text):
    """Never another error."""
    with pytest.raises(ProofInvalid):
        TlogProof.parse(text)


def test_a_node_is_never_taken_for_a_leaf():
    """The prefixes keep them apart: the root of two leaves proves no record with their hashes as its bytes."""
    leaves = leaves_of(2)
    assert node_hash(*leaves) == root_of(leaves) != leaf_hash(b"".join(leaves))
