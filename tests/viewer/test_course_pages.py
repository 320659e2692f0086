"""Trends and reimbursements as a clinician sees them, and what each look leaves in the log."""

import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fhir_adapters.interface import FeedTimeout
from plugin.errors import ScopeInsufficient
from plugin.event import LOCAL_FEED
from plugin.faces.pages.page import Frame
from plugin.faces.pages.wording import Counted, Word
from plugin.faces.viewer.course_words import IN_MONTH, NATURES, NO_TOTALS, TOTAL
from plugin.faces.viewer.looks import Look, State
from plugin.faces.viewer.problems import problem_of
from plugin.faces.viewer.readings.benefits import Nature
from plugin.faces.viewer.readings.reimbursement_months import NoTotal
from plugin.faces.viewer.trend import LOCAL, told
from plugin.faces.viewer.words import PAGE
from tests.launch.launching import configuration
from tests.viewer.clinic import Clinic
from tests.world import observation

UCUM = "http://unitsofmeasure.org"


def potassium(
    name: str, day: str, value: str, patient: str = "lab-1", unit: str = "mmol/L", **more: Any
) -> dict[str, Any]:
    return observation(
        name,
        patient,
        **{
            "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Potassium"},
            "effectiveDateTime": f"{day}T08:05:00+01:00",
            "valueQuantity": {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit},
            "referenceRange": [{"low": {"value": Decimal("3.5")}, "high": {"value": Decimal("5.1")}}],
            **more,
        },
    )


def claim(name: str, day: str, paid: str, **more: Any) -> dict[str, Any]:
    adjudication = "http://terminology.hl7.org/CodeSystem/adjudication"
    benefit = {"coding": [{"system": adjudication, "code": "benefit"}]}
    return {
        "resourceType": "ExplanationOfBenefit",
        "id": name,
        "status": "active",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "pharmacy"}]},
        "patient": {"reference": "Patient/lab-1"},
        "created": day,
        "careTeam": [{"sequence": 1, "qualification": {"text": "Cardiologie"}}],
        "item": [
            {
                "sequence": 1,
                "productOrService": {"text": "ramipril 5 mg"},
                "servicedDate": day,
                "quantity": {"value": 2},
                "adjudication": [{"category": benefit, "amount": {"value": Decimal(paid), "currency": "EUR"}}],
            }
        ],
        **more,
    }


def trend_of(clinic: Clinic, language: str = "en") -> str:
    """Where the row of a result leads."""
    found = re.search(r'href="/view/[^/]+/(trend/[0-9a-f]{16})', clinic.get("part/city-lab", language=language).html)
    assert found
    return found[1]


@pytest.fixture
def measured(clinic: Clinic) -> Clinic:
    clinic.world.lab.resources += [potassium("o1", "2026-03-02", "5.30"), potassium("o2", "2026-06-02", "4.10")]
    return clinic


def test_a_measurement_leads_to_its_trend_by_an_address_that_tells_nothing_of_it(measured: Clinic) -> None:
    seen = measured.get("part/city-lab")
    assert "2823" not in re.findall(r'href="([^"]*trend[^"]*)"', seen.html)[0]


def test_a_trend_has_a_chart_with_a_name_and_a_table_with_every_digit(measured: Clinic) -> None:
    seen = measured.get(trend_of(measured))
    text = seen.text.replace("\u00a0", " ")
    assert seen.status == 200
    assert '<svg class="chart" role="img"' in seen.html
    for each in ("Trend · Potassium", "2 Mar 2026, 08:05", "5.30 mmol/L", "4.10 mmol/L", "▲ high", "3.5 – 5.1"):
        assert each in text
    assert "2 values: from 2 Mar 2026, 08:05 to 2 Jun 2026, 08:05. Lowest: 4.10 mmol/L. Highest: 5.30 mmol/L." in text


def test_what_a_source_entered_in_error_is_counted_where_it_is_left_out(measured: Clinic) -> None:
    """A page that says nothing of it would be another answer than the overview's."""
    wrong = "1 result that the source marks as entered in error is not shown."
    address = trend_of(measured)
    other = {"code": {"text": "Sodium"}, "status": "entered-in-error"}
    measured.world.lab.resources += [potassium("o3", "2026-04-02", "9.99", **other)]
    assert wrong not in measured.get(address).text
    measured.world.lab.resources += [potassium("o4", "2026-04-02", "9.99", status="entered-in-error")]
    seen = measured.get(address).text
    assert wrong in seen
    assert "9.99" not in seen
    measured.world.lab.resources += [claim("c1", "2026-06-02", "3.00", status="entered-in-error")]
    assert wrong in measured.get("reimbursements").text


