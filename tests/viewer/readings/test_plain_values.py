"""What nearly every source writes is read by a shorter way, to the same end."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapters.moments import stretch
from plugin.faces.viewer.printed import amount, printed
from plugin.faces.viewer.readings.moment import Precision, period, when
from plugin.faces.viewer.readings.text import MAX_LINE, Text, line, visible
from plugin.faces.viewer.readings.values import Amount, Number, number
from tests.viewer.readings.lines import coded, details, printed_row

_FIGURES = st.integers(0, 61).map("{:02}".format)
_DATES = st.from_regex(r"(000[12]|20[0-9]{2}|999[89])-(0[0-9]|1[0-3])-[0-3][0-9]", fullmatch=True)
_ZONES = st.just("Z") | st.tuples(st.sampled_from("+-"), _FIGURES, _FIGURES).map(lambda each: "{}{}:{}".format(*each))


@given(st.builds("{}T{}:{}:{}{}".format, _DATES, _FIGURES, _FIGURES, _FIGURES, _ZONES))
def test_a_moment_is_the_one_that_searches_find(text: str) -> None:
    """What is no date for a search is none on a page, the edges of the calendar and leap seconds included."""
    read = when(text)
    assert read is not None
    try:
        start = stretch(text).start
    except ValueError:
        assert read.precision is Precision.UNREADABLE
        return
    if read.precision is Precision.TIME:
        offset = read.at.utcoffset()
        assert (read.order, offset is not None and abs(offset) < timedelta(days=1), read.zoned) == (start, True, True)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=None))
def test_a_number_keeps_its_digits(value: Decimal) -> None:
    read = number(value)
    assert read is not None
    assert not read.complete or Decimal(read.text) == value
    if "E" not in read.text and read.complete:
        assert read.text == format(value, "f")


@given(st.text(max_size=MAX_LINE // 4))
def test_a_line_is_what_can_be_seen_of_a_text(text: str) -> None:
    read = line(text)
    assert (read.shown if read is not None else "") == " ".join(visible(text).split())


def test_a_number_stays_with_its_unit_unless_that_is_as_wide_as_a_line() -> None:
    """`m` at the end of a line and `mol/L` on the next would be read as metres."""
    told = Number(Decimal("1.50"), "1.50")
    assert amount(Amount(told, unit=Text("mmol/L")), "fr") == "1,50\u00a0mmol/L"
    assert amount(Amount(told, unit=Text("colonies par millilitre")), "fr") == "1,50 colonies par millilitre"


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": {"value": "five", "unit": "mmol/L"}},
        {"valueRatio": {"numerator": {"value": Decimal(1)}}},
        {"valueAttachment": {"contentType": "image/png"}},
        {"valueInteger": "5"},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a_value_that_cannot_be_read_is_said_to_be_there(value: dict[str, Any]) -> None:
    """An empty place would say that the source gave none."""
    told = "The source gives something here that this page cannot read. Ask the source."
    assert printed_row(value, "en").value == told
    part = {"component": [{"code": {"text": "Sodium"}, **value}]}
    assert [each.value for each in printed_row(part, "en").parts] == [told]
    reason = coded("data-absent-reason", "error")
    assert told not in printed_row({**value, "dataAbsentReason": reason}, "en").value


def test_what_has_no_value_has_none_that_cannot_be_read() -> None:
    for nothing in ({}, {"valueQuantity": None}, {"valueString": ""}, {"valueCodeableConcept": {}}):
        assert printed_row(nothing, "en").value == ""


@pytest.mark.parametrize(
    ("written", "told"), [("\u2265", "\u2265 5 mg/L"), ("\u2264", "\u2264 5 mg/L"), ("<", "< 5 mg/L")]
)
def test_a_comparator_is_told_in_either_spelling(written: str, told: str) -> None:
    tree = {"status": "final", "valueQuantity": {"value": 5, "unit": "mg/L", "comparator": written}}
    assert printed_row(tree, "en").value.replace("\u00a0", " ") == told


@pytest.mark.parametrize("written", ["~", "ad", "=<", "", 5, ["<"]])
def test_a_number_whose_comparator_is_not_known_is_not_printed_as_if_it_had_none(written: Any) -> None:
    """`5` is another statement than `about 5`."""
    quantity = {"value": 5, "unit": "mg/L", "comparator": written}
    assert "cannot read" in printed_row({"status": "final", "valueQuantity": quantity}, "en").value
    part = {"code": {"text": "CRP"}, "valueQuantity": quantity}
    assert "cannot read" in printed_row({"status": "final", "component": [part]}, "en").parts[0].value
    order = {"resourceType": "MedicationRequest", "dosageInstruction": [{"doseAndRate": [{"doseQuantity": quantity}]}]}
    assert details(order, "en") == [("Dosage", "part of the dosage is not shown here")]


def test_a_unit_of_digits_is_not_read_as_a_part_of_the_number() -> None:
    """`1 428673006` would be another number."""
    tablet = {"value": 1, "system": "http://snomed.info/sct", "code": "428673006"}
    assert printed_row({"valueQuantity": tablet}, "en").value == "1\u00a0[428673006]"
    assert printed_row({"valueQuantity": tablet | {"unit": "tablet"}}, "en").value == "1\u00a0tablet"


ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


@pytest.mark.parametrize("name", ["_valueString", "_valueBoolean", "_valueDateTime", "_valueInteger", "_valueTime"])
def test_why_a_primitive_has_no_value_is_told(name: str) -> None:
    """An empty place would say that there is nothing."""
    masked = {name: {"extension": [{"url": ABSENT, "valueCode": "masked"}]}}
    assert printed_row(masked, "en").value == "no value: masked by the source"
    assert "cannot read" in printed_row({name: {"extension": [{"url": "http://x.example"}]}}, "en").value
    part = {"code": {"text": "CRP"}} | masked
    assert printed_row({"component": [part]}, "fr").parts[0].value == "pas de valeur : masquée par la source"


def test_a_value_and_why_there_is_none_are_both_told_and_nothing_is_concluded() -> None:
    """FHIR forbids it (obs-6), as it does two values; either alone would hide the other."""
    tree = {
        "valueQuantity": {"value": 5, "unit": "mg/L"},
        "referenceRange": [{"high": {"value": 3, "unit": "mg/L"}}],
        "dataAbsentReason": coded("data-absent-reason", "error"),
    }
    found = printed_row(tree, "en")
    assert found.value.replace("\u00a0", " ") == "5 mg/L, no value: measurement error"
    assert (found.mark, found.trend) == (None, "")
    two = {"valueQuantity": {"value": 5, "unit": "mg/L"}, "valueString": "clotted"}
    assert printed_row(two, "en").value.replace("\u00a0", " ") == "5 mg/L, clotted"


def test_the_unit_one_is_no_unit() -> None:
    one = {"value": Decimal("0.065"), "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}
    assert printed_row({"valueQuantity": one}, "en").value == "0.065"


def test_a_period_whose_start_cannot_be_read_says_what_stood_there() -> None:
    told = period({"start": "autumn", "end": "2026-03-02"})
    assert told is not None
    assert told.is_dated
    assert (printed(told, "fr"), printed(told, "en")) == ("du autumn au 2 mars 2026", "autumn to 2 Mar 2026")
    assert printed(period({"start": "autumn", "end": "winter"}), "en") == "until winter"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-05-18T22:30:00Z", "18 May 2026, 22:30 UTC"),
        ("2026-05-18T22:30:00.5+00:00", "18 May 2026, 22:30 UTC"),
        ("2026-05-19T00:30:00+02:00", "19 May 2026, 00:30"),
        ("2026-05-19T00:30:00", "19 May 2026, 00:30"),
        ("2026-05-19", "19 May 2026"),
    ],
)
def test_a_time_in_utc_says_so(text: str, told: str) -> None:
    """It is on nobody's clock: one moment stood on two days, from two sources, without a word."""
    assert printed(when(text), "en").replace("\u00a0", " ") == told
