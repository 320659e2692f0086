"""Withholding closes upward over one answer: by address, by identifier, through cycles, and never by halves."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.coding import contents
from policies.vocabulary.verdict import Withheld
from policies.withholding import OUTSIDE_THE_ANSWER, REFERS_TO_WITHHELD, Judged, close_upward


def item(name: str, rule: str | None = None, **elements: Any) -> Judged:
    return Judged(f"Observation/{name}", contents(elements), rule)


def to(name: str) -> dict[str, str]:
    return {"reference": f"Observation/{name}"}


def closed(*answer: Judged) -> dict[str, str]:
    resolve = {text: text for each in answer for text in each.contents.references if not text.startswith("#")}
    return {each.reference.partition("/")[2]: each.rule for each in close_upward(answer, resolve)}


@pytest.mark.parametrize(
    "elements",
    [
        {"result": [to("s")]},
        {"hasMember": [to("s")]},
        {"derivedFrom": [to("s")]},
        {"entry": [{"item": to("s")}]},
        {"target": to("s")},
        {"basedOn": [to("s")]},
        {"contained": [{"note": {"partOf": to("s")}}]},
        {"extension": [{"url": "x", "valueReference": to("s")}]},
        {"focus": {"identifier": {"system": "lab", "value": "7"}}},
    ],
)
def test_whatever_names_a_withheld_item_is_withheld(elements: dict[str, Any]) -> None:
    """The name alone would tell that something is there."""
    secret = item("s", "restricted", identifier=[{"system": "lab", "value": "7"}])
    assert closed(item("r", **elements), secret, item("free")) == {"r": REFERS_TO_WITHHELD, "s": "restricted"}


@pytest.mark.parametrize("name", ["result", "hasMember", "derivedFrom", "entry", "target"])
@pytest.mark.parametrize("named", [to("elsewhere"), {"identifier": {"value": "7"}}, {"display": "HIV"}])
def test_a_report_of_something_outside_the_answer_is_withheld(name: str, named: dict[str, Any]) -> None:
    """Nobody has judged what it reports."""
    assert closed(item("r", **{name: [named]})) == {"r": OUTSIDE_THE_ANSWER}


def test_other_references_may_lead_outside() -> None:
    """An order or an encounter is not a result."""
    assert closed(item("r", basedOn=to("order"), result=[{"reference": "#inside"}])) == {}


def test_cycles_end_and_are_withheld_as_one() -> None:
    """Servers link both ways."""
    circle = [item("a", hasMember=to("b")), item("b", derivedFrom=to("c")), item("c", hasMember=to("a"))]
    assert closed(*circle) == {}
    assert closed(*circle, item("d", "restricted", hasMember=to("a"))).keys() == {"d"}
    assert closed(*circle[:2], item("c", "restricted", hasMember=to("a"))).keys() == {"a", "b", "c"}


def test_two_resources_of_one_name_share_their_fate() -> None:
    """Pages of a feed can shift and bring two versions: the older one must not be shown for the newer one's sake."""
    twins = item("t", hasMember=to("s")), item("t")
    assert closed(*twins, item("s", "restricted")) == {"t": REFERS_TO_WITHHELD, "s": "restricted"}
    assert closed(item("t"), item("t", "restricted"), item("r", partOf=to("t"))).keys() == {"t", "r"}


def test_the_order_is_the_answers() -> None:
    """A record reads like the answer that it is about."""
    answer = item("a", "x"), item("b"), item("c", "y"), item("a", "z")
    assert close_upward(answer, {}) == [Withheld("Observation/a", "x"), Withheld("Observation/c", "y")]


def test_a_long_chain_is_closed_in_one_pass() -> None:
    """A thousand links deep, as many as one look may hold."""
    chain = [item(str(n), partOf=to(str(n + 1))) for n in range(1000)]
    assert len(closed(*chain, item("1000", "restricted"))) == 1001


NAMES = st.sampled_from("abcdefgh")


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=3)), st.sets(NAMES))
def test_nothing_shown_names_anything_withheld(links: dict[str, list[str]], secret: set[str]) -> None:
    """And nothing is withheld without a path to a reason: closing up is not closing down."""
    answer = [
        item(name, "r" if name in secret else None, partOf=[to(each) for each in named])
        for name, named in links.items()
    ]
    withheld = closed(*answer)
    for name, named in links.items():
        expected = name in secret or bool(set(named) & withheld.keys() - {name})
        assert (name in withheld) == expected


def test_an_answer_in_which_everything_names_everything_is_closed_in_no_time() -> None:
    """A hostile source makes it so, and each page of an answer is judged with all before it."""
    names = [f"n{number}" for number in range(1000)]
    references = {"basedOn": [to(name) for name in names]}
    last = item(names[-1], "r", **references)
    answer = [Judged(f"Observation/{name}", last.contents, None) for name in names[:-1]] + [last]
    before = time.process_time()
    for _ in range(10):
        assert len(closed(*answer)) == 1000
    assert time.process_time() - before < 3  # 0.5 on an idle machine; by pairs, more than six
