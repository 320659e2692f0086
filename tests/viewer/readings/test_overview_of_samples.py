"""The sample data as rows: what a clinician would read, to the digit."""

from decimal import Decimal

import pytest

from plugin.faces.viewer.readings.moment import Precision
from plugin.faces.viewer.readings.overview import Overview, overview
from plugin.faces.viewer.readings.result import Basis, Category, HintKind, Level, Result, Standing
from plugin.faces.viewer.readings.values import Amount, Money, Term
from policies.vocabulary.resource_types import CONSULTABLE
from tests.viewer.readings.samples import ALMA, HELOISE, answer, answers, by_reference


@pytest.fixture(scope="module")
def alma() -> Overview:
    return overview(answers(ALMA))


@pytest.fixture(scope="module")
def rows(alma: Overview) -> dict[str, Result]:
    return by_reference(alma.results)


def test_a_value_keeps_the_digits_that_the_laboratory_printed(rows: dict[str, Result]) -> None:
    """1.50 is not 1.5: the zero says how exactly it was measured."""
    value = rows["Observation/obs-20417-261116-01"].value
    assert isinstance(value, Amount)
    assert (value.number.text, str(value.unit), value.comparator) == ("1.50", "mg/dL", "")


def test_a_high_value_is_marked_by_the_interpretation_of_its_source(rows: dict[str, Result]) -> None:
    flag = rows["Observation/obs-20417-261116-01"].flag
    assert (flag.level, flag.basis, flag.disagrees) == (Level.HIGH, Basis.INTERPRETATION, None)
    assert [word.key for word in flag.words] == ["interpretation/H"]


def test_statuses_that_are_not_plain_final_are_told(rows: dict[str, Result]) -> None:
    assert rows["Observation/obs-20417-260518-04"].standing is Standing.CORRECTED
    assert "hémolysé" in str(rows["Observation/obs-20417-260518-04"].notes[0])
    assert rows["Observation/obs-20417-261116-09"].standing is Standing.PRELIMINARY
    assert rows["DiagnosticReport/rep-20417-261116-1"].standing is Standing.PRELIMINARY
    assert rows["DocumentReference/doc-50361-1"].standing is Standing.SUPERSEDED


def test_what_was_entered_in_error_is_no_result(alma: Overview) -> None:
    assert [each.reference for each in alma.mistaken] == ["Observation/obs-20417-250929-02"]
    assert "Observation/obs-20417-250929-02" not in by_reference(alma.results)


def test_the_results_of_a_culture_are_microbiology_because_their_report_is(rows: dict[str, Result]) -> None:
    """The laboratory's observations say `laboratory` alone; the report that holds them says microbiology."""
    culture = [f"Observation/obs-20417-260622-{number}" for number in (60, 61, 62)]
    sections = {rows[each].category for each in [*culture, "DiagnosticReport/rep-20417-260622-6"]}
    assert sections == {Category.MICROBIOLOGY}
    assert rows["Observation/obs-20417-261116-01"].category is Category.LABORATORY


def test_an_antibiogram_is_read_by_component(rows: dict[str, Result]) -> None:
    parts = rows["Observation/obs-20417-260622-62"].parts
    told = [(str(part.title), part.value, [word.key for word in part.flag.words]) for part in parts]
    names = [(name, words) for name, _, words in told]
    assert names[0] == ("Amoxicillin", ["interpretation/R"])
    assert names[2] == ("Ciprofloxacin", ["interpretation/S"])
    amoxicillin = told[0][1]
    assert isinstance(amoxicillin, Amount)
    assert (amoxicillin.comparator, amoxicillin.number.text) == (">=", "32")
    assert parts[0].flag.level is Level.NOTED
    assert parts[1].flag.level is Level.UNSTATED


