"""Searching the log by what its events say: every parameter, every refusal, whose records, and never short."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.audit import search
from plugin.audit.audit_event import to_audit_event
from plugin.audit.search import Reach, SearchRefused, page, read_parameters, stream
from plugin.audit.search_columns import Question
from plugin.audit.search_parameters import PARAMETERS
from plugin.errors import Refused
from plugin.ledger.reader import Reader
from policies.vocabulary.consultation import Reason
from policies.vocabulary.log_search import LogSearch
from tests.audit.bodies import BASE, JTI, ONE_OF_EACH, callers, consultation, log_reading, operation
from tests.audit_search.conftest import Kept, Recorded, make, minute

EHR = "https://ehr.hospital.example/fhir"
LOGIN = "https://login.hospital.example"
BASES = (EHR,)
OPERATOR = Reach(None, BASES)
AUDITOR = Reach("hospital", (EHR,))
REQUEST = "0123456789abcdef0123456789abcdef"


def found(kept: Kept, parameters: Mapping[str, str], reach: Reach = OPERATOR) -> list[int]:
    """Positions, oldest first."""
    wanted = read_parameters([*parameters.items(), ("_sort", "date")], BASES)
    return [each.position for each in page(kept.path, wanted, reach).records]


def refusal(*pairs: tuple[str, str]) -> tuple[str, str | None]:
    with pytest.raises(SearchRefused) as refused:
        read_parameters(pairs, BASES)
    return refused.value.objection.reason, refused.value.objection.about


OTHER_PERSON = {"issuer": LOGIN, "subject": "u-9", "name": "Élodie Roy", "fhir_user": "Practitioner/u-9"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    kept = make(tmp_path_factory.mktemp("filled"))
    kept.append(
        Recorded(operation()),  # 0
        Recorded(consultation()),  # 1
        Recorded(consultation(interaction="read", patient="p2", request=REQUEST)),  # 2
        Recorded(consultation("consultation:denied", "create", person=OTHER_PERSON)),  # 3
        Recorded(consultation("consultation:failed", client={"id": "other-pane", "address": "2001:db8::7"})),  # 4
        Recorded(log_reading()),  # 5
        Recorded(callers()),  # 6
        Recorded(
            consultation(patient="p1", ehr={"id": "clinic", "fhir_base": "https://clinic.example/fhir"}), "clinic"
        ),  # 7
    )
    return kept


@pytest.mark.parametrize(
    ("parameters", "positions"),
    [
        ({"patient": "p1"}, [1, 3, 4]),
        ({"patient": "Patient/p2"}, [2]),
        ({"patient": f"{EHR}/Patient/p1,p2"}, [1, 2, 3, 4]),
        ({"patient": "https://clinic.example/fhir/Patient/p1"}, [7]),
        ({"patient.identifier": f"{EHR}|p2"}, [2]),
        ({"agent.identifier": f"{LOGIN}|u-9"}, [3]),
        ({"agent.identifier": "u-123"}, [1, 2, 4, 7]),
        ({"agent.identifier": "|other-pane"}, [4]),
        ({"agent.identifier": "750000001"}, [1, 2, 4, 7]),
        ({"agent": "Practitioner/9"}, [1, 2, 4, 7]),
        ({"agent": f"{EHR}/Practitioner/9"}, [1, 2, 4, 7]),
        ({"agent": "Practitioner/u-9"}, [3]),
        ({"agent-name": "élodie"}, [3]),
        ({"agent-name": "ELODIE"}, [3]),
        ({"agent-name": "e\u0301lo\u0308die"}, [3]),
        ({"address": "192.0.2.1\u0301"}, [1, 2, 3, 7]),
        ({"agent-role": "urn:oid:1.2.250.1.213.1.1.5.5|10"}, [1, 2, 4, 7]),
        ({"altid": "Practitioner/u-9"}, [3]),
        ({"address": "2001:DB8::"}, [4]),
        ({"address": "192.0.2.1"}, [1, 2, 3, 7]),
        ({"policy": JTI}, [1, 2, 3, 4, 7]),
        ({"entity": f"{BASE}/fhir/city-lab/DiagnosticReport/5"}, [1, 7]),
        ({"entity": "Observation/77"}, [1, 2, 7]),
        ({"entity": "Patient/p2"}, [2]),
        ({"entity.identifier": REQUEST}, [2]),
        ({"entity.identifier": "city-lab"}, [1, 2, 3, 4, 7]),
        ({"entity-type": "DiagnosticReport"}, [1, 7]),
        ({"entity-role": "http://terminology.hl7.org/CodeSystem/object-role|13"}, [5]),
        ({"source": BASE}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"source.identifier": f"urn:ietf:rfc:3986|{BASE}"}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"site": "clinic"}, [7]),
        ({"type": "110101"}, [5]),
        ({"type": "http://terminology.hl7.org/CodeSystem/audit-event-type|rest"}, [1, 2, 3, 4, 7]),
        ({"type": "110100,110114"}, [0, 6]),
        ({"subtype": "create"}, [3]),
        ({"subtype": "urn:ihe:event-type-code|ITI-81"}, [5]),
        ({"action": "R"}, [2, 5]),
        ({"action": "C,U,D"}, [3]),
        ({"outcome": "4"}, [3, 6]),
        ({"outcome": "4,8"}, [3, 4, 6]),
        ({"outcome": "|4"}, []),
        ({"_id": "2,4,77,x"}, [2, 4]),
        ({"_id": "02"}, []),
        ({"date": "2026-03-01T12:02Z"}, [2]),
        ({"date": "ge2026-03-01T12:06:00Z"}, [6, 7]),
        ({"date": "gt2026-03-01T12:06Z"}, [7]),
        ({"date": "le2026-03-01T12:01Z"}, [0, 1]),
        ({"date": "lt2026-03-01T13:01+01:00"}, [0]),
        ({"date": "sa2026-03-01T12:06Z"}, [7]),
        ({"date": "eb2026-03-01T12:01Z"}, [0]),
        ({"date": "ne2026-03-01T12:02Z"}, [0, 1, 3, 4, 5, 6, 7]),
        ({"date": "2026-03-01T12:02Z,2026-03-01T12:05Z"}, [2, 5]),
        ({"_lastUpdated": "2026-02"}, []),
        ({"patient": "p1", "outcome": "8"}, [4]),
    ],
    ids=str,
)
def test_each_parameter_finds_its_events(filled: Kept, parameters: dict[str, str], positions: list[int]) -> None:
    assert found(filled, parameters) == positions


def test_repeated_parameters_must_all_hold(filled: Kept) -> None:
    """A period is two dates."""
    pairs = [("date", "ge2026-03-01T12:02Z"), ("date", "lt2026-03-01T12:04Z"), ("outcome", "0"), ("outcome", "0,4")]
    assert [each.position for each in page(filled.path, read_parameters(pairs, BASES), OPERATOR).records] == [2]


def test_every_parameter_that_is_offered_is_searched_with_here() -> None:
    """The table is the promise."""
    marks = [mark for mark in test_each_parameter_finds_its_events.pytestmark if mark.name == "parametrize"]
    tried = {name for case in marks[0].args[1] for name in case[0]}
    assert set(PARAMETERS) == tried


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("colour", "red", Reason.UNKNOWN_PARAMETER),
        ("patient:Patient", "p1", Reason.REFUSED_PARAMETER),
        ("outcome:not", "0", Reason.REFUSED_PARAMETER),
        ("agent:identifier", "a|b", Reason.REFUSED_PARAMETER),
        ("date:missing", "true", Reason.REFUSED_PARAMETER),
        ("patient.name", "Roy", Reason.REFUSED_PARAMETER),
        ("_summary", "count", Reason.REFUSED_PARAMETER),
        ("_total", "accurate", Reason.REFUSED_PARAMETER),
        ("_elements", "id", Reason.REFUSED_PARAMETER),
        ("_include", "AuditEvent:patient", Reason.UNKNOWN_PARAMETER),
        ("_has:Provenance:entity:_id", "1", Reason.REFUSED_PARAMETER),
        ("_filter", "date ge 2026", Reason.REFUSED_PARAMETER),
        ("_sort", "outcome", Reason.INVALID_VALUE),
        ("_sort", "-date,outcome", Reason.INVALID_VALUE),
        ("_count", "0", Reason.INVALID_VALUE),
        ("_count", "-1", Reason.INVALID_VALUE),
        ("date", "yesterday", Reason.INVALID_VALUE),
        ("date", "ap2026-03", Reason.INVALID_VALUE),
        ("date", "2026-02-30", Reason.INVALID_VALUE),
        ("date", "2026,", Reason.INVALID_VALUE),
        ("patient", "Practitioner/p1", Reason.INVALID_VALUE),
        ("patient", "p 1", Reason.INVALID_VALUE),
        ("entity", "77", Reason.INVALID_VALUE),
        ("agent", "u-9", Reason.INVALID_VALUE),
        ("outcome", "a|b|c", Reason.INVALID_VALUE),
        ("outcome", "|", Reason.INVALID_VALUE),
        ("outcome", "", Reason.INVALID_VALUE),
        ("policy", "a\x00b", Reason.INVALID_VALUE),
        ("policy", "a" * 513, Reason.INVALID_VALUE),
        ("_id", "../x", Reason.INVALID_VALUE),
    ],
)
def test_what_is_not_offered_is_refused_by_name(name: str, value: str, reason: Reason) -> None:
    """A parameter that is ignored widens an answer; one that is half understood narrows it."""
    assert refusal((name, value)) == (reason, name if len(name) <= 64 else "given")


def test_a_name_that_is_no_name_is_not_repeated() -> None:
    """It may hold anything."""
    assert refusal(("<b>Jane Roy</b>", "1")) == (Reason.UNKNOWN_PARAMETER, "given")


def test_more_parameters_or_alternatives_than_anyone_types_are_refused() -> None:
    assert refusal(*[("outcome", "0")] * 31) == (Reason.INVALID_VALUE, "parameters")
    assert refusal(("outcome", ",".join(["0"] * 51))) == (Reason.INVALID_VALUE, "outcome")
    assert refusal(("_count", "1"), ("_count", "2")) == (Reason.REPEATED_PARAMETER, "_count")


def test_a_count_is_clamped(filled: Kept) -> None:
    """R4 3.1.1.5.2 allows it; the next link says that there is more."""
    assert read_parameters([("_count", "100000")], BASES).count == search.MAX_COUNT


def test_commas_and_bars_within_a_value_are_escaped(kept: Kept) -> None:
    """R4 3.1.1.4.7; subjects of some issuers have bars."""
    kept.append(
        Recorded(consultation(person={"issuer": LOGIN, "subject": "auth0|1,2"})),
        Recorded(consultation(person={"issuer": LOGIN, "subject": "auth0"})),
    )
    assert found(kept, {"agent.identifier": rf"{LOGIN}|auth0\|1\,2"}) == [0]
    assert found(kept, {"agent.identifier": r"auth0\|1\,2,nobody"}) == [0]


def test_a_feeds_own_patient_is_found_by_the_address_under_which_it_was_shown(kept: Kept) -> None:
    """R4 counts it as a patient of the event, though the column knows the EHR's alone."""
    kept.append(Recorded(consultation(released=[{"reference": "Patient/lab-1", "category": "other"}])))
    address = f"{BASE}/fhir/city-lab/Patient/lab-1"
    assert found(kept, {"patient": address}) == [0]
    assert found(kept, {"entity": address}) == [0]
    assert found(kept, {"patient": "lab-1"}) == []


