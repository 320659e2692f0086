"""What a clinician sees of the sources, and what each look leaves in the log."""

import html
import re
from pathlib import Path
from typing import Any, Self

import pytest

from fhir_adapters.interface import FeedRefused, FeedTimeout
from plugin.event import LOCAL_FEED
from plugin.faces.pages.wording import Word
from plugin.faces.viewer.words import HINTS, PAGE
from plugin.state.views import Views
from tests.launch.launching import LaunchWorld, configuration
from tests.viewer.clinic import Clinic
from tests.world import MemoryFeed, observation

POTASSIUM = {
    "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Potassium"},
    "effectiveDateTime": "2026-03-02T08:05:00+01:00",
    "valueQuantity": {"value": 5.30, "unit": "mmol/L"},
    "interpretation": [{"coding": [{"code": "H"}]}],
    "referenceRange": [{"low": {"value": 3.5, "unit": "mmol/L"}, "high": {"value": 5.1, "unit": "mmol/L"}}],
    "performer": [{"display": "Laboratoire du Beffroi"}],
}


def test_the_overview_comes_without_waiting_for_a_source(clinic: Clinic) -> None:
    """A slow feed never holds the page: the frame asks nobody."""
    seen = clinic.get()
    assert seen.status == 200
    assert clinic.world.lab.queries == []
    assert f'data-part="/view/{clinic.view}/part/city-lab?lang=en"' in seen.html
    assert f'href="/view/{clinic.view}/feed/city-lab?lang=en"' in seen.html


def test_every_page_says_whose_it_is_and_that_looks_are_recorded(clinic: Clinic) -> None:
    for path in ("", "feed/city-lab", "together", "emergency"):
        seen = clinic.get(path)
        assert "Alma MARTIN" in seen.text
        assert "Every look is recorded under your name." in seen.text


def test_a_result_has_its_date_value_range_flag_source_and_performer(clinic: Clinic) -> None:
    clinic.world.lab.resources.append(observation("o1", **POTASSIUM))
    seen = clinic.get("part/city-lab").text.replace("\u00a0", " ")
    for told in (
        "2 Mar 2026, 08:05",
        "Potassium",
        "5.3 mmol/L",
        "▲ high",
        "3.5 – 5.1 mmol/L",
        "City laboratory",
        "Beffroi",
    ):
        assert told in seen


def test_french_has_french_words_dates_and_numbers(clinic: Clinic) -> None:
    clinic.world.lab.resources.append(observation("o1", **POTASSIUM))
    seen = clinic.get("part/city-lab", language="fr").text.replace("\u00a0", " ")
    for told in ("1 résultat", "Biologie", "2 mars 2026, 08:05", "5,3 mmol/L", "▲ élevé", "3,5 – 5,1 mmol/L"):
        assert told in seen


def test_each_look_leaves_one_record_with_the_id_of_its_answer(clinic: Clinic) -> None:
    clinic.world.lab.resources.append(observation("o1", **POTASSIUM))
    seen = clinic.get("feed/city-lab")
    record = clinic.looks()[-1]
    assert record["record"] == f"{seen.headers['X-Request-Id']}.1"
    assert record["asked"]["delivery"] == "rendered"
    assert [each["reference"] for each in record["released"]] == ["Observation/o1"]


def test_a_page_of_two_sources_is_two_records_under_one_id(clinic: Clinic) -> None:
    seen = clinic.get("together")
    records = clinic.looks()[-2:]
    assert {each["request"] for each in records} == {seen.headers["X-Request-Id"]}
    assert sorted(each["record"].rpartition(".")[2] for each in records) == ["1", "2"]
    assert {each["feed"]["id"] for each in records} == {"city-lab", "imaging"}


def test_a_source_that_does_not_answer_is_named_and_can_be_tried_again(clinic: Clinic) -> None:
    clinic.world.lab.failure = FeedTimeout("no answer")
    seen = clinic.get("together")
    assert seen.status == 200
    assert "City laboratory did not answer." in seen.text
    assert "Try again" in seen.text
    assert "Nothing to show from imaging." in seen.text


def test_no_match_nothing_there_and_all_withheld_are_one_sentence(clinic: Clinic) -> None:
    """Which of them it is would tell that something is hidden."""
    world = clinic.world
    empty = clinic.get("part/city-lab").text
    world.lab.resources.append(
        observation(
            "o1",
            meta={"security": [{"system": "http://example.org", "code": "x"}]},
            subject={"reference": "Patient/other"},
        )
    )
    foreign = clinic.get("part/city-lab").text
    world.lab.resources.clear()
    unmatched = clinic.get("part/city-lab").text
    assert empty == foreign == unmatched == "Nothing to show from City laboratory."


