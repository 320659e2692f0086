"""One attempt, one record, whatever becomes of it; and nothing is released that is not recorded first."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from fhir_adapters.interface import (
    Call,
    FeedAnswerInvalid,
    FeedError,
    FeedLinkRefused,
    FeedRefused,
    FeedTimeout,
    FeedUnavailable,
    Page,
)
from plugin import recorder as recorder_module
from plugin.app import create_app
from plugin.consultation.admission import Admission
from plugin.errors import (
    CallerThrottled,
    IssuerUnreachable,
    RecordUnavailable,
    SpaceLow,
    StateUnavailable,
    TokenExpired,
    TokenInvalid,
)
from plugin.event import AuditAction
from plugin.ledger.errors import LedgerError, LedgerUnavailable, StorageFailed
from plugin.ledger.reader import Reader
from plugin.recorder import Recorder
from plugin.state.callers import Callers
from plugin.strangers import Strangers
from policies.vocabulary.consultation import Origin
from tests.consultation.site import labelled, strict_world
from tests.world import Asked, World, observation

SEARCH = "/fhir/city-lab/Observation?patient=p1"
READ = "/fhir/city-lab/Observation/o1"


def rebuilt(world: World, **changes: Any) -> None:
    """Put other parts into the world's gateway."""
    world.assembled = replace(world.assembled, gateway=replace(world.assembled.gateway, **changes))
    world.client = create_app(world.assembled).test_client()


@dataclass
class FaultyLedger:
    """The real ledger, and the faults that are set: an append that fails before or after it is durable."""

    real: Any
    faults: list[tuple[str, LedgerError]] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)
    """Unset, it says nothing while it is asked whether a record is there."""

    def __post_init__(self) -> None:
        self.answers.set()

    def observe(self, on_commit: Any) -> None:
        self.real.observe(on_commit)

    def append(self, body: Mapping[str, object], *, tenant: str, retention_class: str) -> Any:
        moment, error = self.faults.pop(0) if self.faults else ("", None)
        if moment == "before":
            raise error
        position = self.real.append(body, tenant=tenant, retention_class=retention_class)
        if moment == "after":
            raise error
        return position

    def contains(self, record: str) -> bool:
        self.asked.set()
        self.answers.wait(60)
        return bool(self.real.contains(record))


@pytest.fixture
def ledger(world: World) -> FaultyLedger:
    """The world's ledger, ready to fail."""
    world.lab.resources.append(observation("o1", valueString="MARKER"))
    faulty = FaultyLedger(world.assembled.ledger)
    rebuilt(world, recorder=Recorder(faulty, {"base": "b", "version": "0", "policies": "d"}))  # type: ignore[arg-type]
    return faulty


def refusal(answer: Asked, status: int, reason: str) -> None:
    assert (answer.status, answer.reason) == (status, reason)
    assert b"MARKER" not in answer.data


FAULTS: list[tuple[BaseException, int, str, str, str]] = [
    (FeedTimeout("x"), 504, "feed-timeout", "8", "timeout"),
    (FeedUnavailable("x"), 502, "feed-unreachable", "8", "unavailable"),
    (FeedAnswerInvalid("x"), 502, "feed-failed", "8", "invalid-answer"),
    (FeedRefused("x"), 502, "feed-failed", "8", "refused"),
    (FeedLinkRefused("x"), 502, "feed-failed", "8", "link-refused"),
    (FeedError("x"), 502, "feed-failed", "8", "failed"),
    (RuntimeError("a bug"), 500, "internal-error", "8", "not-asked"),
]


@pytest.mark.parametrize(("fault", "status", "reason", "outcome", "answer"), FAULTS, ids=lambda each: str(each)[:20])
def test_a_failing_feed_is_one_record(
    world: World, fault: Any, status: int, reason: str, outcome: str, answer: str
) -> None:
    """Also a bug in the middle: recorded as failed, and no data."""
    world.lab.resources.append(observation("o1", valueString="MARKER"))
    world.lab.failure = fault
    refusal(world.ask(SEARCH), status, reason)
    [record] = world.bodies()
    assert record["action"] == "consultation:failed"
    assert (record["outcome"], record["reason"], record["feed"]["answer"]) == (outcome, reason, answer)
    assert record["released"] == []


def test_a_failure_after_something_was_judged_releases_nothing(world: World) -> None:
    """A second page that does not come takes the first with it: a whole answer or none."""
    world.lab.page_size = 1
    world.lab.resources += [observation("o1", valueString="MARKER"), observation("o2"), observation("o3")]
    token = world.token()
    world.ask(READ, token=token)
    page, world.lab.page = world.lab.page, lambda *_: (_ for _ in ()).throw(FeedTimeout("x"))  # type: ignore[method-assign,assignment]
    refusal(world.ask(SEARCH, token=token), 504, "feed-timeout")
    record = world.last()
    assert (record["released"], record["feed"]["answer"]) == ([], "timeout")
    world.lab.page = page  # type: ignore[method-assign]


