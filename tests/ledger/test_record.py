"""The frozen form: bytes that readers of old ledgers rely on."""

import re
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.ledger import record
from plugin.ledger.errors import RecordInvalid
from plugin.ledger.record import (
    SEARCH_COLUMNS,
    columns_of,
    encode_body,
    encode_header,
    encode_time,
    flaw,
    search_columns,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["action", "outcome", "person", "ehr", "patient", "client", "feed", "request", "record"])
BODIES = st.dictionaries(NAMES | st.text(max_size=8), JSON | st.dictionaries(st.sampled_from(["id", "issuer"]), JSON))

DEEP = 100_000
"""Brackets in brackets: more than the decoder follows under any Python. 3.13 follows some 10,000."""


def test_a_header_is_these_bytes():
    """Every old ledger holds this form: a change here breaks their proofs."""
    assert encode_header(7, "2026-11-25T09:15:03.120456Z", "hospital", "consultation", b"{}") == (
        b'{"body":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","class":"consultation",'
        b'"position":7,"tenant":"hospital","time":"2026-11-25T09:15:03.120456Z","v":1}'
    )


def test_times_are_utc_with_microseconds_even_on_the_full_second():
    """Text order is time order only if all have one length."""
    assert encode_time(datetime(2026, 11, 25, 9, 15, 3, tzinfo=UTC)) == "2026-11-25T09:15:03.000000Z"
    paris = datetime(2026, 11, 25, 10, 15, 3, 1, tzinfo=timezone(timedelta(hours=1)))
    assert encode_time(paris) == "2026-11-25T09:15:03.000001Z"


def test_a_body_gets_a_nonce_that_no_caller_chooses():
    """A purged body must not be guessed from the hash that its header keeps."""
    one, two = (orjson.loads(encode_body({"nonce": "mine", "a": 1})) for _ in range(2))
    assert re.fullmatch("[0-9a-f]{32}", one["nonce"])
    assert one["nonce"] != two["nonce"]


@pytest.mark.parametrize("body", [{"a": object()}, {"a": {1: 2}}, {"a": "\ud800"}, {"a": 2**70}])
def test_a_body_without_a_json_form_is_refused(body):
    """A record that cannot be written as JSON is no record."""
    with pytest.raises(RecordInvalid):
        encode_body(body)


def test_search_columns_say_who_and_whom():
    """The person as (issuer, subject) and the patient as its address: the same id at two EHRs is two patients."""
    found = search_columns(
        {"time": "t", "tenant": "hospital"},
        {
            "action": "consultation:released",
            "outcome": "0",
            "person": {"issuer": "https://login.example", "subject": "s1"},
            "ehr": {"fhir_base": "https://ehr.example/fhir"},
            "patient": "p1",
            "client": {"id": "pane"},
            "feed": {"id": "city-lab"},
            "request": "r",
            "record": "r.0",
        },
    )
    assert list(found.values()) == [
        "t", "hospital", "consultation:released", "0", "https://login.example s1",
        "https://ehr.example/fhir/Patient/p1", "pane", "city-lab", "r", "r.0",
    ]  # fmt: skip


def test_absent_facts_are_none():
    """An operational record has no patient; half a name is none."""
    found = search_columns({}, {"person": {"issuer": "x"}, "patient": "p1", "client": None})
    assert found == dict.fromkeys(SEARCH_COLUMNS)


@given(BODIES)
def test_any_json_body_makes_a_record_without_flaw(body):
    """What the writer stores, verify accepts."""
    data = encode_body(body)
    header = encode_header(3, "2026-11-25T09:15:03.120456Z", "hospital", "consultation", data)
    assert flaw(3, header, data, columns_of(header, data)) is None


@given(BODIES, st.binary())
def test_any_other_body_is_a_flaw(body, other):
    """The header names the body by hash."""
    data = encode_body(body)
    header = encode_header(3, "t", "hospital", "consultation", data)
    assert "is not the one that its header names" in flaw(3, header, other, columns_of(header, data))


def _header(**changes: object) -> bytes:
    fields = {"v": 1, "position": 3, "time": "t", "tenant": "h", "class": "c", "body": sha256(b"{}").hexdigest()}
    return orjson.dumps({**fields, **changes}, option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"", "not in the form"),
        (b"[]", "not in the form"),
        (b"{}", "not in the form"),
        (b"[" * DEEP, "not in the form"),
        (_header(v=[1]), "not in the form"),
        (_header(position=True), "not in the form"),
        (_header(tenant=None), "not in the form"),
        (_header(more=1), "not in the form"),
        (_header().replace(b'"v":1', b'"v":1,"v":1'), "not in the form"),
        (_header().replace(b",", b", "), "not in the form"),
        (_header(v=2), "unknown version"),
        (_header(position=4), "another position"),
    ],
)
def test_a_header_that_is_not_the_frozen_form_is_a_flaw(header, words):
    """The sentence says which rule it breaks."""
    assert words in flaw(3, header, b"{}", (None,) * 10)


