"""Rendering processes: what they may do, and that the pool outlives whatever a document does to one."""

import ctypes
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from plugin.rendering import confinement
from plugin.rendering.job import MAX_DOCUMENT_BYTES, Answer, Job, Kind, Problem
from plugin.rendering.pool import RenderingPool
from tests.rendering import papers

pytestmark = pytest.mark.slow

MARK = ("Dr Roy", "25 Nov 2026, 16:04", "3f9ce1.1")


@pytest.fixture(scope="module")
def pool() -> Iterator[RenderingPool]:
    made = RenderingPool(patience=60)
    yield made
    made.close()


def page(pool: RenderingPool, data: bytes, number: int = 1, kind: Kind = Kind.PDF) -> Answer:
    return pool.render(Job(kind, data, number, MARK))


def works(pool: RenderingPool) -> bool:
    """An ordinary page is drawn."""
    answer = page(pool, papers.pdf("Alma"))
    return answer.problem is None and answer.text.strip() == "Alma" and answer.confined


def scan() -> bytes:
    """Group 4, as fax machines and scanners write."""
    file = io.BytesIO()
    Image.new("1", (600, 800), 1).save(file, "TIFF", compression="group4")
    return file.getvalue()


ORDINARY = {
    "pdf": (Kind.PDF, papers.pdf("x")),
    "form": (Kind.PDF, papers.form("x", appearance=False)),
    "cda": (Kind.CDA, papers.cda(papers.section("<paragraph>x</paragraph>"), encoding="windows-1252")),
    "markup": (Kind.MARKUP, b"<p>x</p>"),
    "scan": (Kind.IMAGE, scan()),
    **{name: (Kind.IMAGE, papers.picture(name)) for name in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")},
}


@pytest.mark.parametrize("name", ORDINARY)
def test_every_kind_is_rendered_by_a_process_that_may_do_nothing_else(pool: RenderingPool, name: str) -> None:
    """No decoder needs a file, a thread or a socket once it is loaded."""
    kind, data = ORDINARY[name]
    answer = page(pool, data, kind=kind)
    assert answer.problem is None
    assert answer.confined


HOSTILE = {
    "bomb": papers.bomb,
    "slow": papers.slow,
    "deep arrays": papers.deep_arrays,
    "deep pages": papers.deep_pages,
    "endless pages": papers.endless_pages,
    "encrypted": papers.encrypted,
    "cut short": lambda: papers.pdf("secret of Alma")[:-120],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_pool_outlives_a_malicious_pdf(pool: RenderingPool, name: str) -> None:
    """A picture, or one problem; and the next document is drawn as if nothing had been."""
    answer = page(pool, HOSTILE[name]())
    assert answer.problem is not None or answer.picture
    assert works(pool)


def test_a_pdf_of_ten_thousand_pages_is_opened_at_any_of_them(pool: RenderingPool) -> None:
    paper = papers.pdf(*(f"page {number}" for number in range(1, 10_001)))
    answer = page(pool, paper, 9_999)
    assert (answer.pages, answer.text.strip()) == (10_000, "page 9999")
    assert page(pool, paper, 10_001).problem == Problem.NO_SUCH_PAGE


def test_hostile_pictures_and_markup_are_one_problem(pool: RenderingPool) -> None:
    assert page(pool, papers.png_bomb(), kind=Kind.IMAGE).problem in (Problem.TOO_LARGE, Problem.BROKEN)
    assert page(pool, b"x" * 2_000_000, kind=Kind.MARKUP).problem == Problem.TOO_LARGE
    assert page(pool, b"x" * (MAX_DOCUMENT_BYTES + 1)).problem == Problem.TOO_LARGE
    assert page(pool, papers.pdf("x"), kind=Kind.CDA).problem == Problem.BROKEN
    assert works(pool)


def test_a_killed_process_is_replaced(pool: RenderingPool) -> None:
    """The kernel may choose it when memory is short."""
    assert works(pool)
    for each in list(pool._idle):
        os.killpg(each.program.pid, signal.SIGKILL)
        os.waitid(os.P_PID, each.program.pid, os.WEXITED | os.WNOWAIT)
    assert works(pool)


@pytest.mark.parametrize("left", ["answers", "jobs"])
def test_what_a_document_leaves_in_a_pipe_reaches_no_other_document(left: str) -> None:
    """A process that a document took over could write the next answer, or leave the next job."""
    pool = RenderingPool(places=1, patience=60)
    assert works(pool)
    (process,) = pool._idle
    if left == "answers":
        forged = bytes(16) + msgspec.msgpack.encode(Answer(None, 1, markup="<script>alert(1)</script>"))
        read, write = os.pipe()
        os.write(write, len(forged).to_bytes(4) + forged)
        os.dup2(read, process.answers)
        assert not process.waits()
        for each in (read, write):
            os.close(each)
    else:
        job = msgspec.msgpack.encode(Job(Kind.CDA, papers.cda(papers.section("x")), 1, ()))
        os.write(process.jobs, (16 + len(job)).to_bytes(4) + bytes(16) + job)
    answer = page(pool, b"<script>alert(1)</script>", kind=Kind.MARKUP)
    assert answer.problem in (None, Problem.TOO_COMPLEX)
    assert answer.markup == ""
    assert works(pool)
    pool.close()


def test_a_document_that_is_late_costs_its_process_and_nothing_else() -> None:
    """Asleep or at work: the clock ends it, whatever the document does with its process."""
    pool = RenderingPool(seconds=-5.0)
    assert page(pool, papers.pdf("x")).problem == Problem.TOO_COMPLEX
    assert not pool._idle
    pool.close()


def test_who_finds_no_place_is_told_to_try_again() -> None:
    pool = RenderingPool(places=1, patience=0.01)
    assert pool._places.acquire()
    assert page(pool, papers.pdf("x")).problem == Problem.BUSY
    pool._places.release()
    pool.close()


def test_threads_share_the_pool(pool: RenderingPool) -> None:
    """Each gets the page that it asked for."""
    told: dict[int, str] = {}

    def ask(number: int) -> None:
        told[number] = page(pool, papers.pdf(f"page of {number}")).text.strip()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert told == {number: f"page of {number}" for number in range(8)}


def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Killed, not stopped: nothing is left behind to hold memory."""
    code = (
        "from plugin.rendering.pool import RenderingPool\n"
        "from plugin.rendering.job import Job\n"
        "import os, sys, time\n"
        "pool = RenderingPool()\n"
        "pool.render(Job('markup', b'x', 1, ()))\n"
        "print(pool._idle[0].program.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, cwd=tmp_path
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
        state = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{worker}").exists()


def _in_a_confined_child(attempt: str) -> str:
    """What comes of `attempt`, a function of this module, in a confined process."""
    read, write = os.pipe()
    code = (
        "import importlib.util, os, sys\n"
        f"spec = importlib.util.spec_from_file_location('attempts', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        f"module.{attempt}.__call__\n"
        "child = os.fork()\n"
        "if child:\n"
        "    sys.exit(os.waitpid(child, 0)[1] != 0)\n"
        "module.confinement.limit(); assert module.confinement.filter_calls()\n"
        f"told = module.{attempt}()\n"
        f"os.write({write}, told.encode()); os._exit(0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], pass_fds=(write,), env=environment, check=False, timeout=120)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        return pipe.read().decode()


def opens_a_file() -> str:
    return _refused(lambda: os.open("/etc/hostname", os.O_RDONLY))


def opens_a_socket() -> str:
    return _refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))


def removes_a_file() -> str:
    return _refused(lambda: os.unlink("/tmp/none-such"))  # noqa: PTH108


def signals_its_parent() -> str:
    return _refused(lambda: os.kill(os.getppid(), 0))


def forks() -> str:
    return _refused(os.fork)


def runs_a_program() -> str:
    return _refused(lambda: os.execv("/bin/true", ["true"]))


def reads_another_process() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    return "refused" if libc.ptrace(16, os.getppid(), 0, 0) == -1 else "allowed"


def _refused(attempt: object) -> str:
    try:
        attempt()  # type: ignore[operator]
    except OSError as error:
        return "refused" if error.errno == 1 else f"errno {error.errno}"
    return "allowed"


@pytest.mark.parametrize(
    "attempt",
    [opens_a_file, opens_a_socket, removes_a_file, signals_its_parent, forks, runs_a_program, reads_another_process],
)
@pytest.mark.skipif(
    confinement.platform.machine() not in confinement._CALLS, reason="no filter of calls for this machine is known"
)
def test_a_confined_process_reaches_nothing(attempt: object) -> None:
    """The kernel says EPERM (1), whatever code of a document runs in it."""
    assert _in_a_confined_child(attempt.__name__) == "refused"  # type: ignore[attr-defined]