@pytest.mark.parametrize("value", ["p1", "urn:oid:1.2.3|280015999090180", f"{EHR}|", f"{EHR}|a b"])
def test_an_identifier_that_the_log_does_not_hold_is_refused_rather_than_not_found(value: str) -> None:
    """An auditor who searches by a national number would take an empty answer for an answer."""
    assert refusal(("patient.identifier", value)) == (Reason.INVALID_VALUE, "patient.identifier")


def test_another_ehrs_patients_are_not_those_of_an_auditor(filled: Kept) -> None:
    """A link or a form may name them all the same."""
    clinic = "https://clinic.example/fhir"
    wanted = read_parameters([("patient.identifier", f"{clinic}|p1")], (EHR, clinic))
    assert [each.position for each in page(filled.path, wanted, Reach(None, (EHR, clinic))).records] == [7]
    with pytest.raises(Refused) as refused:
        page(filled.path, wanted, AUDITOR)
    assert (refused.value.reason, refused.value.status) == (Reason.INVALID_VALUE, 400)


def test_an_auditor_sees_the_own_tenant_and_what_happened_to_the_gateway(kept: Kept) -> None:
    """But neither another EHR's records, nor what an operator asked of the log or holds: that may name another EHR's
    patient."""
    kept.append(
        Recorded(consultation(), "hospital"),
        Recorded(consultation(), "clinic"),
        Recorded(operation("ledger:gap"), "gateway"),
        Recorded(callers(), "gateway"),
        Recorded(log_reading(), "gateway"),
        Recorded(log_reading(), "hospital"),
        Recorded({**operation("ledger:held"), "hold": {"id": "1", "patient": f"{EHR}/Patient/p9"}}, "gateway"),
        Recorded(operation("ledger:hold-lifted"), "gateway"),
    )
    assert found(kept, {}, AUDITOR) == [0, 2, 3, 5]
    assert found(kept, {}, Reach("clinic", (EHR,))) == [1, 2, 3]
    assert found(kept, {"_id": "1,4"}, AUDITOR) == []
    assert found(kept, {"patient": "p1"}, AUDITOR) == [0]
    assert found(kept, {}) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_whose_a_record_is_stands_in_its_signed_header(kept: Kept) -> None:
    """A search column can be edited by whoever can write to the file; what is shown does not depend on it."""
    kept.append(Recorded(consultation(), "clinic"))
    connection = apsw.Connection(str(kept.path))
    connection.execute("DROP TRIGGER records_are_never_changed; UPDATE records SET tenant = 'hospital'")
    connection.close()
    assert found(kept, {}, AUDITOR) == []


