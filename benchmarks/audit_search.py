"""How long an auditor waits for one page of a search, on a ledger of a given size.

`python -m benchmarks.audit_search [--records N] [--ledger FILE] [--postgres]`: fills a ledger (real records, signed,
committed in large batches; kept with --ledger, and filled up if it has fewer) and measures pages through
`plugin.audit.search`, newest first. Results go to stdout as lines of JSON. A file stays in the cache of the operating
system as far as it fits: what is measured is the work. `--postgres` takes a server of the bench's own.
"""

import argparse
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from benchmarks.postgres import running
from plugin.audit import search
from plugin.audit.search import Reach, read_parameters
from plugin.errors import Refused
from plugin.event import AuditAction
from plugin.ledger import checkpoint, origin
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.file_place import FilePlace
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.merkle import leaf_hashes
from plugin.ledger.postgres import reading
from plugin.ledger.record import draft, encode_time
from plugin.ledger.search import Searcher
from plugin.ledger.sqlite import AIDS, SqliteStore, connect, kind_and_name
from plugin.ledger.store import Batch, Head, Opening, Row, Store

RECORDS = 1_000_000
BATCH = 20_000
"""Records of one transaction."""
PATIENTS, PEOPLE = 20_000, 2_000
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 300
BASE = "https://ehr.example/fhir"
ISSUER = "https://login.example"
OUTCOMES = (
    (AuditAction.CONSULTATION_RELEASED, "0", 0.90),
    (AuditAction.CONSULTATION_DENIED, "4", 0.075),
    (AuditAction.CONSULTATION_FAILED, "8", 0.015),
    (AuditAction.CONSULTATION_UNAVAILABLE, "12", 0.005),
    (AuditAction.LOG_READ, "0", 0.005),
)
SMALL_TENANT = 0.01
"""Of the records, in a second EHR."""
QUICK = "PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; PRAGMA wal_autocheckpoint = 50000"
"""Only while a ledger is filled: a power failure costs the bench nothing, and others use the disk too."""
LATE = ("records_by_request", "records_by_record")
ROUNDS = 200
AUDITOR = Reach("hospital", (BASE,))
OPERATOR = Reach(None, (BASE,))


