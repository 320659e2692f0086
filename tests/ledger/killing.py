"""Appends from two processes with eight threads each, kills both with SIGKILL, and does so again and again.

    python -m tests.ledger.killing LEDGER KEY ROUNDS ACKNOWLEDGED

Each record's id is written to ACKNOWLEDGED once its append has returned. After each round a successor runs the start
check and appends one record itself. A process of its own, since it forks: pytest has threads.
"""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from plugin.ledger import writer
from plugin.ledger.file_place import FilePlace

PROCESSES, THREADS = 2, 8
END = ";"


def acknowledge(file: int, name: str) -> None:
    """On a line of its own, with an end: what is killed while it writes may leave a part of a name."""
    os.write(file, f"\n{name}{END}".encode())


def acknowledged_in(text: str) -> list[str]:
    """The names that were written whole."""
    return [line.removesuffix(END) for line in text.split("\n") if line.endswith(END)]


def append_for_ever(path: Path, key: Path, acknowledged: int) -> None:
    """What a gateway under load does until somebody kills it."""
    ledger = writer.open(FilePlace(path), key)

    def work(thread: int) -> None:
        number = 0
        while True:
            name = f"{os.getpid()}-{time.time_ns()}-{thread}-{number}.0"
            ledger.append({"record": name}, tenant="hospital", retention_class="consultation")
            acknowledge(acknowledged, name)
            number += 1

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def one_round(path: Path, key: Path, acknowledged: int, moment: float) -> None:
    """Start, kill `moment` seconds after the first acknowledgement, and go on as a successor does."""
    before = os.fstat(acknowledged).st_size
    children = []
    for _ in range(PROCESSES):
        child = os.fork()
        if child == 0:
            append_for_ever(path, key, acknowledged)
        children.append(child)
    while os.fstat(acknowledged).st_size == before:
        time.sleep(0.001)
    time.sleep(moment)
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        status = os.waitpid(child, 0)[1]
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "it ended by itself"
    successor = writer.open(FilePlace(path), key)
    successor.check_start()
    name = f"successor-{time.time_ns()}.0"
    successor.append({"record": name}, tenant="hospital", retention_class="operation")
    acknowledge(acknowledged, name)
    successor.close()


def main() -> None:
    """See the module."""
    path, key, rounds, file = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    acknowledged = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    moments = random.Random(1)
    for _ in range(rounds):
        one_round(path, key, acknowledged, moments.uniform(0, 0.06))


if __name__ == "__main__":
    main()