def test_a_source_is_named_without_an_elision_in_french(clinic: Clinic) -> None:
    """« de Imagerie » is no French, and a name may begin with any letter."""
    seen = clinic.get("part/city-lab", language="fr").text.replace("\u00a0", " ")
    assert seen == "Rien à montrer de la source « Laboratoire de ville »."
    for word in (*PAGE.values(), *HINTS.values()):
        said = word.fr if isinstance(word, Word) else word.other.fr
        assert not said.endswith((" de", " à", " que", " dans"))


def test_a_patient_without_qualified_identifier_is_told_apart(tmp_path: Path) -> None:
    """That can be mended, at the EHR; nothing is said about the source."""
    seen = Clinic(tmp_path, identifier=[]).get("part/city-lab")
    assert "This patient has no qualified identifier" in seen.text


def test_what_is_entered_in_error_is_counted_and_not_shown(clinic: Clinic) -> None:
    clinic.world.lab.resources.append(observation("o1", **{**POTASSIUM, "status": "entered-in-error"}))
    seen = clinic.get("part/city-lab")
    assert "entered in error" in seen.text
    assert "Potassium" not in seen.text


def test_the_period_bounds_what_is_asked_of_the_source(clinic: Clinic) -> None:
    """Looking at less is asking for less; the other choices are made here."""
    clinic.get("part/city-lab", language="en")
    assert not any("ge" in part for query in clinic.world.lab.queries for part in query if part.startswith("date"))
    clinic.get("part/city-lab?period=1y")
    assert any(part.startswith("date=ge") for query in clinic.world.lab.queries for part in query)


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        ("abnormal=1", False),
        ("text=calci", False),
        ("text=POTASS", True),
        ("category=imaging", False),
        ("category=<b>", True),
    ],
)
def test_choices_are_made_among_what_the_look_has_shown(clinic: Clinic, choice: str, shown: bool) -> None:
    clinic.world.lab.resources.append(observation("o1", **{**POTASSIUM, "interpretation": [], "referenceRange": []}))
    assert ("Potassium" in clinic.get(f"feed/city-lab?{choice}").text) is shown


V3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


@pytest.mark.parametrize(
    ("interpretation", "told"),
    [
        ({"coding": [{"system": V3, "code": "S"}]}, "sensible"),
        ({"coding": [{"system": V3, "code": "R"}]}, "! résistant"),
        ({"text": "Élevé critique"}, "Élevé critique"),
    ],
)
def test_what_the_source_says_of_a_result_stands_beside_it(
    clinic: Clinic, interpretation: dict[str, Any], told: str
) -> None:
    """An antibiogram is nothing but such words."""
    part = {"code": {"text": "Céfotaxime"}, "interpretation": [interpretation]}
    clinic.world.lab.resources.append(observation("o1", code={"text": "Antibiogramme"}, component=[part]))
    assert f"Céfotaxime {told}" in clinic.get("part/city-lab", language="fr").text


def test_a_word_that_the_value_says_already_is_not_repeated(clinic: Clinic) -> None:
    negative = {"coding": [{"system": V3, "code": "NEG"}]}
    clinic.world.lab.resources.append(observation("o1", valueString="Negative", interpretation=[negative]))
    assert clinic.get("part/city-lab").text.casefold().count("negative") == 1


def test_the_filter_for_abnormal_results_keeps_what_might_be_and_what_is_contradictory(clinic: Clinic) -> None:
    normal = {"interpretation": [{"coding": [{"system": V3, "code": "N"}]}]}
    clinic.world.lab.resources += [
        observation("o1", **{**POTASSIUM, **normal}),
        observation("o2", code={"text": "Ferritine"}, valueString="x", interpretation=[{"text": "Élevé"}]),
        observation("o3", code={"text": "Sodium"}, valueString="x", **normal),
    ]
    seen = clinic.get("feed/city-lab?abnormal=1").text
    assert "Potassium" in seen and "! contradictory" in seen and "otherwise: ▲ high" in seen
    assert "Ferritine" in seen
    assert "Sodium" not in seen