def test_a_trend_in_french_has_french_words_dates_and_numbers(measured: Clinic) -> None:
    text = measured.get(trend_of(measured), language="fr").text.replace("\u00a0", " ")
    for each in ("Évolution · Potassium", "2 mars 2026, 08:05", "5,30 mmol/L", "▲ élevé", "1 anormale."):
        assert each in text


def test_the_browsers_history_does_not_tell_which_test_was_looked_at(measured: Clinic) -> None:
    """It keeps titles beside addresses, for whoever sits down next."""
    seen = measured.get(trend_of(measured)).html
    assert re.search("<title>(.*?)</title>", seen[: seen.index("<style")], re.DOTALL)
    assert "Potassium" not in seen[: seen.index("<style")]
    assert "<h1>Trend · <bdi>Potassium" in seen


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["status unknown", "Code odd", "preliminary"]), ("fr", ["statut inconnu", "Code odd", "provisoire"])],
)
def test_a_status_other_than_final_stands_in_the_table_and_at_the_point(
    measured: Clinic, language: str, words: list[str]
) -> None:
    """The overview says it on the row; a course that does not passes the value for a final one."""
    for place, status in enumerate(("unknown", "odd", "preliminary")):
        measured.world.lab.resources.append(potassium(f"s{place}", f"2026-03-1{place}", "5.0", status=status))
    seen = measured.get(trend_of(measured), language=language).html
    assert re.findall(r'<em class="status [a-z-]+">([^<]+)</em></th>', seen) == words[::-1]
    assert [each for each in words if re.search(rf"<title>[^<]*, {each}, 5", seen)] == words


def test_where_in_the_body_it_was_measured_stands_in_the_course(measured: Clinic) -> None:
    """Two eyes have one code, and one course."""
    for place, side in enumerate(("left eye", "right eye")):
        measured.world.lab.resources.append(potassium(f"e{place}", "2026-03-10", "5.0", bodySite={"text": side}))
    seen = measured.get(trend_of(measured)).html
    assert all(f"<small><bdi>{side}</bdi></small></th>" in seen for side in ("left eye", "right eye"))


def test_on_what_it_was_measured_stands_in_a_course_of_several_specimens(measured: Clinic) -> None:
    """A code of a laboratory's own may stand for blood and urine."""
    for place, sample in enumerate(("serum", "serum", "urine")):
        address = trend_of(measured)
        assert "<bdi>serum</bdi>" not in measured.get(address).html
        more = {"specimen": {"display": sample}}
        measured.world.lab.resources.append(potassium(f"s{place}", "2026-03-10", "5.0", **more))
    seen = measured.get(trend_of(measured)).html
    assert [seen.count(f"<small><bdi>{each}</bdi></small></th>") for each in ("serum", "urine")] == [2, 1]


def test_what_is_wrong_with_a_specimen_stands_in_the_course(measured: Clinic) -> None:
    haemolysed = {"resourceType": "Specimen", "id": "s", "condition": [{"text": "haemolysed"}]}
    more = {"contained": [haemolysed], "specimen": {"reference": "#s"}}
    measured.world.lab.resources.append(potassium("h", "2026-03-10", "7.0", **more))
    seen = measured.get(trend_of(measured)).html
    assert seen.count('<em class="status remark"><bdi>specimen: haemolysed</bdi></em>') == 1
    assert re.search("<title>[^<]*specimen: haemolysed, 7.0", seen)


def test_the_ehrs_own_results_stand_beside_the_outside_ones_marked_local(measured: Clinic) -> None:
    """Read live by the token of the launch, recorded like any look."""
    measured.world.ehr.resources.append(potassium("own", "2026-04-02", "4400", "p1", "umol/L"))
    seen = measured.get(trend_of(measured))
    text = seen.text.replace("\u00a0", " ")
    assert "Your own record local" in text
    assert "4400 umol/L that is 4.400 mmol/L" in text
    assert seen.html.count("chart-local") >= 2
    records = [body for body in measured.world.named() if body.get("request") == seen.headers["X-Request-Id"]]
    assert {body["feed"]["id"] for body in records} >= {"city-lab", LOCAL_FEED}


