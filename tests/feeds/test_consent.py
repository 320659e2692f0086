"""Reading what a Consent denies: whatever is not understood denies."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fhir_adapters.consent import UNKNOWN, Denial, denials

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = st.sampled_from(["type", "period", "start", "actor", "reference", "class", "purpose", "coding", "provision"])
JSON = st.recursive(
    st.none() | st.sampled_from(["deny", "permit", "2026", "x"]) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


def read(**provision):
    return denials({"status": "active", "provision": provision}, NOW)


def test_a_deny_at_the_root_or_nested_opposes_and_a_bare_permit_does_not():
    assert read(type="deny") == (Denial(),)
    assert read(type="permit", provision=[{"type": "deny"}]) == (Denial(),)
    assert read(type="permit") == ()


def test_a_deny_whose_period_is_past_does_not_oppose():
    assert read(type="deny", period={"start": "2025-01-01", "end": "2025-12-31"}) == ()


def test_a_permit_takes_nothing_away_from_an_opposition_as_a_whole():
    """`policyRule` is what the provision is an exception from: everybody else stays out, and so does whom it names."""
    opted_out = {"status": "active", "policyRule": {"coding": [{"system": "urn:v3-ActCode", "code": "OPTOUT"}]}}
    doctor = {"type": "permit", "actor": [{"reference": {"reference": "Practitioner/1"}}]}
    over = {**doctor, "period": {"end": "2025"}}
    for provision in ({}, {"type": "permit"}, doctor, {"provision": [doctor]}, over):
        assert denials({**opted_out, "provision": provision}, NOW) == (Denial(),), "least of all once it has ended"
    assert denials({**opted_out, "provision": {"period": {"end": "2025"}}}, NOW) == ()


def test_what_is_not_understood_denies():
    for odd in ({"type": "maybe"}, {"type": "permit", "modifierExtension": []}, {"type": "permit", "provision": [7]}):
        assert read(**odd) == (UNKNOWN,)


def test_ten_thousand_provisions_and_a_cycle_deny():
    assert read(type="permit", provision=[{"type": "permit"}] * 10_000) == (UNKNOWN,)
    cycle = {"type": "permit"}
    cycle["provision"] = [cycle]
    assert read(**cycle) == (UNKNOWN,)


@given(JSON)
def test_nothing_that_comes_as_a_provision_is_an_error(value):
    assert isinstance(denials({"status": "active", "provision": value}, NOW), tuple)


@given(st.dictionaries(st.sampled_from(["extra", "class", "actor", "code"]), JSON, max_size=3))
def test_nothing_beside_a_deny_takes_it_away(beside):
    assert read(**beside, type="deny") != ()