@pytest.mark.parametrize(("failure", "reason"), [(None, "too-costly"), (FeedTimeout("x"), "feed-timeout")])
def test_a_look_that_ends_early_says_what_it_held_back(tmp_path: Any, failure: FeedError | None, reason: str) -> None:
    """Whoever fishes for what is withheld until a limit stops them is seen in the log."""
    world = strict_world(tmp_path)
    token = world.token()
    world.ask(READ, token=token)
    secret, theirs = labelled(observation("secret")), observation("theirs", patient="lab-2")
    world.lab.resources[:] = [secret, theirs, observation("o1")]
    world.lab.ignores_parameters, world.lab.page_size = True, 1
    rebuilt(world, most_resources=2)
    page = world.lab.page

    def fails_at_last(name: str, call: Call) -> Page:
        if len(world.lab.queries) - before == 2:
            world.lab.failure = failure
        return page(name, call)

    before = len(world.lab.queries)
    world.lab.page = fails_at_last  # type: ignore[method-assign]
    assert world.ask(SEARCH, token=token).reason == reason
    record = world.last()
    assert record["withheld"] == [{"reference": "Observation/secret", "rule": "restricted-is-not-shown"}]
    assert (record["foreign"], record["released"]) == (1, [])


def test_a_denial_is_one_record_and_reaches_no_feed(world: World) -> None:
    """How misuse is noticed."""
    refusal(world.ask(SEARCH, token=world.token(scope="patient/Immunization.rs")), 403, "insufficient-scope")
    [record] = world.bodies()
    assert (record["action"], record["outcome"], record["rules"]) == ("consultation:denied", "4", ["scope"])
    assert record["feed"] == {"id": "city-lab", "answer": "not-asked"}
    assert world.lab.queries == world.ehr.queries == []


@pytest.mark.parametrize(
    "path", ["/fhir/city-lab/Practitioner?patient=p1", "/fhir/city-lab/List", "/fhir/city-lab/Basic/1"]
)
def test_a_type_that_is_not_offered_is_refused_and_recorded(world: World, path: str) -> None:
    """A record has to be possible for whatever can be asked."""
    refusal(world.ask(path), 404, "unknown-type")
    assert world.last()["action"] == "consultation:denied"


def test_an_open_breaker_is_one_record(world: World) -> None:
    """The feed is not asked; the record says so."""
    world.lab.failure = FeedUnavailable("x")
    answers = [world.ask(SEARCH) for _ in range(6)]
    assert [answer.status for answer in answers] == [502] * 5 + [503]
    refusal(answers[-1], 503, "feed-busy")
    record = world.last()
    assert (record["action"], record["outcome"]) == ("consultation:unavailable", "12")
    assert record["feed"]["answer"] == "breaker-open"
    assert len(world.bodies()) == 6


def test_a_full_house_is_one_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Admission refuses with 503 and Retry-After."""
    monkeypatch.setattr("plugin.consultation.admission.PATIENCE_SECONDS", 0.01)
    admission = Admission(1)
    rebuilt(world, admission=admission)
    with admission.place():
        answer = world.ask(SEARCH)
    refusal(answer, 503, "overloaded")
    assert answer.headers["Retry-After"]
    assert (world.last()["action"], world.last()["outcome"]) == ("consultation:unavailable", "12")
    assert world.ask(SEARCH).status == 200


def test_a_ledger_that_refuses_releases_nothing_and_the_gap_is_told(world: World, ledger: FaultyLedger) -> None:
    """503 `no-store`; once it writes again, the loss stands in it."""
    ledger.faults = [("before", LedgerUnavailable("disk full")), ("before", LedgerUnavailable("disk full"))]
    for path in (SEARCH, READ):
        answer = world.ask(path)
        refusal(answer, 503, "no-store")
        assert answer.issue == "no-store"
    assert world.bodies() == []
    assert world.ask(READ).status == 200
    gap, released = world.bodies()
    assert gap["action"] == "ledger:gap"
    assert gap["note"].startswith("2 records")
    assert released["action"] == "consultation:released"


def test_a_long_outage_costs_bounded_memory_and_loses_no_count(
    world: World, ledger: FaultyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are kept up to a bound; beyond it the gap says how many were not looked up."""
    monkeypatch.setattr(recorder_module, "MAX_DOUBTFUL", 2)
    ledger.faults = [("before", LedgerUnavailable("disk full"))] * 5
    for _ in range(5):
        refusal(world.ask(READ), 503, "no-store")
    assert world.ask(READ).status == 200
    gap, _ = world.bodies()
    assert gap["note"] == (
        "2 records could not be written; nothing was released for them, nor for 3 more that were not looked up"
    )
    assert world.ask(READ).status == 200
    assert len(world.bodies()) == 3, "nothing more is owed"


