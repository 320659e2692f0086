"""How many durable appends a second the ledger takes, and how fast it is verified; all in one run, side by side.

    python -m benchmarks.ledger [seconds for each row]

Bodies are those of small consultations (about 700 bytes). "One commit each" is the same work with the ledger locked
around every append, as it would be without sharing commits. Beside each row of the embedded ledger stands what the disk
did just before with nothing but `fdatasync` after 32 kB: no commit is durable without one, and no thread alone appends
faster than that. "Nothing stored" is the least that so many threads cost in Python: the same records made ready and
handed in, to a commit that does no more than wait as long as such a sync. PostgreSQL is a server of the bench's own;
where it is not installed its rows are left out.
"""

import multiprocessing
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks import postgres
from plugin.event import new_request_id
from plugin.ledger import origin, writer
from plugin.ledger.file_place import FilePlace
from plugin.ledger.group import GroupCommit
from plugin.ledger.record import Draft, draft
from plugin.ledger.verify import verify

SCRATCH = Path(".cache")
"""In the checkout: the system's own folder for such files may lie in memory, where a sync costs nothing."""

THREADS = (1, 8, 32)
SYNCED = 1 << 15
"""Bytes: about what SQLite writes for a commit of one record."""

TENANT, CLASS = "hospital", "consultation"
BODY = {
    "action": "consultation:released",
    "outcome": "0",
    "reason": None,
    "person": {
        "issuer": "https://login.hospital.example/realms/care",
        "subject": "0b1d3c5e-7f90-4a2b-8c4d-6e8f0a1b2c3d",
        "kind": "professional",
        "roles": [{"system": "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante", "code": "10"}],
    },
    "client": {"id": "results-pane", "address": "192.0.2.10"},
    "ehr": {"id": "hospital", "fhir_base": "https://ehr.hospital.example/fhir"},
    "patient": "patient-4711",
    "purpose": {"codes": ["TREAT"], "source": "default"},
    "asked": {"interaction": "search-type", "type": "Observation", "query": "Observation?patient=patient-4711"},
    "feed": {"id": "city-lab", "answer": "answered", "match": "identifier", "calls": 2},
    "released": [{"reference": f"Observation/{number}", "category": "test-results"} for number in range(3)],
}


def append_for(ledger: writer.Ledger, seconds: float, threads: int, one_each: bool) -> int:
    """How many appends so many threads make in so many seconds."""
    lock = threading.Lock() if one_each else nullcontext()

    def append(body: Mapping[str, object]) -> None:
        with lock:
            ledger.append(body, tenant=TENANT, retention_class=CLASS)

    return handed_in(append, seconds, threads)


def handed_in(take: Callable[[Mapping[str, object]], object], seconds: float, threads: int) -> int:
    """How many bodies so many threads hand to `take` in so many seconds."""
    counts = [0] * threads
    until = time.monotonic() + seconds

    def work(thread: int) -> None:
        while time.monotonic() < until:
            name = new_request_id()
            take({**BODY, "request": name, "record": f"{name}.0"})
            counts[thread] += 1

    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts)


def syncs(folder: Path, seconds: float = 0.5) -> float:
    """How often a second 32 kB become durable in a file of this folder."""
    with (folder / "syncs").open("w+b", buffering=0) as file:
        file.write(bytes(64 * SYNCED))
        os.fsync(file.fileno())
        begun, count = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            os.pwrite(file.fileno(), bytes(SYNCED), count % 64 * SYNCED)
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.perf_counter() - begun)


def row(ledger: writer.Ledger, seconds: float, threads: int, one_each: bool) -> str:
    """Appends a second, how many shared a commit, and what each cost this process."""
    batches: list[int] = []
    ledger.observe(lambda records, _back: batches.append(records))
    before, begun = time.process_time(), time.perf_counter()
    count = append_for(ledger, seconds, threads, one_each)
    rate, spent = count / (time.perf_counter() - begun), (time.process_time() - before) / count * 1e6
    name = "one commit each" if one_each else "shared commits"
    return f"{threads:3} threads, {name:15} {rate:9,.0f}/s, {count / len(batches):4.1f} a commit, CPU {spent:4.0f} us"


def in_postgres(seconds: float) -> None:
    """The rows of PostgreSQL, if it is installed."""
    with postgres.running() as database:
        if database is None:
            print("PostgreSQL is not installed")
            return
        for one_each in (True, False):
            for threads in THREADS:
                ledger = writer.Ledger(*database.new())
                print(f"PostgreSQL {row(ledger, seconds, threads, one_each)}", flush=True)
                ledger.close()


def nothing_stored(seconds: float, threads: int, sync: float) -> str:
    """Records a second through a commit that stores nothing and lasts `sync` seconds: no store can be faster."""
    turn = threading.Lock()

    @contextmanager
    def taking_turn(_patience: float) -> Iterator[None]:
        with turn:
            yield

    def commit(entries: Iterator[Draft]) -> list[Draft]:
        taken = list(entries)
        time.sleep(sync)
        return taken

    group: GroupCommit[Draft, Draft] = GroupCommit(commit, taking_turn)
    count = handed_in(lambda body: group.submit(draft(body, TENANT, CLASS), writer.TURN_SECONDS), seconds, threads)
    return f"{threads:3} threads, nothing stored  {count / seconds:9,.0f}/s, of syncs of {sync * 1e6:.0f} us"


def _process(path: Path, key: Path, seconds: float, threads: int, ready, counts) -> None:
    ledger = writer.open(FilePlace(path), key)
    ready.wait()
    counts.put(append_for(ledger, seconds, threads, one_each=False))
    ledger.close()


def processes(folder: Path, seconds: float, count: int, threads: int) -> float:
    """Appends a second of several processes on one ledger."""
    path, key, _ = _new(folder)
    spawn = multiprocessing.get_context("spawn")
    ready, counts = spawn.Barrier(count), spawn.Queue()
    workers = [spawn.Process(target=_process, args=(path, key, seconds, threads, ready, counts)) for _ in range(count)]
    for worker in workers:
        worker.start()
    total = sum(counts.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total / seconds


def _new(folder: Path) -> tuple[Path, Path, str]:
    place = Path(tempfile.mkdtemp(dir=folder))
    path, key = place / "ledger.sqlite", place / "checkpoint.key"
    return path, key, origin.create(path, key, origin.new_origin("bench.example"))


def main() -> None:
    """Print a row for each measure."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    SCRATCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        folder = Path(name)
        for one_each in (True, False):
            for threads in THREADS:
                path, key, vkey = _new(folder)
                ledger, alone = writer.open(FilePlace(path), key), syncs(folder)
                print(f"{row(ledger, seconds, threads, one_each)} (fdatasync alone {alone:,.0f}/s)", flush=True)
                ledger.close()
        for threads in THREADS:
            print(nothing_stored(seconds, threads, 1 / syncs(folder)), flush=True)
        print(f"2 processes x 16 threads        {processes(folder, seconds, 2, 16):9,.0f}/s")
        start = time.perf_counter()
        report = verify(path, vkey)
        took = time.perf_counter() - start
        print(f"verify of {report.records:,} records   {report.records / took:9,.0f}/s ({report.problem or 'sound'})")
    in_postgres(seconds)


if __name__ == "__main__":
    main()