@pytest.mark.parametrize(
    ("language", "warning", "remarks"),
    [("fr", "Ne pas donner", ("projet", "motif : Saignement")), ("en", "Do not give", ("plan", "reason: Saignement"))],
)
def test_a_medicine_that_must_not_be_given_says_so_before_its_details_are_opened(
    clinic: Clinic, language: str, warning: str, remarks: tuple[str, ...]
) -> None:
    told = {"doNotPerform": True, "intent": "plan", "statusReason": {"text": "Saignement"}}
    medicine = {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "Aspirine"}}
    clinic.world.lab.resources.append(observation("o1", **medicine, **told))
    before, _, _ = clinic.get("part/city-lab", language=language).html.partition("<details")
    assert f'<strong class="flag critical">{warning}</strong>' in before
    assert all(each in before for each in remarks)


def test_hostile_text_stays_text(clinic: Clinic) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e"
    told = {
        "code": {"coding": [{"system": hostile, "code": hostile}], "text": hostile},
        "effectiveDateTime": "2026-03-02",
        "valueQuantity": {"value": 1, "unit": hostile},
        "performer": [{"display": hostile}],
        "note": [{"text": hostile}],
    }
    clinic.world.lab.resources.append(observation("o1", **told))
    for path in ("part/city-lab", "together"):
        seen = clinic.get(path)
        assert seen.status == 200
        assert "<img" not in seen.html
        assert "<script>alert" not in seen.html
        assert "\u202e" not in html.unescape(seen.html)


def test_an_over_long_name_does_not_become_the_page(clinic: Clinic) -> None:
    clinic.world.lab.resources.append(observation("o1", **{**POTASSIUM, "code": {"text": "x" * 10_000}}))
    row, _, below = clinic.get("part/city-lab").html.partition("<details>")
    assert "x" * 200 not in row
    assert below.count("x" * 200) == 10_000 // 200


def test_no_answer_is_fhir_json(clinic: Clinic) -> None:
    """The browser gets pages: no structured data at all."""
    clinic.world.lab.resources.append(observation("o1", **POTASSIUM))
    for path in ("", "part/city-lab", "feed/city-lab", "together", "purpose", "emergency", "nowhere"):
        seen = clinic.get(path)
        assert "json" not in seen.headers.get("Content-Type", "")
        assert "resourceType" not in seen.html


def test_pages_are_not_kept_and_framed_by_the_ehr_only(clinic: Clinic) -> None:
    headers = clinic.get("feed/city-lab").headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors https://ehr.example" in headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"


def test_no_page_asks_another_host_or_runs_what_stands_in_an_attribute(clinic: Clinic) -> None:
    for path in ("", "together", "emergency", "nowhere"):
        seen = clinic.get(path)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', seen.html)
        assert not re.search(r"<[^>]+\s(?:on[a-z]+|style)=", seen.html)


@pytest.mark.parametrize("launched", [False, True])
def test_another_persons_browser_opens_nothing_with_the_address(clinic: Clinic, launched: bool) -> None:
    """The secret is in the cookie of who launched; another launch has its own."""
    browser = clinic.world.browser()
    if launched:
        clinic.world.launched(browser, "code-2")
    clinic.world.lab.resources.append(observation("o1", **POTASSIUM))
    for path in ("", "part/city-lab", "together", "emergency"):
        seen = clinic.get(path, browser=browser)
        assert seen.status == 401
        assert "Alma" not in seen.text
        assert "Potassium" not in seen.text
    assert clinic.world.lab.queries == []


def test_a_view_that_is_over_says_what_to_do(clinic: Clinic) -> None:
    clinic.later(3600)
    seen = clinic.get("part/city-lab", language="fr")
    assert seen.status == 401
    assert "rouvrez les résultats externes depuis le dossier du patient" in seen.text


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "POST"])
def test_other_methods_are_refused(clinic: Clinic, method: str) -> None:
    seen = clinic.ask(method)
    assert seen.status == 405
    assert seen.headers["Allow"] == "GET"


def test_an_ehr_that_takes_its_token_no_more_sends_the_clinician_back_to_it(clinic: Clinic) -> None:
    """Trying again would be told the same for as long as the view lasts."""
    clinic.world.ehr.failure = FeedRefused("401")
    seen = clinic.get("feed/city-lab", language="fr")
    assert "n’accepte pas, ou plus, cette consultation" in seen.text
    assert "Réessayer" not in seen.text
    assert "rouvrez les résultats externes" in seen.text
    assert clinic.looks()[-1]["reason"] == "ehr-refused"


def test_an_address_that_is_none_allows_no_method_and_says_nothing_of_methods(clinic: Clinic) -> None:
    """An empty `Allow` reads as if the address were there and took nothing (RFC 9110 10.2.1)."""
    seen = clinic.get("nowhere")
    assert seen.status == 404
    assert "Allow" not in seen.headers


