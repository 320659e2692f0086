"""The seed case: twelve months of reimbursements, looked at and nowhere kept."""

import xml.etree.ElementTree as ET
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.faces.viewer.readings.benefits import Nature
from plugin.faces.viewer.readings.cut import cut_texts
from plugin.faces.viewer.readings.reimbursement_months import History, NoTotal, history
from plugin.faces.viewer.readings.timeline import Labels, mark, timeline
from plugin.faces.viewer.readings.values import Money, Term, number
from tests.viewer.readings.samples import ALMA, answer, code, row, told

TODAY = date(2026, 11, 25)
ADJUDICATION = "http://terminology.hl7.org/CodeSystem/adjudication"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def alma() -> History:
    return history([answer("insurer", ALMA["insurer"])], TODAY)


def paid(value: Any, currency: str | None = "EUR", category: str = "benefit") -> dict[str, Any]:
    money = {"value": value} | ({"currency": currency} if currency else {})
    return {"category": code(category, ADJUDICATION), "amount": money}


def item(day: str, *amounts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"productOrService": {"text": "act"}, "servicedDate": day, "adjudication": list(amounts), **more}


def claim(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "ExplanationOfBenefit", "status": "active", "item": list(items), **more}


def months_of(*claims: dict[str, Any]) -> History:
    return history([told(*({"id": f"e{place}"} | each for place, each in enumerate(claims)))], TODAY)


def test_twelve_months_newest_first(alma: History) -> None:
    assert [each.first for each in alma.months][::11] == [date(2026, 11, 1), date(2025, 12, 1)]
    assert len(alma.months) == 12
    assert alma.lines == 33
    assert (alma.older, alma.later, alma.undated) == ((), (), ())


def test_a_line_tells_the_act_the_quantity_the_kind_of_prescriber_and_the_amounts(alma: History) -> None:
    june = next(each for each in alma.months if each.first == date(2026, 6, 1))
    leave = next(each for each in june.lines if each.nature is Nature.SICK_LEAVE)
    assert (str(leave.act), str(leave.prescriber_kind)) == ("Indemnités journalières", "Médecine générale")
    assert leave.when is not None
    assert leave.when.until is not None
    assert (leave.when.at.date(), leave.when.until.at.date()) == (date(2026, 6, 22), date(2026, 6, 26))
    scan = next(each for each in june.lines if str(each.act) == "Scanner thoracique")
    amounts = [str(each.number) for each in (scan.billed, scan.base, scan.paid) if each is not None]
    assert amounts == ["125.50", "125.50", "87.85"]
    assert (str(scan.rate), str(scan.quantity and scan.quantity.number)) == ("70", "1")


def test_medicine_care_and_sick_leave_are_told_apart(alma: History) -> None:
    june = next(each for each in alma.months if each.first == date(2026, 6, 1))
    assert [june.count(each) for each in (Nature.MEDICINE, Nature.CARE, Nature.SICK_LEAVE)] == [2, 2, 1]


def test_a_long_term_illness_is_told(alma: History) -> None:
    told_so = {str(each.act) for month in alma.months for each in month.lines if each.is_long_term_illness}
    assert told_so == {"metformin 1000 mg", "Consultation, Médecine générale"}


def test_totals_are_exact(alma: History) -> None:
    assert isinstance(alma.paid, Money)
    assert (alma.paid.number.text, alma.paid.currency) == ("601.07", "EUR")


