"""The log as a FHIR base: what an address means, its links, and what it says of itself."""

import time
from dataclasses import replace

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle

from plugin.audit.search_parameters import PARAMETERS
from plugin.faces.facade import audit_log
from plugin.faces.facade.address import target
from plugin.faces.facade.audit_log import AskedOfLog, LogLinks, asked_of_log, is_of_log
from plugin.faces.facade.page_link import LIFE_SECONDS, PARAMETER, LinkRefused
from plugin.faces.http import MAX_TARGET
from plugin.ledger.reader import Reader
from plugin.sealing import Seal, new_key, parse_keys
from policies.vocabulary.consultation import Objection, Reason
from policies.vocabulary.log_search import LogMark, LogSearch
from tests.audit.bodies import ONE_OF_EACH
from tests.audit_search.conftest import Kept, Recorded

BASES = ("https://ehr.example/fhir",)
KEYS = parse_keys(new_key())
LINKS = LogLinks(Seal(KEYS, "log-links"))
MARK = LogMark(40, "2026-03-01T12:00:00.000000Z", 17)
WANTED = LogSearch((("patient", "p1"), ("date", "ge2026")), True, 20)
READER = "https://login.example auditor"


def asked(method: str, *segments: str, query: tuple[tuple[str, str], ...] = ()) -> AskedOfLog:
    return asked_of_log(target(method, ["AuditEvent", *segments]), query, None, LINKS, BASES)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/AuditEvent", True),
        ("/AuditEvent/", True),
        ("/AuditEvent/7", True),
        ("/AuditEvents", False),
        ("/city-lab/AuditEvent", False),
        ("", False),
    ],
)
def test_only_the_log_is_the_log(path: str, meant: bool) -> None:
    assert is_of_log(path) is meant


def test_a_search_and_a_read_are_understood() -> None:
    assert asked("GET", query=(("outcome", "4"), ("_count", "5"))).search == LogSearch((("outcome", "4"),), True, 5)
    assert asked("POST", "_search", query=(("outcome", "4"),)).search == LogSearch((("outcome", "4"),))
    assert asked("GET", "7", query=(("_format", "json"),)).search == LogSearch((("_id", "7"),), count=1)


@pytest.mark.parametrize(
    ("method", "segments", "query", "reason"),
    [
        ("GET", (), (("_summary", "count"),), Reason.REFUSED_PARAMETER),
        ("GET", (), (("_format", "xml"),), Reason.NOT_ACCEPTABLE),
        ("GET", ("7",), (("patient", "p1"),), Reason.UNKNOWN_PARAMETER),
        ("GET", ("7", "nothing"), (), Reason.UNKNOWN_ADDRESS),
        ("GET", (), ((PARAMETER, "forged"),), Reason.PAGE_LINK_INVALID),
    ],
)
def test_what_is_wrong_travels_as_an_objection(
    method: str, segments: tuple[str, ...], query: tuple[tuple[str, str], ...], reason: Reason
) -> None:
    """The caller is identified before it is told."""
    answer = asked(method, *segments, query=query)
    assert answer.search is None
    assert answer.objection is not None
    assert answer.objection.reason == reason


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_write_is_no_search(method: str) -> None:
    assert asked(method, *([] if method == "POST" else ["7"])) == AskedOfLog()


def test_an_earlier_objection_stands_first() -> None:
    before = Objection(Reason.METHOD_OVERRIDE)
    assert asked_of_log(target("GET", ["AuditEvent"]), [("x", "1")], before, LINKS, BASES).objection == before


def test_a_link_says_what_it_was_issued_for() -> None:
    going_on = asked("GET", query=((PARAMETER, LINKS.issue(WANTED, MARK, READER)), ("_format", "json"))).search
    assert going_on == replace(WANTED, mark=MARK, reader=READER)


def test_the_longest_question_has_a_link_that_an_address_can_hold() -> None:
    """Otherwise the next page would be a 414."""
    longest = tuple(("agent-name", "é" * 51) for _ in range(12))
    wanted = asked("GET", query=longest).search
    assert wanted is not None
    assert len(LINKS.issue(wanted, MARK, "r" * 500)) < MAX_TARGET - 100
    assert asked("GET", query=(*longest, *longest)).objection == Objection(Reason.INVALID_VALUE, "parameters")


def test_nothing_may_stand_beside_a_link() -> None:
    """It says everything itself: a parameter beside it would be ignored."""
    link = (PARAMETER, LINKS.issue(WANTED, MARK, READER))
    for query in ((link, ("outcome", "0")), (link, link)):
        assert asked("GET", query=query).objection == Objection(Reason.PAGE_LINK_INVALID)


def test_a_link_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    link = LINKS.issue(WANTED, MARK, READER)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LIFE_SECONDS + 2)
    with pytest.raises(LinkRefused) as refused:
        LINKS.open(link)
    assert refused.value.reason == Reason.PAGE_LINK_EXPIRED


def test_a_link_that_was_sealed_for_another_use_opens_nothing() -> None:
    with pytest.raises(LinkRefused):
        LINKS.open(LogLinks(Seal(KEYS, "page-links")).issue(WANTED, MARK, READER))


def test_a_page_is_a_bundle_that_the_standard_accepts(kept: Kept) -> None:
    """Of every kind of record."""
    kept.append(*(Recorded(body) for body in ONE_OF_EACH.values()))
    data = audit_log.searchset(WANTED, Reader(kept.path).records(), "token", "https://vitrine.example")
    Bundle.model_validate_json(data)
    bundle = orjson.loads(data)
    assert [each["relation"] for each in bundle["link"]] == ["self", "next"]
    assert bundle["link"][0]["url"] == (
        "https://vitrine.example/fhir/AuditEvent?patient=p1&date=ge2026&_sort=-date&_count=20"
    )
    assert bundle["entry"][3]["fullUrl"] == "https://vitrine.example/fhir/AuditEvent/3"
    assert len(bundle["entry"]) == len(ONE_OF_EACH)
    assert "total" not in bundle


def test_an_empty_page_has_no_entries() -> None:
    """JSON of FHIR has no empty arrays."""
    data = audit_log.searchset(WANTED, [], None, "https://vitrine.example")
    Bundle.model_validate_json(data)
    assert "entry" not in orjson.loads(data)


def test_the_capability_statement_offers_what_is_searched_with() -> None:
    statement = orjson.loads(audit_log.capability_statement("https://vitrine.example", cors=False))
    (offered,) = statement["rest"][0]["resource"]
    assert offered["type"] == "AuditEvent"
    assert {each["name"] for each in offered["searchParam"]} == set(PARAMETERS)
    assert [each["code"] for each in offered["interaction"]] == ["read", "search-type"]
    assert statement["implementation"]["url"] == "https://vitrine.example/fhir"
