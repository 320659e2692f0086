"""Order, filters and search over results that were read already. Nothing here asks a feed."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from fhir_adapters.moments import BEGINNING
from plugin.faces.viewer.readings.code_words import WORDS
from plugin.faces.viewer.readings.moment import When
from plugin.faces.viewer.readings.result import Category, Result
from plugin.faces.viewer.readings.text import Text
from plugin.faces.viewer.readings.values import Absent, Amount, Money, Number, Phrase, Ratio, Said, Span, Term, Value

MAX_SEARCH = 200
"""Characters of a search text that count."""
MAX_WORDS = 10
"""Words of it that count; each must be found."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What to keep; a filter that is None keeps everything. All given ones must hold."""

    since: date | None = None
    """First day, inclusive, by the source's own calendar. What has no date stays: it cannot be told to be older."""
    until: date | None = None
    """Last day, inclusive."""
    category: Category | None = None
    feed: str | None = None
    abnormal: bool = False
    """Only what is marked."""
    text: str = ""
    """Words that must all be there, whatever their case and accents."""

    @property
    def is_set(self) -> bool:
        """Whether it keeps less than everything."""
        return self != Filter()


def newest_first(results: Iterable[Result]) -> list[Result]:
    """By when it was so, else by when it was released; without either at the end. Equal times keep their order."""
    return sorted(results, key=_moment, reverse=True)


def matching(results: Iterable[Result], wanted: Filter) -> list[Result]:
    """Those that `wanted` keeps, in their order."""
    words = search_words(wanted.text)
    return [each for each in results if _keeps(each, wanted) and _has(each, words)]


def by_category(results: Iterable[Result]) -> dict[Category, list[Result]]:
    """The results of each section that has any, sections in their order."""
    found: dict[Category, list[Result]] = {category: [] for category in Category}
    for each in results:
        found[each.category].append(each)
    return {category: listed for category, listed in found.items() if listed}


def counts(results: Iterable[Result]) -> Counter[Category]:
    """How many there are in each section."""
    return Counter(each.category for each in results)


def search_words(text: str) -> tuple[str, ...]:
    """The words of a search text, folded."""
    return tuple(fold(text[:MAX_SEARCH]).split()[:MAX_WORDS])


def fold(text: str) -> str:
    """`text` without case, accents and ligatures: `creatinine` finds `Créatinine`, `oe` finds `œ`."""
    if text.isascii():
        return text.lower()
    spread = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    return "".join(char for char in spread if not unicodedata.combining(char))


def _moment(result: Result) -> datetime:
    for each in (result.when, result.issued):
        if each is not None and each.is_dated:
            return each.order
    return BEGINNING


def _keeps(result: Result, wanted: Filter) -> bool:
    return (
        (wanted.category is None or result.category is wanted.category)
        and (wanted.feed is None or result.feed == wanted.feed)
        and (not wanted.abnormal or result.is_abnormal or result.is_worded)
        and _in_period(result.when or result.issued, wanted)
    )


def _in_period(moment: When | None, wanted: Filter) -> bool:
    """Whether any part of `moment` can lie in the period: March lies in one that begins on the 15th."""
    if moment is None or not moment.is_dated:
        return True
    if wanted.until is not None and moment.at.date() > wanted.until and not moment.is_open_start:
        return False
    if wanted.since is None:
        return True
    last = _last_day(moment)
    return last is None or last >= wanted.since


def _last_day(moment: When) -> date | None:
    """The last day that it can mean; None: it goes on."""
    if moment.until is not None and moment.until.is_dated:
        return moment.until.last_day
    if moment.is_period and not moment.is_open_start:
        return None
    return moment.last_day


def _has(result: Result, words: Sequence[str]) -> bool:
    if not words:
        return True
    told = fold("\n".join(_texts(result)))
    return all(each in told for each in words)


def _texts(result: Result) -> Iterator[str]:
    """What is printed of a result and can be searched for."""
    for told in (*result.warnings, result.title, result.value, result.status, *result.remarks, *result.flag.words):
        yield from _value_texts(told)
    for part in result.parts:
        for told in (part.title, part.value, *part.flag.words):
            yield from _value_texts(told)
    for limits in (*result.ranges, *(each for part in result.parts for each in part.ranges)):
        for told in (limits.text, limits.span, limits.meaning, *limits.applies_to):
            yield from _value_texts(told)
    for link in result.members:
        yield from _value_texts(link.title)
    for text in (*result.performers, *result.notes):
        yield text.whole or text.shown
    for detail in result.details:
        yield from _value_texts(detail.value)
    for file in result.attachments:
        yield from _value_texts(file.title)


def _value_texts(value: Value | Number | None) -> Iterator[str]:
    if isinstance(value, Text):
        yield value.whole or value.shown
    elif isinstance(value, Term):
        yield value.text.whole or value.text.shown
        for _, words in value.translations:
            yield words.whole or words.shown
        if value.key is not None:
            yield from WORDS[value.key]
    elif isinstance(value, Amount | Money):
        yield from _number_texts(value)
    elif isinstance(value, Span | Ratio):
        for side in (value.low, value.high) if isinstance(value, Span) else (value.numerator, value.denominator):
            yield from _value_texts(side)
    elif isinstance(value, Absent):
        yield from _value_texts(value.reason)
    elif isinstance(value, Said | Phrase):
        for each in value.values if isinstance(value, Said) else value.parts:
            yield from _value_texts(each)


def _number_texts(value: Amount | Money) -> Iterator[str]:
    """As either language prints it."""
    if isinstance(value, Money):
        sign, unit = "", value.currency
    else:
        sign = value.sign
        unit = "" if value.unit is None else value.unit.shown
    for digits in (value.number.text, value.number.text.replace(".", ",")):
        yield f"{sign} {digits} {unit}"
