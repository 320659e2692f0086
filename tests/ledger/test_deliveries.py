"""Checkpoints on their way out: who has what, who is late, and who contradicts the ledger."""

import shutil
import threading
import time
from contextlib import contextmanager
from itertools import chain, repeat

import pytest

from plugin.ledger import checkpoint, evidence, origin
from plugin.ledger.checkpoint import verify_note
from plugin.ledger.deliveries import ROUND_SECONDS, Deliveries, check_continued
from plugin.ledger.errors import LedgerBroken, LedgerUnreadable, SinkFailed
from plugin.ledger.file_place import FilePlace
from plugin.ledger.key import KeyInvalid, VerifierKey, WitnessKey
from plugin.ledger.notes import NoteFile
from plugin.ledger.reader import Reader
from plugin.ledger.sink import Answer, Sink
from plugin.ledger.sink_file import START_BYTES, FileSink
from plugin.ledger.sink_https import HttpsSink
from plugin.ledger.sink_witness import WitnessSink
from tests.ledger.witness import Witness


class Shelf:
    """A web server that keeps what it is sent."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.status = 201

    def post(self, url: str, body: bytes, content_type: str) -> Answer:
        if 200 <= self.status < 300:
            self.notes.append(body.decode())
        return Answer(self.status, "", b"")


class Hanging:
    """In place of what posts: it answers nothing before it is let go of."""

    def __init__(self, answers) -> None:
        self._answers = answers
        self.let_go = threading.Event()

    def __call__(self, *request) -> Answer:
        assert self.let_go.wait(60)
        return self._answers(*request)


class Post:
    """A ledger with a witness, a web server and a file that its checkpoints go to."""

    def __init__(self, place, tmp_path) -> None:
        self.place = place
        self.key = VerifierKey.parse(place.vkey)
        self.witness, self.shelf, self.file = Witness(self.key), Shelf(), tmp_path / "elsewhere"
        self.forks: list[tuple[str, bool]] = []

    def deliveries(self, *further, **more) -> Deliveries:
        """As a fresh start makes it; `further` sinks stand behind the three."""
        return Deliveries(
            Reader(self.place.path),
            self.key,
            [*self.sinks(), *further],
            FilePlace(self.place.path).kept,
            on_fork=lambda _, sentence, first: self.forks.append((sentence, first)),
            **more,
        )

    def sinks(self) -> list[Sink]:
        return [
            FileSink(self.file, self.key),
            HttpsSink("https://keep.example/checkpoints", self.shelf),
            WitnessSink(self.witness.url, self.witness.key, self.witness),
        ]

    def check(self) -> list[str]:
        """As a start does."""
        return check_continued(Reader(self.place.path), self.sinks())

    def held(self) -> list[int]:
        """Sizes of the checkpoints in the file, newest first."""
        return [stated.size for stated, _ in NoteFile(self.file).newest_first(self.key)]


@pytest.fixture
def post(place, tmp_path):
    return Post(place, tmp_path)


def test_every_sink_gets_the_newest_checkpoint_with_its_cosignatures(post):
    """The witness is asked first; what goes elsewhere carries its word."""
    post.place.fill(3)
    deliveries = post.deliveries()
    deliveries.deliver()
    (note,) = post.shelf.notes
    assert checkpoint.verify(note, post.key).size == 3
    assert verify_note(note, post.witness.key) == checkpoint.verify(note, post.key).text()
    assert NoteFile(post.file).largest(post.key)[1] == note
    assert NoteFile(FilePlace(post.place.path).kept).largest(post.key)[1] == note
    assert {(status.size, status.age(1e9), status.problem) for status in deliveries.status()} == {(3, 0.0, None)}


def test_nothing_is_sent_twice_while_the_ledger_does_not_grow(post):
    """An idle night leaves one line, not a thousand."""
    post.place.fill(3)
    deliveries = post.deliveries()
    for _ in range(3):
        deliveries.deliver()
    assert (len(post.shelf.notes), post.held(), post.witness.asked) == (1, [3], [(0, 3)])


def test_an_empty_ledger_is_delivered_to_nobody(post):
    """There is nothing to cut yet, and a witness takes no empty tree."""
    post.deliveries().deliver()
    assert (post.shelf.notes, post.held(), post.witness.asked) == ([], [], [])


def test_a_witness_is_shown_that_the_ledger_only_grew(post):
    """And after a restart, when we do not know what it has, it tells."""
    post.place.fill(3)
    deliveries = post.deliveries()
    deliveries.deliver()
    post.place.fill(4)
    deliveries.deliver()
    post.place.fill(600)
    post.deliveries().deliver()
    assert post.witness.asked == [(0, 3), (3, 7), (0, 607), (7, 607)]
    assert post.witness.size == 607
    assert post.forks == []


def test_a_sink_that_fails_holds_up_no_other_and_is_tried_again(post):
    """Its problem and its age are told until it has caught up."""
    post.place.fill(3)
    deliveries = post.deliveries()
    post.shelf.status, post.witness.reachable = 503, False
    deliveries.deliver()
    late = {status.name: status for status in deliveries.status() if status.problem}
    assert set(late) == {"witness witness.example/w1", "https https://keep.example/checkpoints"}
    assert all(status.age(status.behind_since + 7) == 7 for status in late.values())
    assert post.held() == [3]
    post.shelf.status, post.witness.reachable = 200, True
    deliveries.deliver()
    assert all(status.behind_since is None and status.problem is None for status in deliveries.status())
    assert verify_note(post.shelf.notes[-1], post.witness.key)
    assert post.held() == [3, 3], "the file has it again, cosigned"


def until(true) -> None:
    """Wait for it."""
    patience = time.monotonic() + 60
    while not true():
        assert time.monotonic() < patience
        time.sleep(0.01)


def sizes(post) -> list[int]:
    """Of the checkpoints that the web server took, oldest first."""
    return [checkpoint.verify(note, post.key).size for note in post.shelf.notes]


def test_a_sink_that_hangs_holds_up_no_other_and_gets_the_newest_once_it_answers(post):
    """None of those that were cut meanwhile; it is behind from when the ledger was first seen to be ahead of it."""
    post.shelf.post = hanging = Hanging(post.shelf.post)
    deliveries, since = post.deliveries(), set()
    for size in (1, 2, 3, 4):
        post.place.fill(1)
        deliveries.deliver(0.02)
        until(lambda: [status.size for status in deliveries.status()] == [size, size, None, size])  # noqa: B023
        late = deliveries.status()[2]
        assert "has not answered yet" in late.problem
        since.add(late.behind_since)
    assert len(since) == 1
    hanging.let_go.set()
    deliveries.deliver()
    assert (sizes(post)[0], set(sizes(post)[1:])) == (1, {4})
    assert all(status.behind_since is None for status in deliveries.status())


def test_a_witness_that_hangs_holds_up_nobody_and_its_word_is_brought_later(post):
    """Also where the ledger has not grown meanwhile."""
    post.place.fill(3)
    post.witness.post = hanging = Hanging(post.witness.post)
    deliveries = post.deliveries()
    deliveries.deliver(0.02)
    until(lambda: sizes(post) == [3])
    assert post.shelf.notes[0].count("—") == 1
    hanging.let_go.set()
    deliveries.deliver()
    assert sizes(post) == [3, 3]
    assert verify_note(post.shelf.notes[1], post.witness.key)


def test_who_has_all_there_is_to_have_is_not_behind_while_a_witness_hangs(post):
    """Nor in the middle of a round: its age is a gauge, which is looked at whenever somebody likes."""
    post.place.fill(3)
    second = Witness(post.key, name="witness.example/w2")
    second.post = hanging = Hanging(second.post)
    deliveries = post.deliveries(WitnessSink(second.url, second.key, second))

    def behind() -> list[str]:
        return [status.name for status in deliveries.status() if status.behind_since is not None]

    until(lambda: deliveries.deliver(0.2) or behind() == [f"witness {second.key.name}"])
    seen = []
    deliveries._wait = lambda *_, **__: seen.append(behind())
    deliveries.deliver(0.2)
    assert seen == [[f"witness {second.key.name}"]] * 2
    hanging.let_go.set()


def test_a_process_that_may_have_no_further_thread_tries_again(post, monkeypatch):
    """A limit of the service manager, or of a container, is met for a moment; checkpoints go out again after it."""
    post.place.fill(1)
    deliveries = post.deliveries()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse_to_start)
        deliveries.deliver()
    assert {status.problem.partition(": ")[2] for status in deliveries.status()} == {"there is no thread to bring it"}
    deliveries.deliver()
    assert sizes(post) == [1]


def refuse_to_start(_) -> None:
    """As Python does where the system refuses."""
    raise RuntimeError("can't start new thread")


def test_a_stop_takes_no_longer_than_it_was_given_whoever_hangs(post):
    """Also in the middle of a round; the others get what is newest then."""
    post.place.fill(1)
    post.witness.post = post.shelf.post = hanging = Hanging(post.shelf.post)
    deliveries = post.deliveries()
    deliveries.start()
    until(lambda: deliveries.status()[0].behind_since)
    post.place.fill(1)
    begun = time.monotonic()
    deliveries.stop(0.02)
    assert time.monotonic() - begun < ROUND_SECONDS / 4
    assert not deliveries.running()
    until(lambda: post.held()[:1] == [2])
    assert not hanging.let_go.is_set()
    hanging.let_go.set()


def test_a_sink_with_a_defect_is_told_as_one_and_is_tried_again(post, monkeypatch):
    """An error that nobody thought of ends neither the rounds nor the others."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    post.place.fill(1)
    answers, post.shelf.post = post.shelf.post, None
    deliveries = post.deliveries()
    deliveries.deliver()
    assert (post.held(), sizes(post)) == ([1], [])
    assert "a defect, TypeError" in deliveries.status()[2].problem
    post.shelf.post = answers
    deliveries.deliver()
    assert sizes(post) == [1]


