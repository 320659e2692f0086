"""An export says what it holds, where it ends, and what it left out; and a part of it is a part of the whole."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.audit import content, export, table
from plugin.audit.audit_event import to_audit_event
from plugin.audit.export import CHUNK, FORMS, Export
from plugin.audit.search import read_parameters
from plugin.audit.search_columns import Question
from plugin.audit.selection import Selection, beginning, ending
from plugin.errors import LogUnreadable
from plugin.ledger.record import StoredRecord
from tests.audit import bodies
from tests.audit_export.logs import BEGINNING, CHECKPOINT, Log, facts, log_of, record, without_body

EVERYTHING = Selection()
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def exported(log: Any, selection: Selection = EVERYTHING, form: str = "ndjson", **more: Any) -> list[bytes]:
    return list(Export(log, selection, form, now=lambda: NOON, **more).lines())


def body_of(subject: str, **more: Any) -> dict[str, Any]:
    person = {"issuer": "https://login.example", "subject": subject, "kind": "professional"}
    return bodies.consultation(person=person, **more)


def test_head_and_foot_state_range_count_and_checkpoint() -> None:
    """Golden: a reader compares the two, and the checkpoint with the one kept elsewhere."""
    lines = exported(log_of([bodies.consultation(), bodies.operation()]))
    about = {"time": "2026-04-01T12:00:00.000000Z", "first": 0, "last": 1, "records": 2, "selection": "AuditEvent"}
    ends = {"written": 2, "not-selected": 0, "without-body": 0, "missing": 0, "next": 2}
    assert facts(lines[0]) == about | {"checkpoint": CHECKPOINT}
    assert facts(lines[-1]) == about | ends | {"checkpoint": CHECKPOINT}
    assert [orjson.loads(line)["resourceType"] for line in lines[1:-1]] == ["AuditEvent", "AuditEvent"]


@pytest.mark.parametrize("form", FORMS)
def test_every_record_of_every_kind_is_one_line(form: str) -> None:
    """No kind of record stops an export, and none takes two lines."""
    lines = exported(log_of(bodies.ONE_OF_EACH.values()), form=form)
    assert len(lines) == len(bodies.ONE_OF_EACH) + 2 + len(FORMS[form].opening)
    assert not any(b"\n" in line or b"\r" in line for line in lines)


@pytest.mark.parametrize("form", FORMS)
@given(end=st.integers(0, 7))
def test_an_export_that_was_cut_goes_on_where_it_ended(form: str, end: int) -> None:
    """What came before the cut and after the resumption is the whole, without a gap or a double."""
    log = log_of(body_of(f"u-{number % 2}") for number in range(7))
    chosen = Selection(persons=frozenset({("https://login.example", "u-1")}))
    whole = exported(log, chosen, form)[1 + len(FORMS[form].opening) : -1]
    cut = Export(log, chosen, form)
    skipped = 1 + len(FORMS[form].opening)
    first = list(islice(cut.lines(), skipped + min(end, len(whole))))[skipped:]
    # The consumer had its last line, which the export learns only when asked for more: it counts from the line before.
    resumed = exported(replace(log, first=cut.next), chosen, form)[skipped:-1]
    doubled = 1 if first else 0
    assert first[: len(first) - doubled] + resumed == whole


def test_missing_records_are_counted() -> None:
    """A hole in the file must not look like a short log."""
    log = log_of(body_of("u") for _ in range(5))
    del log.held[2:4]
    stream = Export(log, EVERYTHING, "ndjson")
    assert facts(list(stream.lines())[-1])["missing"] == 2
    assert not stream.whole


def test_a_missing_tail_is_counted() -> None:
    log = log_of(body_of("u") for _ in range(3))
    log.last = 9
    assert facts(exported(log)[-1])["missing"] == 7


def test_records_whose_body_was_purged_are_counted_not_guessed() -> None:
    log = log_of(body_of("u") for _ in range(3))
    log.held[1] = without_body(log.held[1])
    foot = facts(exported(log)[-1])
    assert (foot["written"], foot["without-body"], foot["missing"]) == (2, 1, 0)


def test_an_empty_range_has_head_and_foot() -> None:
    lines = exported(Log([], 4, 3))
    assert [facts(line)["records"] for line in lines] == [0, 0]
    assert facts(lines[-1])["next"] == 4


def test_traces_of_chosen_people_are_all_there_and_nobody_elses() -> None:
    """The same subject of another issuer is another person."""
    stranger = {"issuer": "https://other.example", "subject": "u-1"}
    log = log_of([body_of("u-1"), body_of("u-2"), bodies.consultation(person=stranger), body_of("u-3"), body_of("u-1")])
    chosen = Selection(persons=frozenset({("https://login.example", "u-1"), ("https://login.example", "u-3")}))
    lines = exported(log, chosen)
    assert [orjson.loads(line)["id"] for line in lines[1:-1]] == ["0", "3", "4"]
    assert facts(lines[-1])["not-selected"] == 2
    assert facts(lines[0])["selection"] == (
        "AuditEvent?agent.identifier=https%3A%2F%2Flogin.example%7Cu-1%2Chttps%3A%2F%2Flogin.example%7Cu-3"
    )


@given(subject=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_what_was_selected_is_recorded_as_the_search_that_finds_the_same(subject: str) -> None:
    """An auditor of the auditors types it again: either person, about this patient of this EHR, in this period."""
    log = [body_of(subject), body_of("u-2"), body_of("nobody-else"), {**body_of("u-2"), "patient": "p2"}]
    chosen = Selection(
        persons=frozenset({("https://login.example", subject), ("https://login.example", "u-2")}),
        patient=("hospital", "p1"),
        since="2026-03-02T08:15:04.000000Z",
        until="2026-03-02T09:00:00.000000Z",
    )
    pairs = parse_qsl(chosen.query().partition("?")[2], strict_parsing=True)
    ehr = str(log[0]["ehr"]["fhir_base"])
    questions = [Question.of(name, value, [ehr]) for name, value in read_parameters(pairs, [ehr]).parameters]
    for each in log_of(log).held:
        header, body = content.header(each), content.body(each)
        wanted = chosen.in_period(header) and chosen.accepts(body)
        assert all(question.accepts(to_audit_event(header, body)) for question in questions) == wanted


@given(subject=st.text(min_size=1))
def test_people_are_found_whatever_their_name_is_made_of(subject: str) -> None:
    """Bodies are searched as bytes before they are parsed."""
    log = log_of([body_of(subject), body_of("nobody-else")])
    chosen = Selection(persons=frozenset({("https://login.example", subject)}))
    assert len(exported(log, chosen)) == (4 if subject == "nobody-else" else 3)


def test_a_period_ends_with_its_last_day() -> None:
    days = [datetime(2026, 3, day, 23, 59, 59, 999999, tzinfo=UTC) for day in (29, 30, 31)]
    log = Log([record(number, body_of("u"), day) for number, day in enumerate(days)], 0, 2)
    chosen = Selection(since=beginning("2026-03-30", UTC), until=ending("2026-03-30", UTC))
    assert [orjson.loads(line)["id"] for line in exported(log, chosen)[1:-1]] == ["1"]


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "9999-12-31", "9999-12-31T23:59-23:59"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ending(text, UTC)


@pytest.mark.parametrize(
    ("text", "zone"),
    [("0001-01-01T00:00+23:59", "UTC"), ("0001-01-01", "Asia/Tokyo"), ("0001-01-01T00:00Z", "America/Lima")],
)
def test_what_no_calendar_tells_is_no_date(text: str, zone: str) -> None:
    """In UTC, as the log has it, or in the zone of a report."""
    with pytest.raises(ValueError):
        beginning(text, ZoneInfo(zone))


class Endless:
    """A log that hardly ends, and knows how far it was handed over."""

    checkpoint = CHECKPOINT

    def __init__(self, first: int = 0, last: int = 10**9) -> None:
        self.first, self.last = first, last
        self.handed_over = 0

    def records(self) -> Iterator[StoredRecord]:
        for position in range(self.first, self.last + 1):
            yield record(position, body_of("u"), BEGINNING)

    def part(self, first: int, last: int) -> "Endless":
        self.handed_over = last + 1
        return Endless(first, last)


@pytest.mark.parametrize("form", FORMS)
def test_memory_is_flat_because_no_more_than_a_chunk_is_held(form: str) -> None:
    log = Endless()
    lines = Export(log, EVERYTHING, form).lines()
    for _ in islice(lines, 3 * CHUNK + 10):
        pass
    assert log.handed_over <= 4 * CHUNK


def text_of(stream: Export) -> bytes:
    out = io.BytesIO()
    stream.write(out)
    return out.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_the_text_is_the_lines_with_their_ends(form: str) -> None:
    """It comes in larger pieces, and says as exactly how far it came."""
    log = log_of(body_of(f"u-{number % 3}") for number in range(CHUNK + 7))
    log.held[3] = without_body(log.held[3])
    del log.held[5]
    chosen = Selection(persons=frozenset({("https://login.example", "u-1")}))
    lines, text = (Export(log, chosen, form, now=lambda: NOON) for _ in range(2))
    assert text_of(text) == b"".join(line + FORMS[form].end for line in lines.lines())
    assert (text.counts, text.next) == (lines.counts, lines.next)


@pytest.mark.parametrize("records", [1, 3 * CHUNK, 3 * CHUNK + 7])
def test_several_processes_write_the_same_in_the_same_order(records: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of them has the last part, or none; parts of which nothing is wanted among them."""
    log = log_of(body_of(f"u-{number // CHUNK % 2}") for number in range(records))
    chosen = Selection(persons=frozenset({("https://login.example", "u-0")}))
    alone = Export(log, chosen, "ndjson", now=lambda: NOON)
    monkeypatch.setattr(export, "PARALLEL_FROM", 1)
    several = Export(log, chosen, "ndjson", workers=2, now=lambda: NOON)
    assert text_of(several) == text_of(alone)
    assert (several.counts, several.next) == (alone.counts, alone.next)