def test_a_body_that_is_gone_or_no_object_is_a_flaw():
    """No purge exists in this form."""
    assert "is missing" in flaw(3, _header(), None, (None,) * 10)
    for body in (b"[]", b"", b'{"x":' + b"[" * DEEP + b"]" * DEEP + b"}"):
        assert "not a JSON object" in flaw(3, _header(body=sha256(body).hexdigest()), body, (None,) * 10)


PLAIN = st.dictionaries(
    st.sampled_from(["action", "outcome", "person", "ehr", "patient", "client", "feed", "request", "record", "more"]),
    st.none()
    | st.text(max_size=5)
    | st.integers(0, 9)
    | st.dictionaries(
        st.sampled_from(["issuer", "subject", "fhir_base", "id"]), st.none() | st.text(max_size=4) | st.integers(0, 3)
    ),
)


@given(PLAIN, st.text(max_size=6), st.text(max_size=6), st.integers(0, 10**12))
def test_the_quick_look_never_passes_what_the_close_one_refuses(facts, tenant, retention_class, position):
    """And it passes each record of ours whose facts are text: that is why it is there."""
    body = record.encode_body(facts)
    header = record.encode_header(position, "2026-11-25T09:15:03.120456Z", tenant, retention_class, body)
    columns = record.columns_of(header, body)
    assert record.flaw(position, header, body, columns) is None
    quick = record.all_sound(position, [(position, header, body, *columns)])
    plain = retention_class.isalnum() and all(
        value is None or isinstance(value, str)
        for name, value in facts.items()
        if name not in {"person", "ehr", "client", "feed", "more"}
    )
    if plain and not {"person", "ehr", "client", "feed"} & set(facts):
        assert quick
    for at, *damaged in (
        (position + 1, header, body, columns),
        (position, header, body + b" ", columns),
        (position, header + b" ", body, columns),
        (position, b" " + header, body, columns),
        (position, header.replace(b'"v":1', b'"v":2'), body, columns),
        (position, header, body, (columns[0], tenant + "x", *columns[2:])),
        (position, header, body, (*columns[:-1], "something else")),
        (position, header, body, ("2026-11-25T09:15:03.120457Z", *columns[1:])),
    ):
        assert not record.all_sound(at, [(position, *damaged[:2], *damaged[2])])


@given(BODIES | PLAIN, st.text(max_size=6), st.text(max_size=6), st.integers(0, 10**12))
def test_a_draft_becomes_the_record_that_its_parts_would_be(facts, tenant, retention_class, position):
    """The commit completes a header instead of encoding it: by the bytes nobody can tell."""
    time = "2026-11-25T09:15:03.120456Z"
    made = record.draft(facts, tenant, retention_class)
    header = encode_header(position, time, tenant, retention_class, made.body)
    assert made.header(position, time) == header
    assert (time, *made.facts) == columns_of(header, made.body)


@pytest.mark.parametrize(("tenant", "retention_class"), [(None, "c"), ("t", None), ("\ud800", "c"), ("t", "\ud800")])
def test_a_draft_has_a_tenant_and_a_class_that_are_text(tenant, retention_class):
    """What has no header must be refused before it waits with others for a commit."""
    with pytest.raises(RecordInvalid):
        record.draft({}, tenant, retention_class)


def _stored(position: int, tenant: str = "hospital") -> tuple:
    made = record.draft({"action": "consultation:released", "record": f"{position}"}, tenant, "consultation")
    time = encode_time(datetime(2026, 11, 25, 9, 15, position, tzinfo=UTC))
    return position, made.header(position, time), made.body, time, *made.facts


def test_sound_rows_are_sound_together():
    """So a whole run needs no closer look."""
    assert record.all_sound(3, [_stored(position) for position in range(3, 9)])


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows[1:],
        lambda rows: [*rows[:2], *rows[3:]],
        lambda rows: [rows[1], rows[0], *rows[2:]],
        lambda rows: [(*rows[0][:3], f"{rows[0][3]}\n{rows[1][3]}", *rows[0][4:]), *rows[1:]],
        lambda rows: [(*rows[0][:3], None, *rows[0][4:]), *rows[1:]],
        lambda rows: [(*rows[0][:4], None, *rows[0][5:]), *rows[1:]],
        lambda rows: [(*rows[0][:2], None, *rows[0][3:]), *rows[1:]],
        lambda rows: [(*rows[0][:2], rows[1][2], *rows[0][3:]), *rows[1:]],
        lambda rows: [(*rows[0][:2], rows[0][2] + b"\n", *rows[0][3:]), *rows[1:]],
        lambda rows: [(*rows[0][:-1], "another"), *rows[1:]],
    ],
)
def test_one_bad_row_among_sound_ones_is_not_overlooked(damage):
    """Looked at together: what one row lacks, another must not make up for."""
    assert not record.all_sound(3, damage([_stored(position) for position in range(3, 9)]))
