"""One tree: what is parsed can be written again, and says the same to every reader."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_adapters.interface import FeedAnswerInvalid
from fhir_adapters.resource import MAX_DEPTH, encode, expect_resource, is_id, parse

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
FRACTIONS = st.decimals(allow_nan=False, allow_infinity=False, places=2).filter(lambda number: "." in str(number))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), FRACTIONS, TEXT)
TREES = st.recursive(
    LEAVES, lambda tree: st.lists(tree, max_size=4) | st.dictionaries(TEXT, tree, max_size=4), max_leaves=20
)


def shown(tree: Any) -> str:
    """Equality that sees the digits: Decimal("1.50") == Decimal("1.5"), but not here."""
    return repr(tree)


@given(TREES)
def test_what_is_written_is_read_back_to_the_digit(tree: Any) -> None:
    assert shown(parse(encode(tree))) == shown(tree)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_tree_that_can_be_written_or_one_error(data: bytes) -> None:
    try:
        tree = parse(data)
    except FeedAnswerInvalid:
        return
    assert shown(parse(encode(tree))) == shown(tree)
    json.loads(encode(tree))


@pytest.mark.parametrize("digits", ["1.50", "0.0", "-0.0", "120", "1.0000000000000000001", "15.00", "1E+5", "0.000001"])
def test_digits_are_kept(digits: str) -> None:
    assert encode(parse(b'{"value":' + digits.encode() + b"}")) == b'{"value":' + digits.encode() + b"}"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'[{"b":{"a":1,"\\u0061":2}}]',
        b"NaN",
        b"-Infinity",
        b"",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\udc00x"',
        b'"\n"',
        b"[1,]",
        b"01",
        b"1" * 10_000,
        b"1e-99999999999999999999",
        b"'a'",
    ],
)
def test_what_two_readers_could_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(FeedAnswerInvalid):
        parse(data)


def test_a_message_names_the_source_and_quotes_nothing() -> None:
    """A key may be data."""
    with pytest.raises(FeedAnswerInvalid) as caught:
        parse(b'{"Dupont":1,"Dupont":2}', "feed 'city-lab'")
    assert str(caught.value) == "feed 'city-lab' repeats a key within one object"
    assert caught.value.__context__ is None


def test_depth_is_bounded_by_the_named_limit() -> None:
    """The bound is the parser's own; this notices when another version of it has another."""
    at_limit = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert encode(parse(at_limit)) == at_limit
    with pytest.raises(FeedAnswerInvalid):
        parse(b"[" + at_limit + b"]")
    for opening in (b"[", b'{"a":', b'[{"a":'):
        with pytest.raises(FeedAnswerInvalid):
            parse(opening * 100_000)


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "a" * 65, "a\n", "é", "a%2e", None, 1])
def test_an_id_that_fhir_or_an_address_forbids_is_none(id: Any) -> None:
    assert not is_id(id)
    with pytest.raises(FeedAnswerInvalid):
        expect_resource({"resourceType": "Patient", "id": id}, "Patient")


def test_a_resource_is_returned_as_it_is() -> None:
    tree = {"resourceType": "Observation", "id": "a-1.B", "value": Decimal("1.50")}
    assert expect_resource(tree, None) is tree
