"""Any JSON at all: nothing is raised, nothing grows, no digit is lost, nothing that a page would obey gets through."""

import json
import string
import unicodedata
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.selection import Filter, matching
from plugin.faces.viewer.readings.text import MAX_WHOLE, Text, line, prose
from plugin.faces.viewer.readings.values import Amount, number
from policies.vocabulary.resource_types import CONSULTABLE
from tests.viewer.readings.samples import quantity, resources, row, told

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False) | st.integers() | st.just(Decimal("1e999999"))
TEXTS = st.text(max_size=20) | st.sampled_from(["2026-03", "2026-02-30", "final", "Observation/o1", "#a", "\u202eabc"])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
SAMPLE = {each["resourceType"]: each for folder in ("city-lab", "imaging", "insurer") for each in resources(folder)}


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every element of a tree."""
    found = [path] if path else []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        found += places(value, (*path, key))
    return found


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy in which `value` stands at `path`."""
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = changed(tree[path[0]], path[1:], value)
    return copy


def texts(value: Any) -> list[str]:
    """Every text that a page could print of a result."""
    if isinstance(value, Text):
        return [value.shown, value.whole or ""]
    if isinstance(value, tuple | list | frozenset):
        return [text for each in value for text in texts(each)]
    if is_dataclass(value):
        return [text for field in fields(value) if field.repr for text in texts(getattr(value, field.name))]
    return []


@given(resource_type=st.sampled_from(CONSULTABLE), tree=st.dictionaries(TEXTS, TREES, max_size=6))
def test_a_tree_that_is_no_fhir_is_read_without_an_error(resource_type: str, tree: dict[str, Any]) -> None:
    overview([told(tree | {"resourceType": resource_type, "id": "x"})])


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_element_of_a_real_resource_may_be_anything(data: st.DataObject) -> None:
    """One wrong type, deep inside an otherwise good resource, is what real sources send."""
    original = SAMPLE[data.draw(st.sampled_from(sorted(SAMPLE)))]
    path = data.draw(st.sampled_from([each for each in places(original) if each not in (("id",), ("resourceType",))]))
    listed = overview([told(changed(original, path, data.draw(TREES)))])
    for each in (*listed.results, *listed.mistaken):
        assert all(is_harmless(text) for text in texts(each))
    matching(listed.results, Filter(text="é a", abnormal=True))


BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
LETTERS = frozenset(string.ascii_letters + string.digits)


def has_bidi(text: str) -> bool:
    return any(char in text for char in BIDI)


def is_harmless(text: str) -> bool:
    controls = [char for char in text if unicodedata.category(char) in ("Cc", "Cs") and char != "\n"]
    return not controls and not has_bidi(text) and len(text) <= MAX_WHOLE


@given(NUMBERS)
def test_no_number_loses_a_digit(value: Decimal | int) -> None:
    read = number(value)
    assert read is not None
    assert read.value == value
    assert len(read.text) <= 60
    if read.complete:
        assert Decimal(read.text) == value
        if isinstance(value, Decimal):
            assert Decimal(read.text).as_tuple().digits == value.as_tuple().digits or "E" not in str(value)


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=4))
def test_a_result_is_printed_as_it_came(value: Decimal) -> None:
    read = row({"valueQuantity": quantity(value)}).value
    assert isinstance(read, Amount)
    assert read.number.text == format(value, "f")


@given(st.text(max_size=300))
def test_a_text_is_safe_and_keeps_its_letters(text: str) -> None:
    for read in (line(text), prose(text)):
        if read is not None:
            assert is_harmless(read.shown)
            kept = "".join(char for char in (read.whole or read.shown) if char in LETTERS)
            assert kept.endswith("".join(char for char in text if char in LETTERS)[-20:]) or has_bidi(text)


def test_a_text_that_turns_the_reading_direction_shows_that_it_does() -> None:
    """`<RLO>05.1` would be read as `1.50`."""
    assert str(line("\u202e05.1 mg")) == "‹U+202E›05.1 mg"


def test_markup_stays_text() -> None:
    """Escaping is the template's: what is read here is what the reader must see."""
    assert str(row({"code": {"text": "<script>alert(1)</script>"}}).title) == "<script>alert(1)</script>"


def test_an_endless_field_is_shortened_with_a_mark_and_can_be_opened() -> None:
    read = line("x" * 10_000)
    assert read is not None
    assert read.shown.endswith("…")
    assert len(read.shown) <= 160
    assert read.whole == "x" * 10_000
    assert read.complete


def test_a_field_longer_than_an_expansion_says_that_it_is_cut_there_too() -> None:
    read = prose("y" * 2_000_000)
    assert read is not None
    assert read.whole is not None
    assert len(read.whole) == MAX_WHOLE
    assert read.whole.endswith("…")
    assert not read.complete


def test_letters_of_other_scripts_are_kept() -> None:
    """Persian needs its joiners, Vietnamese its two marks, Arabic its direction without controls."""
    for name in ("نمی\u200cدانم", "Nguyễn", "يوسف بن سعيد", "王偉", "👩\u200d⚕️"):
        assert str(line(name)) == name


def test_a_pile_of_marks_is_cut() -> None:
    read = line("a" + "\u0301" * 500 + "b")
    assert read is not None
    assert len(read.shown) < 12


@pytest.mark.parametrize("name", ["component", "referenceRange", "note", "interpretation", "hasMember"])
def test_endless_lists_are_bounded_and_the_rest_is_counted(name: str) -> None:
    entry = {"code": {"text": "x"}, "text": "n", "reference": "Observation/z"}
    read = row({name: [entry] * 5_000})
    assert len(json.dumps(texts(read))) < 20_000
    if name != "interpretation":
        assert read.left_out == 4_900


def test_half_a_surrogate_cannot_reach_a_page() -> None:
    """It could not be encoded, and the page would fail."""
    read = line("a\ud800b")
    assert read is not None
    read.shown.encode()