def test_an_ehr_that_gives_no_access_to_its_own_results_is_no_failed_source() -> None:
    """What the launch did not grant stands in the EHR's own pages; it is said once, quietly."""
    refused = Look(
        LOCAL,
        State.PROBLEM,
        problem=problem_of(ScopeInsufficient("patient/Observation.s")),
        error=ScopeInsufficient("patient/Observation.s"),
    )
    entered: Any = SimpleNamespace(frame=Frame("en"), at=str)
    values = told(entered, [refused], "0" * 16, [LOCAL])
    assert values["local_closed"]
    assert values["looks"] == []


def test_a_source_that_does_not_answer_is_named_beside_the_trend_of_the_others(measured: Clinic) -> None:
    path = trend_of(measured)
    measured.world.lab.failure = FeedTimeout("no answer")
    seen = measured.get(path)
    assert seen.status == 200
    assert "City laboratory" in seen.text
    assert f"{path}" in re.findall(r'class="again" href="([^"]+)"', seen.html)[0]


@pytest.mark.parametrize("path", ["trend/abc", "trend/0123456789abcdeg", "trend/0123456789abcdef0", "trend/2823-3"])
def test_an_address_that_can_be_no_trend_asks_nobody(clinic: Clinic, path: str) -> None:
    seen = clinic.get(path)
    assert seen.status == 404
    assert clinic.world.lab.queries == []


def test_a_trend_of_which_nothing_is_shown_says_that_alone(measured: Clinic) -> None:
    """No match, empty and withheld are one sentence."""
    assert "Nothing to show of this test for the moment." in measured.get("trend/0123456789abcdef").text


def test_hostile_names_and_units_stay_text_in_a_chart(clinic: Clinic) -> None:
    hostile = '"><script>alert(1)</script>'
    named = {"code": {"text": hostile}, "valueQuantity": {"value": 1, "unit": "<b onmouseover=x>\u202e"}}
    clinic.world.lab.resources.append(potassium("o1", "2026-03-02", "1", **named))
    seen = clinic.get(trend_of(clinic))
    assert "<script>alert" not in seen.html
    assert "<b onmouseover" not in seen.html
    assert "‹U+202E›" in seen.text


@pytest.fixture
def reimbursed(clinic: Clinic) -> Clinic:
    clinic.world.lab.resources += [claim("e1", "2026-03-02", "2.60"), claim("e2", "2026-01-09", "2.66")]
    return clinic


