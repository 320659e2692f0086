"""A clinician's day in a real browser, from the EHR's list of patients to the end, and what it leaves where."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, expect

from fhir_adapters.breaker import OPEN_SECONDS
from tests.browser.clinician import Clinician, clinician
from tests.browser.hospital import Town

pytestmark = pytest.mark.slow

WORDS = {
    "en": {
        "laboratory": "City laboratory",
        "silent": "City laboratory did not answer.",
        "again": "Try again",
        "over": "The view is closed",
    },
    "fr": {
        "laboratory": "Laboratoire de ville",
        "silent": "Laboratoire de ville n’a pas répondu.",
        "again": "Réessayer",
        "over": "La consultation est terminée",
    },
}

BROKEN = """() => [...document.querySelectorAll(
  ".results thead th, .results tbody .v > span, .results tbody .r, .book tbody :is(.d, .p)"
)].filter((each) => {
  const head = each.closest("thead");
  if (head && getComputedStyle(head).position === "absolute") return false;  // of cards: for readers of the screen only
  const words = each.textContent.trim().split(/[ \\n]+/).filter(Boolean);
  const range = document.createRange();
  range.selectNodeContents(each);
  const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
  return words.every((word) => word.length < 15) && lines.size > words.length;
}).map((each) => each.textContent)"""
"""Headings, values, ranges, days and prescribers that stand on more lines than they have words."""


OVERLAPPING = """() => {
  const words = [...document.querySelectorAll("svg.chart text")];
  const [place, said] = [words.map((each) => each.getBoundingClientRect()), words.map((each) => each.textContent)];
  return place.flatMap((a, n) => place.slice(n + 1).flatMap((b, m) => (
    a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2
  ) ? [said[n] + " " + said[n + 1 + m]] : []));
}"""
"""Words of charts that stand upon each other."""

ARABIC = """() => {
  const value = document.querySelector(".results .v > span").firstChild;
  value.textContent = "النتيجة 12.5 mg/L";
  return ["النتيجة", "12.5", "mg/L"].map((word) => {
    const range = document.createRange(), from = value.textContent.indexOf(word);
    range.setStart(value, from);
    range.setEnd(value, from + word.length);
    return range.getBoundingClientRect().left;
  });
}"""
"""Where a word, a number and its unit stand in a value that is read from right to left."""


@pytest.fixture
def whole(clinic: Town) -> Iterator[Town]:
    """With all sources well; what the EHR stores is the same afterwards, and it was only read."""
    clinic.delays.clear()
    clinic.down.clear()
    before = clinic.store()
    yield clinic
    assert clinic.store() == before
    assert {method for method, _ in clinic.asked_of_ehr} <= {"GET"}


def nothing_left_the_page(person: Clinician) -> None:
    """No FHIR in the browser, no request to anybody else, nothing that the browser had to refuse."""
    person.read()
    assert person.weights
    assert person.fhir == []
    assert person.elsewhere == []
    assert person.errors == []


@pytest.mark.parametrize(
    ("language", "width", "scheme"),
    [("en", 1440, "light"), ("fr", 380, "light"), ("fr", 1440, "dark"), ("en", 380, "dark")],
)
def test_a_day_with_results_an_emergency_and_a_source_that_is_down(
    whole: Town, browser: Browser, axe: str, language: str, width: int, scheme: str
) -> None:
    person = clinician(whole, browser, language=language, width=width, scheme=scheme, axe=axe)
    said, breaches = WORDS[language], []
    page = person.page()
    person.launch(page, whole.patients[0])
    breaches += person.look_at(page, "purpose")
    person.state_purpose(page)
    person.arrived(page)
    expect(page.locator(".results[data-category=laboratory] tbody tr").first).to_be_visible()
    breaches += person.look_at(page, "overview")
    assert sum(person.weights.values()) < 400_000  # purpose, overview and its parts
    page.locator("[name=text]").fill("potass")
    expect(page.locator(".results tbody tr:visible").first).to_contain_text("Potassium")
    breaches += person.look_at(page, "searched")
    page.locator(".results tbody tr:visible summary").first.click()
    breaches += person.look_at(page, "details")

    page.locator(".results tbody tr:visible a.trend").first.click()
    expect(page.locator("svg.chart").first).to_be_visible()
    breaches += person.look_at(page, "trend")
    page.locator(".banner a[href*=reimbursements]").click()
    breaches += person.look_at(page, "reimbursements")
    page.locator(".banner a").first.click()
    person.arrived(page)
    page.locator(".results[data-category=documents] a.open").first.click()
    breaches += person.look_at(page, "document")

    page.locator(".banner a[href*=emergency]").click()
    breaches += person.look_at(page, "emergency")
    page.locator("input[value=life-threatening]").check()
    page.locator("main button").click()
    expect(page.locator(".glass .timer")).to_have_text(re.compile(r"\d+:\d\d"))
    person.arrived(page)
    breaches += person.look_at(page, "emergency-open")
    page.locator(".glass button").click()
    expect(page.locator(".glass")).to_have_count(0)

    whole.down.add("city-lab")
    page.reload()
    person.arrived(page)
    expect(page.locator("li[data-feed=city-lab]")).to_contain_text(said["silent"])
    breaches += person.look_at(page, "feed-down")
    whole.down.clear()
    page.wait_for_timeout(OPEN_SECONDS * 1000)  # one that did not answer is left alone for as long
    page.locator(".banner a").first.click()
    page.wait_for_load_state()
    page.goto(re.sub(r"/(\?.*)?$", "/together", page.url))
    breaches += person.look_at(page, "together")
    page.goto(page.url.replace("/together", "/nowhere"))
    breaches += person.look_at(page, "nowhere")
    page.go_back()
    page.locator("form[action*=logout] button").click()
    expect(page.locator("h1")).to_have_text(said["over"])
    breaches += person.look_at(page, "closed")
    assert breaches == []
    nothing_left_the_page(person)


@pytest.mark.parametrize(("language", "width"), [("fr", 380), ("en", 1440)])
def test_whole_pages_have_no_breach_to_their_last_row(
    whole: Town, browser: Browser, axe: str, language: str, width: int
) -> None:
    """What only a later row has (a document, a corrected result, a long name) is read here, on each kind of page."""
    person = clinician(whole, browser, language=language, width=width, axe=axe)
    page, breaches, rows = person.page(), [], 0
    person.launch(page, whole.patients[0])
    breaches += person.breaches(page, "purpose")
    person.state_purpose(page)
    person.shown(page)
    view = re.sub(r"/(\?.*)?$", "/", page.url)
    trend = page.locator(".results a.trend").first.get_attribute("href")
    document = page.locator(".results a.open").first.get_attribute("href")
    for name, address in (
        ("overview", ""),
        ("source", "feed/city-lab"),
        ("trend", trend),
        ("reimbursements", "reimbursements"),
        ("document", document),
        ("emergency", "emergency"),
    ):
        page.goto(urljoin(view, address))
        person.shown(page)
        rows = max(rows, page.locator("tbody tr").count())
        breaches += person.breaches(page, name)
    assert rows > 5
    assert breaches == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_at_any_width_nothing_is_wider_than_the_page_and_no_number_is_broken(
    whole: Town, browser: Browser, language: str
) -> None:
    """A frame beside a record may be as narrow or wide as it likes, and a zoom of 200 % halves a screen."""
    person = clinician(whole, browser, language=language)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    person.shown(page)
    for shown in ("overview", "reimbursements"):
        if shown == "reimbursements":
            page.locator(".banner a[href*=reimbursements]").click()
            expect(page.locator(".book tbody tr").first).to_be_visible()
        for width in (320, 480, 641, 720, 768, 769, 800, 900, 1024, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            where = (shown, width)
            assert (where, page.evaluate("document.documentElement.scrollWidth")) == (where, width)
            assert (where, page.evaluate(BROKEN)) == (where, [])


def test_a_panel_of_320_pixels_holds_long_marks_and_the_dates_of_a_chart(whole: Town, browser: Browser) -> None:
    person = clinician(whole, browser, language="fr", width=320)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    person.shown(page)
    mark = page.locator(".results .flag").first
    mark.evaluate("(each) => each.textContent = '! hors du seuil, critique, faiblement réactif, non sensible'")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.locator(".results a.trend").first.click()
    expect(page.locator("svg.chart").first).to_be_visible()
    assert page.evaluate(OVERLAPPING) == []


def test_words_beside_a_value_are_set_apart_from_it(whole: Town, browser: Browser) -> None:
    person = clinician(whole, browser)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    person.shown(page)
    expect(page.locator(".results .v > span:not(.words)").first).to_have_css("font-weight", "600")
    mark = "each => each.insertAdjacentHTML('afterend', '<span class=words>sensible</span>')"
    page.locator(".results .v > span").first.evaluate(mark)
    expect(page.locator(".results .v > .words").first).to_have_css("font-weight", "400")


def test_the_search_stands_in_line_with_the_other_choices(whole: Town, browser: Browser) -> None:
    """Where they need two lines, too."""
    person = clinician(whole, browser, language="fr", width=1000)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    tops = page.locator(".choose label:has(+ input, + select)").evaluate_all(
        "(all) => all.map((each) => each.getBoundingClientRect().top)"
    )
    assert len(tops) == 4
    assert max(tops) - min(tops) < 4


def test_an_open_emergency_leaves_room_for_results_on_a_low_screen(whole: Town, browser: Browser) -> None:
    """A zoom of 400 % makes a screen of 1280 by 1024 one of 320 by 256: what stands on every page must not fill it."""
    person = clinician(whole, browser)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    page.locator(".banner a[href*=emergency]").click()
    page.locator("input[value=life-threatening]").check()
    page.locator("main button").click()
    person.shown(page)
    page.set_viewport_size({"width": 320, "height": 256})
    page.evaluate("scrollTo(0, 1500)")
    expect(page.locator(".glass")).to_be_in_viewport()
    assert page.evaluate("document.elementFromPoint(160, 190).closest('main') !== null")
    page.locator(".glass button").click()
    expect(page.locator(".glass")).to_have_count(0)


def test_a_value_that_is_read_from_right_to_left_keeps_its_number_beside_its_unit(
    whole: Town, browser: Browser
) -> None:
    person = clinician(whole, browser)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    person.shown(page)
    word, number, unit = page.evaluate(ARABIC)
    assert unit < number < word


def test_first_results_are_there_while_another_source_is_still_asked(whole: Town, browser: Browser) -> None:
    """A slow source holds nothing up."""
    whole.delays["imaging"] = 4
    person = clinician(whole, browser)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    expect(page.locator(".results tbody tr").first).to_be_visible()
    assert page.locator("li[data-feed=imaging] .waiting").is_visible()
    person.arrived(page)
    nothing_left_the_page(person)


def test_without_script_every_source_is_a_link_and_all_forms_work(whole: Town, browser: Browser) -> None:
    person = clinician(whole, browser, script=False)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    page.locator("li[data-feed=city-lab] a").click()
    expect(page.locator(".results tbody tr").first).to_be_visible()
    page.locator("[name=text]").fill("potass")
    page.locator(".choose button").click()
    expect(page.locator(".results tbody tr").first).to_contain_text("Potassium")
    page.locator("form[action*=logout] button").click()
    expect(page.locator("h1")).to_have_text("The view is closed")
    nothing_left_the_page(person)


def test_another_patient_is_another_view_and_the_old_tab_keeps_its_own(whole: Town, browser: Browser) -> None:
    """Contexts of two tabs are never merged."""
    person = clinician(whole, browser)
    first, second = person.page(), person.page()
    person.launch(first, whole.patients[0])
    person.state_purpose(first)
    name = first.locator(".who strong").inner_text()
    person.launch(second, whole.patients[1])
    person.state_purpose(second)
    assert second.locator(".who strong").inner_text() != name
    first.reload()
    expect(first.locator(".who strong")).to_have_text(name)
    second.locator("form[action*=logout] button").click()
    first.reload()
    expect(first.locator(".who strong")).to_have_text(name)
    nothing_left_the_page(person)


def test_paper_gets_a_notice_and_both_print_and_copy_are_recorded(whole: Town, browser: Browser) -> None:
    person = clinician(whole, browser)
    page = person.page()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    person.arrived(page)
    page.emulate_media(media="print")
    expect(page.locator(".screen")).to_be_hidden()
    expect(page.locator(".paper")).to_be_visible()
    person.look_at(page, "print")
    page.emulate_media(media="screen")
    with page.expect_request(re.compile("/screen$")):
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
    with page.expect_request(re.compile("/screen$")):
        page.keyboard.press("Control+A")
        page.keyboard.press("Control+C")
    page.reload()
    person.arrived(page)
    assert {"page:printed", "page:copied"} <= {record["action"] for record in whole.records()}
    nothing_left_the_page(person)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_page_that_is_left_alone_and_one_whose_view_was_closed_elsewhere_show_nothing_any_more(
    whole: Town, browser: Browser, axe: str, language: str
) -> None:
    """Nobody else at that screen reads on what the server would not give any more."""
    person = clinician(whole, browser, language=language, axe=axe)
    page, other = person.page(), person.page()
    page.clock.install()
    person.launch(page, whole.patients[0])
    person.state_purpose(page)
    person.arrived(page)
    page.clock.fast_forward("14:00")
    expect(page.locator(".results tbody tr").first).to_be_visible()
    page.clock.fast_forward("01:01")
    over = {"fr": "Cette page n’est plus affichée", "en": "This page is no longer shown"}[language]
    expect(page.locator("h1")).to_have_text(over)
    assert page.locator(".results, .who").count() == 0
    assert person.look_at(page, "left-alone") == []
    page.locator("main a.button").click()
    person.arrived(page)
    expect(page.locator(".results tbody tr").first).to_be_visible()
    other.goto(page.url)
    other.locator("form[action*=logout] button").click()
    expect(page.locator("h1")).to_have_text(over)
    page.locator("main a.button").click()
    expect(page.locator("h1")).to_have_text(
        {"fr": "Cette consultation est terminée.", "en": "This view is over."}[language]
    )


def test_the_keyboard_reaches_the_content_first(whole: Town, browser: Browser) -> None:
    person = clinician(whole, browser)
    page = person.page()
    person.launch(page, whole.patients[0])
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("input[name=purpose]").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/view/[^/]+/(\?.*)?$"))
    expect(page.locator("h1")).to_be_visible()