def test_two_hundred_results_of_three_sources_weigh_less_than_200_kilobytes(clinic: Clinic) -> None:
    """Issue 7, Numbers."""
    for number in range(200):
        moment = f"2026-03-{number % 28 + 1:02d}T08:05:00+01:00"
        code = {"coding": [{"system": "http://loinc.org", "code": f"{number}-1"}], "text": f"Potassium {number}"}
        told = {**POTASSIUM, "code": code, "effectiveDateTime": moment}
        clinic.world.lab.resources.append(observation(f"o{number}", **told))
    part, frame = clinic.get("part/city-lab"), clinic.get("")
    assert part.text.count("Potassium") >= 200
    assert len(part.html.encode()) + len(frame.html.encode()) < 200_000


def test_a_form_that_is_too_large_is_not_read(clinic: Clinic) -> None:
    assert clinic.post("emergency", {"form": "x" * 20_000}).status in (400, 413)


def test_a_source_that_nobody_knows_is_not_asked(clinic: Clinic) -> None:
    assert clinic.get("feed/elsewhere").status == 404


def test_a_configuration_may_have_no_title_for_a_feed(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, configuration().replace("title =", "# title ="))
    assert "city-lab" in clinic.get().text


def test_the_banner_and_the_looks_of_a_page_never_share_a_record_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id of a record is on the page and in the log: it has to name one look, however many sources a site has."""
    text = configuration()
    imaging = text[text.rindex("[[feed]]") :]
    for number in range(2, 9):
        name = f"imaging{number}"
        text += "\n" + imaging.replace('"imaging"', f'"{name}"', 1)
        monkeypatch.setattr(LaunchWorld, name, MemoryFeed(name, "https://imaging.example/fhir"), raising=False)
    clinic = Clinic(tmp_path, text)
    assert clinic.get("together").status == 200
    ids = [body["record"] for body in clinic.world.named() if body["action"].startswith("consultation:")]
    assert len(ids) == 10
    assert len(set(ids)) == len(ids)


def test_a_page_of_several_looks_unseals_its_session_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The banner, and each source."""
    read, seen = Views._read, []

    def counted(views: Views, sealed: str) -> Any:
        seen.append(sealed)
        return read(views, sealed)

    monkeypatch.setattr(Views, "_read", counted)
    assert clinic.get("together").status == 200
    assert len({body["feed"]["id"] for body in clinic.world.named() if "feed" in body}) > 2
    assert len(seen) == 1


def test_a_logout_counts_at_the_next_look_of_a_page_under_way(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another window, while the first source is asked: what follows is not asked, and nothing is shown."""
    world, views = clinic.world, clinic.world.assembled.launches.views
    world.lab.resources.append(observation("o1", **POTASSIUM))
    clinic.get()
    monkeypatch.setattr("plugin.faces.viewer.looks.ThreadPoolExecutor", OneAfterTheOther)
    asked = type(world.lab).search

    def closing(feed: MemoryFeed, *question: Any) -> Any:
        views.forget(clinic.view)
        return asked(feed, *question)

    monkeypatch.setattr(type(world.lab), "search", closing)
    seen = clinic.get("together")
    assert seen.status == 401
    assert "Potassium" not in seen.text
    assert {body["feed"]["id"] for body in world.named() if body["action"] == "consultation:released"} <= {
        "city-lab",
        LOCAL_FEED,
    }


class OneAfterTheOther:
    """Of ThreadPoolExecutor, what a page uses."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    map = staticmethod(map)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("feed/elsewhere", "unknown-feed"),
        ("part/elsewhere", "unknown-feed"),
        ("trend/abc", "unknown-address"),
    ],
)
def test_an_address_that_is_none_is_refused_with_a_record(clinic: Clinic, path: str, reason: str) -> None:
    """Who tries addresses has a name, and the log tells it."""
    clinic.get()
    before = len(clinic.world.named())
    assert clinic.get(path).status == 404
    (record,) = clinic.world.named()[before:]
    assert (record["action"], record["reason"]) == ("consultation:denied", reason)
    assert record["person"]["subject"] == "dr-roy"
    assert "elsewhere" not in str(record["feed"])


def test_the_mark_of_a_tab_is_no_refusal(clinic: Clinic) -> None:
    """Browsers ask for it by themselves, and each would stand among those who tried addresses."""
    before = len(clinic.world.bodies())
    icon = clinic.world.client.get("/favicon.ico")
    assert (icon.status_code, icon.content_type) == (200, "image/svg+xml")
    assert icon.headers["Cache-Control"] == "public, max-age=604800"
    assert clinic.world.client.post("/favicon.ico").status_code == 405
    assert len(clinic.world.bodies()) == before