def test_a_ledger_that_wrote_but_said_no_releases_nothing_and_the_release_is_withdrawn(
    world: World, ledger: FaultyLedger
) -> None:
    """The pair of the fault above: the record is there, and nobody was shown anything."""
    ledger.faults = [("after", LedgerUnavailable("timeout"))]
    answer = world.ask(READ)
    refusal(answer, 503, "no-store")
    assert world.ask(READ).status == 200
    written, withdrawn, released = world.bodies()
    assert written["action"] == "consultation:released"
    assert (withdrawn["action"], withdrawn["record"]) == ("release:withdrawn", written["record"])
    assert withdrawn["request"] == answer.headers["X-Request-Id"]
    assert written["record"] in withdrawn["note"], "what lists and tables show of it"
    assert released["action"] == "consultation:released"
    headers = [orjson.loads(each.header) for each in Reader(world.settings.ledger.path).records()]
    assert headers[1]["class"] == "ledger", "it outlives what it withdraws, which would read as a look"


def test_what_is_owed_stays_owed_until_it_is_written(world: World, ledger: FaultyLedger) -> None:
    """Settling can fail as well, at either of its records."""
    ledger.faults = [
        ("after", LedgerUnavailable("x")),
        ("before", LedgerUnavailable("x")),
        ("", LedgerUnavailable("x")),
    ]
    refusal(world.ask(READ), 503, "no-store")
    refusal(world.ask(READ), 503, "no-store")
    assert world.ask(READ).status == 200
    assert [body["action"] for body in world.bodies()] == [
        "consultation:released", "release:withdrawn", "ledger:gap", "consultation:released",
    ]  # fmt: skip
    assert world.ask(READ).status == 200
    assert len(world.bodies()) == 5, "nothing more is owed"


def test_what_is_owed_is_paid_without_another_look(world: World, ledger: FaultyLedger) -> None:
    """The next look may come to another process, or never; whoever runs the gateway asks for it."""
    recorder = world.assembled.gateway.recorder
    ledger.faults = [("before", LedgerUnavailable("disk full")), ("before", LedgerUnavailable("disk full"))]
    refusal(world.ask(READ), 503, "no-store")
    assert recorder.settle() == "disk full"
    assert recorder.settle() is None
    assert recorder.settle() is None, "nothing more is owed"
    assert [body["action"] for body in world.bodies()] == ["ledger:gap"]


