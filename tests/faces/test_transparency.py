"""`/ledger/…`: what an outsider needs to check the log, and nothing of what it says."""

import base64
from pathlib import Path

import orjson
import pytest

from plugin.ledger import checkpoint
from plugin.ledger.key import VerifierKey
from plugin.ledger.merkle import leaf_hash
from plugin.ledger.proof import TlogProof, check_consistency
from plugin.ledger.reader import Reader
from tests.world import CONFIGURATION, World, observation

PUBLIC = CONFIGURATION.replace("[[ehr]]", "[ledger]\npublic = true\n\n[[ehr]]", 1)


@pytest.fixture
def open_world(tmp_path: Path) -> World:
    """A gateway whose log is public, with a few records."""
    world = World(tmp_path, PUBLIC)
    world.lab.resources.append(observation("o1"))
    for _ in range(5):
        assert world.ask("/fhir/city-lab/Observation?patient=p1").status == 200
    return world


def test_it_is_off_by_default(world: World) -> None:
    """How many records there are is the controller's to tell."""
    for path in ("checkpoint", "tile/0/000.p/1", "proof/0", "consistency/1/2"):
        assert world.ask(f"/ledger/{path}", token="").status == 404


def test_hashes_are_read_and_nothing_else(open_world: World) -> None:
    """The framework's own answer to OPTIONS is off here as everywhere."""
    for method in ("OPTIONS", "POST", "DELETE"):
        assert open_world.ask("/ledger/checkpoint", method=method, token="").status == 405


def test_an_outsider_checks_a_record_and_that_the_log_only_grew(open_world: World) -> None:
    """With the public key alone."""
    key = VerifierKey.parse(open_world.vkey)
    before = checkpoint.verify(open_world.ask("/ledger/checkpoint", token="").data.decode(), key)
    proof = TlogProof.parse(open_world.ask("/ledger/proof/3", token="").data.decode())
    [record] = Reader(open_world.settings.ledger.path).records(3, 3)
    assert proof.verify(record.header, key).size == before.size == 5
    open_world.ask("/fhir/city-lab/Observation?patient=p1")
    after = checkpoint.verify(open_world.ask("/ledger/checkpoint", token="").data.decode(), key)
    lines = open_world.ask(f"/ledger/consistency/{before.size}/{after.size}", token="").data.split()
    check_consistency(before.size, before.root, after.size, after.root, [base64.b64decode(each) for each in lines])


def test_tiles_are_hashes_of_headers(open_world: World) -> None:
    """The form of existing logs, so that their tools can read this one."""
    tile = open_world.ask("/ledger/tile/0/000.p/5", token="").data
    headers = [record.header for record in Reader(open_world.settings.ledger.path).records()]
    assert tile == b"".join(leaf_hash(header) for header in headers)
    assert orjson.loads(headers[0])["position"] == 0


@pytest.mark.parametrize(
    "path",
    ["tile/0/000", "tile/0/000.p/6", "tile/0/000.p/0", "tile/64/000", "tile/0/0", "tile/0/x000/000.p/5",
     "tile/0/../../x", "tile/entries/000", "proof/5", "proof/-1", "proof/x", "consistency/3/9", "consistency/4/3", ""],
)  # fmt: skip
def test_what_is_not_there_is_404(open_world: World, path: str) -> None:
    assert open_world.ask(f"/ledger/{path}", token="").status == 404


def test_nothing_of_what_records_say_is_shown(open_world: World) -> None:
    """Hashes are of headers, which name a body by a hash with a nonce."""
    for path in ("checkpoint", "tile/0/000.p/5", "proof/0", "consistency/1/5"):
        answer = open_world.ask(f"/ledger/{path}", token="")
        assert answer.status == 200
        assert not any(word in answer.data for word in (b"dr-roy", b"Patient/p1", b"Observation", b"hospital"))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
