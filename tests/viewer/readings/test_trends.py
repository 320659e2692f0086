"""Courses over time: outside results and the EHR's own in one series, drawn honestly."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.faces.viewer.readings.axes import MAX_TICKS, Tick, heights, times
from plugin.faces.viewer.readings.chart import Labels, chart, marker
from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.trend import Entry, Series, analyte_of, trend_key, trends
from plugin.faces.viewer.readings.values import Amount
from tests.viewer.readings.samples import ALMA, answers, by_reference, code, interpreted, quantity, told

LABORATORY = [code("laboratory", "http://terminology.hl7.org/CodeSystem/observation-category")]
SVG = "{http://www.w3.org/2000/svg}"


def measured(
    day: str | None, value: str, unit: str = "mg/dL", ucum: str | None = "mg/dL", **more: Any
) -> dict[str, Any]:
    comparator = {"comparator": more.pop("comparator")} if "comparator" in more else {}
    when = {"effectiveDateTime": day} if day else {}
    return {
        "status": "final",
        "category": LABORATORY,
        "code": code("2160-0", text="Creatinine"),
        "valueQuantity": quantity(Decimal(value), unit, ucum) | comparator,
        **when,
        **more,
    }


def one_series(*trees: dict[str, Any]) -> Series:
    (series,) = trends(overview([told(*trees)]).results)
    return series


def labels(title: str = "Creatinine", point: str = "p") -> Labels:
    def date(tick: Tick) -> str:
        return tick.at.isoformat()

    def name(entry: Entry) -> str:
        return point

    return Labels(title, "what it shows", str, date, name)


def drawn(series: Series, **words: str) -> ET.Element:
    """The image as a browser's parser sees it; it must be well-formed."""
    text = str(chart(series, labels(**words)))
    return ET.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def uses(image: ET.Element, kind: str) -> list[ET.Element]:
    return [each for each in image.iter(f"{SVG}use") if kind in each.get("class", "").split()]


def test_the_samples_make_one_series_per_analyte_and_unit() -> None:
    found = trends(overview(answers(ALMA)).results)
    creatinine = next(each for each in found if str(each.title) == "Créatinine")
    assert [str(each.value.number) for each in creatinine.entries if isinstance(each.value, Amount)][::8] == [
        "0.80", "1.50"]  # fmt: skip
    assert len(creatinine.drawn) == 9
    assert len({each.key for each in found}) == len(found)


def test_susceptibilities_make_no_trend() -> None:
    """Those of two organisms are not a course."""
    titles = {str(each.title) for each in trends(overview(answers(ALMA)).results)}
    assert "Amoxicillin" not in titles


def test_a_row_knows_the_address_of_its_trend() -> None:
    results = overview(answers(ALMA)).results
    analyte = analyte_of(by_reference(results)["Observation/obs-20417-261116-01"])
    assert analyte is not None
    assert trend_key(analyte) in {each.analyte for each in trends(results)}
    assert "2160" not in trend_key(analyte)


def test_exactly_convertible_units_share_a_series_and_both_numbers_are_told() -> None:
    series = one_series(
        measured("2026-01-01", "0.80"), measured("2026-02-01", "0.90"), measured("2026-03-01", "9.10", "mg/L", "mg/L")
    )
    newest = series.entries[-1]
    assert isinstance(newest.value, Amount)
    assert (newest.value.number.text, str(newest.converted), newest.plotted) == ("9.10", "0.910", Decimal("0.910"))
    assert str(series.unit) == "mg/dL"


def test_units_that_need_a_molar_mass_stay_apart() -> None:
    found = trends(
        overview([told(measured("2026-01-01", "0.80"), measured("2026-02-01", "80", "umol/L", "umol/L"))]).results
    )
    assert sorted(str(each.unit) for each in found) == ["mg/dL", "umol/L"]
    assert len({each.analyte for each in found}) == 1


def test_a_unit_without_a_code_joins_the_one_that_is_printed_the_same() -> None:
    assert len(one_series(measured("2026-01-01", "0.80"), measured("2026-02-01", "0.9", ucum=None)).entries) == 2


def test_an_analyte_named_in_words_alone_is_not_joined_across_sources() -> None:
    """ "Potassium" of one source may be that of urine."""
    tree = measured("2026-01-01", "4.1") | {"code": {"text": "Potassium"}}
    assert len(trends(overview([told(tree), told(tree, feed="other")]).results)) == 2


def test_the_ehrs_own_results_are_in_the_same_series_and_marked_local() -> None:
    outside = told(measured("2026-01-01", "0.80"))
    own = told(measured("2026-02-01", "0.90"), feed="hospital", local=True)
    (series,) = trends(overview([outside, own]).results)
    assert [(each.feed, each.is_local, each.shape) for each in series.sources] == [
        ("hospital", True, 0), ("lab", False, 1)]  # fmt: skip
    image = drawn(series)
    assert len(uses(image, "chart-local")) == len(uses(image, "chart-outside")) == 1


