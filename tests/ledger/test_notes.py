"""Files of checkpoints, whatever else somebody wrote there."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from plugin.ledger import checkpoint
from plugin.ledger.checkpoint import MAX_NOTE, Checkpoint
from plugin.ledger.key import SigningKey
from plugin.ledger.merkle import HASH_SIZE
from plugin.ledger.notes import NoteFile
from plugin.ledger.sink_file import START_BYTES, FileSink

ORIGIN = "log.example/ledger/0"


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey(ORIGIN, Ed25519PrivateKey.generate())


def note(key: SigningKey, size: int, root: int = 0) -> str:
    return checkpoint.sign(Checkpoint(ORIGIN, size, bytes([root]) * HASH_SIZE), key)


def forged(key: SigningKey, size: int) -> str:
    return note(key, 1).replace("\n1\n", f"\n{size}\n")


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), gap=st.integers(0, 3 * MAX_NOTE))
def test_the_largest_signed_checkpoint_is_found_wherever_it_stands(
    key: SigningKey, tmp_path_factory: pytest.TempPathFactory, sizes: list[int], gap: int
) -> None:
    """Between blocks, before smaller ones, behind what nobody signed."""
    file = NoteFile(tmp_path_factory.mktemp("notes") / "file")
    file.path.write_text(forged(key, 50) + ("x" * gap + "\n").join(f"\n{note(key, size)}" for size in sizes))
    found = file.largest(key.verifier)
    assert found is not None
    assert found[0].size == max(sizes)
    assert [stated.size for stated, _ in file.claims(ORIGIN)] == [50, *sizes]


def test_of_several_of_one_size_the_last_counts(key: SigningKey, tmp_path) -> None:
    """It has the cosignatures that came later."""
    file = NoteFile(tmp_path / "file")
    cosigned = note(key, 3) + "— witness.example d2l0bmVzcw==\n"
    file.path.write_text(f"\n{note(key, 3)}\n{cosigned}\n{note(key, 2)}")
    assert file.largest(key.verifier) == (Checkpoint(ORIGIN, 3, bytes(HASH_SIZE)), cosigned)


def test_a_start_looks_at_the_end_of_a_file_and_at_all_of_it_where_no_checkpoint_stands_there(
    key: SigningKey, tmp_path
) -> None:
    """However long a gateway has run: not the time of a start grows with it."""
    sink = FileSink(tmp_path / "file", key.verifier)
    old = f"\n{note(key, 2)}"
    (tmp_path / "file").write_text(f"\n{note(key, 9)}" + old * (START_BYTES // len(old.encode()) - 5))
    assert sink.newest().size == 9
    (tmp_path / "file").write_text(f"\n{note(key, 9)}" + old * (START_BYTES // len(old.encode()) + 5))
    assert sink.newest().size == 2
    (tmp_path / "file").write_text(f"\n{note(key, 9)}" + "x" * 2 * START_BYTES)
    assert sink.newest().size == 9


def test_a_sink_reads_on_where_it_stopped_and_anew_where_the_file_is_another(key: SigningKey, tmp_path) -> None:
    sink = FileSink(tmp_path / "file", key.verifier)
    assert sink.newest() is None
    sink._notes.append(note(key, 5))
    sink._notes.append(note(key, 2))
    assert sink.newest().size == 5
    sink._notes.append(note(key, 9))
    assert sink.newest().size == 9
    (tmp_path / "file").write_text(f"\n{note(key, 4)}")
    assert sink.newest().size == 4
