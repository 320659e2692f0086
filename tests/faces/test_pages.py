"""What every page of ours is made with: two languages, safe colours, a policy that runs nothing but our own script."""

from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from plugin.faces.pages.page import WORDS, Frame, Pages, chosen_language, policy
from plugin.faces.pages.style import READABLE, Style, contrast, style_of
from plugin.faces.pages.wording import Counted, Say, Word, known_language, number_text

RESULTS = Counted(Word("{n} résultat", "{n} result"), Word("{n} résultats", "{n} results"))


@pytest.mark.parametrize(
    ("number", "french", "english"),
    [(0, "0 résultat", "0 results"), (1, "1 résultat", "1 result"), (1200, "1 200 résultats", "1,200 results")],
)
def test_plurals_are_those_of_the_language(number: int, french: str, english: str) -> None:
    """Zero is singular in French, plural in English."""
    assert RESULTS.said("fr", number).replace("\u202f", " ") == french
    assert RESULTS.said("en", number) == english


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-10_000, max_value=10_000, places=4))
def test_a_number_keeps_every_digit_that_it_came_with(number: Decimal) -> None:
    """A laboratory's 1.50 says how exactly it was measured."""
    assert number_text(number, "en").replace(",", "").lstrip("-") == f"{number:f}".lstrip("-")


def test_french_numbers_have_a_comma() -> None:
    assert number_text(Decimal("1.50"), "fr") == "1,50"


def test_a_word_that_is_missing_is_an_error() -> None:
    """A blank on a page would be taken for an answer."""
    with pytest.raises(AttributeError):
        _ = Say({}, "fr").title


@pytest.mark.parametrize(("tag", "language"), [("fr-CA", "fr"), ("en_US", "en"), ("de", None), (None, None)])
def test_a_language_is_known_by_how_its_tag_begins(tag: str | None, language: str | None) -> None:
    assert known_language(tag) == language


@pytest.mark.parametrize(
    ("preferred", "language"),
    [
        ("fr-CH,en;q=0.5", "fr"),
        ("de-CH,fr-CH;q=0.8,en;q=0.5", "fr"),
        ("de,en-GB;q=0.8,fr;q=0.5", "en"),
        ("en;q=0,fr;q=0.1", "fr"),
        ("*", "en"),
        ("de", "en"),
        ("", "en"),
    ],
)
def test_the_browsers_first_language_of_ours_counts_whatever_its_region(preferred: str, language: str) -> None:
    with Flask(__name__).test_request_context("/", headers={"Accept-Language": preferred}):
        assert chosen_language() == language


def test_the_language_asked_for_goes_before_the_ehrs_and_the_browsers() -> None:
    app = Flask(__name__)
    with app.test_request_context("/?lang=en", headers={"Accept-Language": "fr"}):
        assert chosen_language("fr-FR") == "en"
    with app.test_request_context("/", headers={"Accept-Language": "de, fr;q=0.5"}):
        assert chosen_language("en-GB") == "en"
        assert chosen_language(None) == "fr"


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_an_ehrs_colour_is_taken_only_where_it_can_be_read(colour: str) -> None:
    """WCAG 1.4.3: at least 4.5 to 1."""
    style = style_of({"color_highlight": colour})
    assert style.accent is None or contrast(style.accent, "#ffffff") >= READABLE
    assert style.dark_accent is None or contrast(style.dark_accent, "#171d24") >= READABLE
    assert style.accent is not None or style.dark_accent is not None or contrast(colour, "#ffffff") < READABLE


@pytest.mark.parametrize("colour", ["red", "#fff", "#0a5487;}body{display:none", "url(//x)", 5, None, "#0a5487\n"])
def test_anything_but_a_plain_colour_is_left_out(colour: object) -> None:
    """The EHR's style sheet is text from outside."""
    assert style_of({"color_highlight": colour}).css == ""


def test_black_on_white_has_the_highest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_a_page_escapes_what_it_is_given_and_runs_only_its_own_script(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('{% extends "base.html" %}{% block content %}<p>{{ name }}</p>{% endblock %}')
    (tmp_path / "a.js").write_text("let ours = 1 < 2;")
    with Flask(__name__).test_request_context("/"):
        response = Pages(tmp_path, {}).whole("a.html", Frame("en"), script="a.js", name="<script>theirs()</script>")
    text = response.get_data(as_text=True)
    assert "<script>theirs" not in text
    assert "let ours = 1 < 2;" in text
    nonce = response.headers["Content-Security-Policy"].partition("'nonce-")[2].partition("'")[0]
    assert text.count("<script") == text.count(f'<script nonce="{nonce}"') == 1


def test_nobody_frames_a_page_who_is_not_named() -> None:
    """Clickjacking: a page that we do not know could lay itself over ours."""
    assert policy("n", ()).endswith("frame-ancestors 'none'")
    assert policy("n", ("https://ehr.example",)).endswith("frame-ancestors https://ehr.example")
    assert "unsafe" not in policy("n", ())


def test_the_style_is_empty_where_the_ehr_names_none() -> None:
    assert Style().css == ""
    assert set(WORDS) >= {"recorded", "print_notice"}