def test_a_ledger_that_says_nothing_holds_up_one_look_and_not_all_one_after_another(
    world: World, ledger: FaultyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks what became of an earlier record waits for the ledger; the others are refused, and a stop that leaves
    what is owed to the next process waits for nobody."""
    monkeypatch.setattr(recorder_module, "TURN_SECONDS", 0.1)
    recorder = world.assembled.gateway.recorder
    ledger.faults = [("before", LedgerUnavailable("gone"))]
    refusal(world.ask(READ), 503, "no-store")
    ledger.answers.clear()
    settling = threading.Thread(target=recorder.settle)
    settling.start()
    assert ledger.asked.wait(60)
    for _ in range(3):
        refusal(world.ask(READ), 503, "no-store")
    assert len(recorder.owed().records) == 4
    ledger.answers.set()
    settling.join(60)
    assert len(recorder.owed().records) == 3, "those that came meanwhile"
    assert world.ask(READ).status == 200
    assert [body.get("note", "")[:9] for body in world.bodies()] == ["1 records", "3 records", ""]


def test_a_refusal_that_cannot_be_recorded_is_a_503_too(world: World, ledger: FaultyLedger) -> None:
    """No answer without its record, whatever it would have said."""
    ledger.faults = [("before", LedgerUnavailable("x"))]
    refusal(world.ask(SEARCH, token=world.token(scope="")), 503, "no-store")


def test_damaged_storage_ends_the_process(world: World) -> None:
    """Its successor runs the start checks; this one releases nothing more."""
    ended: list[str] = []
    broken = FaultyLedger(world.assembled.ledger, [("before", StorageFailed("EIO"))])
    recorder = Recorder(broken, {}, ended.append)  # type: ignore[arg-type]
    with pytest.raises(RecordUnavailable):
        recorder.append({"action": AuditAction.GATEWAY_STARTED, "record": "r.1"}, tenant="t", retention_class="ledger")
    assert ended == ["EIO"]
    broken.faults = [("before", StorageFailed("EIO"))]
    assert recorder.settle() == "EIO"
    assert ended == ["EIO", "EIO"]


class NoIssuer:
    """An identifier whose issuer does not answer."""

    def identify(self, credential: Any) -> Any:
        raise IssuerUnreachable


def test_an_unreachable_issuer_is_counted_and_not_recorded(world: World) -> None:
    """Nobody was identified: there is no one to record."""
    rebuilt(world, identifier=NoIssuer())
    refusal(world.ask(SEARCH), 503, "issuer-unreachable")
    [body] = world.bodies()
    assert (body["action"], body["reason"], body["callers"]["count"]) == ("callers:refused", "issuer-unreachable", 1)
    assert "person" not in body


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TokenInvalid(), "4"),
        (CallerThrottled(), "4"),
        (RuntimeError("a defect"), "8"),
        (IssuerUnreachable(), "12"),
        (StateUnavailable(), "12"),
        (SpaceLow(), "12"),
    ],
)
def test_the_record_of_strangers_tells_a_refusal_from_a_failure(
    world: World, error: BaseException, outcome: str
) -> None:
    """Whoever looks for outages by the outcome finds those before the login too."""
    world.assembled.strangers.refused(error, Origin("req-1", "192.0.2.7", "facade"))
    world.assembled.strangers.refused(error, Origin("req-2", "192.0.2.7", "facade"))
    world.assembled.strangers.summarise()
    first, rest = world.bodies()
    assert (first["outcome"], rest["outcome"]) == (outcome, outcome)


def test_counts_that_the_ledger_refuses_are_kept(world: World) -> None:
    """Exact but for a crash: one was written, the other waits for the next minute."""
    faults: list[tuple[str, LedgerError]] = [("", LedgerUnavailable("x")), ("before", LedgerUnavailable("x"))]
    recorder = Recorder(FaultyLedger(world.assembled.ledger, faults), {})  # type: ignore[arg-type]
    strangers = Strangers(Callers(), recorder, world.assembled.gateway.space, world.settings.tenant_of)
    origin = Origin("r1", "192.0.2.1", "facade")
    strangers.refused(TokenInvalid(), origin)
    strangers.refused(TokenExpired(), origin)
    assert strangers.summarise()
    assert strangers.summarise()
    written = [(body["reason"], body["callers"]["count"]) for body in world.bodies()]
    assert sorted(written) == [("expired-token", 1), ("invalid-token", 1)]
    assert "192.0.2.1" not in str(world.bodies())


def test_no_record_holds_a_value_a_label_or_a_display(tmp_path: Any) -> None:
    """A marker in everything that a source says, then a look at every record."""
    world = strict_world(tmp_path)
    marked = {
        "valueString": "MARKER",
        "note": [{"text": "MARKER"}],
        "code": {"text": "MARKER", "coding": [{"system": "urn:MARKER", "code": "MARKER", "display": "MARKER"}]},
        "performer": [{"reference": "Practitioner/dr", "display": "MARKER"}],
    }
    practitioner = {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "MARKER"}]}
    world.lab.ignores_parameters = True
    world.lab.resources += [observation("o1", **marked), labelled(observation("o2", **marked)), practitioner]
    world.lab.resources[0]["name"] = [{"family": "MARKER"}]
    assert b"MARKER" in world.ask(SEARCH).data
    world.ask(READ)
    world.ask("/fhir/city-lab/Observation/o2")
    world.ask("/fhir/city-lab/Patient/p1")
    world.lab.failure = FeedAnswerInvalid("MARKER")
    world.ask(SEARCH)
    assert len(world.bodies()) == 5
    assert not re.search(r"MARKER|v3-Confidentiality|NOCOLLECT", str(world.bodies()))


def test_codes_that_were_asked_for_stand_in_the_record_unless_something_was_withheld(tmp_path: Any) -> None:
    """Query and reference together would tell what the hidden item is."""
    world = strict_world(tmp_path)
    path = f"{SEARCH}&code=75622-1&date=ge2025&_id=o1,o2"
    world.lab.resources.append(observation("o1"))
    world.ask(path)
    assert world.last()["asked"]["query"] == "Observation?patient=p1&code=75622-1&date=ge2025&_id=o1%2Co2"
    world.lab.resources.append(labelled(observation("o2")))
    world.ask(path)
    assert world.last()["asked"]["query"] == "Observation?patient=p1&code=%28not+recorded%29&date=ge2025&_id=o1%2Co2"
