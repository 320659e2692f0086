"""What the steps of one consultation take by themselves, in one thread: microseconds of CPU, and of time for a sync."""

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import inside
from benchmarks import rules as rule_steps
from benchmarks.people import number
from benchmarks.upstream import Answers, observations
from fhir_adapters.interface import Entry
from fhir_adapters.resource import encode, parse
from plugin.authentication.credential import BearerToken
from plugin.authentication.identify import Identifier
from plugin.consultation.compartment import Compartment
from plugin.consultation.findings import Match
from plugin.consultation.release import ready
from plugin.errors import Refused
from plugin.faces.facade.operation_outcome import outcome
from policies.coding import contents
from policies.decision import Signature, decide_core, decide_show, decide_site
from policies.labels import labels_of
from policies.vocabulary.circumstances import Circumstances
from policies.vocabulary.consultation import ClinicalConsultation, Reason
from policies.vocabulary.interactions import Delivery, Interaction, Level
from policies.vocabulary.resource_types import CONSULTABLE
from policies.vocabulary.scopes import Ceiling
from policies.withholding import Judged, close_upward

BATCHES = 9
APPEND = "append a record, durable"


def measure(place: Path, seconds: float) -> dict[str, float]:
    """Each step for about `seconds`: its name with the median of BATCHES, in microseconds."""
    with inside.gateway(place) as gateway:
        steps = _steps(gateway)
        taken = {name: median_us(step, time.thread_time, seconds) for name, step in steps.items()}
        # The disk is waited for, which costs no CPU.
        return taken | {f"{APPEND}, by the clock": median_us(steps[APPEND], time.perf_counter, seconds)}


def _steps(gateway: inside.Inside) -> dict[str, Callable[[], object]]:
    assembled = gateway.assembled
    rules = assembled.gateway.rules.now()
    token = BearerToken(gateway.tokens.token(0), "lab-0")
    identity = assembled.gateway.identifier.identify(token)
    asked = ClinicalConsultation("lab-0", Interaction.SEARCH_TYPE, Level.TYPE, Delivery.STRUCTURED, "Observation")

    base = f"{gateway.upstream}/feed"
    answer = Answers(int(gateway.upstream.rpartition(":")[2]), b"").answer(
        "/feed/Observation?patient=Patient/lab-00000"
    )
    body = answer.partition(b"\r\n\r\n")[2]
    tree = parse(body)
    entries = [Entry(each["resource"], each["fullUrl"]) for each in tree["entry"]]

    def compartment() -> Compartment:
        """Anew for each answer: it remembers what it has walked through."""
        match = Match(f"lab-{number(0)}", (), "identifier")
        return Compartment(match, base, ("Observation",), CONSULTABLE, scope)

    def scope(resource_type: str) -> Ceiling:
        return identity.grants.ceiling(resource_type, "s", launch_patient=True)

    confined = compartment().confine(entries)
    judged = [Judged(each.reference, each.contents, None) for each in confined.kept]
    signatures = [
        Signature(labels_of(rules.tables, "Observation", each.contents), opposed=False) for each in confined.kept[:1]
    ]

    fresh = Identifier(assembled.settings, assembled.issuers)
    unseen = (BearerToken(gateway.tokens.token(person), "lab-0") for person in itertools.count())
    known = [next(unseen) for _ in range(2000)]
    unknown = itertools.cycle(known)
    forgetting = itertools.count()

    def verify_anew() -> object:
        nonlocal fresh
        if next(forgetting) % len(known) == 0:
            fresh = Identifier(assembled.settings, assembled.issuers)
        return fresh.identify(next(unknown))

    persons = itertools.count()
    record = _record_body(asked)
    around = Circumstances(
        hour=9, type_offered=True, suspended=False, feed_wants_informed=False, care_relation="launch"
    )
    return {
        "identify, token seen before": lambda: assembled.gateway.identifier.identify(token),
        "identify, token verified": verify_anew,
        "quota charged": lambda: assembled.gateway.quotas.charge(f"person {next(persons) % 512}", "p1"),
        "Cedar, core rules": lambda: decide_core(rules, identity, asked, around),
        "Cedar, all rules": lambda: decide_site(rules, identity, asked, around),
        "Cedar, one label signature, decided before": lambda: decide_show(rules, identity, asked, around, signatures),
        **rule_steps.steps(identity, asked, around),
        "parse 60 kB": lambda: parse(body),
        "walk through 38 resources": lambda: [contents(each.resource) for each in entries],
        "confine 38 resources, with the walk": lambda: compartment().confine(entries),
        "label 38 resources": lambda: [labels_of(rules.tables, "Observation", each.contents) for each in confined.kept],
        "close upward over 38 resources": lambda: close_upward(judged, confined.resolve),
        "make 38 resources ready": lambda: [
            ready(each.resource, base, plain=each.contents.plain) for each in confined.kept
        ],
        "encode 60 kB": lambda: encode(tree),
        "OperationOutcome": lambda: outcome(Refused(Reason.ACCESS_DENIED), "0" * 32),
        APPEND: lambda: assembled.ledger.append(record, tenant="t", retention_class="consultation"),
    }


def _record_body(asked: ClinicalConsultation) -> dict[str, object]:
    """As large as the record of a search with 38 results."""
    released = [{"reference": f"Observation/{each['id']}", "category": "test-results"} for each in observations()]
    person = {"issuer": "https://login.example", "subject": "dr-roy", "kind": "professional", "roles": []}
    return {
        "action": "consultation:released",
        "record": "0" * 32 + ".0",
        "request": "0" * 32,
        "outcome": "0",
        "person": person,
        "client": {"id": "results-pane", "address": "127.0.0.1"},
        "ehr": {"id": "hospital", "fhir_base": "https://ehr.example/fhir"},
        "patient": "p1",
        "asked": {"interaction": str(asked.interaction), "type": asked.resource_type},
        "feed": {"id": asked.feed, "answer": "answered", "match": "identifier"},
        "released": released,
        "withheld": [],
        "foreign": 0,
    }


def median_us(step: Callable[[], object], clock: Callable[[], float], seconds: float) -> float:
    """Microseconds of a step by that clock: the median of BATCHES that take some `seconds` together."""
    step()
    began = time.perf_counter()
    step()
    once = max(time.perf_counter() - began, 1e-7)
    times = max(1, int(seconds / BATCHES / once))
    batches = []
    for _ in range(BATCHES):
        began = clock()
        for _ in range(times):
            step()
        batches.append((clock() - began) / times)
    return round(statistics.median(batches) * 1e6, 1)