def test_sources_differ_by_the_shape_of_their_markers() -> None:
    """Colour alone would say nothing to one reader in twelve."""
    shapes = {re.search(r' d="([^"]+)"', str(marker(each)))[1] for each in range(5)}  # type: ignore[index]
    assert len(shapes) == 5


def test_what_is_abnormal_is_ringed() -> None:
    image = drawn(one_series(
        measured("2026-01-01", "0.80"),
        measured("2026-02-01", "1.50", interpretation=interpreted("H")),
        measured("2026-03-01", "4.50", interpretation=interpreted("HH")),
    ))  # fmt: skip
    assert (len(uses(image, "chart-abnormal")), len(uses(image, "chart-critical"))) == (1, 1)


def test_a_limit_is_hollow_has_an_arrow_and_is_on_no_line() -> None:
    """`<0.30` is not 0.30."""
    image = drawn(one_series(
        measured("2026-01-01", "0.80"), measured("2026-02-01", "0.30", comparator="<"), measured("2026-03-01", "0.90"),
        measured("2026-04-01", "0.95"),
    ))  # fmt: skip
    assert len(uses(image, "chart-arrow")) == len(uses(image, "chart-hollow")) == 1
    lines = [each.get("points", "").split() for each in image.iter(f"{SVG}polyline")]
    assert [len(each) for each in lines] == [2]


def test_a_result_without_a_value_breaks_the_line_and_stands_in_the_table() -> None:
    reason = code("error", "http://terminology.hl7.org/CodeSystem/data-absent-reason")
    absent = measured("2026-02-01", "1") | {"valueQuantity": None, "dataAbsentReason": reason}
    series = one_series(measured("2026-01-01", "0.8"), absent, measured("2026-03-01", "0.9"))
    assert (len(series.entries), series.not_drawn) == (3, 1)
    assert not list(drawn(series).iter(f"{SVG}polyline"))


def test_a_preliminary_value_is_hollow() -> None:
    assert len(uses(drawn(one_series(measured("2026-01-01", "0.8", status="preliminary"))), "chart-hollow")) == 1


def test_what_was_entered_in_error_is_in_no_series() -> None:
    assert trends(overview([told(measured("2026-01-01", "0.8", status="entered-in-error"))]).mistaken) == ()


def test_an_undated_value_is_listed_and_not_drawn() -> None:
    series = one_series(measured(None, "0.8"), measured("2026-01-01", "0.9"))
    assert (len(series.entries), len(series.drawn)) == (2, 1)


def test_a_month_is_drawn_as_long_as_it_is() -> None:
    image = drawn(one_series(measured("2026-01", "0.8"), measured("2026-06-01", "0.9")))
    assert len([each for each in image.iter(f"{SVG}line") if each.get("class") == "chart-span"]) == 1


def test_one_reference_range_is_a_band_across_and_two_are_where_they_hold() -> None:
    narrow = {
        "referenceRange": [{"low": quantity(Decimal("0.5"), "mg/dL", "mg/dL"), "high": quantity(1, "mg/dL", "mg/dL")}]
    }
    wide = {"referenceRange": [{"high": quantity(Decimal("1.1"), "mg/dL", "mg/dL")}]}
    alike = drawn(one_series(measured("2026-01-01", "0.8", **narrow), measured("2026-02-01", "0.9", **narrow)))
    unlike = drawn(one_series(measured("2026-01-01", "0.8", **narrow), measured("2026-02-01", "0.9", **wide)))
    bands = [[each.get("width") for each in image.iter(f"{SVG}rect")] for image in (alike, unlike)]
    assert bands[0] == ["100%"]
    assert len(bands[1]) == 2
    assert "100%" not in bands[1]


def test_the_image_has_a_role_a_title_and_a_description() -> None:
    image = drawn(one_series(measured("2026-01-01", "0.8")))
    named = image.get("aria-labelledby", "").split()
    assert image.get("role") == "img"
    assert [
        each.get("id") for each in (image.find(f"{SVG}title"), image.find(f"{SVG}desc")) if each is not None
    ] == named


def test_no_text_becomes_markup_in_an_image() -> None:
    image = drawn(one_series(measured("2026-01-01", "0.8")), title="<script>x</script>", point='"><b onload=y>')
    assert image.find(f"{SVG}title").text == "<script>x</script>"  # type: ignore[union-attr]
    assert {each.tag.removeprefix(SVG) for each in image.iter()} <= {
        "svg", "title", "desc", "rect", "line", "text", "defs", "path", "circle", "use", "polyline"}  # fmt: skip


