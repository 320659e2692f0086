"""Values of a reading as one line of text in a language: the digits of the source, the words of the page."""

from collections.abc import Mapping
from typing import Final

from babel import Locale

from plugin.faces.pages.wording import LANGUAGES, Language, Word, day, instant, known_language, month
from plugin.faces.viewer.phrases import PHRASES
from plugin.faces.viewer.readings.code_words import WORDS
from plugin.faces.viewer.readings.moment import Precision, When
from plugin.faces.viewer.readings.result import ReferenceRange
from plugin.faces.viewer.readings.text import Text
from plugin.faces.viewer.readings.values import (
    Absent,
    Altered,
    Amount,
    Money,
    Number,
    Phrase,
    Ratio,
    Said,
    Sampled,
    Span,
    Term,
    Truth,
    Unread,
    Value,
)

_SIGNS: Final[Mapping[Language, Mapping[str, str]]] = {each: dict(Locale(each).currency_symbols) for each in LANGUAGES}
"""Of currencies, by their code; one that has none is its own."""
_SPACE: Final = "\u00a0"
"""Between a number and its unit, which stay on one line."""
_KEPT_TOGETHER: Final = 20
"""Characters of a unit that fits on one line with its number in a panel 380 px wide; a longer one may begin the next
line."""
_YES, _NO = Word("oui", "yes"), Word("non", "no")
_FROM_TO = Word("du {0} au {1}", "{0} to {1}")
_SINCE, _UNTIL = Word("depuis le {0}", "since {0}"), Word("jusqu’au {0}", "until {0}")
_UNPRINTED: Final[Mapping[str, Word]] = {
    Sampled.kind: Word("série de mesures, non dessinée", "series of measurements, not drawn"),
    Unread.kind: Word(
        "La source donne ici ce que cette page ne sait pas lire. Adressez-vous à la source.",
        "The source gives something here that this page cannot read. Ask the source.",
    ),
    Altered.kind: Word(
        "La source modifie le sens de ce résultat d’une façon que cette page ne connaît pas. Adressez-vous à la "
        "source.",
        "The source changes the meaning of this result in a way that this page does not know. Ask the source.",
    ),
}
"""What is said of values that are there and not printed, by their kind."""
_TWO_UNITS = Word(
    "(la source donne deux unités : {0} et {1})",
    "(the source gives two units: {0} and {1})",
)
_ALSO = Word("{0} (la source donne aussi {1})", "{0} (the source also gives {1})")
_CODE = Word("Code {0}", "Code {0}")
"""A code without a word of ours or of its source."""
_ABSENT = Word("pas de valeur : {0}", "no value: {0}")


def printed(value: Value | Number | None, language: Language) -> str:
    """`value` as a page prints it, unescaped; "" for None."""
    match value:
        case None:
            return ""
        case Text():
            return value.shown
        case Term():
            return term(value, language)
        case Number():
            return number(value, language)
        case Amount():
            return amount(value, language)
        case Span():
            return span(value, language)
        case Ratio():
            return f"{amount(value.numerator, language)} : {amount(value.denominator, language)}"
        case Money():
            return money(value, language)
        case When():
            return moment(value, language)
        case Said():
            return sentence(value, language)
        case Phrase():
            return ", ".join(dict.fromkeys([printed(each, language) for each in value.parts]))
        case _:
            return _worded(value, language)


def _worded(value: Truth | Sampled | Altered | Unread | Absent, language: Language) -> str:
    """What is told in our words alone."""
    match value:
        case Truth():
            return (_YES if value.yes else _NO).said(language)
        case Absent():
            return _ABSENT.said(language).format(term(value.reason, language))
        case _:
            return _UNPRINTED[value.kind].said(language)


def sentence(value: Said, language: Language) -> str:
    """Our words with the source's values in them."""
    words = PHRASES[value.key]
    form = words.said(language) if isinstance(words, Word) else words.form(language, value.count or 0)
    return form.format(*[printed(each, language) for each in value.values])


def term(value: Term, language: Language) -> str:
    """Our word for a code that FHIR defines, else the source's own words, in `language` where it translates them."""
    if value.key is not None and (pair := WORDS.get(value.key)) is not None:
        return Word(*pair).said(language)
    for tag, words in value.translations:
        if known_language(tag) == language:
            return words.shown
    return _CODE.said(language).format(value.text.shown) if value.is_code else value.text.shown


def number(value: Number, language: Language) -> str:
    """The source's digits, its point as the language writes it."""
    return value.text.replace(".", ",") if language == "fr" else value.text


def amount(value: Amount, language: Language) -> str:
    """`< 5,0 mg/L`"""
    told = f"{value.sign}{_SPACE}{number(value.number, language)}" if value.sign else number(value.number, language)
    if value.unit is None:
        return told
    unit = value.unit.shown
    told = f"{told}{_SPACE if len(unit) <= _KEPT_TOGETHER else ' '}{unit}"
    if value.other_unit is None:
        return told
    return f"{told} {_TWO_UNITS.said(language).format(value.unit.shown, value.other_unit.shown)}"


def span(value: Span, language: Language) -> str:
    """`3,5 – 5,1 mmol/L`, or one side of it."""
    if value.low is None or value.high is None:
        side = value.low or value.high
        sign = "≥" if value.high is None else "≤"
        return "" if side is None else f"{sign}{_SPACE}{amount(side, language)}"
    if value.low.unit == value.high.unit and not value.low.comparator:
        return f"{number(value.low.number, language)}{_SPACE}– {amount(value.high, language)}"
    return f"{amount(value.low, language)} – {amount(value.high, language)}"


def money(value: Money, language: Language) -> str:
    """`23,00 €`, `€23.00`"""
    told = number(value.number, language)
    if not value.currency:
        return told
    sign = _SIGNS[language].get(value.currency, value.currency)
    return f"{told}{_SPACE}{sign}" if language == "fr" else f"{sign}{told}"


def moment(value: When, language: Language) -> str:
    """As exact as the source wrote it, in its own clock time."""
    one = _one(value, language)
    if not value.is_period:
        return one
    if value.is_open_start and value.is_dated and value.written is not None:
        return _FROM_TO.said(language).format(value.written.shown, one)
    if value.is_open_start:
        return _UNTIL.said(language).format(one)
    if value.until is None:
        return _SINCE.said(language).format(one)
    return _FROM_TO.said(language).format(one, _one(value.until, language))


def _one(value: When, language: Language) -> str:
    match value.precision:
        case Precision.YEAR:
            return f"{value.at.year:04d}"
        case Precision.MONTH:
            return month(value.at, language)
        case Precision.DAY:
            return day(value.at, language)
        case Precision.TIME:
            # A clock that is nobody's: at midnight even the day is another one than on the clocks around.
            utc = f"{_SPACE}UTC" if value.zoned and not value.at.utcoffset() else ""
            return f"{instant(value.at, language)}{utc}"
        case Precision.UNREADABLE:
            return value.written.shown if value.written is not None else ""


def reference_range(value: ReferenceRange, language: Language) -> str:
    """The range, and for whom or what it is."""
    told = span(value.span, language) if value.span is not None else ""
    if value.text is not None and (value.is_contradictory or value.says_more):
        told = _ALSO.said(language).format(value.text.shown, told)
    told = told or (value.text.shown if value.text is not None else "")
    about = [term(each, language) for each in ((value.meaning,) if value.meaning else ()) + value.applies_to]
    if value.age is not None:
        about.append(span(value.age, language))
    if value.is_unread:
        about.append(_UNPRINTED[Unread.kind].said(language))
    return f"{told} ({', '.join(about)})".strip() if about else told