def test_pages_are_stable_while_others_append(kept: Kept) -> None:
    """Each record of the snapshot once, in order, whatever comes meanwhile."""
    kept.append(*(Recorded(consultation(patient="p1")) for _ in range(25)))
    wanted = read_parameters([("patient", "p1"), ("_count", "10")], BASES)
    seen: list[int] = []
    while True:
        answer = page(kept.path, wanted, AUDITOR)
        seen += [each.position for each in answer.records]
        kept.append(*(Recorded(consultation(), at=minute(late)) for late in (0.5, 12.5, 99)))
        if answer.next is None:
            break
        wanted = LogSearch(wanted.parameters, wanted.newest_first, wanted.count, answer.next)
    assert seen == list(range(24, -1, -1))
    assert answer.size == 25


def test_a_next_page_is_announced_only_where_a_further_record_is_known(kept: Kept) -> None:
    kept.append(*(Recorded(consultation()) for _ in range(10)))
    assert page(kept.path, read_parameters([("_count", "10")], BASES), AUDITOR).next is None
    assert page(kept.path, read_parameters([("_count", "9")], BASES), AUDITOR).next is not None


def test_a_search_that_judges_too_much_is_refused_and_never_short(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with a few events and no next link would say: that is all."""
    kept.append(*(Recorded(consultation(person={**OTHER_PERSON, "name": f"N{n}"})) for n in range(50)))
    monkeypatch.setattr(search, "MOST_JUDGED", 30)
    with pytest.raises(Refused) as refused:
        found(kept, {"agent-name": "N49"})
    assert refused.value.reason == Reason.TOO_COSTLY


def test_a_search_that_takes_too_long_is_refused(filled: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SEARCH_SECONDS", -1.0)
    with pytest.raises(Refused) as refused:
        found(filled, {})
    assert refused.value.reason == Reason.TOO_COSTLY


def test_the_command_line_gets_all_that_was_there_when_it_asked(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream has no cap, and an end."""
    monkeypatch.setattr(search, "MOST_JUDGED", 3)
    kept.append(*(Recorded(consultation()) for _ in range(1_500)))
    answer = stream(kept.path, LogSearch((("outcome", "0"),), newest_first=False, count=None), OPERATOR)
    kept.append(Recorded(consultation()))
    assert [each.position for each in answer.records()] == list(range(1_500))


def test_a_purged_body_is_found_by_nothing(kept: Kept) -> None:
    """Of what it said nothing is left to judge."""
    kept.append(Recorded(consultation()), Recorded(consultation()))
    connection = apsw.Connection(str(kept.path))
    connection.execute("DROP TRIGGER records_are_never_changed; UPDATE records SET body = NULL WHERE position = 0")
    connection.close()
    assert found(kept, {}) == [1]
    assert found(kept, {"_id": "0"}) == []


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """One of each kind of record, for two tenants and the gateway, with a clock that steps back now and then."""
    kept = make(tmp_path_factory.mktemp("mixed"))
    steps = itertools.cycle([3, 1, 4, 1, 5, 9, 2, 6])
    people = itertools.cycle([{}, {"person": OTHER_PERSON}, {"patient": "p2", "request": REQUEST}])
    kept.append(
        *(
            Recorded({**body, **more}, tenant, minute(position - step))
            for position, (tenant, body, more, step) in enumerate(
                (tenant, body, next(people), next(steps))
                for tenant in ("hospital", "clinic", "gateway")
                for body in ONE_OF_EACH.values()
            )
        )
    )
    return kept


def values_in(path: Path) -> dict[str, list[str]]:
    """For each parameter, values that some event has."""
    events = [to_audit_event(orjson.loads(each.header), orjson.loads(each.body)) for each in Reader(path).records()]
    told: dict[str, set[str]] = {
        name: {"Patient/none" if kind.type == "reference" else "none"} for name, kind in PARAMETERS.items()
    }
    for name, kind in PARAMETERS.items():
        for each in (each for event in events for each in kind.found(event)):
            text = f"{each[0] or ''}|{each[1]}" if isinstance(each, tuple) else str(each)
            told[name].add(text)
            if isinstance(each, tuple) and each[1]:
                told[name].add(str(each[1]))
    told["date"] = {
        p + t
        for p in ("", "ne", "gt", "ge", "lt", "le", "sa", "eb")
        for t in ("2026-03-01T12:20Z", "2026-03", "2026-03-01T12:05:00Z")
    }
    told["_lastUpdated"] = told["date"]
    told["patient"] = {"p1", "p2", "Patient/p1", f"{EHR}/Patient/p2", f"{BASE}/fhir/city-lab/Patient/1"}
    told["patient.identifier"] = {f"{EHR}|p1", f"{EHR}|p9"}
    told["entity"] |= {"Observation/77", "Patient/p1"}
    told["agent"] |= {"Practitioner/9"}
    return {
        name: sorted(value for value in values if "#" not in value and value.isprintable())
        for name, values in told.items()
    }


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_columns_narrow_and_never_hide(mixed: Kept, data: Any) -> None:
    """Whatever is asked, the answer is what judging every event of the ledger would give."""
    pool = _POOLS.setdefault(mixed.path, values_in(mixed.path))
    names = data.draw(st.lists(st.sampled_from(sorted(PARAMETERS)), min_size=1, max_size=3))
    pairs = [
        (name, ",".join(data.draw(st.lists(st.sampled_from(pool[name]), min_size=1, max_size=2)))) for name in names
    ]
    reach = data.draw(st.sampled_from([OPERATOR, AUDITOR, Reach("clinic", (EHR,))]))
    newest_first = data.draw(st.booleans())
    wanted = read_parameters([*pairs, ("_count", "200"), ("_sort", "-date" if newest_first else "date")], BASES)
    pages = [page(mixed.path, wanted, reach)]
    while pages[-1].next is not None:
        pages.append(page(mixed.path, replace(wanted, mark=pages[-1].next), reach))
    expected = []
    for record in Reader(mixed.path).records():
        header, body = orjson.loads(record.header), orjson.loads(record.body or b"")
        event = to_audit_event(header, body)
        if reach.admits(header["tenant"], body["action"]) and all(
            Question.of(name, value, reach.ehr_bases).accepts(event) for name, value in pairs
        ):
            expected.append((header["time"], record.position))
    expected.sort(reverse=newest_first)
    assert [each.position for answer in pages for each in answer.records] == [position for _, position in expected]


_POOLS: dict[Path, dict[str, list[str]]] = {}