def test_a_reader_that_cannot_read_on_is_told_so_by_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that does not travel from one process to another would end the stream as if its processes were lost."""
    log = log_of(body_of("u") for _ in range(2 * CHUNK))
    log.held[CHUNK + 1] = StoredRecord(CHUNK + 1, log.held[CHUNK + 1].header, b"{")
    monkeypatch.setattr(export, "PARALLEL_FROM", 1)
    stream = Export(log, EVERYTHING, "ndjson", workers=2)
    with pytest.raises(LogUnreadable, match=f"Record {CHUNK + 1} "):
        text_of(stream)
    assert stream.next == CHUNK


@pytest.mark.parametrize("damaged", [b"", b"{", b"\xff"])
def test_a_record_that_cannot_be_read_ends_the_stream_without_foot(damaged: bytes) -> None:
    """Left out in silence it would be a way to hide one."""
    log = log_of([body_of("u"), body_of("u")])
    log.held[1] = StoredRecord(1, log.held[1].header, damaged)
    stream = Export(log, EVERYTHING, "ndjson")
    with pytest.raises(LogUnreadable, match="Record 1 "):
        list(stream.lines())
    assert stream.next == 0


def rows(lines: list[bytes]) -> list[dict[str, str]]:
    text = b"\r\n".join(lines).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_row_says_under_which_emergency_access_it_was() -> None:
    """Whoever reviews an emergency sorts by it: the opening, each look made under it, its end."""
    under = bodies.consultation(break_glass={"opening": "req-77.1"}, purpose={"codes": ["BTG"]})
    told = [bodies.break_glass(), under, bodies.ended_by_itself(), bodies.consultation()]
    _, *found, _ = rows(exported(log_of(told), form="csv"))
    assert [(row["break_glass"], row["break_glass_reason"]) for row in found] == [
        ("req-77.1", "other"),
        ("req-77.1", ""),
        ("req-77.1", "other"),
        ("", ""),
    ]


def test_a_row_has_the_facts_that_people_sort_by() -> None:
    """Golden."""
    head, row, foot = rows(exported(log_of([bodies.consultation()]), form="csv"))
    assert (head["row"], row["row"], foot["row"]) == ("head", "record", "foot")
    assert orjson.loads(foot["statement"])["written"] == 1
    assert {name: value for name, value in row.items() if value} == {
        "row": "record",
        "position": "0",
        "time": "2026-03-02T08:15:03.120000Z",
        "tenant": "hospital",
        "action": "consultation:released",
        "outcome": "0",
        "person_issuer": "https://login.hospital.example",
        "person_subject": "u-123",
        "person_name": "Dr Alma Roy",
        "roles": "10",
        "organisation": "Hôpital central",
        "client": "results-pane",
        "address": "192.0.2.10",
        "purpose": "TREAT",
        "patient_ehr": "hospital",
        "patient": "p1",
        "feed": "city-lab",
        "asked": "Observation?patient=p1&category=laboratory",
        "released": "Observation/77 DiagnosticReport/5",
        "categories": "test-results",
        "withheld": "1",
        "foreign": "3",
        "delivery": "structured",
        "care_relation": "launch",
        "rules": "core-treatment launch-patient",
        "request": "req-77",
        "record": "req-77.1",
    }


@given(body=bodies.any_body)
def test_no_text_from_outside_becomes_a_formula_or_a_row(body: dict[str, Any]) -> None:
    """A spreadsheet computes what begins with =, +, - or @: names come from tokens."""
    line = table.record(bodies.header(), body)
    (cells,) = csv.reader(io.StringIO(line.decode(), newline=""))
    assert len(cells) == len(table.COLUMNS)
    assert not any(cell.startswith(table.FORMULA_STARTS) for cell in cells)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('Roy;=HYPERLINK("http://evil.example";"x")', 'Roy;\'=HYPERLINK("http://evil.example";"x")'),
        ('Roy;"=1+1"', 'Roy;\'"=1+1"'),
        ("Roy; -2;@x", "Roy;' -2;'@x"),
        ("Roy\t=1;\n+1", "Roy =1;' +1"),
        ("Roy; Alma (+33; 1-2)", "Roy; Alma (+33; 1-2)"),
        ("\uff1d1+1;\uff20x", "'\uff1d1+1;'\uff20x"),
    ],
)
def test_no_cell_of_a_spreadsheet_that_divides_at_semicolons_is_a_formula(name: str, cell: str) -> None:
    """As one does whose language writes decimals with a comma. A tab or a line end is a blank by then."""
    line = table.record(bodies.header(), bodies.consultation(person={"name": name}))
    (cells,) = csv.reader(io.StringIO(line.decode(), newline=""))
    assert cells[table.COLUMNS.index("person_name")] == cell


def test_the_period_is_of_the_zone_that_is_asked_for() -> None:
    from zoneinfo import ZoneInfo

    assert beginning("2026-03-30", ZoneInfo("Europe/Paris")) == "2026-03-29T22:00:00.000000Z"
    assert ending("2026-10-25", ZoneInfo("Europe/Paris")) == "2026-10-25T23:00:00.000000Z"
    assert beginning("2026-03-30T10:00:00+02:00", UTC) == "2026-03-30T08:00:00.000000Z"