def test_a_month_with_nothing_is_there() -> None:
    """Silence between two reimbursements is information."""
    read = months_of(claim(item("2026-11-02", paid(Decimal("1.50")))), claim(item("2026-09-02", paid(1))))
    assert [each.is_empty for each in read.months][:3] == [False, True, False]
    assert read.months[1].paid is NoTotal.NOTHING


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [
        ([[paid(1)], [paid(1, "CHF")]], NoTotal.SEVERAL_CURRENCIES),
        ([[paid(1)], [paid(1, None)]], NoTotal.SEVERAL_CURRENCIES),
        ([[paid(1)], [paid(1, "euro")]], NoTotal.SEVERAL_CURRENCIES),
        ([[paid(1)], []], NoTotal.AMOUNT_MISSING),
        ([[paid(1)], [paid(1, category="submitted")]], NoTotal.AMOUNT_MISSING),
        ([[paid(1)], [paid(1), paid(2)]], NoTotal.AMOUNT_MISSING),
        ([[paid(1)], [paid(Decimal("1e999999"))]], NoTotal.NOT_EXACT),
    ],
)
def test_there_is_no_total_where_it_would_not_be_true(amounts: list[Any], reason: NoTotal) -> None:
    read = months_of(*(claim(item("2026-11-02", *each)) for each in amounts))
    assert read.months[0].paid is reason


def test_two_sources_make_no_total() -> None:
    """Both might tell of one reimbursement."""
    one = told(claim(item("2026-11-02", paid(1))), feed="one")
    other = told(claim(item("2026-11-02", paid(1))), feed="other")
    assert history([one, other], TODAY).paid is NoTotal.SEVERAL_SOURCES


def test_the_amount_of_a_whole_claim_is_counted_once() -> None:
    read = months_of(claim(item("2026-11-02"), item("2026-11-03"), total=[paid(Decimal("20.40"))]))
    assert isinstance(read.paid, Money)
    assert read.paid.number.text == "20.40"
    assert sorted(each.is_whole_claim for each in read.months[0].lines) == [False, True]


def test_lines_with_amounts_of_their_own_are_not_counted_with_the_claims_total_too() -> None:
    read = months_of(claim(item("2026-11-02"), item("2026-11-03", paid(5)), total=[paid(20)]))
    assert read.paid is NoTotal.AMOUNT_MISSING


def test_a_cancelled_claim_is_shown_and_not_counted() -> None:
    read = months_of(claim(item("2026-11-02", paid(1)), status="cancelled"), claim(item("2026-11-02", paid(2))))
    assert isinstance(read.paid, Money)
    assert read.paid.number.text == "2"
    assert len(read.months[0].lines) == 2


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"use": "preauthorization"}, "use/preauthorization"),
        ({"use": "predetermination"}, "use/predetermination"),
        ({"outcome": "error"}, "outcome/error"),
        ({"outcome": "queued"}, "outcome/queued"),
        ({"status": "draft"}, "status/draft"),
    ],
)
def test_what_was_not_paid_is_named_on_its_line_and_in_no_total(more: dict[str, Any], key: str) -> None:
    """An estimate is no money."""
    read = months_of(claim(item("2026-11-02", paid(300)), **more), claim(item("2026-11-02", paid(2))))
    assert isinstance(read.paid, Money)
    assert read.paid.number.text == "2"
    assert read.months[0].count(Nature.CARE) == 1
    unpaid = next(each for each in read.months[0].lines if not each.is_paid)
    assert [each.key for each in unpaid.remarks if isinstance(each, Term)] == [key]


def test_a_claim_processed_in_part_says_so_and_counts_with_what_it_paid() -> None:
    read = months_of(claim(item("2026-11-02", paid(3)), outcome="partial"))
    assert isinstance(read.paid, Money)
    assert [str(each) for each in read.months[0].lines[0].remarks] == ["partial"]


def test_what_the_insurer_says_of_a_claim_stands_on_its_row_and_whole_in_its_details() -> None:
    told_so = row(claim(item("2026-11-02", paid(0)), disposition="Rejeté: droits non ouverts", outcome="complete"))
    assert [str(each) for each in told_so.remarks] == ["Rejeté: droits non ouverts"]
    assert cut_texts(told_so) == ()
    long = row(claim(item("2026-11-02", paid(0)), disposition="mot " * 100))
    assert [each.whole for each in cut_texts(long)] == [("mot " * 100).strip()]


