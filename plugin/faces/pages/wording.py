"""The two languages of our pages: both wordings of one meaning stand side by side, so that neither is forgotten.

Dates, numbers and plurals follow CLDR, through Babel. A word that is missing is an error where the page is made, never
a blank on the page.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from babel import Locale
from babel.dates import get_month_names
from babel.numbers import format_decimal

Language = Literal["fr", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("fr", "en")
DEFAULT: Final[Language] = "en"

_LOCALES: Final[Mapping[Language, Locale]] = {"fr": Locale("fr"), "en": Locale("en", "GB")}
"""English with the day before the month: an American date would read as another day in a European hospital."""

_Months = Mapping[Language, Mapping[int, str]]
_MONTHS: Final[_Months] = {name: dict(get_month_names("wide", locale=each)) for name, each in _LOCALES.items()}
_SHORT_MONTHS: Final[_Months] = {
    name: dict(get_month_names("abbreviated", locale=each)) for name, each in _LOCALES.items()
}
"""The only words of a date. Both languages put day, month and year in one order, so that a page with some hundred dates
has nothing to look up for each."""


class Word(NamedTuple):
    """One meaning in both languages."""

    fr: str
    en: str

    def said(self, language: Language) -> str:
        """In `language`."""
        return self.fr if language == "fr" else self.en


class Counted(NamedTuple):
    """One meaning with a number in it, `{n}`, in the singular and the plural of both languages."""

    one: Word
    other: Word

    def said(self, language: Language, number: int) -> str:
        """In `language`, with `number` in it."""
        return self.form(language, number).format(n=number_text(number, language))

    def form(self, language: Language, number: Decimal | int) -> str:
        """The singular or plural that goes with `number`. Zero and 1.5 are singular in French and plural in English."""
        return (self.one if _LOCALES[language].plural_form(number) == "one" else self.other).said(language)


class Say:
    """The words of a page in its language: `say.title`, and `say.results(3)` for what is counted."""

    def __init__(self, words: Mapping[str, Word | Counted], language: Language) -> None:
        self._words, self._language = words, language

    def __getattr__(self, name: str) -> object:
        try:
            word = self._words[name]
        except KeyError as error:
            raise AttributeError(name) from error
        if isinstance(word, Word):
            return word.said(self._language)
        return lambda number: word.said(self._language, number)


def known_language(text: str | None) -> Language | None:
    """The language that a BCP 47 tag begins with, `fr-CA` too; None if it is none of ours."""
    first = (text or "").replace("_", "-").partition("-")[0].lower()
    return next((each for each in LANGUAGES if each == first), None)


def day(moment: date, language: Language) -> str:
    """`2 mars 2026`, `2 Mar 2026`"""
    return f"{short_day(moment, language)} {moment.year}"


def month(moment: date, language: Language) -> str:
    """`mars 2026`, `March 2026`"""
    return f"{_MONTHS[language][moment.month]} {moment.year}"


def short_day(moment: date, language: Language) -> str:
    """`2 mars`, `2 Mar`"""
    return f"{moment.day} {_SHORT_MONTHS[language][moment.month]}"


def instant(moment: datetime, language: Language) -> str:
    """Day and clock of `moment`, in the zone that it has."""
    return f"{day(moment, language)}, {clock(moment, language)}"


def clock(moment: datetime, language: Language) -> str:
    """`14:05`, in both languages."""
    return f"{moment.hour:02}:{moment.minute:02}"


def number_text(number: Decimal | int, language: Language) -> str:
    """A number as the language writes it, with every digit that it came with: `1,50` stays that."""
    digits = max(0, -int(number.as_tuple().exponent)) if isinstance(number, Decimal) and number.is_finite() else 0
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(number, pattern, locale=_LOCALES[language])