@pytest.mark.parametrize(
    ("reference", "category"),
    [
        ("DiagnosticReport/rep-50361-1", Category.IMAGING),
        ("ImagingStudy/ims-50361-1", Category.IMAGING),
        ("DocumentReference/doc-50361-2", Category.DOCUMENTS),
        ("MedicationRequest/mrq-20417-1", Category.MEDICINES),
        ("MedicationStatement/mst-20417-1", Category.MEDICINES),
        ("MedicationDispense/dsp-7001-12", Category.MEDICINES),
        ("ExplanationOfBenefit/eob-7001-01", Category.REIMBURSEMENTS),
        ("Condition/cond-20417-1", Category.OTHER),
        ("AllergyIntolerance/alg-20417-1", Category.OTHER),
        ("Immunization/imm-20417-1", Category.OTHER),
    ],
)
def test_each_kind_of_data_has_its_section(rows: dict[str, Result], reference: str, category: Category) -> None:
    assert rows[reference].category is category


def test_a_medicine_is_named_by_the_resource_beside_it_or_within_it(rows: dict[str, Result]) -> None:
    """No code and no id stands where a name is known."""
    assert str(rows["MedicationRequest/mrq-20417-1"].title) == "metformin"
    assert str(rows["MedicationDispense/dsp-7001-12"].title) == "metformin 1000 mg"


def test_a_report_and_its_observations_hint_at_each_other(rows: dict[str, Result]) -> None:
    """Who sees both must know that one measurement is behind them; nothing is merged."""
    value = rows["Observation/obs-20417-261116-01"]
    assert [(hint.kind, hint.reference) for hint in value.hints] == [
        (HintKind.REPORTED_IN, "DiagnosticReport/rep-20417-261116-1")
    ]
    report = rows["DiagnosticReport/rep-20417-261116-1"]
    assert {hint.kind for hint in report.hints} == {HintKind.REPORTS}
    assert len(report.members) == 9
    assert all(link.is_shown for link in report.members)


def test_a_document_and_the_one_that_replaces_it_know_each_other(rows: dict[str, Result]) -> None:
    newer, older = rows["DocumentReference/doc-50361-2"], rows["DocumentReference/doc-50361-1"]
    assert [hint.kind for hint in newer.hints] == [HintKind.REPLACES]
    assert [hint.kind for hint in older.hints] == [HintKind.REPLACED_BY]


def test_attachments_are_named_and_numbered(rows: dict[str, Result]) -> None:
    (file,) = rows["DiagnosticReport/rep-50361-1"].attachments
    assert (file.place, file.content_type) == (0, "application/pdf")


def test_newest_first_and_undated_last(alma: Overview) -> None:
    moments = [(each.when or each.issued) for each in alma.results]
    dated = [each.order for each in moments if each is not None]
    assert dated == sorted(dated, reverse=True)
    assert all(each is None for each in moments[len(dated) :])


def test_a_date_is_no_more_precise_than_its_source(rows: dict[str, Result]) -> None:
    onset = rows["Procedure/proc-20417-1"].when
    assert onset is not None
    assert onset.precision is Precision.DAY


def test_a_reimbursement_is_an_act_and_an_amount(rows: dict[str, Result]) -> None:
    sick_leave = next(each for each in rows.values() if str(each.title) == "Indemnités journalières")
    assert isinstance(sick_leave.value, Money)
    assert (sick_leave.value.number.value, sick_leave.value.number.text, sick_leave.value.currency) == (
        Decimal("206.50"), "206.50", "EUR")  # fmt: skip


def test_a_detection_limit_keeps_its_comparator() -> None:
    load = by_reference(overview([answer("city-lab", HELOISE["city-lab"])]).results)["Observation/obs-20418-260825-54"]
    assert isinstance(load.value, Amount)
    assert (load.value.comparator, load.value.number.text) == ("<", "20")


def test_every_consultable_type_but_the_patient_has_a_reading_of_its_own() -> None:
    """What a feed may show is shown with what matters in it."""
    from plugin.faces.viewer.readings import overview as module

    assert set(CONSULTABLE) - {"Patient"} <= set(module._READERS)


def test_no_raw_code_stands_where_a_word_is_known(alma: Overview) -> None:
    for each in alma.results:
        if isinstance(each.status, Term):
            assert each.status.key is not None, (each.reference, each.status)
