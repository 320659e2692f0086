"""The process that workers are forked from, seen from the process that supervises."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from plugin.cli.zygote import Zygote

SUPERVISING = """
import atexit, os, signal, sys, threading, time
from pathlib import Path
from plugin.cli.zygote import Zygote, ZygoteEnded

def serves(folder, name):
    Path(folder, name).write_text(f"{os.getppid()} {threading.active_count()}")
    atexit.register(lambda: Path(folder, name + "-ended").touch())
    if name == "until told":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        Path(folder, "listening").touch()
        time.sleep(60)

def wait(path):
    while not path.exists():
        time.sleep(0.01)

folder = Path(sys.argv[1])
zygote = Zygote()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
brief = zygote.worker(serves, (str(folder), "brief"))
brief.start()
brief.join()
assert not brief.is_alive()
brief.terminate()  # too late, and no harm
lasting = zygote.worker(serves, (str(folder), "until told"))
lasting.start()
wait(folder / "listening")
lasting.join(0.01)
assert lasting.is_alive()
lasting.terminate()
lasting.join(30)
assert not lasting.is_alive()
assert (folder / "brief-ended").exists() and (folder / "until told-ended").exists()
parent, threads = (folder / "until told").read_text().split()
assert threads == "1"
os.kill(int(parent), signal.SIGTERM)  # a terminal's, meant for all
third = zygote.worker(serves, (str(folder), "third"))
third.start()
third.join()
os.kill(int(parent), signal.SIGKILL)
os.waitpid(int(parent), 0)
try:
    zygote.worker(serves, (str(folder), "fourth")).start()
except ZygoteEnded:
    print("ended", end="")
"""


def test_workers_are_born_with_one_thread_asked_to_end_and_ended_as_programs_are(tmp_path):
    """A lock that another thread held would be held for ever; what a worker owes the log is paid at its end."""
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISING, str(tmp_path)], capture_output=True, check=False, timeout=120
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"ended", b"", 0)


def test_a_worker_that_has_ended_is_let_go_of_and_no_alarm_at_the_stop():
    """Whoever stops in order ends its workers first: nothing of that is critical."""
    script = """
import os, time
from pathlib import Path
from plugin.cli.zygote import Zygote
worker = Zygote().worker(os.getpid, ())
worker.start()
worker.join()
until = time.monotonic() + 30
while Path(f"/proc/{worker.pid}").exists() and time.monotonic() < until:
    time.sleep(0.01)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=120)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_it_ends_when_the_supervising_process_does():
    """Nobody would ask it for anything any more."""
    script = "from plugin.cli.zygote import Zygote; Zygote(); print('here', end='')"
    # The pipe ends with the last process that holds it.
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=120)
    assert done.stdout == b"here"


STOPPING = """
import os, signal, time
from pathlib import Path
from plugin.cli.zygote import Zygote
zygote = Zygote()
worker = zygote.worker(time.sleep, (60,))
worker.start()
parent = int(Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[1])
os.kill(parent, signal.SIGSTOP)
worker.terminate()
worker.join(30)
assert not worker.is_alive()
print(parent, flush=True)
"""


def test_of_a_stop_in_order_it_says_nothing():
    """Also where it notices the end of the workers and of the supervising process at once, and where a worker is told
    to end as it begins.
    """
    with subprocess.Popen([sys.executable, "-c", STOPPING], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as done:
        zygote = int(done.stdout.readline())
        assert done.wait(60) == 0
        os.kill(zygote, signal.SIGCONT)
        assert done.stdout.read() == b"", "the pipe ends with it"


KILLED_WITH_ITS_SUPERVISOR = """
import os, signal, sys, time
from plugin.cli import zygote

def hears_nothing():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("here", end="", flush=True)
    time.sleep(40)

zygote.STOP_SECONDS = 0.2
worker = zygote.Zygote().worker(hears_nothing, ())
worker.start()
time.sleep(0.5)
os._exit(0)
"""


def test_a_worker_that_does_not_end_when_it_is_asked_to_ends_with_it_all_the_same():
    """It holds the port of the next start."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WITH_ITS_SUPERVISOR], capture_output=True, check=True, timeout=30
    )
    # The pipe ends with the last process that holds it.
    assert done.stdout.startswith(b"here")


def test_a_process_with_several_threads_is_not_forked():
    """Whatever its other threads hold would be held for ever in the workers."""
    enough = threading.Event()
    other = threading.Thread(target=enough.wait)
    other.start()
    with pytest.raises(RuntimeError, match="several threads"):
        Zygote()
    enough.set()
    other.join()