def test_an_image_has_no_style_of_its_own() -> None:
    """The policy of the page would refuse it."""
    text = str(chart(one_series(measured("2026-01-01", "0.8")), labels()))
    assert "style" not in text
    assert "fill=" not in text


def test_a_thousand_values_are_all_drawn() -> None:
    days = [f"{2000 + each // 48}-{each // 4 % 12 + 1:02d}-{each % 4 * 7 + 1:02d}" for each in range(1_000)]
    series = one_series(*(measured(day, f"{place % 90}.5") for place, day in enumerate(days)))
    text = str(chart(series, labels()))
    assert text.count("<use") == 1_000
    assert len(text) < 160_000


def test_a_number_that_no_chart_can_show_is_listed_only() -> None:
    series = one_series(measured("2026-01-01", "1e999999"), measured("2026-01-02", "1"))
    assert (len(series.drawn), series.not_drawn) == (1, 1)


def test_nothing_to_draw_is_no_image() -> None:
    assert chart(one_series(measured(None, "1")), labels()) == ""


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).map(str)
DAYS = st.sampled_from(
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026",
        "2026-03",
        "2026-03-01",
        "2026-03-01T07:00:00Z",
        "9999",
        "0001",
    ]
)


@settings(deadline=None)
@given(st.lists(st.tuples(DAYS, NUMBERS), min_size=1, max_size=5))
def test_any_numbers_at_any_dates_can_be_drawn(values: list[tuple[str, str]]) -> None:
    for series in trends(overview([told(*(measured(day, value) for day, value in values))]).results):
        text = str(chart(series, labels()))
        assert "nan" not in text
        assert "inf" not in text


@given(st.lists(st.floats(-1e99, 1e99), min_size=1, max_size=6), st.lists(st.floats(-1e99, 1e99), max_size=3))
def test_every_value_lies_within_its_axis(values: list[float], limits: list[float]) -> None:
    axis = heights(values, limits)
    assert all(0 <= axis.at(each) <= 1 for each in values)
    assert len(axis.ticks) <= 9
    assert axis.low < axis.high


@given(st.lists(st.datetimes(), min_size=1, max_size=5))
def test_dates_of_an_axis_are_few_and_within(moments: list[Any]) -> None:
    axis = times(moments)
    assert len(axis.ticks) <= MAX_TICKS
    assert all(0 <= each.x <= 1 for each in axis.ticks)


@pytest.mark.parametrize("value", ["10.9", "0.30"])
def test_a_series_names_its_extremes(value: str) -> None:
    series = one_series(measured("2026-01-01", "0.80"), measured("2026-02-01", value))
    assert {series.lowest, series.highest} == set(series.entries)


@pytest.mark.parametrize("days", [1, 3, 30, 100, 200, 330, 366, 400, 700, 2000, 8000])
def test_no_date_of_the_axis_lies_over_another_on_a_narrow_chart(days: int) -> None:
    """At 380 px a chart is some 330 px wide and a letter some 7."""
    first = datetime(2025, 12, 20, 8, tzinfo=UTC)
    moments = [first, first + timedelta(days=days)]
    (series,) = trends(overview([told(*[measured(each.isoformat(), "1") | {"id": each.strftime("x%Y%j")}
                                        for each in moments])]).results)  # fmt: skip
    words = Labels("Creatinine", "", str, lambda tick: f"{tick.at:%m/%Y}", lambda entry: "p")
    image = ET.fromstring(str(chart(series, words)).replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))
    free = 0.0
    dates = [each for each in image.iter(f"{SVG}text") if each.get("text-anchor")]
    assert dates
    for each in dates:
        x, width = float(each.get("x", "")[:-1]) * 3.3, len(each.text or "") * 7
        left = x - (width if each.get("text-anchor") == "end" else width / 2)
        assert left >= free
        free = left + width


@pytest.mark.parametrize("unit", ["ML", "Ml", "ML/min"])
def test_a_unit_without_a_code_is_not_converted_by_its_capitals(unit: str) -> None:
    """`1500 ML` of a laboratory that writes in capitals is a litre and a half, not a thousand million."""
    coded = unit.replace("ML", "mL").replace("Ml", "mL")
    both = told(measured("2026-01-01", "1500", coded, coded), measured("2026-01-02", "1500", unit, None))
    found = trends(overview([both]).results)
    assert sorted(len(each.entries) for each in found) == [1, 1]
    assert all(each.converted is None for series in found for each in series.entries)


def test_a_cancelled_value_is_listed_and_not_drawn() -> None:
    series = one_series(
        measured("2026-01-01", "5"), measured("2026-01-02", "99", status="cancelled"), measured("2026-01-03", "6")
    )
    assert [each.is_drawn for each in series.entries] == [True, False, True]
    assert "polyline" not in str(chart(series, labels()))
