"""The ledger seen working with programs that are not ours: a witness, and the transparency log code of the Go project.

`tests/ledger/thirdparty/install` builds them.
"""

import base64
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugin.ledger import checkpoint, evidence
from plugin.ledger.checkpoint import Checkpoint, verify_note
from plugin.ledger.deliveries import Deliveries
from plugin.ledger.errors import ProofInvalid, SinkFailed
from plugin.ledger.file_place import FilePlace
from plugin.ledger.key import VerifierKey, WitnessKey
from plugin.ledger.merkle import Edge
from plugin.ledger.proof import TlogProof
from plugin.ledger.reader import Reader
from plugin.ledger.record import draft
from plugin.ledger.sink import Answer
from plugin.ledger.sink_witness import WitnessSink
from plugin.ledger.verify import verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
"""For a program to begin to listen, on a machine with much else to do."""


def program(name: str) -> Path:
    """Where a third-party program lies. Without it the test is skipped, but under CI it fails."""
    path = ROOT / ".cache" / "thirdparty" / name
    if not path.exists():
        sentence = f"{name} is not there: run tests/ledger/thirdparty/install (it needs Go 1.26)"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return path


class LoopbackPoster:
    """A poster on the standard library, for a server on this machine."""

    def post(self, url: str, body: bytes, content_type: str) -> Answer:
        request = urllib.request.Request(url, body, {"Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
                return Answer(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers.get("Content-Type", ""), error.read())
        except OSError as error:
            raise SinkFailed(f"{url} did not answer") from error


@contextmanager
def running(command: list[object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that lives as long as the block."""
    with log.open("wb") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def eventually(ask):
    """The first answer of `ask` that is none of False, None or an OSError."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            if answer := ask():
                return answer
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come up")


class Litewitness:
    """The witness, told of one log."""

    def __init__(self, folder: Path, url: str, key: WitnessKey) -> None:
        self.folder, self.url, self.key = folder, url, key

    def tell(self, origin: str, vkey: str) -> None:
        """Two rows of its database, as its own `witnessctl add-log` writes them."""
        with sqlite3.connect(self.folder / "db", timeout=START_SECONDS) as database:
            empty = base64.b64encode(Edge().root()).decode()
            database.execute("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", (origin, empty))
            database.execute("INSERT INTO key (origin, key) VALUES (?, ?)", (origin, vkey))
        database.close()


@pytest.fixture
def litewitness(tmp_path):
    """litewitness with its key in an ssh-agent of its own."""
    binary = program("litewitness")
    for tool in ("ssh-agent", "ssh-add", "ssh-keygen"):
        assert shutil.which(tool), f"{tool} is needed"
    folder = tmp_path / "w"
    folder.mkdir()
    agent, private = folder / "agent", folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", private], check=True)
    listing = subprocess.run(["ssh-keygen", "-l", "-f", private], check=True, capture_output=True, text=True).stdout
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(["ssh-agent", "-D", "-a", agent], folder / "agent.log"):
        eventually(agent.exists)
        subprocess.run(
            ["ssh-add", "-q", private], check=True, capture_output=True, env={**os.environ, "SSH_AUTH_SOCK": str(agent)}
        )
        command = [binary, "-db", folder / "db", "-name", "witness.example/w1", "-key", listing.split()[1]]
        command += ["-ssh-agent", agent, "-listen", f"127.0.0.1:{port}"]
        with running(command, folder / "log"):
            url = f"http://127.0.0.1:{port}"
            page = eventually(lambda: urllib.request.urlopen(url, timeout=START_SECONDS).read().decode())
            vkey = re.search(r"witness\.example/w1\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", page.replace("&#43;", "+"))
            yield Litewitness(folder, url, WitnessKey.parse(vkey.group()))


def grow(place, count: int) -> None:
    """Append so many records, a thousand in a commit."""
    ledger = place.open()
    for first in range(0, count, 1000):
        ledger._commit([draft({"n": n}, "hospital", "consultation") for n in range(first, min(first + 1000, count))])
    ledger.close()


class Post:
    """The ledger's deliveries to the witness alone."""

    def __init__(self, place, witness: Litewitness) -> None:
        self.place, self.witness = place, witness
        self.key = VerifierKey.parse(place.vkey)
        self.forks: list[str] = []

    def deliver(self):
        """One round of a fresh start; returns the status of the witness."""
        sink = WitnessSink(self.witness.url, self.witness.key, LoopbackPoster())
        deliveries = Deliveries(
            Reader(self.place.path),
            self.key,
            [sink],
            FilePlace(self.place.path).kept,
            on_fork=lambda _name, sentence, _first: self.forks.append(sentence),
        )
        deliveries.deliver()
        return deliveries.status()[0]


@pytest.fixture
def post(place, litewitness):
    litewitness.tell(place.vkey.partition("+")[0], place.vkey)
    return Post(place, litewitness)


def test_litewitness_cosigns_what_grows(post):
    """From the empty tree over several sizes; each cosignature verifies, and verification can demand it."""
    for count, size in ((1, 1), (6, 7), (26, 33), (700, 733)):
        grow(post.place, count)
        status = post.deliver()
        assert (status.size, status.problem) == (size, None)
    assert post.forks == []
    note = evidence.newest(Reader(post.place.path), post.key, FilePlace(post.place.path).kept)
    assert verify_note(note, post.witness.key) == checkpoint.verify(note, post.key).text()
    report = verify(post.place.path, post.key, against=note, witnesses=[post.witness.key])
    assert (report.problem, report.held) == (None, 733)


def test_litewitness_refuses_a_ledger_that_was_cut(post):
    """An older copy was put back whole: by itself it verifies, and the witness remembers more."""
    grow(post.place, 20)
    copy = post.place.path.with_name("copy")
    shutil.copy(post.place.path, copy)
    grow(post.place, 10)
    assert post.deliver().size == 30
    shutil.copy(copy, post.place.path)
    FilePlace(post.place.path).kept.unlink()
    assert post.place.verify().problem is None
    status = post.deliver()
    assert status.forked
    assert "what it cosigned, 30 records" in post.forks[0]


@pytest.mark.parametrize("more", [10, 25])
def test_litewitness_refuses_a_second_history(post, more):
    """Of the same size, or longer than what it saw."""
    grow(post.place, 20)
    copy = post.place.path.with_name("copy")
    shutil.copy(post.place.path, copy)
    grow(post.place, 10)
    assert post.deliver().size == 30
    shutil.copy(copy, post.place.path)
    FilePlace(post.place.path).kept.unlink()
    grow(post.place, more)
    assert post.deliver().forked
    assert len(post.forks) == 1


def test_litewitness_does_not_know_a_log_that_it_was_not_told_of(place, litewitness):
    """That is a matter of configuration: no alarm, tried again."""
    grow(place, 3)
    post = Post(place, litewitness)
    status = post.deliver()
    assert (status.forked, status.problem, post.forks) == (False, "witness witness.example/w1 answered 404", [])
    litewitness.tell(place.vkey.partition("+")[0], place.vkey)
    assert post.deliver().size == 3


def judged(*arguments: object) -> str | None:
    """What the Go verifier prints; None if it refuses."""
    result = subprocess.run(
        [program("verifier"), *map(str, arguments)], capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    assert result.returncode in (0, 1), result.stderr
    return result.stdout.strip() if result.returncode == 0 else None


@pytest.fixture
def files(tmp_path):
    """Writes what the verifier reads."""
    program("verifier")
    folder = tmp_path / "files"
    folder.mkdir()

    def write(name: str, content: str | bytes) -> Path:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder / name

    return write


def test_the_go_project_accepts_our_inclusion_proofs(place, files):
    """Key, checkpoint, leaf hash and path, read by code of the Go checksum database."""
    grow(place, 700)
    reader, key = Reader(place.path), VerifierKey.parse(place.vkey)
    for position in (0, 1, 255, 256, 511, 512, 650, 699):
        made = evidence.prove(reader, position, key)
        assert judged("record", place.vkey, files("p", made.proof.text()), files("h", made.header)) == "700"
    assert judged("record", place.vkey, files("p", made.proof.text()), files("h", made.header + b" ")) is None
    moved = TlogProof(made.proof.index - 1, made.proof.path, made.proof.note)
    assert judged("record", place.vkey, files("p", moved.text()), files("h", made.header)) is None
    with pytest.raises(ProofInvalid):
        moved.verify(made.header, key)


def test_the_go_project_accepts_our_consistency_proofs(place, files):
    """Between any two checkpoints of ours; and refuses one from a tree of another content."""
    notes = []
    for count in (1, 2, 253, 1, 255, 100):
        grow(place, count)
        notes.append(Reader(place.path).head().checkpoint)
    key = VerifierKey.parse(place.vkey)
    with Reader(place.path).tree() as tree:
        for at, old in enumerate(notes):
            for new in notes[at:]:
                sizes = [checkpoint.verify(note, key).size for note in (old, new)]
                path = "".join(f"{base64.b64encode(hash_).decode()}\n" for hash_ in tree.consistency(*sizes))
                proof = files("p", path)
                assert judged("growth", place.vkey, files("o", old), files("n", new), proof) == str(sizes[1])
    forged = checkpoint.sign(Checkpoint(key.name, 256, bytes(32)), place.key())
    path = "".join(f"{base64.b64encode(hash_).decode()}\n" for hash_ in tree_path(place, 256))
    assert judged("growth", place.vkey, files("o", forged), files("n", notes[-1]), files("p", path)) is None


def tree_path(place, old: int) -> list[bytes]:
    with Reader(place.path).tree() as tree:
        return tree.consistency(old)