def at_the_end_of_march(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import date

    import plugin.faces.viewer.reimbursements as page

    printed, question, today = page.told, page.question, date(2026, 3, 31)
    monkeypatch.setattr(page, "told", lambda entered, found, feeds, _: printed(entered, found, feeds, today))
    monkeypatch.setattr(page, "question", lambda _, informed: question(today, informed))


def test_reimbursements_stand_by_month_with_their_totals(reimbursed: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    at_the_end_of_march(reimbursed, monkeypatch)
    seen = reimbursed.get("reimbursements")
    text = seen.text
    assert seen.status == 200
    assert '<svg class="chart" role="img"' in seen.html
    for each in (
        "March 2026",
        "2 Mar 2026",
        "ramipril 5 mg",
        "Cardiologie",
        "€2.60",
        "Reimbursed, total shown: €5.26",
    ):
        assert each in text
    assert text.count("Nothing to show in this month.") == 10
    assert reimbursed.looks()[-1]["asked"]["type"] == "ExplanationOfBenefit"


def test_reimbursements_in_french(reimbursed: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    at_the_end_of_march(reimbursed, monkeypatch)
    text = reimbursed.get("reimbursements", language="fr").text.replace("\u00a0", " ")
    for each in ("Remboursements, douze mois", "mars 2026", "2,60 €", "Remboursé, total affiché : 5,26 €"):
        assert each in text


@pytest.mark.parametrize(
    ("language", "base"), [("fr", "base de remboursement : 4,00 €"), ("en", "reimbursement base: €4.00")]
)
def test_what_a_rate_is_a_part_of_and_who_gave_the_care_are_told(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, language: str, base: str
) -> None:
    at_the_end_of_march(clinic, monkeypatch)
    told = claim("e1", "2026-03-02", "2.60", provider={"display": "Pharmacie du Port"})
    eligible = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/adjudication", "code": "eligible"}]}
    amount = {"value": Decimal("4.00"), "currency": "EUR"}
    told["item"][0]["adjudication"].append({"category": eligible, "amount": amount})
    alike = claim("e2", "2026-03-03", "2.60")
    submitted = {"coding": [{**eligible["coding"][0], "code": "submitted"}]}
    alike["item"][0]["adjudication"] += [{"category": each, "amount": amount} for each in (eligible, submitted)]
    clinic.world.lab.resources += [told, alike]
    text = clinic.get("reimbursements", language=language).text.replace("\u00a0", " ")
    assert text.count(base) == 1, "of what was billed as it is reimbursed by, nothing more is said"
    assert "Pharmacie du Port" in text


NOT_PAID = {
    "use": "predetermination",
    "outcome": "error",
    "disposition": "Rejeté : <b>droits non ouverts",
}


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("fr", ("estimation, rien n’a été versé", "erreur relevée par l’assureur", "300 € non compté", "2,60 €")),
        ("en", ("estimate, nothing paid", "error found by the insurer", "€300 not counted", "€2.60")),
    ],
)
def test_an_estimate_is_named_on_its_row_on_both_pages_and_not_counted(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, language: str, told: tuple[str, ...]
) -> None:
    """Taken for paid, it would tell of care that nobody has agreed to."""
    at_the_end_of_march(clinic, monkeypatch)
    clinic.world.lab.resources += [claim("e1", "2026-03-02", "2.60"), claim("e2", "2026-03-03", "300", **NOT_PAID)]
    text = clinic.get("reimbursements", language=language).text.replace("\u00a0", " ")
    for each in (*told, "Rejeté : <b>droits non ouverts", TOTAL.said(language).format(told[-1])):
        assert each in text
    row = clinic.get("part/city-lab", language=language).text
    assert all(each in row for each in (*told[:2], "Rejeté : <b>droits non ouverts"))


def test_no_month_is_called_empty_where_no_source_answered(reimbursed: Clinic) -> None:
    """A missing answer is not a missing reimbursement."""
    reimbursed.world.lab.failure = FeedTimeout("no answer")
    text = reimbursed.get("reimbursements").text
    assert "Nothing to show in this month." not in text
    assert "City laboratory" in text


def test_only_sources_of_reimbursements_are_asked(reimbursed: Clinic) -> None:
    reimbursed.get("reimbursements")
    assert reimbursed.world.imaging.queries == []


def test_where_the_patient_must_be_told_first_the_form_leads_back_here(tmp_path: Path) -> None:
    """Reimbursements are looked at with the patient's knowledge (the seed case)."""
    wanting = configuration().replace('id = "city-lab"', 'id = "city-lab"\npatient_informed = true')
    clinic = Clinic(tmp_path, wanting)
    clinic.world.lab.resources.append(claim("e1", "2026-03-02", "2.60"))
    asked = clinic.get("reimbursements")
    assert clinic.world.lab.queries == []
    sent = clinic.post("feed/city-lab", {"form": asked.form, "informed": "yes", "back": "reimbursements"})
    assert sent.headers["Location"].startswith(f"/view/{clinic.view}/reimbursements?")
    assert "ramipril" in clinic.follow(sent).text


def test_a_form_leads_back_to_no_other_address(tmp_path: Path) -> None:
    wanting = configuration().replace('id = "city-lab"', 'id = "city-lab"\npatient_informed = true')
    clinic = Clinic(tmp_path, wanting)
    form = clinic.get("reimbursements").form
    for back in ("//evil.example", "https://evil.example", "../other", "trend/x", "logout"):
        sent = clinic.post("feed/city-lab", {"form": form, "informed": "yes", "back": back})
        assert sent.headers["Location"].startswith(f"/view/{clinic.view}/feed/city-lab")


def test_every_nature_and_reason_has_words() -> None:
    assert set(NATURES) == set(IN_MONTH) == {str(each) for each in Nature}
    assert set(NO_TOTALS) == {str(each) for each in NoTotal}


def test_the_words_of_these_pages_replace_none_of_the_others() -> None:
    from plugin.faces.viewer.course_words import COURSES

    assert not COURSES.keys() & PAGE.keys()
    assert all(isinstance(each, Word | Counted) for each in COURSES.values())
