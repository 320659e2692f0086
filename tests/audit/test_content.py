"""Content is shown in the shape that was promised, or not at all."""

import orjson
import pytest

from plugin.audit import content
from plugin.errors import LogUnreadable
from plugin.ledger.record import StoredRecord
from tests.audit import bodies
from tests.audit_export.logs import record

SOUND = record(7, bodies.consultation())


@pytest.mark.parametrize("name", bodies.ONE_OF_EACH)
def test_every_kind_of_body_is_read_as_it_was_written(name: str) -> None:
    """Else the shape that is asked for would hide what the gateway itself recorded."""
    written = bodies.ONE_OF_EACH[name]
    said = dict(content.body(record(0, written)))
    assert said == {**written, "nonce": said["nonce"]}


def test_a_purge_of_an_older_ledger_that_names_no_tenant_is_read() -> None:
    """Periods of one EHR came later."""
    due = {"retention_class": "refusal", "period": "1-year", "before": "2026", "ranges": [[0, 3]]}
    written = {"action": "ledger:purged", "purge": {"reason": "yearly", "due": [due]}}
    assert content.body(record(0, written))["purge"]["due"] == [due]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"garbage",
        b"{}",
        b"[1]",
        SOUND.header.replace(b'"position":7', b'"position":8'),
        SOUND.header.replace(b"2026-03-02T", b"2026-13-02T"),
        SOUND.header.replace(b"2026-03-02T", b"0001-01-01T"),
        SOUND.header.replace(b'"tenant":"hospital"', b'"tenant":3'),
    ],
)
def test_a_header_that_is_none_is_named_by_its_position(stored: bytes) -> None:
    with pytest.raises(LogUnreadable, match=r"Record 7 cannot be read; `vitrine audit verify` says more\."):
        content.header(StoredRecord(7, stored, SOUND.body))


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"[1]",
        b"{\xff",
        b'{"note":"\xff"}',
        b'{"note":"\\udc00"}',
        b'{"x":' + b"[" * 5000,
        b'{"person":3}',
        b'{"action":"consultation:released","patient":"p0","person":"x"}',
        b'{"released":[{"reference":"Observation/1"}]}',
        b'{"foreign":"many"}',
    ],
)
def test_a_body_of_another_shape_is_named_by_its_position(stored: bytes) -> None:
    """Whoever formats an event or a page relies on the shape."""
    with pytest.raises(LogUnreadable, match=r"Record 7 cannot be read; `vitrine audit verify` says more\."):
        content.body(StoredRecord(7, SOUND.header, stored))


def test_as_stored_leaves_out_nothing() -> None:
    """Also what a newer gateway may have written; but what no JSON reader takes is not passed on."""
    body = b'{"newer":{"a":[1]}}'
    shown = content.as_stored(StoredRecord(7, SOUND.header, body))
    assert shown == {"position": 7, "header": orjson.loads(SOUND.header), "body": {"newer": {"a": [1]}}}
    assert content.as_stored(StoredRecord(7, SOUND.header, None))["body"] is None
    with pytest.raises(LogUnreadable):
        content.as_stored(StoredRecord(7, SOUND.header, b'{"newer":"\xff"}'))