def test_what_an_item_cost_is_what_was_billed_unless_the_claim_says_another_amount() -> None:
    """R4: an item's net is its quantity times its price."""
    net = {"net": {"value": 50, "currency": "EUR"}}
    (line,) = months_of(claim(item("2026-11-02", paid(17), **net))).months[0].lines
    assert line.billed is not None
    assert line.billed.number.text == "50"
    (line,) = months_of(claim(item("2026-11-02", paid(17), paid(48, category="submitted"), **net))).months[0].lines
    assert line.billed is not None
    assert line.billed.number.text == "48"
    whole = [paid(20), paid(90, category="submitted")]
    lines = months_of(claim(item("2026-11-02", **net), item("2026-11-02", **net), total=whole)).months[0].lines
    assert [each.billed and each.billed.number.text for each in lines] == ["90", None]


def test_a_row_of_one_item_says_what_that_cost() -> None:
    read = row(claim(item("2026-11-02", net={"value": 50, "currency": "EUR"}), total=[paid(20)]))
    billed = next(each.value for each in read.details if each.name == "amount-billed")
    assert isinstance(billed, Money)
    assert billed.number.text == "50"


def test_what_was_entered_in_error_is_not_shown() -> None:
    assert months_of(claim(item("2026-11-02", paid(1)), status="entered-in-error")).is_empty


def test_what_is_older_later_or_undated_is_listed_apart() -> None:
    read = months_of(
        claim(item("2025-11-30", paid(1))), claim(item("2027-01-01", paid(1))), claim(item("2026", paid(1))), claim()
    )
    assert (len(read.older), len(read.later), len(read.undated), read.lines) == (1, 1, 2, 0)


LEAVES = st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text()
NAMES = st.sampled_from(["coding", "code", "value", "amount", "adjudication", "quantity", "start"])
CLAIM_NAMES = st.sampled_from(["item", "total", "type", "careTeam", "status", "created"])
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=10
)


@given(st.dictionaries(CLAIM_NAMES, TREES))
def test_any_claim_can_be_read(tree: dict[str, Any]) -> None:
    months_of(tree | {"resourceType": "ExplanationOfBenefit"})


def labels() -> Labels:
    return Labels("<b>title", "description", lambda month: f"{month.first:%m}", lambda month: "<i>in words")


def test_the_timeline_has_a_mark_for_each_line_and_a_name_for_each_month(alma: History) -> None:
    text = str(timeline(alma, labels())).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    image = ET.fromstring(text)
    kinds = [each.get("class") for each in image.iter(f"{SVG}rect")]
    assert (kinds.count("care-medicine"), kinds.count("care-care"), kinds.count("care-sick-leave")) == (24, 8, 1)
    assert [each.text for each in image.iter(f"{SVG}text")] == [f"{each % 12 + 1:02d}" for each in range(11, 23)]
    assert image.find(f"{SVG}title").text == "<b>title"  # type: ignore[union-attr]


def test_an_empty_history_has_no_timeline() -> None:
    assert timeline(months_of(), labels()) == ""


def test_each_nature_has_a_mark() -> None:
    assert len({str(mark(each)) for each in Nature}) == 3


def test_what_the_insurer_added_is_a_line_and_counts() -> None:
    added = {"addItem": [item("2026-11-02", paid(100), productOrService={"text": "added"})]}
    (november,) = [each for each in months_of(claim(item("2026-11-02", paid(5)), **added)).months if each.lines]
    assert [str(each.act) for each in november.lines] == ["act", "added"]
    assert november.paid == Money(number(105), "EUR")
    details = row(claim(item("2026-11-02", paid(5)), **added)).details
    assert [str(each.value) for each in details if each.name == "act"] == ["added"]


def test_a_long_claim_has_all_its_lines_in_its_total() -> None:
    read = months_of(claim(*(item("2026-11-02", paid(1)) for _ in range(150))))
    assert (read.lines, str(read.months[0].paid.number)) == (150, "150")  # type: ignore[union-attr]
