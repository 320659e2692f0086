"""A result that stands inside a report or a panel is a row like any other."""

from typing import Any

from plugin.faces.viewer.readings.overview import overview
from plugin.faces.viewer.readings.result import Category, HintKind, Level, Result, Standing
from plugin.faces.viewer.readings.selection import Filter, matching
from plugin.faces.viewer.readings.trend import trends
from tests.viewer.clinic import Clinic
from tests.viewer.readings.samples import by_reference, code, interpreted, quantity, told
from tests.world import observation

POTASSIUM = {
    "resourceType": "Observation",
    "id": "c1",
    "status": "final",
    "code": code("2823-3", text="Potassium"),
    "valueQuantity": quantity(7, "mmol/L", "mmol/L"),
    "interpretation": interpreted("HH"),
}


def report(*inside: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A report with `inside` in it, each named as a result."""
    return {
        "resourceType": "DiagnosticReport",
        "id": "d",
        "status": "preliminary",
        "code": {"text": "Ionogram"},
        "effectiveDateTime": "2026-03-02",
        "performer": [{"display": "Beffroi"}],
        "contained": list(inside),
        "result": [{"reference": f"#{each.get('id')}"} for each in inside],
        **more,
    }


def listed(tree: dict[str, Any]) -> dict[str, Result]:
    return by_reference(overview([told(tree)]).results)


def test_a_critical_result_inside_a_report_has_a_row_of_its_own() -> None:
    found = listed(report(POTASSIUM))
    inside, outside = found["DiagnosticReport/d#c1"], found["DiagnosticReport/d"]
    assert (str(inside.title), inside.flag.level) == ("Potassium", Level.CRITICALLY_HIGH)
    assert matching(found.values(), Filter(abnormal=True)) == [inside]
    assert [(each.reference, each.anchor, each.is_shown) for each in outside.members] == [
        ("DiagnosticReport/d#c1", inside.anchor, True)
    ]
    assert [each.kind for each in inside.hints] == [HintKind.REPORTED_IN]
    assert inside.anchor != outside.anchor


def test_what_it_leaves_to_its_report_it_has_from_there() -> None:
    bare = {name: value for name, value in POTASSIUM.items() if name != "status"}
    inside = listed(report(bare))["DiagnosticReport/d#c1"]
    assert inside.when == listed(report())["DiagnosticReport/d"].when
    assert [str(each) for each in inside.performers] == ["Beffroi"]
    assert inside.standing is Standing.PRELIMINARY


def test_what_it_says_itself_counts() -> None:
    own = POTASSIUM | {"effectiveDateTime": "2026-03-01", "performer": [{"display": "Minuit"}]}
    inside = listed(report(own))["DiagnosticReport/d#c1"]
    assert inside.when is not None
    assert inside.when.at.day == 1
    assert [str(each) for each in inside.performers] == ["Minuit"]
    assert inside.standing is Standing.FINAL


def test_a_report_entered_in_error_takes_its_results_with_it() -> None:
    read = overview([told(report(POTASSIUM, status="entered-in-error"))])
    assert not read.results
    assert len(read.mistaken) == 2


def test_a_panel_lists_the_members_inside_it_and_theirs() -> None:
    """All of them stand in the container: what is contained contains nothing."""
    inner = {"resourceType": "Observation", "id": "c2", "hasMember": [{"reference": "#c1"}], "code": {"text": "Salts"}}
    panel = {"id": "p", "contained": [POTASSIUM, inner], "hasMember": [{"reference": "#c2"}]}
    found = listed(panel)
    assert set(found) == {"Observation/p", "Observation/p#c1", "Observation/p#c2"}
    assert [each.reference for each in found["Observation/p"].members] == ["Observation/p#c2"]
    assert [each.reference for each in found["Observation/p#c2"].members] == ["Observation/p#c1"]


def test_it_finds_what_stands_beside_it_in_its_container() -> None:
    specimen = {"resourceType": "Specimen", "id": "s", "type": {"text": "Serum"}}
    inside = POTASSIUM | {"specimen": {"reference": "#s"}}
    found = listed(report(inside, contained=[inside, specimen]))
    assert [str(each.value) for each in found["DiagnosticReport/d#c1"].details] == ["Serum"]


def test_two_of_one_id_and_one_without_are_three_rows() -> None:
    bare = {name: value for name, value in POTASSIUM.items() if name != "id"}
    found = overview([told(report(POTASSIUM, POTASSIUM, bare))]).results
    assert len({each.anchor for each in found}) == len(found) == 4


def test_it_goes_where_its_report_goes_and_into_its_trend() -> None:
    category = [code("LAB", "http://terminology.hl7.org/CodeSystem/v2-0074")]
    found = overview([told(report(POTASSIUM, category=category))]).results
    assert {each.category for each in found} == {Category.LABORATORY}
    assert [each.entries[0].reference for each in trends(found)] == ["DiagnosticReport/d#c1"]


def test_the_page_shows_it_and_the_report_leads_to_it(clinic: Clinic) -> None:
    clinic.world.lab.resources.append(observation("p", contained=[POTASSIUM], hasMember=[{"reference": "#c1"}]))
    for language, flag, contains in (
        ("en", "▲▲ critically high", "contains 1 result"),
        ("fr", "▲▲ critique élevé", "contient 1 résultat"),
    ):
        seen = clinic.get("part/city-lab", language=language)
        assert flag in seen.text
        assert contains in seen.text
        target = seen.html.partition('<li><a href="#')[2].partition('"')[0]
        assert f'id="{target}"' in seen.html


def test_what_else_stands_inside_a_report_takes_no_result_its_place() -> None:
    """A list is read up to a bound; people and specimens beside the results must not use it up."""
    others = [{"resourceType": "Specimen", "id": f"s{place}"} for place in range(60)]
    results = [POTASSIUM | {"id": f"c{place}"} for place in range(90)]
    found = listed(report(*results, contained=[*others, *results]))
    assert sum("#" in each for each in found) == 90
    assert found["DiagnosticReport/d"].left_out == 0
    assert all(each.is_shown and each.title is not None for each in found["DiagnosticReport/d"].members)


def test_results_beyond_the_bound_are_counted() -> None:
    results = [POTASSIUM | {"id": f"c{place}"} for place in range(103)]
    found = listed(report(*results, result=[]))
    assert sum("#" in each for each in found) == 100
    assert found["DiagnosticReport/d"].left_out == 3