def bodies(chance: random.Random, first: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tenants and bodies as the gateway writes them, about 1.3 kB each."""
    kinds, weights = [each[:2] for each in OUTCOMES], [each[2] for each in OUTCOMES]
    for number in itertools.count(first):
        action, outcome = chance.choices(kinds, weights)[0]
        request = f"{number:012x}{chance.getrandbits(80):020x}"  # `new_request_id`, but for the time
        tenant = "clinic" if chance.random() < SMALL_TENANT else "hospital"
        body: dict[str, Any] = {
            "action": str(action),
            "record": f"{request}.1",
            "request": request,
            "outcome": outcome,
            "reason": None if outcome == "0" else "access-denied",
            "rules": ["treatment-of-the-launch-patient"],
            "gateway": {"base": "https://vitrine.example", "version": "0.1.0", "policies": f"sha256:{'a' * 64}"},
            "ehr": {"id": tenant, "fhir_base": BASE},
            "person": {
                "issuer": ISSUER,
                "subject": f"user-{chance.randrange(PEOPLE)}",
                "kind": "professional",
                "name": "Dr Alma Roy",
                "fhir_user": "Practitioner/dr-roy",
                "roles": [{"system": "urn:roles", "code": "physician", "display": "Physician"}],
            },
            "client": {"id": "results-pane", "address": f"192.0.2.{number % 250}"},
            "token": {"reference": f"urn:ietf:params:oauth:jti:{number}", "scopes": ["patient/*.rs"]},
            "purpose": {"codes": ["TREAT"], "source": "client-default"},
        }
        if action is not AuditAction.LOG_READ:
            patient = f"p{chance.randrange(PATIENTS)}"
            shown = [{"reference": f"Observation/{number}-{n}", "category": "test-results"} for n in range(5)]
            body |= {
                "patient": patient,
                "care_relation": "launch",
                "asked": {
                    "interaction": "search-type",
                    "level": "type",
                    "type": "Observation",
                    "query": f"Observation?patient={patient}",
                    "delivery": "structured",
                    "scope": "patient/Observation.s",
                },
                "feed": {"id": "city-lab", "answer": "answered", "match": "identifier"},
                "released": shown if outcome == "0" else [],
                "withheld": [],
                "foreign": 0,
            }
        yield tenant, body


def fill_file(path: Path, records: int) -> None:
    """Make a ledger of `records` at `path`, signed and whole, or bring one of this program up to so many.

    Two indexes have a random place for each record: they are made at the end, as they would have been.
    """
    key_path = path.with_suffix(".key")
    if not path.exists():
        origin.create(path, key_path, origin.new_origin("bench.example"))
    store = SqliteStore(path)
    meta, (head, _) = store.meta(), store.tail(0)
    store._open().execute(QUICK)
    with closing(connect(path, apsw.SQLITE_OPEN_READWRITE)) as connection:
        late = [sql for sql in AIDS if kind_and_name(sql)[1] in LATE]
        for sql in late:
            connection.execute(f"DROP INDEX IF EXISTS {kind_and_name(sql)[1]}")
        fill(store, SigningKey(meta.origin, load_private_key(key_path)), head.size, records)
        connection.execute("; ".join(late))


def fill(store: Store, key: SigningKey, size: int, records: int) -> None:
    """Bring a store of `size` records up to `records`."""
    # A log grows with time: beyond RECORDS it goes on as before, so that a period holds as many as in a smaller one.
    step = timedelta(days=DAYS) / min(records, RECORDS)
    while size < records:
        source = bodies(random.Random(size), size)
        store.commit(partial(_batch, source, step, records, key))
        size = min(size + BATCH, records)
        print(json.dumps({"filled": size}), file=sys.stderr, flush=True)
    store.close()


def _batch(
    source: Iterator[tuple[str, dict[str, Any]]], step: timedelta, records: int, key: SigningKey, head: Head
) -> Batch:
    """The next records behind a head, as `writer` would make them, but for their times."""
    rows = []
    for position in range(head.size, min(head.size + BATCH, records)):
        tenant, body = next(source)
        made, time = draft(body, tenant, "consultation"), encode_time(BEGINNING + step * position)
        rows.append(Row(position, made.header(position, time), made.body, (time, *made.facts)))
    edge = head.edge.extend(leaf_hashes(row.header for row in rows))
    note = checkpoint.sign(Checkpoint(key.verifier.name, edge.size, edge.root()), key)
    return Batch(rows, Head(edge, note, encode_time(BEGINNING + step * edge.size)))


def questions(chance: random.Random) -> Iterator[tuple[str, Reach, list[tuple[str, str]]]]:
    """Name, reader, parameters; a person or patient is another one each round."""
    person, patient = f"{ISSUER}|user-{chance.randrange(PEOPLE)}", f"p{chance.randrange(PATIENTS)}"
    month = [("date", "ge2026-05-01"), ("date", "lt2026-06-01")]
    yield "newest", AUDITOR, []
    yield "patient", AUDITOR, [("patient", patient)]
    yield "patient, oldest first", AUDITOR, [("patient", patient), ("_sort", "date")]
    yield "person", AUDITOR, [("agent.identifier", person)]
    yield "person and period", AUDITOR, [("agent.identifier", person), *month]
    yield "person and outcome 4", AUDITOR, [("agent.identifier", person), ("outcome", "4")]
    yield "period", AUDITOR, month
    yield "outcome 0", AUDITOR, [("outcome", "0")]
    yield "outcome 4", AUDITOR, [("outcome", "4")]
    yield "outcome 4,8,12", AUDITOR, [("outcome", "4,8,12")]
    yield "outcome 4 and period", AUDITOR, [("outcome", "4"), *month]
    yield "outcome 4, small tenant", Reach("clinic", (BASE,)), [("outcome", "4")]
    yield "newest, small tenant", Reach("clinic", (BASE,)), []
    yield "readings of the log", OPERATOR, [("type", "110101")]
    yield "refused writes (none)", OPERATOR, [("action", "C,U,D"), month[0]]
    yield "address, judged", OPERATOR, [("address", "192.0.2.7"), month[0]]
    yield "token, judged (one in all)", OPERATOR, [("policy", "urn:ietf:params:oauth:jti:7"), *month]


def measure(place: Opening, rounds: int) -> Iterator[dict[str, Any]]:
    """One line for each question."""
    chance = random.Random(2)
    taken: dict[str, list[float]] = {}
    said: dict[str, str] = {}
    slow: set[str] = set()
    for _ in range(rounds):
        for name, reach, pairs in questions(chance):
            if name in slow and len(taken[name]) >= 5:
                continue
            wanted = read_parameters(pairs, (BASE,))
            begun = time.perf_counter()
            try:
                said[name] = f"{len(search.page(place, wanted, reach).records)} events"
            except Refused as refusal:
                said[name] = refusal.reason
            spent = (time.perf_counter() - begun) * 1000
            taken.setdefault(name, []).append(spent)
            if spent > 500:
                slow.add(name)
    for name, times in taken.items():
        times.sort()
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        yield {
            "search": name,
            "p50_ms": round(statistics.median(times), 1),
            "p95_ms": round(p95, 1),
            "answer": said[name],
        }


def main() -> None:
    """Fill, measure, print."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--records", type=int, default=RECORDS)
    given.add_argument("--ledger", type=Path, help="made if it is not there")
    given.add_argument("--postgres", action="store_true", help="in PostgreSQL instead of a file")
    given.add_argument("--rounds", type=int, default=ROUNDS)
    wanted = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = wanted.ledger or Path(folder) / "ledger.sqlite"
        begun = time.perf_counter()
        with _postgres(wanted.records) if wanted.postgres else _file(path, wanted.records) as place:
            print(json.dumps({"records": Searcher(place).size(), "seconds": round(time.perf_counter() - begun, 1)}))
            for line in measure(place, wanted.rounds):
                print(json.dumps(line), flush=True)


@contextmanager
def _file(path: Path, records: int) -> Iterator[Opening]:
    place = FilePlace(path).view
    if not path.exists() or Searcher(place).size() < records:
        fill_file(path, records)
    yield place


@contextmanager
def _postgres(records: int) -> Iterator[Opening]:
    with running() as database:
        if database is None:
            sys.exit("PostgreSQL is not installed")
        store, key = database.new()
        fill(store, key, 0, records)
        database.execute("ANALYZE ledger.records")
        yield partial(reading, database.dsn)


if __name__ == "__main__":
    main()