def test_a_cut_ledger_is_refused_by_the_witness_once_and_loudly(post):
    """The alarm that all this is for."""
    post.place.fill(5)
    older = post.place.path.with_name("copy")
    shutil.copy(post.place.path, older)
    post.place.fill(2)
    post.deliveries().deliver()
    shutil.copy(older, post.place.path)
    for suffix in ("-wal", "-shm"):
        post.place.path.with_name(post.place.path.name + suffix).unlink(missing_ok=True)
    assert post.place.verify().problem is None
    deliveries = post.deliveries()
    for _ in range(2):
        deliveries.deliver()
    assert [first for _, first in post.forks] == [True, True, True], "witness, file and the kept ones; each once"
    assert "7 records" in post.forks[0][0]
    assert [status.forked for status in deliveries.status()] == [True, True, False, True]
    with pytest.raises(LedgerBroken, match="do not continue the 7"):
        post.check()


def test_a_checkpoint_buried_under_a_megabyte_of_old_ones_is_found_by_the_first_delivery(post):
    """A start does not wait for a file of years; who appended there has until then."""
    post.place.fill(2)
    older = post.place.path.with_name("copy")
    shutil.copy(post.place.path, older)
    post.deliveries().deliver()
    old = post.file.read_text()
    post.place.fill(2)
    post.deliveries().deliver()
    shutil.copy(older, post.place.path)
    for suffix in ("-wal", "-shm"):
        post.place.path.with_name(post.place.path.name + suffix).unlink(missing_ok=True)
    sink = FileSink(post.file, post.key)
    with pytest.raises(LedgerBroken, match="do not continue the 4"):
        check_continued(Reader(post.place.path), [sink])
    with post.file.open("a") as file:
        file.write(old * (START_BYTES // len(old.encode()) + 1))
    check_continued(Reader(post.place.path), [sink])
    post.deliveries().deliver()
    assert any("of 4 records" in sentence and str(post.file) in sentence for sentence, _ in post.forks)


def test_a_second_history_of_the_same_size_is_a_fork(post):
    """Two ledgers under one key: the copy of yesterday that somebody went on with."""
    copy = post.place.path.with_name("copy.sqlite")
    shutil.copy(post.place.path, copy)
    post.place.fill(4)
    post.deliveries().deliver()
    shutil.copy(copy, post.place.path)
    for suffix in ("-wal", "-shm"):
        post.place.path.with_name(post.place.path.name + suffix).unlink(missing_ok=True)
    post.place.fill(4)
    post.deliveries().deliver()
    assert len(post.forks) == 3
    with pytest.raises(LedgerBroken):
        post.check()


@pytest.mark.parametrize(("status", "fork"), [(422, True), (400, True), (403, True), (500, False), (404, False)])
def test_what_a_witness_refuses_is_an_alarm_and_what_it_cannot_do_now_is_not(post, status, fork):
    """tlog.md section 4: retry what is down or does not know us yet, never what says that we do not extend."""
    post.place.fill(3)
    post.witness.status = status
    deliveries = post.deliveries()
    deliveries.deliver()
    assert bool(post.forks) is fork
    assert deliveries.status()[0].problem is not None


def test_a_cosignature_of_another_key_is_not_kept(post):
    """Only what the configured witness signed counts."""
    post.place.fill(3)
    other = Witness(post.key, name=post.witness.key.name)
    post.witness.line = other.line
    deliveries = post.deliveries()
    deliveries.deliver()
    assert "without a good cosignature" in deliveries.status()[0].problem
    assert post.shelf.notes[0].count("—") == 1


def test_the_witness_may_know_a_newer_head_than_was_offered(post):
    """Another worker process delivered in between: no fork."""
    post.place.fill(3)
    deliveries = post.deliveries()
    old = deliveries._newest()
    post.place.fill(2)
    post.deliveries().deliver()
    deliveries._newest = chain([old], repeat(deliveries._newest())).__next__
    deliveries.deliver()
    assert post.forks == []


def test_a_ledger_that_cannot_be_read_now_is_not_contradicted(post, monkeypatch):
    """The witness knows more than was offered, and whether the ledger does is told the next time: the alarm of a fork
    ends the gateway where it is the first contact."""
    post.place.fill(3)
    deliveries = post.deliveries()
    old = deliveries._newest()
    post.place.fill(2)
    post.deliveries().deliver()

    def unreadable():
        raise LedgerUnreadable("the disk is slow")

    read = chain([lambda: old], repeat(unreadable))
    monkeypatch.setattr(deliveries, "_newest", lambda: next(read)())  # noqa: PLW0108 - another one each time
    deliveries.deliver()
    assert (post.forks, deliveries.status()[0].problem) == ([], "the disk is slow")
    monkeypatch.undo()
    deliveries.deliver()
    assert {(status.size, status.problem) for status in deliveries.status()} == {(5, None)}


def test_the_thread_delivers_at_once_at_its_interval_and_at_the_end(post):
    """No record waits longer than the interval, and the last ones go out with the program."""
    post.place.fill(1)
    delivered = threading.Event()
    post.shelf.post = lambda *_: delivered.set() or Answer(200, "", b"")
    deliveries = post.deliveries(interval=0.01)
    deliveries.start()
    assert delivered.wait(60)
    assert deliveries.running()
    post.place.fill(1)
    while max(post.held(), default=0) < 2:
        time.sleep(0.01)
    post.place.fill(1)
    deliveries.stop()
    assert post.held()[0] == 3
    assert not deliveries.running()


def test_a_folder_that_is_not_mounted_is_a_problem_and_never_made(post, tmp_path):
    """A checkpoint on the ledger's own disk proves nothing."""
    post.file = tmp_path / "mount" / "checkpoints"
    post.place.fill(1)
    deliveries = post.deliveries()
    deliveries.deliver()
    assert not post.file.parent.exists()
    assert "No such file" in next(status.problem for status in deliveries.status() if status.problem)


def test_the_start_is_checked_against_the_file(post):
    """A sound start has no warning; a sink that cannot be read gives one and is checked later."""
    post.place.fill(3)
    post.deliveries().deliver()
    post.place.fill(1)
    assert post.check() == []
    post.file.unlink()
    post.file.mkdir()
    (warning,) = post.check()
    assert str(post.file) in warning


def test_a_torn_or_foreign_end_of_the_file_is_passed_over(post, tmp_path):
    """A crash in the middle of a line, or the checkpoints of the ledger before this one."""
    post.place.fill(3)
    post.deliveries().deliver()
    note = NoteFile(post.file).largest(post.key)[1]
    with post.file.open("a") as file:
        file.write(f"\n{note.partition('—')[0]}— torn")
    assert post.held() == [3]
    post.place.fill(1)
    post.deliveries().deliver()
    assert post.held() == [4, 3]
    other = VerifierKey.parse(origin.create(tmp_path / "l2", tmp_path / "k2", "other.example/ledger/00000000"))
    assert NoteFile(post.file).largest(other) is None


def test_a_long_file_is_read_backwards_in_order(post):
    """Each checkpoint once, though blocks overlap."""
    post.place.fill(3)
    post.deliveries().deliver()
    note = NoteFile(post.file).largest(post.key)[1]
    post.file.write_text(f"\n{note}" * 3000 + "\n")
    assert post.file.stat().st_size > 3 << 18
    assert post.held() == [3] * 3000


def test_a_checkpoint_that_is_cosigned_while_a_record_is_proved_breaks_no_log(post):
    """The log grows and is delivered meanwhile: the tree that is looked at does not have that checkpoint yet."""

    class Slow(Reader):
        @contextmanager
        def tree(self):
            with super().tree() as tree:
                post.place.fill(1)
                post.deliveries().deliver()
                yield tree

    post.place.fill(2)
    found = evidence.prove(Slow(post.place.path), 1, post.key, FilePlace(post.place.path).kept)
    assert found.proof.verify(found.header, post.key).size == 2


def test_evidence_is_under_the_newest_cosigned_checkpoint(post):
    """A court believes a witness more than us; a record that no witness has seen yet is proved by our own word."""
    post.place.fill(3)
    post.deliveries().deliver()
    post.place.fill(2)
    reader, kept = Reader(post.place.path), FilePlace(post.place.path).kept
    seen = evidence.prove(reader, 1, post.key, kept)
    assert seen.proof.verify(seen.header, post.key).size == 3
    assert verify_note(seen.proof.note, post.witness.key)
    unseen = evidence.prove(reader, 4, post.key, kept)
    assert unseen.proof.verify(unseen.header, post.key).size == 5
    assert evidence.newest(reader, post.key, kept) == reader.head().checkpoint
    post.deliveries().deliver()
    assert verify_note(evidence.newest(reader, post.key, kept), post.witness.key)
    with pytest.raises(ValueError, match="5"):
        evidence.prove(reader, 5, post.key, kept)


def test_a_witness_key_is_of_its_own_type():
    """A plain key in its place would verify nothing, in silence."""
    witness = Witness(VerifierKey("log.example", bytes(32)))
    assert WitnessKey.parse(witness.key.text).id == witness.key.id
    with pytest.raises(KeyInvalid):
        VerifierKey.parse(witness.key.text)


def test_a_ledger_that_is_told_of_a_fork_takes_no_more(ledger, append):
    """What the assembly does at a first contact that contradicts it."""
    append(0)
    ledger.refuse("the witness knows another history")
    with pytest.raises(LedgerBroken, match="another history"):
        append(1)


def test_a_poster_without_an_answer_is_told_as_such(post):
    """Its own words reach the operator."""
    post.place.fill(1)
    post.shelf.post = lambda *_: (_ for _ in ()).throw(SinkFailed("https keep.example did not answer within 10 s"))
    deliveries = post.deliveries()
    deliveries.deliver()
    assert "did not answer" in deliveries.status()[2].problem
