"""The words that a source gives for a code: in the reader's language where it has them, and a code is called a code."""

from typing import Any

import pytest

from plugin.faces.pages.wording import Language
from plugin.faces.viewer.printed import printed
from plugin.faces.viewer.readings.elements import TRANSLATION, term
from plugin.faces.viewer.readings.selection import Filter, matching
from tests.viewer.readings.samples import code, row


def translated(language: str, words: Any) -> dict[str, Any]:
    """What stands beside a text that is translated."""
    parts = [{"url": "lang", "valueCode": language}, {"url": "content", "valueString": words}]
    return {"extension": [{"url": TRANSLATION, "extension": parts}]}


@pytest.mark.parametrize("tag", ["fr", "fr-CA", "FR"])
@pytest.mark.parametrize(
    "concept",
    [
        {"coding": [{"code": "2345-7", "display": "Glucose (blood)"}]},
        {"text": "Glucose (blood)"},
    ],
)
def test_a_translation_into_the_readers_language_is_printed(concept: dict[str, Any], tag: str) -> None:
    beside = translated(tag, "Glycémie")
    if "text" in concept:
        told = concept | {"_text": beside}
    else:
        told = {"coding": [concept["coding"][0] | {"_display": beside}]}
    assert printed(term(told), "fr") == "Glycémie"
    assert printed(term(told), "en") == "Glucose (blood)"


@pytest.mark.parametrize("beside", [None, [], "x", {"extension": "x"}, translated("nl", "Suiker"), translated("fr", 5)])
def test_another_language_or_no_words_change_nothing(beside: Any) -> None:
    assert printed(term({"text": "Glucose", "_text": beside}), "fr") == "Glucose"


def test_a_translation_is_made_fit_to_be_printed_and_is_found() -> None:
    found = row({"code": {"text": "Glucose", "_text": translated("fr", "Glyc\u202eémie")}})
    assert printed(found.title, "fr") == "Glyc‹U+202E›émie"
    assert matching([found], Filter(text="glucose")) == [found]
    assert matching([found], Filter(text="emie")) == [found]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_code_without_words_is_called_a_code(language: Language) -> None:
    assert printed(row({"code": code("9999-1")}).title, language) == "Code 9999-1"
    assert printed(term({"coding": [{"code": "9999-1", "display": "Zinc"}]}), language) == "Zinc"
