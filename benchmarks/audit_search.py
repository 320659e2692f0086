"""How long an auditor waits for one page of a search, on a ledger of a given size.

`python -m benchmarks.audit_search [--records N] [--ledger FILE]`: fills a ledger (real records, committed in large
batches; kept with --ledger and used again) and measures pages through `plugin.audit.search`, newest first. Results go
to stdout as lines of JSON. The file stays in the cache of the operating system: what is measured is the work.
"""

import argparse
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from plugin.audit import search
from plugin.audit.search import Reach, read_parameters
from plugin.errors import Refused
from plugin.event import AuditAction
from plugin.ledger import checkpoint, origin
from plugin.ledger.checkpoint import Checkpoint
from plugin.ledger.key import SigningKey, load_private_key
from plugin.ledger.merkle import leaf_hash
from plugin.ledger.record import columns_of, encode_body, encode_header, encode_time
from plugin.ledger.sqlite import SqliteStore
from plugin.ledger.store import Batch, Head, Row

RECORDS = 1_000_000
BATCH = 20_000
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
ROUNDS = 200
AUDITOR = Reach("hospital", (BASE,))
OPERATOR = Reach(None, (BASE,))


def bodies(chance: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tenants and bodies as the gateway writes them, about 1.3 kB each."""
    kinds, weights = [each[:2] for each in OUTCOMES], [each[2] for each in OUTCOMES]
    for number in itertools.count():
        action, outcome = chance.choices(kinds, weights)[0]
        request = f"{chance.getrandbits(128):032x}"
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


def fill(folder: Path, path: Path, records: int) -> None:
    """Make a ledger of `records` at `path`, signed and whole."""
    key_path = folder / "checkpoint.key"
    name = origin.new_origin("bench.example")
    origin.create(path, key_path, name)
    key = SigningKey(name, load_private_key(key_path))
    store = SqliteStore(path)
    source = bodies(random.Random(1))
    step = timedelta(days=DAYS) / records

    def batch(head: Head) -> Batch:
        rows = []
        for position in range(head.size, min(head.size + BATCH, records)):
            tenant, body = next(source)
            encoded = encode_body(body)
            header = encode_header(position, encode_time(BEGINNING + step * position), tenant, "consultation", encoded)
            rows.append(Row(position, header, encoded, columns_of(header, encoded)))
        edge = head.edge.extend(leaf_hash(row.header) for row in rows)
        note = checkpoint.sign(Checkpoint(name, edge.size, edge.root()), key)
        return Batch(rows, Head(edge, note, encode_time(BEGINNING + step * edge.size)))

    for _ in range(-(-records // BATCH)):
        store.commit(batch)
    store.close()


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


def measure(path: Path, rounds: int) -> Iterator[dict[str, Any]]:
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
                said[name] = f"{len(search.page(path, wanted, reach).records)} events"
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
    given.add_argument("--rounds", type=int, default=ROUNDS)
    wanted = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = wanted.ledger or Path(folder) / "ledger.sqlite"
        if not path.exists():
            begun = time.perf_counter()
            fill(path.parent, path, wanted.records)
            spent = time.perf_counter() - begun
            print(json.dumps({"filled": wanted.records, "seconds": round(spent, 1), "bytes": path.stat().st_size}))
        for line in measure(path, wanted.rounds):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
