"""Texts that a row has no place for: it cuts them, and what opens below it shows them whole. None is out of reach."""

from collections.abc import Iterator

from plugin.faces.viewer.readings.result import Part, Result
from plugin.faces.viewer.readings.text import Text
from plugin.faces.viewer.readings.values import Absent, Phrase, Said, Term, Value


def cut_texts(result: Result) -> tuple[Text, ...]:
    """What of a result is longer than its row prints, notes aside; each once, in the order of the row."""
    return tuple(dict.fromkeys(each for told in _told(result) for each in _texts(told) if each.whole is not None))


def _told(result: Result) -> Iterator[Value | None]:
    yield from (*result.warnings, result.when_told, result.status, *result.remarks)
    yield from _measured(result)
    for part in result.parts:
        yield from _measured(part)
    yield from result.performers
    for link in result.members:
        yield link.title
    for detail in result.details:
        yield detail.value


def _measured(of: Result | Part) -> Iterator[Value | None]:
    yield from (of.title, of.value, *of.flag.words)
    for limits in of.ranges:
        yield from (limits.text, limits.meaning, *limits.applies_to)


def _texts(value: Value | None) -> Iterator[Text]:
    match value:
        case Text():
            yield value
        case Term():
            yield value.text
            for _, words in value.translations:
                yield words
        case Absent():
            yield value.reason.text
        case Said():
            for each in value.values:
                yield from _texts(each)
        case Phrase():
            for each in value.parts:
                yield from _texts(each)
        case _:
            pass
