"""A unit is converted where UCUM makes it exact, and nowhere else."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.faces.viewer.readings.units import contradict, shift, shifted, unit


@pytest.mark.parametrize(
    ("source", "target", "powers"),
    [
        ("mg/dL", "g/L", -2),
        ("g/L", "mg/dL", 2),
        ("mg/L", "ug/mL", 0),
        ("mmol/L", "umol/L", 3),
        ("10*9/L", "10*3/uL", 0),
        ("10*3/mm3", "10*9/L", 0),
        ("/mm3", "10*9/L", -3),
        ("mmol/L", "mol/m3", 0),
        ("m[IU]/L", "u[IU]/mL", 0),
        ("mL", "ml", 0),
        ("kg", "g", 3),
    ],
)
def test_a_metric_prefix_or_scale_is_exact(source: str, target: str, powers: int) -> None:
    assert shift(source, target) == powers


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("mg/dL", "mmol/L"),
        ("%", "mmol/mol"),
        ("mg/g", "%"),
        ("{copies}/mL", "{cells}/mL"),
        ("[iU]/L", "U/L"),
        ("mm[Hg]", "kPa"),
        ("min", "m"),
        ("cd", "d"),
        ("mg/(24.h)", "g/(24.h)"),
        ("mg{creat}/L", "mg/L"),
        ("1", "L/L"),
        ("", "g"),
        ("nonsense units", "g"),
    ],
)
def test_what_is_not_exactly_the_same_stays_apart(source: str, target: str) -> None:
    """A molar mass, another scale or an arbitrary unit between two numbers makes them incomparable."""
    assert shift(source, target) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_may_stand_as_a_unit(one: str, other: str) -> None:
    powers = shift(one, other)
    assert powers is None or shift(other, one) == -powers
    unit(one)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(-12, 12))
def test_moving_the_point_keeps_every_digit(value: Decimal, powers: int) -> None:
    """Decimal arithmetic would round to 28 digits."""
    moved = shifted(value, powers)
    assert moved.as_tuple().digits == value.as_tuple().digits
    assert shifted(moved, -powers) == value


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ("mg/L", "g/L"),
        ("µg/L", "mg/L"),
        ("mmol/L", "mg/dL"),
        ("10*9/L", "10*6/L"),
        ("mL/min", "L/min"),
        ("g", "mol"),
    ],
)
def test_a_printed_unit_of_another_size_or_kind_contradicts_its_code(printed: str, code: str) -> None:
    assert contradict(printed, code)


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ("mmol/l", "mmol/L"),
        ("MMOL/L", "mmol/L"),
        ("Mg/L", "mg/L"),
        ("UI/L", "[iU]/L"),
        ("U/L", "[iU]/L"),
        ("G/L", "10*9/L"),
        ("T/L", "10*12/L"),
        ("10^9/L", "10*9/L"),
        ("10*3/uL", "10*9/L"),
        ("/mm3", "/uL"),
        ("mg/24h", "mg/(24.h)"),
        ("mg/24 h", "mg/d"),
        ("meq/L", "mmol/L"),
        ("µg/L", "ug/L"),
        ("ug/mL", "mg/L"),
        ("g/g", "1"),
        ("mmHg", "mm[Hg]"),
        ("%", "%"),
        ("cm", "cm[H2O]"),
        ("Hz", "/s"),
        ("°C", "Cel"),
        ("mg/L", "nonsense units"),
    ],
)
def test_another_spelling_or_a_doubt_is_no_contradiction(printed: str, code: str) -> None:
    """An alarm over a way of writing would be learnt to be ignored."""
    assert not contradict(printed, code)
